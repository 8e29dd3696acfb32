// Makes a heap snapshot small by what it differs in from another one, and every byte of it again.
//
// Two heaps of one version of Node are nearly the same: Node's own objects. So each node is matched with one of the other
// heap where there is one like it, and only what differs is written: the order, fields, edges. What has no like is written
// in full. Strings are numbered in the order in which they come up, which is how V8 orders its table.
//
// `Differences` are numbers of which most are 0: each is written as how many zeros come before it, and itself.

const EDGE = 3
const NONE = -1
/** Of edges: their second field is a number, not a name. */
const INDEXED = new Set(['element', 'hidden'])
/** How far the edges of two nodes that match may be out of step. */
const WINDOW = 48

/** What stands for an edge that is not as it was: it comes besides, it comes in place of one, so many were left out. */
const OP = { same: 0, more: 1, other: 2, fewer: 3 }

class Writer {
  bytes = Buffer.allocUnsafe(1 << 12)
  length = 0

  count(value) {
    if (this.length + 8 > this.bytes.length) this.bytes = Buffer.concat([this.bytes], 2 * this.bytes.length)
    let rest = value
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.bytes[this.length++] = (rest % 128) | 0x80
    this.bytes[this.length++] = rest
  }

  signed(value) {
    this.count(value < 0 ? -2 * value - 1 : 2 * value)
  }

  end() {
    return this.bytes.subarray(0, this.length)
  }
}

class Reader {
  at = 0

  constructor(bytes) {
    this.bytes = bytes
  }

  count() {
    let byte = this.bytes[this.at++]
    if (byte < 0x80) return byte
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      byte = this.bytes[this.at++]
    }
  }

  signed() {
    const value = this.count()
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }

  get isAtEnd() {
    return this.at >= this.bytes.length
  }
}

class DifferencesWriter {
  #out = new Writer()
  #zeros = 0

  signed(value) {
    if (value === 0) {
      this.#zeros++
      return
    }
    this.#out.count(this.#zeros)
    this.#out.signed(value)
    this.#zeros = 0
  }

  end() {
    return this.#out.end()
  }
}

class DifferencesReader {
  #in
  #zeros

  constructor(bytes) {
    this.#in = new Reader(bytes)
    this.#readZeros()
  }

  #readZeros() {
    this.#zeros = this.#in.isAtEnd ? Number.POSITIVE_INFINITY : this.#in.count()
  }

  signed() {
    if (this.#zeros > 0) {
      this.#zeros--
      return 0
    }
    const value = this.#in.signed()
    this.#readZeros()
    return value
  }
}

/** Strings as the file has them, quotes and all, numbered as they come up; several snapshots share them. */
export class Strings {
  texts = []
  #ids = new Map()
  /** By id: the number that it is the name of, -1 for all others. */
  #numbers = []

  constructor(texts = []) {
    for (const text of texts) this.idOf(text)
  }

  idOf(text) {
    const known = this.#ids.get(text)
    if (known !== undefined) return known
    this.#ids.set(text, this.texts.length)
    this.#numbers.push(/^"(?:0|[1-9]\d{0,8})"$/.test(text) ? Number(text.slice(1, -1)) : NONE)
    return this.texts.push(text) - 1
  }

  /** V8 counts some edges in their names. */
  numberOf(id) {
    return this.#numbers[id]
  }

  idOfNumber(number) {
    return this.#ids.get(`"${number}"`) ?? NONE
  }
}

/** What stands between the lists of a `.heapsnapshot`. */
const EDGES = '],\n"edges":['
const STRINGS = '],\n"strings":['
const END = ']}'
const STRING = /"(?:[^"\\]|\\.)*"/g

/**
 * The columns of a snapshot. `nodes` has all fields of each, names as ids of `strings`; `edges` type, name (an id too,
 * unless it is an index) and the ordinal of the target; `locations` an ordinal, and the rest.
 * @param {Buffer} bytes as V8 wrote them
 */
