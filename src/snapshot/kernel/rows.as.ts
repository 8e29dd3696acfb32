// The digit kernel, and the loops over bytes beside it: AssemblyScript that build compiles to WebAssembly; rows.ts says what it is for.
//
// It only ever handles what V8 writes: digits, commas, and a line break in front of a row's comma. At the first byte
// that is anything else, or that does not fit, it stops in front of the row; the parser in TypeScript, which knows all
// of JSON's freedoms and names what is wrong, goes on from there.

const COMMA: u8 = 0x2c
const NEWLINE: u8 = 0x0a
const ZEROS: u64 = 0x3030303030303030

/** Behind the last whole row that `scan` read. */
export let rowEnd: usize = 0

/** One bit for each of the 64 bytes at `at`, the first byte lowest. */
// @ts-ignore: decorator
@inline
function bits(a: v128, b: v128, c: v128, d: v128): u64 {
  return (
    <u64>(<u32>i8x16.bitmask(a)) |
    (<u64>(<u32>i8x16.bitmask(b)) << 16) |
    (<u64>(<u32>i8x16.bitmask(c)) << 32) |
    (<u64>(<u32>i8x16.bitmask(d)) << 48)
  )
}

/**
 * The value of the `count` digits that end in front of `end`, 1 to 8 of them: eight bytes at once, by pairing
 * neighbours three times (https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/).
 */
// @ts-ignore: decorator
@inline
function value(end: usize, count: u64): u64 {
  const shift = (8 - count) << 3
  let v = ((load<u64>(end - 8) ^ ZEROS) >> shift) << shift
  v = (v * 2561) >> 8
  v = ((v & 0x00ff00ff00ff00ff) * 6553601) >> 16
  return ((v & 0x0000ffff0000ffff) * 42949672960001) >> 32
}

/**
 * Reads rows of `fields` numbers from `at` on into `out`, 32 bits each, until `rows` are read, a block would start at
 * or behind `limit`, or there is something to stop at. Returns how many rows were read. Looks at 64 bytes at once and
 * takes the separators from a mask, so that no number has to wait for the one before.
 */
export function scan(at: usize, limit: usize, out: usize, rows: i32, fields: i32): i32 {
  const zero = i8x16.splat(0x30)
  const ten = i8x16.splat(10)
  const comma = i8x16.splat(COMMA)
  const newline = i8x16.splat(NEWLINE)
  let start = at
  let done = 0
  let field = 0
  let brokenBefore: u64 = 0
  rowEnd = at
  for (let block = at; block < limit; block += 64) {
    const a = v128.load(block)
    const b = v128.load(block, 16)
    const c = v128.load(block, 32)
    const d = v128.load(block, 48)
    const digits = bits(
      i8x16.lt_u(i8x16.sub(a, zero), ten),
      i8x16.lt_u(i8x16.sub(b, zero), ten),
      i8x16.lt_u(i8x16.sub(c, zero), ten),
      i8x16.lt_u(i8x16.sub(d, zero), ten),
    )
    const commas = bits(i8x16.eq(a, comma), i8x16.eq(b, comma), i8x16.eq(c, comma), i8x16.eq(d, comma))
    const breaks = bits(i8x16.eq(a, newline), i8x16.eq(b, newline), i8x16.eq(c, newline), i8x16.eq(d, newline))
    // A line break ends a number and takes the comma along that must follow it.
    let odd = ~(digits | commas | breaks) | (((breaks << 1) & ~commas) >> 1)
    if (breaks >> 63 != 0 && load<u8>(block, 64) != COMMA) odd |= <u64>1 << 63
    let left = (commas & ~((breaks << 1) | brokenBefore)) | breaks
    brokenBefore = breaks >> 63
    if (odd != 0) left &= (odd & (0 - odd)) - 1
    while (left != 0) {
      const bit = ctz(left)
      left &= left - 1
      const end = block + <usize>bit
      const count = end - start
      let number: u64
      if (count - 1 < 8) number = value(end, count)
      else if (count - 1 < 10) number = value(end, 8) + value(end - 8, count - 8) * 100000000
      else return done
      if (number > <u64>u32.MAX_VALUE) return done
      store<u32>(out, <u32>number)
      out += 4
      start = end + 1 + <usize>((breaks >> bit) & 1)
      if (++field == fields) {
        field = 0
        rowEnd = start
        if (++done == rows) return done
      }
    }
    if (odd != 0) return done
  }
  return done
}

/** What `weigh` has found so far. */
export let plainSum: u64 = 0
export let weightedSum: u64 = 0

/**
 * Adds up `count` words at `at`, the first of which is word number `first` of its column: as they are, and each times
 * an odd number that tells its place. As sums do, those of a column's parts add up to the column's, in any order.
 */
export function weigh(at: usize, count: u32, first: u32): void {
  let plain: u64 = 0
  let weighted: u64 = 0
  let weight = ((<u64>first) << 1) | 1
  for (const end = at + ((<usize>count) << 2); at < end; at += 4, weight += 2) {
    const word = <u64>load<u32>(at)
    plain += word
    weighted += word * weight
  }
  plainSum += plain
  weightedSum += weighted
}

