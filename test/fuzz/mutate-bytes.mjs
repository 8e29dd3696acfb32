// Damages a file's bytes: what disks, networks and editors do, and what a hostile hand does to digits and sections.

const NUMBERS = [
  '0',
  '-1',
  '4294967295',
  '4294967296',
  '9007199254740991',
  '9007199254740993',
  '99999999999999999999',
].concat('1e3', '1.5', '-0', '007', '1e999', 'null', 'true', '""', '[]', '{}', 'NaN', '', ' ', `5${' '.repeat(20)}`)
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\u0000',
  '\u001b',
  '\n',
  '\\u',
  '\\ud800',
  '\\x',
  '//',
  '\ufeff',
]
const SECTIONS = ['snapshot', 'nodes', 'edges', 'trace_function_infos', 'trace_tree', 'samples', 'locations', 'strings']

/** @returns {Buffer} the bytes, changed once */
export function mutateBytes(bytes, other, random) {
  if (bytes.length === 0) return bytes
  return random.pick(MUTATIONS)(bytes, random, other)
}

const splice = (bytes, from, to, middle) => Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)])

/** A number in the text: where it starts and ends. */
function findNumber(bytes, random) {
  const isDigit = (at) => bytes[at] >= 0x30 && bytes[at] <= 0x39
  let start = random.below(bytes.length)
  while (start < bytes.length && !isDigit(start)) start++
  while (start > 0 && isDigit(start - 1)) start--
  let end = start
  while (end < bytes.length && isDigit(end)) end++
  return [start, end]
}

/** A section with its key: from its key's quote to the comma in front of the next one's. */
function findSection(bytes, random) {
  const at = random.below(SECTIONS.length)
  const start = bytes.indexOf(`"${SECTIONS[at]}":`)
  const end = at + 1 < SECTIONS.length ? bytes.indexOf(`"${SECTIONS[at + 1]}":`) : bytes.length - 1
  return start >= 0 && end > start ? [start, end] : undefined
}

const MUTATIONS = [
  function flipBits(bytes, random) {
    const changed = Buffer.from(bytes)
    for (let i = random.few(8); i > 0; i--) changed[random.below(bytes.length)] ^= 1 << random.below(8)
    return changed
  },
  function setBytes(bytes, random) {
    const changed = Buffer.from(bytes)
    for (let i = random.few(4); i > 0; i--) changed[random.below(bytes.length)] = random.below(256)
    return changed
  },
  function remove(bytes, random) {
    const from = random.below(bytes.length)
    return splice(bytes, from, Math.min(bytes.length, from + random.few(300)), Buffer.alloc(0))
  },
  function insert(bytes, random) {
    const at = random.below(bytes.length + 1)
    return splice(bytes, at, at, Buffer.from(random.pick(TOKENS)))
  },
  function insertNoise(bytes, random) {
    const at = random.below(bytes.length + 1)
    return splice(bytes, at, at, Buffer.from(Array.from({ length: random.few(64) }, () => random.below(256))))
  },
  function insertBlanks(bytes, random) {
    const at = random.below(bytes.length + 1)
    return splice(bytes, at, at, Buffer.from(random.pick([' ', '\n', '\t', '\r']).repeat(random.few(40))))
  },
  function duplicate(bytes, random) {
    const from = random.below(bytes.length)
    const part = bytes.subarray(from, from + random.few(500))
    const at = random.chance(0.5) ? from : random.below(bytes.length + 1)
    return splice(bytes, at, at, part)
  },
  function swap(bytes, random) {
    const [a, b, c, d] = Array.from({ length: 4 }, () => random.below(bytes.length + 1)).sort((x, y) => x - y)
    const part = (from, to) => bytes.subarray(from, to)
    return Buffer.concat([part(0, a), part(c, d), part(b, c), part(a, b), part(d, bytes.length)])
  },
  function spliceOther(bytes, random, other) {
    const cut = random.below(bytes.length)
    const share = cut / bytes.length
    const at = random.chance(0.5) ? Math.floor(share * other.length) : random.below(other.length + 1)
    return Buffer.concat([bytes.subarray(0, cut), other.subarray(at)])
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, random.chance(0.3) ? bytes.length - random.few(20) : random.below(bytes.length))
  },
  function changeDigit(bytes, random) {
    const changed = Buffer.from(bytes)
    for (let i = random.few(6); i > 0; i--) {
      const [start, end] = findNumber(bytes, random)
      if (end > start) changed[start + random.below(end - start)] = 0x30 + random.below(10)
    }
    return changed
  },
  function replaceNumber(bytes, random) {
    const [start, end] = findNumber(bytes, random)
    return splice(bytes, start, end, Buffer.from(random.pick(NUMBERS)))
  },
  function section(bytes, random, other) {
    const found = findSection(bytes, random)
    if (!found) return bytes
    const [start, end] = found
    const part = bytes.subarray(start, end)
    const what = random.below(4)
    if (what === 0) return splice(bytes, start, end, Buffer.alloc(0))
    if (what === 1) return splice(bytes, end, end, part)
    const target = findSection(what === 2 ? bytes : other, random)
    if (!target) return bytes
    // Moved elsewhere, or replaced by a section of another file.
    if (what === 2 && target[0] >= end) {
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end, target[0]), part, bytes.subarray(target[0])])
    }
    return splice(bytes, start, end, (what === 2 ? bytes : other).subarray(target[0], target[1]))
  },
  function unusedSection(bytes, random) {
    const at = bytes.indexOf('"samples":[]')
    if (at < 0) return bytes
    const inside = random.pick(['1,2,3', '"]"', '{"a":[1]}', '[[]]', '"\\""', '}', '[}', '1 2', '"', 'é', '\u0001'])
    return splice(bytes, at, at + 12, Buffer.from(`"samples":[${inside}]`))
  },
]
