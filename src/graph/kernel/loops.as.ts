// The loops over nodes and edges, in AssemblyScript that build compiles to WebAssembly. loops.ts says what each is for,
// and has the same for heaps that WebAssembly's memory cannot hold. Arrays are addresses of 32-bit numbers.

const UNSEEN: u32 = 0xffffffff
const RETAINS: u32 = 0b0010_0000_1001_1111
const WEAK: u32 = 6
const EXCEPTION: u32 = 8
const CROWD: u32 = 0xff000000
const MANY: u32 = 255
const NONE: u32 = 0xffffffff
const NO_OWNER: u32 = 0xffffffff
const SHARED: u32 = 0xfffffffe
const HIDDEN: u32 = 0
const ARRAY: u32 = 1
const OBJECT: u32 = 3
const NATIVE: u32 = 8
const SYNTHETIC: u32 = 9

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
    const count = <u32>load<u8>(counts + w)
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
    if (get(number, node) == UNSEEN && load<u8>(passedBy + node) == 0) {
      for (; edge < end; edge++) {
        const packed = get(edges, edge)
        const target = packed >> 4
        if (!retains(packed)) continue
        if (get(number, target) != UNSEEN || load<u8>(passedBy + target) != 0) set(edges, edge, packed | EXCEPTION)
      }
    }
    edge = end
  }
}

export function findStores(nodeType: usize, nodeName: usize, external: u32, owner: usize, nodes: u32): u32 {
  let stores: u32 = 0
  for (let node: u32 = 0; node < nodes; node++) {
    const type = <u32>load<u8>(nodeType + node)
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
    if (own == node || own >= SHARED || own == 0 || load<u8>(nodeType + own) == SYNTHETIC) continue
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
    const type = <u32>load<u8>(nodeType + node)
    const kind = type == OBJECT || type == NATIVE ? byName + ((<usize>get(nodeName, node)) << 2) : byType + (type << 2)
    if (load<u32>(kind) != NONE) continue
    store<u32>(kind, 0)
    set(first, found++, node)
  }
  return found
}

export function assignClasses(nodeType: usize, nodeName: usize, byType: usize, byName: usize, classOf: usize, nodes: u32): void {
  for (let node: u32 = 0; node < nodes; node++) {
    const type = <u32>load<u8>(nodeType + node)
    const number = type == OBJECT || type == NATIVE ? get(byName, get(nodeName, node)) : get(byType, type)
    store<u16>(classOf + ((<usize>node) << 1), <u16>number)
  }
}

export function totalClasses(classOf: usize, sizes: usize, count: usize, bytes: usize, nodes: u32): void {
  for (let node: u32 = 0; node < nodes; node++) {
    const size = get(sizes, node)
    if (size == 0) continue
    const number = <u32>load<u16>(classOf + ((<usize>node) << 1))
    set(count, number, get(count, number) + 1)
    const total = bytes + ((<usize>number) << 3)
    store<f64>(total, load<f64>(total) + <f64>size)
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
    set(group, place, get(sizes, node) == 0 ? NONE : <u32>load<u16>(classOf + ((<usize>node) << 1)))
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
    if (own != NONE && get(onTheWay, own) == 0) {
      const total = bytes + ((<usize>own) << 3)
      store<f64>(total, load<f64>(total) + <f64>get(retained, get(order, place)))
    }
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