/** How many commas there are from `at` up to `end`. */
export function countCommas(at: usize, end: usize): i32 {
  const comma = i8x16.splat(COMMA)
  let commas = 0
  for (; at + 16 <= end; at += 16) commas += popcnt<i32>(i8x16.bitmask(i8x16.eq(v128.load(at), comma)))
  for (; at < end; at++) commas += load<u8>(at) == COMMA ? 1 : 0
  return commas
}

const QUOTE: u8 = 0x22
const BACKSLASH: u8 = 0x5c
const LETTER_U: u8 = 0x75

/** Where `scanStrings` stopped. */
export let stringsAt: usize = 0

// @ts-ignore: decorator
@inline
function isHex(byte: u8): bool {
  return byte - 0x30 < 10 || (byte | 0x20) - 0x61 < 6
}

// @ts-ignore: decorator
@inline
function isEscapable(byte: u8): bool {
  return byte == 0x22 || byte == 0x5c || byte == 0x2f || byte == 0x62 || byte == 0x66 || byte == 0x6e || byte == 0x72 || byte == 0x74
}

/**
 * Goes through strings from inside one, at `at`, and writes where each further one starts, as an offset from `at`, to
 * `out`: until `most` are found, a block would start at or behind `limit`, or there is something else than an escape
 * that JSON has or the way V8 separates strings: then it stops in front of that. Returns how many were found.
 * At least 64 bytes behind `limit` can be read.
 */
export function scanStrings(at: usize, limit: usize, out: usize, most: i32): i32 {
  const quote = i8x16.splat(QUOTE)
  const backslash = i8x16.splat(BACKSLASH)
  const space = i8x16.splat(0x20)
  const start = at
  let found = 0
  for (let block = at; block < limit; block += 64) {
    const a = v128.load(block)
    const b = v128.load(block, 16)
    const c = v128.load(block, 32)
    const d = v128.load(block, 48)
    let left = bits(
      v128.or(i8x16.eq(a, quote), v128.or(i8x16.eq(a, backslash), i8x16.lt_u(a, space))),
      v128.or(i8x16.eq(b, quote), v128.or(i8x16.eq(b, backslash), i8x16.lt_u(b, space))),
      v128.or(i8x16.eq(c, quote), v128.or(i8x16.eq(c, backslash), i8x16.lt_u(c, space))),
      v128.or(i8x16.eq(d, quote), v128.or(i8x16.eq(d, backslash), i8x16.lt_u(d, space))),
    )
    while (left != 0) {
      const place = block + <usize>ctz(left)
      left &= left - 1
      // What an escape or a separator has taken along.
      if (place < at) continue
      const byte = load<u8>(place)
      stringsAt = place
      if (byte == BACKSLASH) {
        const escaped = load<u8>(place, 1)
        if (escaped == LETTER_U) {
          for (let i: usize = 2; i < 6; i++) if (!isHex(load<u8>(place + i))) return found
          at = place + 6
        } else if (isEscapable(escaped)) at = place + 2
        else return found
      } else if (byte == QUOTE && load<u8>(place, 1) == COMMA) {
        at = place + 2
        if (load<u8>(at) == NEWLINE) at++
        if (load<u8>(at) != QUOTE) return found
        at++
        store<u32>(out, <u32>(at - start))
        out += 4
        stringsAt = at
        if (++found == most) return found
      } else return found
    }
  }
  stringsAt = max(at, limit)
  return found
}

/** Highest name that `takeNodes` and `takeEdges` have seen in the last call. */
export let highestName: u32 = 0
/** Edges that the nodes up to the last one taken have together. */
export let edgesPromised: u64 = 0

/**
 * Sorts the numbers of `rows` nodes at `from` into columns: types through the table at `types` (`typeCount` bytes),
 * names, ids, sizes, and the edges of all nodes up to and with each.
 * Returns how many nodes were taken before one that does not fit.
 */
export function takeNodes(
  from: usize, rows: i32, fields: i32,
  typeField: i32, nameField: i32, idField: i32, sizeField: i32, edgesField: i32,
  types: usize, typeCount: u32, edgeCount: u64,
  outType: usize, outName: usize, outId: usize, outSize: usize, outEdges: usize,
): i32 {
  const stride = <usize>fields << 2
  let highest: u32 = 0
  let promised = edgesPromised
  let row = 0
  for (; row < rows; row++, from += stride) {
    const type = load<u32>(from + (<usize>typeField << 2))
    if (type >= typeCount) break
    const more = promised + <u64>load<u32>(from + (<usize>edgesField << 2))
    if (more > edgeCount) break
    promised = more
    const name = load<u32>(from + (<usize>nameField << 2))
    highest = max(highest, name)
    const at = <usize>row << 2
    store<u8>(outType + row, load<u8>(types + type))
    store<u32>(outName + at, name)
    store<u32>(outId + at, load<u32>(from + (<usize>idField << 2)))
    store<u32>(outSize + at, load<u32>(from + (<usize>sizeField << 2)))
    store<u32>(outEdges + at, <u32>promised)
  }
  edgesPromised = promised
  highestName = highest
  return row
}

