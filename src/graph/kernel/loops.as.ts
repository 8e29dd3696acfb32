// The loops over nodes and edges, in AssemblyScript that build compiles to WebAssembly. loops.ts says what each is for,
// and has the same for heaps that WebAssembly's memory cannot hold. Arrays are addresses of 32-bit numbers.

const UNSEEN: u32 = 0xffffffff
const RETAINS: u32 = 0b0010_0000_1001_1111
const WEAK: u32 = 6
const EXCEPTION: u32 = 8
const CROWD: u32 = 0xff000000
const MANY: u32 = 255
const NONE: u32 = 0xffffffff
const LABEL_ELEMENT: u32 = 1
const LABEL_KEY: u32 = 3
const LABEL_HIDDEN: u32 = 4
const NO_OWNER: u32 = 0xffffffff
const SHARED: u32 = 0xfffffffe
const HIDDEN: u32 = 0
const ARRAY: u32 = 1
const OBJECT: u32 = 3
const CODE: u32 = 4
const CLOSURE: u32 = 5
const NATIVE: u32 = 8
const SYNTHETIC: u32 = 9
const OBJECT_SHAPE: u32 = 14
const CONTEXT: u32 = 0
const ELEMENT: u32 = 1
const PROPERTY: u32 = 2
const INTERNAL: u32 = 3
const HIDDEN_EDGE: u32 = 4

// @ts-ignore: decorator
@inline
function get(array: usize, i: u32): u32 {
  return load<u32>(array + ((<usize>i) << 2))
}
// @ts-ignore: decorator
@inline
function set(array: usize, i: u32, value: u32): void {
  store<u32>(array + ((<usize>i) << 2), value)
}
// @ts-ignore: decorator
@inline
function get16(array: usize, i: u32): u32 {
  return <u32>load<u16>(array + ((<usize>i) << 1))
}
// @ts-ignore: decorator
@inline
function flag(array: usize, i: u32): u32 {
  return <u32>load<u8>(array + <usize>i)
}
// @ts-ignore: decorator
@inline
function add(array: usize, i: u32, value: f64): void {
  const at = array + ((<usize>i) << 3)
  store<f64>(at, load<f64>(at) + value)
}
// @ts-ignore: decorator
@inline
function retains(packed: u32): bool {
  return ((RETAINS >> (packed & 15)) & 1) != 0
}

export function walk(
  firstEdge: usize, edges: usize, number: usize, parent: usize, semi: usize, degree: usize,
  stack: usize, stackWords: u32, passed: usize, passedMost: u32, state: usize, until: u32,
): bool {
  const most = stackWords / 3
  let count = get(state, 0)
  let v = get(state, 1)
  let next = get(state, 2)
  let last = get(state, 3)
  let depth = get(state, 4)
  let passing = get(state, 5)
  let done = false
  for (;;) {
    let found = UNSEEN
    let full = false
    while (next < last) {
      const packed = get(edges, next++)
      const target = packed >> 4
      if (!retains(packed)) {
        if ((packed & 7) == WEAK) continue
        if (passing == passedMost) {
          full = true
          next--
          break
        }
        set(passed, passing++, target)
        continue
      }
      const w = get(number, target)
      if (w == UNSEEN) {
        found = target
        break
      }
      if (w < v) set(degree, w, get(degree, w) + 1)
      else if (v < get(semi, w)) set(semi, w, v)
    }
    if (full) break
    if (found != UNSEEN) {
      if (depth == most) {
        next--
        break
      }
      const frame = stack + <usize>depth * 12
      store<u32>(frame, v)
      store<u32>(frame, next, 4)
      store<u32>(frame, last, 8)
      depth++
      set(number, found, count)
      set(parent, count, v)
      set(semi, count, v)
      v = count++
      next = get(firstEdge, found)
      last = get(firstEdge, found + 1)
      if (v >= until) break
    } else {
      if (depth == 0) {
        done = true
        break
      }
      depth--
      const frame = stack + <usize>depth * 12
      v = load<u32>(frame)
      next = load<u32>(frame, 4)
      last = load<u32>(frame, 8)
    }
  }
  set(state, 0, count)
  set(state, 1, v)
  set(state, 2, next)
  set(state, 3, last)
  set(state, 4, depth)
  set(state, 5, passing)
  return done
}