export function parse(bytes, strings) {
  const text = bytes.toString('latin1')
  const headEnd = text.indexOf('"nodes":[') + '"nodes":['.length
  const edgesAt = text.indexOf(EDGES, headEnd)
  const middleAt = text.indexOf('],\n"trace_function_infos"', edgesAt + EDGES.length)
  const locationsAt = text.indexOf('"locations":[', middleAt) + '"locations":['.length
  const stringsAt = text.indexOf(STRINGS, locationsAt)
  const head = text.slice(0, headEnd)
  const layout = layoutOf(head)
  const table = text.slice(stringsAt + STRINGS.length, -END.length).match(STRING) ?? []
  const ids = table.map((each) => strings.idOf(each))
  const nodes = numbers(text.slice(headEnd, edgesAt))
  const edges = numbers(text.slice(edgesAt + EDGES.length, middleAt))
  const locations = numbers(text.slice(locationsAt, stringsAt))
  for (let at = 0; at < nodes.length; at += layout.width) nodes[at + layout.name] = ids[nodes[at + layout.name]]
  for (let at = 0; at < edges.length; at += EDGE) {
    if (!layout.indexed[edges[at]]) edges[at + 1] = ids[edges[at + 1]]
    edges[at + 2] /= layout.width
  }
  for (let at = 0; at < locations.length; at += layout.locationWidth) locations[at] /= layout.width
  // Up to Node 22, each row has a line.
  const rowEnd = text[edgesAt - 1] === '\n' ? '\n' : ''
  // The first is there whether anything has that name or not.
  const heap = { head, middle: text.slice(middleAt, locationsAt), rowEnd, first: ids[0], nodes, edges, locations }
  return { ...heap, starts: startsOf(heap, layout) }
}

const numbers = (text) => Uint32Array.from(text === '' ? [] : text.split(','), Number)

function layoutOf(head) {
  const meta = JSON.parse(`${head.slice(0, head.lastIndexOf(',\n"nodes":['))}}`).snapshot.meta
  return {
    width: meta.node_fields.length,
    type: meta.node_fields.indexOf('type'),
    name: meta.node_fields.indexOf('name'),
    id: meta.node_fields.indexOf('id'),
    edgeCount: meta.node_fields.indexOf('edge_count'),
    size: meta.node_fields.indexOf('self_size'),
    locationWidth: meta.location_fields.length,
    indexed: meta.edge_types[0].map((type) => INDEXED.has(type)),
  }
}

/** What is not in its columns. */
export const frameOf = ({ head, middle, rowEnd }) => ({ head, middle, rowEnd })

/** The first edge of each node, and the end of the last. */
function startsOf({ nodes, edges }, { width, edgeCount }) {
  const starts = new Uint32Array(nodes.length / width + 1)
  for (let i = 0; i + 1 < starts.length; i++) starts[i + 1] = starts[i] + nodes[i * width + edgeCount]
  if (starts.at(-1) !== edges.length / EDGE) throw new Error('these are not the edges of these nodes')
  return starts
}

/** The file again: what `parse` was given. */
export function write({ head, middle, rowEnd, first, nodes, edges, locations }, strings) {
  const layout = layoutOf(head)
  const { width, name, locationWidth } = layout
  const out = new Text(nodes.length * 5 + edges.length * 8)
  const table = []
  const indexes = new Int32Array(strings.texts.length).fill(-1)
  const indexOf = (id) => {
    if (indexes[id] === -1) indexes[id] = table.push(strings.texts[id]) - 1
    return indexes[id]
  }
  indexOf(first)
  out.text(head)
  for (let at = 0; at < nodes.length; at += width) {
    out.row(at === 0)
    for (let field = 0; field < width; field++) {
      if (field > 0) out.byte(COMMA)
      out.number(field === name ? indexOf(nodes[at + field]) : nodes[at + field])
    }
    if (rowEnd) out.byte(NEWLINE)
  }
  out.text(EDGES)
  for (let at = 0; at < edges.length; at += EDGE) {
    out.row(at === 0)
    out.number(edges[at])
    out.byte(COMMA)
    out.number(layout.indexed[edges[at]] ? edges[at + 1] : indexOf(edges[at + 1]))
    out.byte(COMMA)
    out.number(edges[at + 2] * width)
    if (rowEnd) out.byte(NEWLINE)
  }
  out.text(middle)
  for (let at = 0; at < locations.length; at += locationWidth) {
    out.row(at === 0)
    for (let field = 0; field < locationWidth; field++) {
      if (field > 0) out.byte(COMMA)
      out.number(field === 0 ? locations[at] * width : locations[at + field])
    }
    if (rowEnd) out.byte(NEWLINE)
  }
  out.text(STRINGS)
  out.text(table.join(`,${rowEnd}`))
  out.text(END)
  return out.end()
}