/**
 * Sorts the numbers of `rows` edges at `from` into columns: target ordinal and type in one word (see snapshot.ts), and
 * name or index. `types` holds `typeCount` bytes, `indexed` a bit for each type of ours whose edges have an index.
 * Returns how many edges were taken before one that does not fit.
 */
export function takeEdges(
  from: usize, rows: i32, fields: i32, typeField: i32, nameField: i32, targetField: i32,
  types: usize, typeCount: u32, indexed: u32, nodeFields: u32, nodeCount: u32,
  outPacked: usize, outName: usize,
): i32 {
  const stride = <usize>fields << 2
  const reciprocal = 1.0 / <f64>nodeFields
  let highest: u32 = 0
  let row = 0
  for (; row < rows; row++, from += stride) {
    const raw = load<u32>(from + (<usize>typeField << 2))
    if (raw >= typeCount) break
    const type = <u32>load<u8>(types + raw)
    const index = load<u32>(from + (<usize>targetField << 2))
    // Rounded to the nearest, the product is the quotient where there is no remainder.
    const target = <u32>(<f64>index * reciprocal + 0.5)
    if (target * nodeFields != index || target >= nodeCount) break
    const name = load<u32>(from + (<usize>nameField << 2))
    highest = max(highest, ((indexed >> type) & 1) != 0 ? 0 : name)
    const at = <usize>row << 2
    store<u32>(outPacked + at, (target << 4) | type)
    store<u32>(outName + at, name)
  }
  highestName = highest
  return row
}

/** Different source positions that `takeLocations` has met since `forgetSites`, and the one of the last row. */
export let siteCount: u32 = 0
let lastSite: u32 = 0

export function forgetSites(slots: usize, slotCount: u32): void {
  memory.fill(slots, 0, (<usize>slotCount) << 2)
  siteCount = 0
  lastSite = 0
}

/**
 * Sorts the numbers of `rows` source positions at `from` into columns: the node's ordinal, and the number of the
 * position among all different ones, which follow each other at `sites`, three words each: script, line and column.
 * `slots` is a hash table of them, by open addressing and at most half full: position plus 1, or 0. The multipliers of
 * its hash at `seeds` are odd. Returns how many rows were taken before one that does not fit, or a full table.
 */
export function takeLocations(
  from: usize, rows: i32, fields: i32, nodeField: i32, scriptField: i32, lineField: i32, columnField: i32,
  nodeFields: u32, nodeCount: u32, sites: usize, slots: usize, slotCount: u32, seeds: usize,
  outNode: usize, outSite: usize,
): i32 {
  const stride = <usize>fields << 2
  const mask = slotCount - 1
  const seedA = load<u32>(seeds)
  const seedB = load<u32>(seeds, 4)
  const seedC = load<u32>(seeds, 8)
  let row = 0
  for (; row < rows; row++, from += stride) {
    const index = load<u32>(from + (<usize>nodeField << 2))
    const node = index / nodeFields
    if (node * nodeFields != index || node >= nodeCount) break
    const a = load<u32>(from + (<usize>scriptField << 2))
    const b = load<u32>(from + (<usize>lineField << 2))
    const c = load<u32>(from + (<usize>columnField << 2))
    // Objects of one class often follow each other.
    if (siteCount == 0 || !isSite(sites, lastSite, a, b, c)) {
      let hash = (a * seedA) ^ (b * seedB) ^ (c * seedC)
      hash = (hash ^ (hash >> 15)) * 0x85ebca6b
      hash = (hash ^ (hash >> 13)) * 0xc2b2ae35
      let slot = (hash ^ (hash >> 16)) & mask
      let entry = load<u32>(slots + ((<usize>slot) << 2))
      while (entry != 0 && !isSite(sites, entry - 1, a, b, c)) {
        slot = (slot + 1) & mask
        entry = load<u32>(slots + ((<usize>slot) << 2))
      }
      if (entry == 0) {
        if (<u32>2 * (siteCount + 1) > slotCount) break
        const at = sites + <usize>siteCount * 12
        store<u32>(at, a)
        store<u32>(at, b, 4)
        store<u32>(at, c, 8)
        entry = ++siteCount
        store<u32>(slots + ((<usize>slot) << 2), entry)
      }
      lastSite = entry - 1
    }
    const at = <usize>row << 2
    store<u32>(outNode + at, node)
    store<u32>(outSite + at, lastSite)
  }
  return row
}

// @ts-ignore: decorator
@inline
function isSite(sites: usize, site: u32, a: u32, b: u32, c: u32): bool {
  const at = sites + <usize>site * 12
  return load<u32>(at) == a && load<u32>(at, 4) == b && load<u32>(at, 8) == c
}