export function startLists(
  first: usize, next: usize, parent: usize, semi: usize, lifted: usize, counts: usize, many: usize,
  reached: u32, mostCrowds: u32, state: usize,
): void {
  let sum: u32 = 0
  let crowds: u32 = 0
  let manyCount: u32 = 0
  set(lifted, 0, 0)
  for (let w: u32 = 0; w < reached; w++) {
    const count = get(first, w)
    if (w > 0) {
      const above = get(parent, w)
      set(lifted, w, count == 0 && get(semi, w) == above ? get(lifted, above) : w)
    }
    if (<u64>32 * <u64>count > <u64>reached && crowds < mostCrowds) {
      set(first, w, CROWD + crowds)
      set(next, w, CROWD + crowds)
      crowds++
    } else {
      store<u8>(counts + w, min(count, MANY))
      if (count >= MANY) set(many, manyCount++, count)
      set(next, w, sum)
      sum += count
      set(first, w, sum)
    }
  }
  set(state, 0, sum)
  set(state, 1, manyCount)
  set(state, 2, crowds)
}

export function fillLists(
  firstEdge: usize, edges: usize, number: usize, lifted: usize, reached: u32, retainers: usize,
  crowds: usize, crowdWords: u32, places: usize, ahead: u32, from: u32, to: u32,
): void {
  const step = 1 - ahead
  let edge = get(firstEdge, from)
  for (let node = from; node < to; node++) {
    const v = get(number, node)
    const end = get(firstEdge, node + 1)
    if (v >= reached) {
      edge = end
      continue
    }
    const high = get(lifted, v)
    for (; edge < end; edge++) {
      const packed = get(edges, edge)
      if (!retains(packed)) continue
      const w = get(number, packed >> 4)
      if (w >= v) continue
      const source = high > w ? high : v
      const at = get(places, w)
      if (at >= CROWD) {
        const word = crowds + ((<usize>(at - CROWD) * crowdWords + (source >> 5)) << 2)
        const bit: u32 = 1 << (source & 31)
        if ((load<u32>(word) & bit) == 0) atomic.or<u32>(word, bit)
      } else {
        set(retainers, at - ahead, source)
        set(places, w, at - ahead + step)
      }
    }
  }
}

/** See the TypeScript: the least label on the way from `v` up to what is below or at `last`; shortens that way. */
// @ts-ignore: decorator
@inline
function evaluate(v: u32, last: u32, ancestor: usize, label: usize, path: usize): u32 {
  let height = path
  let top = v
  let above = get(ancestor, top)
  while (above > last) {
    store<u32>(height, top)
    height += 4
    top = above
    above = get(ancestor, top)
  }
  let least = get(label, top)
  while (height > path) {
    height -= 4
    const vertex = load<u32>(height)
    const own = get(label, vertex)
    if (own < least) least = own
    else set(label, vertex, least)
    set(ancestor, vertex, above)
  }
  return least
}

export function findSemidominators(
  ancestor: usize, label: usize, first: usize, counts: usize, many: usize, retainers: usize,
  crowds: usize, crowdWords: u32, path: usize, state: usize, from: u32, to: u32,
): void {
  let listEnd = get(state, 0)
  let manyLeft = get(state, 1)
  for (let w = from - 1; w >= to; w--) {
    let least = get(label, w)
    const at = get(first, w)
    const count = flag(counts, w)
    if (at >= CROWD) {
      const crowd = crowds + ((<usize>(at - CROWD) * crowdWords) << 2)
      for (let part = w >> 5; part < crowdWords && least > 0; part++) {
        for (let bits = get(crowd, part); bits != 0 && least > 0; bits &= bits - 1) {
          const candidate = evaluate(32 * part + ctz(bits), w, ancestor, label, path)
          if (candidate < least) least = candidate
        }
      }
    } else if (count > 0) {
      const end = listEnd
      listEnd -= count < MANY ? count : get(many, --manyLeft)
      for (let i = listEnd; i < end && least > 0; i++) {
        const candidate = evaluate(get(retainers, i), w, ancestor, label, path)
        if (candidate < least) least = candidate
      }
    }
    set(first, w, least)
    set(label, w, least)
  }
  set(state, 0, listEnd)
  set(state, 1, manyLeft)
}

export function findDominators(above: usize, final: usize, reached: u32): void {
  for (let w: u32 = 1; w < reached; w++) {
    const least = get(final, w)
    let candidate = get(above, w)
    while (candidate > least) candidate = get(above, candidate)
    set(above, w, candidate)
  }
}

export function invert(number: usize, order: usize, nodes: u32): void {
  for (let node: u32 = 0; node < nodes; node++) set(order, get(number, node), node)
}