const COMMA = 0x2c
const NEWLINE = 0x0a
const ZERO = 0x30

class Text {
  #length = 0

  constructor(bytes) {
    this.bytes = Buffer.allocUnsafe(bytes)
  }

  #reserve(bytes) {
    if (this.#length + bytes > this.bytes.length)
      this.bytes = Buffer.concat([this.bytes.subarray(0, this.#length)], 2 * this.bytes.length + bytes)
  }

  /** Begins a row of some ten numbers. */
  row(isFirst) {
    this.#reserve(256)
    if (!isFirst) this.byte(COMMA)
  }

  byte(value) {
    this.bytes[this.#length++] = value
  }

  number(value) {
    const small = value >= 1e9 ? value % 1e9 : value
    if (value >= 1e9) this.number(Math.floor(value / 1e9))
    let end = value >= 1e9 ? this.#length + 9 : this.#length + 1
    for (let power = 10; value < 1e9 && small >= power; power *= 10) end++
    for (let rest = small | 0, to = end; to > this.#length; rest = (rest / 10) | 0)
      this.bytes[--to] = ZERO + (rest % 10)
    this.#length = end
  }

  text(value) {
    this.#reserve(value.length)
    this.#length += this.bytes.write(value, this.#length, 'latin1')
  }

  end() {
    return this.bytes.subarray(0, this.#length)
  }
}

const EMPTY = { nodes: [], edges: [], locations: [], starts: [0] }

/**
 * What `heap` has that `base` has not.
 * @param heap what `parse` gave
 * @param base another one of the same version of Node, with the same strings; undefined for none
 * @param isSameProcess whether ids mean the same in both
 * @param {number} known how many of the strings were there before
 * @returns {Buffer[]}
 */
export function pack(heap, base, strings, isSameProcess, known) {
  const layout = layoutOf(heap.head)
  const lists = listsOf(strings, layout, strings.texts.length)
  const matches = base
    ? matchesOf(heap, base, layout, lists, isSameProcess)
    : new Int32Array(heap.nodes.length / layout.width).fill(NONE)
  const ofNodes = heap.nodes.reduce(
    (most, id, at) => (at % layout.width === layout.name ? Math.max(most, id) : most),
    0,
  )
  const next = [known, Math.max(known, ofNodes + 1)]
  const lengths = new Writer()
  const sizes = [heap.nodes, heap.edges, heap.locations].map(({ length }) => length)
  for (const value of [...sizes, heap.first, ...next, strings.texts.length]) lengths.count(value)
  const io = new Packing()
  transfer(io, { ...heap, matches }, base ?? EMPTY, { layout, lists, isSameProcess, next })
  return [lengths.end(), ...io.end()]
}

/** What `pack` was given: `frame` is of it, `strings` may have more by now. */
export function unpack([lengths, ...streams], frame, base, strings, isSameProcess) {
  const layout = layoutOf(frame.head)
  const counts = new Reader(lengths)
  const [nodes, edges, locations] = Array.from({ length: 3 }, () => new Uint32Array(counts.count()))
  const first = counts.count()
  const next = [counts.count(), counts.count()]
  const lists = listsOf(strings, layout, counts.count())
  const starts = new Uint32Array(nodes.length / layout.width + 1)
  const heap = { ...frame, first, nodes, edges, locations, starts }
  const matches = new Int32Array(starts.length - 1)
  transfer(new Unpacking(streams), { ...heap, matches }, base ?? EMPTY, { layout, lists, isSameProcess, next })
  return heap
}

/** Which edges count: by an index, or by a number that they have for a name. */
function listsOf(strings, { indexed }, known) {
  return {
    /** Where the edge stands in its list; NONE for what is in none. */
    placeOf: (edges, row) => (indexed[edges[row]] ? edges[row + 1] : strings.numberOf(edges[row + 1])),
    /** What stands in the edge's second field if its place is another one. */
    nameAt(edges, row, place) {
      if (indexed[edges[row]]) return place
      const id = strings.idOfNumber(place)
      return id < known && id !== NONE ? id : edges[row + 1]
    },
  }
}

/** The streams. */
const [ORDER, IDS, FIELDS, OPS, PLACES, FRESH] = [0, 1, 2, 3, 4, 5]

class Packing {
  packs = true
  #differences = Array.from({ length: FRESH }, () => new DifferencesWriter())
  #fresh = new Writer()

  /** What is as expected, as a rule. */
  near(stream, value, expected) {
    this.#differences[stream].signed(value - expected)
    return value
  }

  count(value) {
    this.#fresh.count(value)
    return value
  }

  signed(value) {
    this.#fresh.signed(value)
    return value
  }

  end() {
    return [...this.#differences, this.#fresh].map((each) => each.end())
  }
}

class Unpacking {
  packs = false
  #differences
  #fresh

  constructor(streams) {
    this.#differences = streams.slice(0, FRESH).map((each) => new DifferencesReader(each))
    this.#fresh = new Reader(streams[FRESH])
  }

  near(stream, _, expected) {
    return this.#differences[stream].signed() + expected
  }

  count() {
    return this.#fresh.count()
  }

  signed() {
    return this.#fresh.signed()
  }
}

/** Packs or unpacks: each value of `heap` goes through `io`, which gives it back, or gives what it is to be. */
function transfer(io, heap, base, { layout, lists, isSameProcess, next: nextName }) {
  const { nodes, edges, starts, locations, matches } = heap
  const { width, name, id, edgeCount, indexed } = layout
  const named = (value, of) => {
    const code = io.count(value === nextName[of] ? 0 : value + 1)
    return code === 0 ? nextName[of]++ : code - 1
  }

  for (let i = 0, expected = 0; i < matches.length; i++) {
    matches[i] = orderOf(io.near(ORDER, codeOf(matches[i], expected), 0), expected)
    if (matches[i] !== NONE) expected = matches[i] + 1
  }
  const back = new Int32Array(base.starts.length - 1).fill(NONE)
  for (let i = 0; i < matches.length; i++) if (matches[i] !== NONE) back[matches[i]] = i

  let source = 0
  let lastTarget = 0
  let lastKnown = 0
  /** A target in this heap, or one by what it matches in the other, which says the same each time. */
  const target = (value, isIndexed) => {
    const match = matches[value] ?? NONE
    const isKnown = match !== NONE
    const from = isIndexed ? lastTarget : source
    const fromKnown = isIndexed ? lastKnown : 0
    const difference = isKnown ? match - fromKnown : value - from
    const code = io.signed(2 * difference + (isKnown ? 1 : 0))
    const read = Math.floor(code / 2)
    return code % 2 === 0 ? from + read : back[fromKnown + read]
  }

  for (let i = 0; i < matches.length; i++) {
    const match = matches[i]
    const [at, at1] = [i * width, match * width]
    for (let field = 0; field < width; field++) {
      const value = nodes[at + field]
      if (field === id) {
        const before = i === 0 ? 0 : nodes[at - width + id]
        const isKnown = match !== NONE && (isSameProcess || match > 0)
        const step = isKnown && !isSameProcess ? base.nodes[at1 + id] - base.nodes[at1 - width + id] : 2
        nodes[at + field] = io.near(IDS, value, isKnown && isSameProcess ? base.nodes[at1 + id] : before + step)
      } else if (match === NONE) nodes[at + field] = field === name ? named(value, 0) : io.count(value)
      else if (field === name) {
        const isSame = io.near(FIELDS, value === base.nodes[at1 + field] ? 0 : 1, 0) === 0
        nodes[at + field] = isSame ? base.nodes[at1 + field] : named(value, 0)
      } else nodes[at + field] = io.near(FIELDS, value, base.nodes[at1 + field])
    }
    starts[i + 1] = starts[i] + nodes[at + edgeCount]

    source = i
    lastTarget = i
    lastKnown = 0
    let index = NONE
    const like = { from: match === NONE ? 0 : base.starts[match], end: match === NONE ? 0 : base.starts[match + 1] }
    let next = like.from
    for (let edge = starts[i]; edge < starts[i + 1]; edge++) {
      const row = edge * EDGE
      let op = OP.more
      if (next < like.end) {
        op = io.near(OPS, io.packs ? opAt(heap, edge, starts[i + 1], base, next, like, index, lists, back) : 0, 0)
        if (op >= OP.fewer) next += op - OP.fewer + 1
      }
      if (op === OP.same || op >= OP.fewer) {
        const row1 = next * EDGE
        edges[row] = base.edges[row1]
        edges[row + 1] = nameLike(base, next, like.from, index, lists)
        edges[row + 2] = back[base.edges[row1 + 2]]
      } else {
        edges[row] = io.count(edges[row])
        const isIndexed = indexed[edges[row]]
        const expected = index + 1
        edges[row + 1] = isIndexed ? io.signed(edges[row + 1] - expected) + expected : named(edges[row + 1], 1)
        edges[row + 2] = target(edges[row + 2], isIndexed)
      }
      if (op !== OP.more) next++
      const place = lists.placeOf(edges, row)
      if (place !== NONE) index = place
      lastTarget = edges[row + 2]
      if (matches[lastTarget] !== NONE) lastKnown = matches[lastTarget]
    }
  }
  transferLocations(io, locations, base.locations, layout.locationWidth, back)
}

/** 0 for the one that is next, as it mostly is; 1 for none; and how far it is from that. */
function codeOf(match, expected) {
  if (match === NONE) return 1
  return match < expected ? match - expected : match === expected ? 0 : match - expected + 1
}

function orderOf(code, expected) {
  if (code === 1) return NONE
  return code <= 0 ? expected + code : expected + code - 1
}

/** The name, or the index, that an edge has if it is like `edge` of `base`, but may be further up in its list. */
function nameLike({ edges }, edge, first, index, lists) {
  const row = edge * EDGE
  const place = lists.placeOf(edges, row)
  if (place === NONE || index === NONE) return edges[row + 1]
  const before = edge > first ? lists.placeOf(edges, row - EDGE) : NONE
  const expected = index + (before === NONE ? 1 : place - before)
  return expected === place ? edges[row + 1] : lists.nameAt(edges, row, expected)
}

function opAt({ edges }, edge, end, base, next, like, index, lists, back) {
  const isAlike = (e, e1) => {
    const [row, row1] = [e * EDGE, e1 * EDGE]
    if (edges[row] !== base.edges[row1] || edges[row + 2] !== back[base.edges[row1 + 2]]) return false
    if (e !== edge && lists.placeOf(edges, row) !== NONE) return true
    return edges[row + 1] === nameLike(base, e1, like.from, index, lists)
  }
  if (isAlike(edge, next)) return OP.same
  for (let far = 1; far < WINDOW; far++) {
    if (next + far < like.end && isAlike(edge, next + far)) return OP.fewer + far - 1
    if (edge + far < end && isAlike(edge + far, next)) return OP.more
  }
  return OP.other
}

function transferLocations(io, locations, base, width, back) {
  let next = 0
  let before = 0
  for (let at = 0; at < locations.length; at += width) {
    let op = OP.more
    if (next < base.length) {
      op = io.near(PLACES, io.packs ? placeOp(locations, at, base, next, width, back) : 0, 0)
      if (op >= OP.fewer) next += (op - OP.fewer + 1) * width
    }
    const isSame = op === OP.same || op >= OP.fewer
    locations[at] = isSame ? back[base[next]] : io.signed(locations[at] - before) + before
    for (let field = 1; field < width; field++)
      locations[at + field] = isSame ? base[next + field] : io.count(locations[at + field])
    before = locations[at]
    if (op !== OP.more) next += width
  }
}

function placeOp(locations, at, base, next, width, back) {
  const isAlike = (a, b) => {
    if (locations[a] !== back[base[b]]) return false
    for (let field = 1; field < width; field++) if (locations[a + field] !== base[b + field]) return false
    return true
  }
  if (isAlike(at, next)) return OP.same
  for (let far = 1; far < WINDOW; far++) {
    if (next + far * width < base.length && isAlike(at, next + far * width)) return OP.fewer + far - 1
    if (at + far * width < locations.length && isAlike(at + far * width, next)) return OP.more
  }
  return OP.other
}

/** By node of `heap`: the one of `base` that is the same, or stands in the same place. */
function matchesOf(heap, base, layout, lists, isSameProcess) {
  const { width, type, name, id, size, edgeCount } = layout
  const count = heap.starts.length - 1
  const matches = new Int32Array(count).fill(NONE)
  const taken = new Uint8Array(base.starts.length - 1)
  const queue = []
  const isAlike = (a, b, field) => heap.nodes[a * width + field] === base.nodes[b * width + field]
  const link = (a, b) => {
    if (matches[a] !== NONE || taken[b] || !isAlike(a, b, type)) return
    matches[a] = b
    taken[b] = 1
    queue.push(a)
  }
  if (isSameProcess) {
    const byId = new Map(Array.from(taken, (_, i) => [base.nodes[i * width + id], i]))
    for (let i = 0; i < count; i++) {
      const b = byId.get(heap.nodes[i * width + id])
      if (b !== undefined) link(i, b)
    }
  }
  link(0, 0)
  const couldBe = (a, b) =>
    matches[a] === b || (matches[a] === NONE && !taken[b] && isAlike(a, b, type) && isAlike(a, b, name))
  const areTwins = (a, b) => couldBe(a, b) && isAlike(a, b, size) && isAlike(a, b, edgeCount)
  for (let done = 0; done < queue.length; done++) {
    const a = queue[done]
    const b = matches[a]
    const byName = new Map()
    const listed = []
    for (let edge = base.starts[b]; edge < base.starts[b + 1]; edge++) {
      const row = edge * EDGE
      if (lists.placeOf(base.edges, row) !== NONE) listed.push(base.edges[row + 2])
      else {
        const key = base.edges[row + 1] * 8 + base.edges[row]
        const same = byName.get(key)
        if (same) same.push(base.edges[row + 2])
        else byName.set(key, [base.edges[row + 2]])
      }
    }
    let next = 0
    for (let edge = heap.starts[a]; edge < heap.starts[a + 1]; edge++) {
      const row = edge * EDGE
      const to = heap.edges[row + 2]
      if (lists.placeOf(heap.edges, row) === NONE) {
        const same = byName.get(heap.edges[row + 1] * 8 + heap.edges[row])
        const to1 = same?.find((each) => areTwins(to, each)) ?? same?.find((each) => couldBe(to, each))
        if (to1 !== undefined) link(to, to1)
        continue
      }
      let far = 0
      while (far < WINDOW && next + far < listed.length && !areTwins(to, listed[next + far])) far++
      if (far < WINDOW && next + far < listed.length) {
        link(to, listed[next + far])
        next += far + 1
      } else if (next < listed.length && couldBe(to, listed[next])) link(to, listed[next++])
    }
  }
  return matches
}