export function addUp(order: usize, above: usize, sizes: usize, nodes: u32): void {
  for (let w = nodes - 1; w > 0; w--) {
    const holder = sizes + ((<usize>get(order, get(above, w))) << 2)
    store<u32>(holder, load<u32>(holder) + get(sizes, get(order, w)))
  }
}

export function sum(values: usize, length: u32): f64 {
  let total: u64 = 0
  for (let i: u32 = 0; i < length; i++) total += <u64>get(values, i)
  return <f64>total
}

export function markForeign(firstEdge: usize, edges: usize, number: usize, passedBy: usize, nodes: u32): void {
  let edge = get(firstEdge, 1)
  for (let node: u32 = 1; node < nodes; node++) {
    const end = get(firstEdge, node + 1)
    if (get(number, node) == UNSEEN && flag(passedBy, node) == 0) {
      for (; edge < end; edge++) {
        const packed = get(edges, edge)
        const target = packed >> 4
        if (!retains(packed)) continue
        if (get(number, target) != UNSEEN || flag(passedBy, target) != 0) set(edges, edge, packed | EXCEPTION)
      }
    }
    edge = end
  }
}

export function findStores(nodeType: usize, nodeName: usize, external: u32, owner: usize, nodes: u32): u32 {
  let stores: u32 = 0
  for (let node: u32 = 0; node < nodes; node++) {
    const type = flag(nodeType, node)
    const isStore = type == HIDDEN || type == ARRAY || (type == NATIVE && get(nodeName, node) == external)
    set(owner, node, isStore ? NO_OWNER : node)
    if (isStore) stores++
  }
  return stores
}

export function spreadOwners(firstEdge: usize, edges: usize, owner: usize, worklist: usize, nodes: u32): void {
  let height: usize = worklist
  let next: u32 = 0
  for (;;) {
    let node: u32
    if (next < nodes) {
      node = next++
      if (get(owner, node) != node) continue
    } else {
      if (height == worklist) return
      height -= 4
      node = load<u32>(height)
    }
    const own = get(owner, node)
    const end = get(firstEdge, node + 1)
    for (let edge = get(firstEdge, node); edge < end; edge++) {
      const packed = get(edges, edge)
      const target = packed >> 4
      const current = get(owner, target)
      if (current == target || current == own || current == SHARED || (packed & 7) == WEAK) continue
      set(owner, target, current == NO_OWNER ? own : SHARED)
      store<u32>(height, target)
      height += 4
    }
  }
}

export function moveSizes(nodeType: usize, sizes: usize, owner: usize, nodes: u32): u32 {
  for (let node: u32 = 0; node < nodes; node++) {
    const own = get(owner, node)
    if (own == node || own >= SHARED || own == 0 || flag(nodeType, own) == SYNTHETIC) continue
    const total = <u64>get(sizes, own) + <u64>get(sizes, node)
    if (total > <u64>u32.MAX_VALUE) return node
    set(sizes, own, <u32>total)
    set(sizes, node, 0)
  }
  return nodes
}

export function findImmediate(order: usize, above: usize, immediate: usize, nodes: u32): void {
  for (let place: u32 = 0; place < nodes; place++) set(immediate, get(order, place), get(order, get(above, place)))
}

export function findHolders(order: usize, above: usize, owner: usize, holder: usize, nodes: u32): void {
  for (let place: u32 = 0; place < nodes; place++) {
    const over = get(order, get(above, place))
    const own = get(owner, over)
    set(holder, get(order, place), own == over || own >= SHARED ? over : get(holder, over))
  }
}

export function firstOfKinds(nodeType: usize, nodeName: usize, byType: usize, byName: usize, first: usize, nodes: u32): u32 {
  let found: u32 = 0
  for (let node: u32 = 0; node < nodes; node++) {
    const type = flag(nodeType, node)
    const kind = type == OBJECT || type == NATIVE ? byName + ((<usize>get(nodeName, node)) << 2) : byType + (type << 2)
    if (load<u32>(kind) != NONE) continue
    store<u32>(kind, 0)
    set(first, found++, node)
  }
  return found
}

export function assignClasses(nodeType: usize, nodeName: usize, byType: usize, byName: usize, classOf: usize, nodes: u32): void {
  for (let node: u32 = 0; node < nodes; node++) {
    const type = flag(nodeType, node)
    const number = type == OBJECT || type == NATIVE ? get(byName, get(nodeName, node)) : get(byType, type)
    store<u16>(classOf + ((<usize>node) << 1), <u16>number)
  }
}

export function totalClasses(classOf: usize, sizes: usize, count: usize, bytes: usize, nodes: u32): void {
  for (let node: u32 = 0; node < nodes; node++) {
    const size = get(sizes, node)
    if (size == 0) continue
    const number = get16(classOf, node)
    set(count, number, get(count, number) + 1)
    add(bytes, number, <f64>size)
  }
}

export function growClassTree(
  group: usize, firstChild: usize, nextSibling: usize,
  order: usize, above: usize, sizes: usize, classOf: usize, nodes: u32,
): void {
  for (let place: u32 = 0; place < nodes; place++) set(firstChild, place, NONE)
  set(nextSibling, 0, NONE)
  for (let place = nodes - 1; ; place--) {
    const node = get(order, place)
    set(group, place, get(sizes, node) == 0 ? NONE : get16(classOf, node))
    if (place == 0) return
    const parent = get(above, place)
    set(nextSibling, place, get(firstChild, parent))
    set(firstChild, parent, place)
  }
}

export function retainByClass(
  group: usize, firstChild: usize, nextSibling: usize,
  order: usize, above: usize, retained: usize, onTheWay: usize, bytes: usize,
): void {
  let place: u32 = 0
  for (;;) {
    const own = get(group, place)
    if (own != NONE && get(onTheWay, own) == 0) add(bytes, own, <f64>get(retained, get(order, place)))
    let next = get(firstChild, place)
    if (next != NONE) {
      if (own != NONE) set(onTheWay, own, get(onTheWay, own) + 1)
    } else {
      for (next = get(nextSibling, place); next == NONE; next = get(nextSibling, place)) {
        if (place == 0) return
        place = get(above, place)
        const over = get(group, place)
        if (over != NONE) set(onTheWay, over, get(onTheWay, over) - 1)
      }
    }
    place = next
  }
}

export function likely(ids: usize, count: u32, sieve: usize, out: usize): u32 {
  let found: u32 = 0
  for (let i: u32 = 0; i < count; i++) if (flag(sieve, get(ids, i) & 0xffff) != 0) set(out, found++, i)
  return found
}

export function listMarked(marks: usize, count: u32, out: usize): u32 {
  let found: u32 = 0
  for (let i: u32 = 0; i < count; i++) if (flag(marks, i) != 0) set(out, found++, i)
  return found
}

export function listNamed(nodeName: usize, marks: usize, count: u32, out: usize): u32 {
  let found: u32 = 0
  for (let node: u32 = 0; node < count; node++) if (flag(marks, get(nodeName, node)) != 0) set(out, found++, node)
  return found
}

export function listInOrder(order: usize, marks: usize, count: u32, out: usize): u32 {
  let found: u32 = 0
  for (let place: u32 = 0; place < count; place++) {
    const node = get(order, place)
    if (flag(marks, node) != 0) set(out, found++, node)
  }
  return found
}

export function measureIds(ids: usize, count: u32, room: u32, state: usize): void {
  let odds: u32 = 0
  for (let i: u32 = 0; i < count; i++) odds += get(ids, i) & 1
  const odd: u32 = <u64>2 * <u64>odds > <u64>count ? 1 : 0
  let places: u32 = 0
  let others: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const id = get(ids, i)
    const place = id >> odd
    if (place >= room || (id & odd) != odd) others++
    else if (place >= places) places = place + 1
  }
  set(state, 0, odd)
  set(state, 1, places)
  set(state, 2, others)
}

/** See id-table.ts: the slot that holds `id`, or the empty one where it would go. */
// @ts-ignore: decorator
@inline
function slotOf(id: u32, ids: usize, slots: usize, mask: u32, seed: u32): u32 {
  let hash = id ^ seed
  hash = (hash ^ (hash >> 16)) * 0x85ebca6b
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35
  let slot = (hash ^ (hash >> 16)) & mask
  for (let entry = get(slots, slot); entry != 0 && get(ids, entry - 1) != id; entry = get(slots, slot)) {
    slot = (slot + 1) & mask
  }
  return slot
}

export function fillIds(ids: usize, count: u32, odd: u32, small: usize, places: u32, slots: usize, mask: u32, seed: u32): u32 {
  let duplicates: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const id = get(ids, i)
    const place = id >> odd
    const entry = place < places && (id & odd) == odd
      ? small + ((<usize>place) << 2)
      : slots + ((<usize>slotOf(id, ids, slots, mask, seed)) << 2)
    if (load<u32>(entry) != 0) duplicates++
    else store<u32>(entry, i + 1)
  }
  return duplicates
}

export function lookUpIds(
  wanted: usize, wantedCount: u32, ids: usize, count: u32, odd: u32, small: usize, places: u32,
  slots: usize, mask: u32, seed: u32, found: usize,
): void {
  let next: u32 = 0
  for (let i: u32 = 0; i < wantedCount; i++) {
    const id = get(wanted, i)
    let position = next
    if (next >= count || get(ids, next) != id) {
      const place = id >> odd
      position = (place < places && (id & odd) == odd ? get(small, place) : get(slots, slotOf(id, ids, slots, mask, seed))) - 1
    }
    set(found, i, position)
    if (position != NONE) next = position + 1
  }
}

export function markIds(ids: usize, count: u32, bits: usize, most: u32, rest: usize): u32 {
  let others: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const id = get(ids, i)
    if (id >= most) {
      set(rest, others++, id)
      continue
    }
    const word = get(bits, id >> 5)
    const bit: u32 = 1 << (id & 31)
    if ((word & bit) != 0) return NONE
    set(bits, id >> 5, word | bit)
  }
  return others
}

export function takeOver(was: usize, before: usize, now: usize, nodes: u32): void {
  for (let node: u32 = 0; node < nodes; node++) {
    const position = get(was, node)
    if (position != NONE) set(now, node, get(before, position))
  }
}

export function joinLineage(
  was: usize, beforeBorn: usize, beforeFirst: usize, beforeSizes: usize,
  sizes: usize, born: usize, firstSizes: usize, grew: usize, step: u32, nodes: u32,
): void {
  const bit: u32 = 1 << (step & 31)
  for (let node: u32 = 0; node < nodes; node++) {
    const position = get(was, node)
    const size = get(sizes, node)
    if (position == NONE) {
      store<u16>(born + ((<usize>node) << 1), <u16>(step + 1))
      set(firstSizes, node, size)
      continue
    }
    store<u16>(born + ((<usize>node) << 1), <u16>get16(beforeBorn, position))
    set(firstSizes, node, get(beforeFirst, position))
    if (size > get(beforeSizes, position)) set(grew, node, get(grew, node) | bit)
  }
}

export function markAsked(
  firstEdge: usize, edges: usize, owner: usize, sizes: usize, born: usize, firstSizes: usize, asked: usize, nodes: u32,
): void {
  let edge: u32 = 0
  for (let node: u32 = 0; node < nodes; node++) {
    if (get16(born, node) != 0 || get(sizes, node) > get(firstSizes, node)) store<u8>(asked + node, 1)
    const own = get(owner, node)
    const from = own < SHARED ? own : node
    const end = get(firstEdge, node + 1)
    for (; edge < end && flag(asked, from) == 0; edge++) {
      if (get16(born, get(edges, edge) >> 4) != 0) store<u8>(asked + from, 1)
    }
    edge = end
  }
}

export function askHolders(order: usize, holder: usize, asked: usize, nodes: u32): void {
  for (let place = nodes - 1; place > 0; place--) {
    const node = get(order, place)
    if (flag(asked, node) != 0) store<u8>(asked + get(holder, node), 1)
  }
}

export function addNewBytes(order: usize, above: usize, sizes: usize, born: usize, bytes: usize, nodes: u32): void {
  for (let place = nodes - 1; place > 0; place--) {
    const node = get(order, place)
    if (get16(born, node) != 0) add(bytes, node, <f64>get(sizes, node))
    const own = load<f64>(bytes + ((<usize>node) << 3))
    if (own > 0) add(bytes, get(order, get(above, place)), own)
  }
}

export function listGrowth(
  nodeType: usize, owner: usize, sizes: usize, born: usize, firstSizes: usize, out: usize, nodes: u32,
): u32 {
  let found: u32 = 0
  for (let node: u32 = 1; node < nodes; node++) {
    if (get16(born, node) == 0 && get(sizes, node) <= get(firstSizes, node)) continue
    const own = get(owner, node)
    if ((own == node || own >= SHARED) && flag(nodeType, node) != SYNTHETIC) set(out, found++, node)
  }
  return found
}

export function searchPaths(
  firstEdge: usize, edges: usize, names: usize, nodeType: usize, owner: usize,
  a: u32, b: u32, c: u32, context: u32, previous: u32, costs: usize,
  cost: usize, via: usize, starts: usize, startCount: u32, buckets: usize, entries: usize, most: u32,
): bool {
  const reference = get(costs, 0)
  const ofStore = get(costs, 1)
  const closureScope = get(costs, 2)
  const ofInternal = get(costs, 3)
  const ofHidden = get(costs, 4)
  const outerScope = get(costs, 5)
  const machinery = get(costs, 6)
  // Entry 0 stands for none; of each bucket the first and the last; entries that were let go follow each other.
  let made: u32 = 1
  let free: u32 = 0
  let waiting: u32 = 0
  let start: u32 = 0
  let total: u32 = 0
  let node: u32 = 0
  let edge: u32 = 0
  let end: u32 = 0
  let inBucket = false
  for (;;) {
    let target: u32
    let offered: u32
    let from: u32
    if (start < startCount) {
      target = get(starts, 2 * start)
      offered = get(starts, 2 * start + 1)
      from = 0
      start++
      if (offered >= get(cost, target)) continue
    } else {
      if (edge == end) {
        // The next node of the bucket, or the next bucket.
        if (waiting == 0) return true
        const bucket = buckets + ((<usize>(total & 31)) << 3)
        const entry = load<u32>(bucket)
        if (entry == 0) {
          total++
          continue
        }
        const at = entries + ((<usize>entry) << 3)
        node = load<u32>(at)
        store<u32>(bucket, load<u32>(at, 4))
        store<u32>(at, free, 4)
        free = entry
        waiting--
        if (get(cost, node) != total) continue
        edge = get(firstEdge, node)
        end = get(firstEdge, node + 1)
        if (edge == end) continue
      }
      const packed = get(edges, edge)
      const name = edge++
      if (!retains(packed)) continue
      target = packed >> 4
      const known = get(cost, target)
      if (known <= total + 1) continue
      const type = packed & 7
      const kind = flag(nodeType, target)
      let step = reference
      if (kind == CODE || kind == OBJECT_SHAPE) step = machinery
      else if (type == INTERNAL) {
        const own = get(owner, node)
        if (get(owner, target) == own || (own != node && own < SHARED)) step = ofStore
        else {
          const called = get(names, name)
          step = called == context ? closureScope : called == previous ? outerScope : ofInternal
        }
      } else if (type == HIDDEN_EDGE) step = ofHidden
      else if (type == PROPERTY) {
        const called = get(names, name)
        if (called == a || called == b || called == c) step = machinery
      }
      offered = total + step
      if (offered >= known) continue
      from = node
    }
    set(cost, target, offered)
    set(via, target, from)
    let entry = free
    if (entry != 0) free = load<u32>(entries + ((<usize>entry) << 3), 4)
    else {
      if (made == most) return false
      entry = made++
    }
    const at = entries + ((<usize>entry) << 3)
    store<u32>(at, target)
    store<u32>(at, 0, 4)
    const bucket = buckets + ((<usize>(offered & 31)) << 3)
    if (load<u32>(bucket) == 0) store<u32>(bucket, entry)
    else store<u32>(entries + ((<usize>load<u32>(bucket, 4)) << 3), entry, 4)
    store<u32>(bucket, entry, 4)
    waiting++
  }
  return true
}

export function labelNodes(
  assign: bool, firstEdge: usize, edges: usize, names: usize, owner: usize, holder: usize, wanted: usize,
  globals: usize, globalCount: u32, dictionary: u32, known: usize, used: usize, label: usize, otherName: usize, nodes: u32,
): void {
  for (let node: u32 = 0; node < nodes; node++) {
    const own = get(owner, node)
    const from = own < SHARED ? own : node
    const isStore = from != node
    const first = get(firstEdge, node)
    const end = get(firstEdge, node + 1)
    let properties: i32 = -1
    for (let edge = first; edge < end; edge++) {
      const packed = get(edges, edge)
      const target = packed >> 4
      if (flag(wanted, target) == 0 || !retains(packed) || get(owner, target) != target) continue
      const type = packed & 7
      if (get(holder, target) != from) {
        if (type == CONTEXT || type == PROPERTY) {
          const name = get(names, edge)
          if (!assign) store<u8>(used + name, load<u8>(used + name) | 1)
          else if (get(known, name) < get(otherName, target)) set(otherName, target, get(known, name))
        }
        continue
      }
      const before = get(label, target)
      if (before != 0 && isStore) continue
      if (type == ELEMENT) set(label, target, LABEL_ELEMENT)
      else if (type == HIDDEN_EDGE) set(label, target, LABEL_HIDDEN)
      else {
        const name = get(names, edge)
        if (type == INTERNAL) {
          if (before != 0) continue
        } else if (type == PROPERTY) {
          if (properties < 0) {
            properties = 0
            let isGlobal = false
            for (let i: u32 = 0; i < globalCount; i++) if (get(globals, i) == node) isGlobal = true
            if (!isGlobal) for (let other = first; other < end; other++) if ((get(edges, other) & 7) == PROPERTY) properties++
          }
          if (properties > <i32>dictionary) {
            set(label, target, LABEL_KEY)
            continue
          }
        }
        if (assign) set(label, target, get(known, name))
        else {
          set(label, target, LABEL_HIDDEN)
          store<u8>(used + name, load<u8>(used + name) | (type == INTERNAL ? 2 : 1))
        }
      }
    }
  }
  if (!assign) return
  for (let node: u32 = 0; node < nodes; node++) {
    const name = get(otherName, node)
    if (get(label, node) == 0 && name != NONE) set(label, node, name)
  }
}

export function countReferences(firstEdge: usize, owner: usize, count: usize, nodes: u32): void {
  let edge: u32 = 0
  for (let node: u32 = 0; node < nodes; node++) {
    const own = get(owner, node)
    const from = own < SHARED ? own : node
    const end = get(firstEdge, node + 1)
    set(count, from, get(count, from) + end - edge)
    edge = end
  }
}

export function listLargest(count: usize, least: u32, out: usize, nodes: u32): u32 {
  let found: u32 = 0
  for (let node: u32 = 0; node < nodes; node++) if (get(count, node) >= least) set(out, found++, node)
  return found
}

export function listEntrances(
  firstEdge: usize, edges: usize, owner: usize, wanted: usize, born: usize, old: usize, out: usize, nodes: u32,
): u32 {
  let found: u32 = 0
  for (let node: u32 = 0; node < nodes; node++) {
    const own = get(owner, node)
    const from = own < SHARED ? own : node
    if (flag(wanted, from) == 0 || (get16(born, from) != 0 && flag(old, node) == 0 && flag(old, from) == 0)) continue
    const end = get(firstEdge, node + 1)
    for (let edge = get(firstEdge, node); edge < end; edge++) {
      const packed = get(edges, edge)
      const target = packed >> 4
      if (get16(born, target) == 0 || get(owner, target) == from || !retains(packed)) continue
      set(out, found++, node)
      break
    }
  }
  return found
}

export function listOutermost(order: usize, above: usize, born: usize, out: usize, nodes: u32): u32 {
  let found: u32 = 0
  for (let place: u32 = 1; place < nodes; place++) {
    const node = get(order, place)
    if (get16(born, node) != 0 && get16(born, get(order, get(above, place))) == 0) set(out, found++, node)
  }
  return found
}

export function listBelow(order: usize, above: usize, marks: usize, out: usize, nodes: u32): u32 {
  let found: u32 = 0
  for (let place: u32 = 0; place < nodes; place++) {
    const node = get(order, place)
    let mark = flag(marks, node)
    if (mark == 0) {
      mark = flag(marks, get(order, get(above, place)))
      store<u8>(marks + node, mark)
    }
    if (mark != 0) set(out, found++, node)
  }
  return found
}

export function listTyped(nodeType: usize, types: u32, out: usize, nodes: u32): u32 {
  let found: u32 = 0
  for (let node: u32 = 0; node < nodes; node++) if (((types >> flag(nodeType, node)) & 1) != 0) set(out, found++, node)
  return found
}

export function sumTypes(nodeType: usize, sizes: usize, count: usize, bytes: usize, nodes: u32): void {
  for (let node: u32 = 0; node < nodes; node++) {
    const type = flag(nodeType, node)
    set(count, type, get(count, type) + 1)
    add(bytes, type, <f64>get(sizes, node))
  }
}

export function countNames(list: usize, length: u32, nodeName: usize, sizes: usize, count: usize, size: usize, mixed: usize): void {
  for (let i: u32 = 0; i < length; i++) {
    const node = get(list, i)
    const name = get(nodeName, node)
    const before = get(count, name)
    if (before == 0) set(size, name, get(sizes, node))
    else if (get(size, name) != get(sizes, node)) store<u8>(mixed + name, 1)
    set(count, name, before + 1)
  }
}

export function reachNew(
  firstEdge: usize, edges: usize, names: usize, born: usize, neighbours: usize, marks: usize, queue: usize, length: u32,
): u32 {
  for (let i: u32 = 0; i < length; i++) {
    const node = get(queue, i)
    const end = get(firstEdge, node + 1)
    for (let edge = get(firstEdge, node); edge < end; edge++) {
      const packed = get(edges, edge)
      const target = packed >> 4
      if (!retains(packed) || flag(marks, target) != 0 || get16(born, target) == 0) continue
      if ((packed & 7) == PROPERTY && flag(neighbours, get(names, edge)) != 0) continue
      store<u8>(marks + target, 1)
      set(queue, length++, target)
    }
  }
  return length
}

export function countAmong(list: usize, length: u32, classOf: usize, count: usize, first: usize): void {
  for (let i: u32 = 0; i < length; i++) {
    const node = get(list, i)
    const number = get16(classOf, node)
    if (get(count, number) == 0) set(first, number, node)
    set(count, number, get(count, number) + 1)
  }
}

export function listAmong(list: usize, length: u32, classOf: usize, wanted: usize, out: usize): u32 {
  let found: u32 = 0
  for (let i: u32 = 0; i < length; i++) {
    const node = get(list, i)
    if (flag(wanted, get16(classOf, node)) != 0) set(out, found++, node)
  }
  return found
}

export function sumAmong(list: usize, length: u32, sizes: usize, marks: usize, wanted: u32): f64 {
  let total: f64 = 0
  for (let i: u32 = 0; i < length; i++) {
    const node = get(list, i)
    if (flag(marks, node) == wanted) total += <f64>get(sizes, node)
  }
  return total
}

export function markAll(list: usize, length: u32, marks: usize): void {
  for (let i: u32 = 0; i < length; i++) store<u8>(marks + get(list, i), 1)
}

export function listRows(rows: usize, count: u32, nodeType: usize, type: u32, out: usize): u32 {
  let found: u32 = 0
  for (let row: u32 = 0; row < count; row++) if (flag(nodeType, get(rows, row)) == type) set(out, found++, row)
  return found
}

export function listAskedRows(rows: usize, count: u32, nodeType: usize, holder: usize, asked: usize, out: usize): u32 {
  let found: u32 = 0
  for (let row: u32 = 0; row < count; row++) {
    const node = get(rows, row)
    if (flag(nodeType, node) != CLOSURE) continue
    if (flag(asked, node) != 0 || flag(asked, get(holder, node)) != 0) set(out, found++, row)
  }
  return found
}

export function listScopedRows(
  rows: usize, count: u32, nodeType: usize, firstEdge: usize, edges: usize, names: usize, context: u32,
  scopes: usize, seen: usize, out: usize,
): u32 {
  let found: u32 = 0
  for (let row: u32 = 0; row < count; row++) {
    const node = get(rows, row)
    if (flag(nodeType, node) != CLOSURE || flag(seen, node) != 0) continue
    store<u8>(seen + node, 1)
    const end = get(firstEdge, node + 1)
    for (let edge = get(firstEdge, node); edge < end; edge++) {
      const packed = get(edges, edge)
      if ((packed & 7) != INTERNAL || get(names, edge) != context) continue
      if (flag(scopes, packed >> 4) != 0) {
        set(out, found++, row)
        set(out, found++, packed >> 4)
      }
      break
    }
  }
  return found
}

export function listLargestOutside(
  list: usize, length: u32, nodeType: usize, types: u32, immediate: usize, sizes: usize, most: u32, out: usize,
): u32 {
  let found: u32 = 0
  for (let i: u32 = 0; i < length; i++) {
    const node = get(list, i)
    if (((types >> flag(nodeType, get(immediate, node))) & 1) != 0) continue
    const size = get(sizes, node)
    if (found == most && (most == 0 || size <= get(sizes, get(out, found - 1)))) continue
    let at = found < most ? found++ : found - 1
    for (; at > 0 && get(sizes, get(out, at - 1)) < size; at--) set(out, at, get(out, at - 1))
    set(out, at, node)
  }
  return found
}

export function sortChildren(immediate: usize, first: usize, list: usize, nodes: u32): void {
  for (let node: u32 = 1; node < nodes; node++) {
    const above = get(immediate, node)
    set(first, above, get(first, above) + 1)
  }
  let sum: u32 = 0
  for (let node: u32 = 0; node < nodes; node++) {
    sum += get(first, node)
    set(first, node, sum)
  }
  set(first, nodes, sum)
  for (let node = nodes - 1; node > 0; node--) {
    const above = get(immediate, node)
    const at = get(first, above) - 1
    set(first, above, at)
    set(list, at, node)
  }
}
