// The loops in WebAssembly, where their arrays stand in its memory: arrays become addresses.

import { readFileSync } from 'node:fs'
import { type Arena, arenaOf } from '../support/arena.ts'
import { ID_SEED, type Loops } from './loops.ts'
import { plainLoops } from './plain-loops.ts'

type Kernel = Readonly<Record<keyof Loops, (...args: readonly number[]) => number>>

let compiled: WebAssembly.Module | undefined
const kernels = new WeakMap<Arena, Loops>()

/** The loops for arrays all of which one of them is to work on. */
export function loopsFor(...arrays: readonly ArrayBufferView[]): Loops {
  const memory = arenaOf(...arrays)
  return memory ? kernelOf(memory) : plainLoops
}

function kernelOf(memory: Arena): Loops {
  let loops = kernels.get(memory)
  if (!loops) {
    compiled ??= new WebAssembly.Module(readFileSync(new URL('./kernel/loops.wasm', import.meta.url)))
    loops = loopsOf(new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Kernel)
    kernels.set(memory, loops)
  }
  return loops
}

/** Addresses of arrays, numbers as they are. */
const at = (...values: readonly (ArrayBufferView | number)[]): number[] =>
  values.map((value) => (typeof value === 'number' ? value : value.byteOffset))

const loopsOf = (kernel: Kernel): Loops => ({
  walk({ firstEdge, edges, number, parent, semi, degree, stack, passed, state }, until) {
    const columns = at(firstEdge, edges, number, parent, semi, degree)
    return kernel.walk(...columns, ...at(stack, stack.length, passed, passed.length, state, until)) !== 0
  },
  startLists({ first, next, lifted, counts, many, reached }, { parent, semi }, mostCrowds, state) {
    kernel.startLists(...at(first, next, parent, semi, lifted, counts, many, reached, mostCrowds, state))
  },
  fillLists({ firstEdge, edges, number }, lists, side, from, to) {
    const { lifted, reached, retainers, crowds, crowdWords, first, next } = lists
    const [places, ahead] = side === 'ends' ? [first, 1] : [next, 0]
    kernel.fillLists(
      ...at(firstEdge, edges, number, lifted, reached, retainers, crowds, crowdWords, places, ahead, from, to),
    )
  },
  findSemidominators(lists, { ancestor, label, path }, state, from, to) {
    const { first, counts, many, retainers, crowds, crowdWords } = lists
    kernel.findSemidominators(
      ...at(ancestor, label, first, counts, many, retainers, crowds, crowdWords, path, state, from, to),
    )
  },
  findDominators(above, final, reached) {
    kernel.findDominators(...at(above, final, reached))
  },
  invert(number, order) {
    kernel.invert(...at(number, order, number.length))
  },
  addUp(order, above, sizes) {
    kernel.addUp(...at(order, above, sizes, order.length))
  },
  sum(values) {
    return kernel.sum(...at(values, values.length))
  },
  markForeign({ firstEdge, edges, number }, passedBy) {
    kernel.markForeign(...at(firstEdge, edges, number, passedBy, number.length))
  },
  findStores({ nodeType, nodeName }, externalStringData, owner) {
    return kernel.findStores(...at(nodeType, nodeName, externalStringData, owner, owner.length)) >>> 0
  },
  spreadOwners({ firstEdge, edges }, owner, worklist) {
    kernel.spreadOwners(...at(firstEdge, edges, owner, worklist, owner.length))
  },
  moveSizes(nodeType, sizes, owner) {
    return kernel.moveSizes(...at(nodeType, sizes, owner, owner.length)) >>> 0
  },
  findImmediate(order, above, immediate) {
    kernel.findImmediate(...at(order, above, immediate, order.length))
  },
  findHolders(order, above, owner, holder) {
    kernel.findHolders(...at(order, above, owner, holder, order.length))
  },
  firstOfKinds({ nodeType, nodeName }, { byType, byName }, first) {
    return kernel.firstOfKinds(...at(nodeType, nodeName, byType, byName, first, nodeType.length)) >>> 0
  },
  assignClasses({ nodeType, nodeName }, { byType, byName }, of) {
    kernel.assignClasses(...at(nodeType, nodeName, byType, byName, of, of.length))
  },
  totalClasses(of, sizes, count, bytes) {
    kernel.totalClasses(...at(of, sizes, count, bytes, of.length))
  },
  growClassTree({ group, firstChild, nextSibling }, { order, above }, sizes, of) {
    kernel.growClassTree(...at(group, firstChild, nextSibling, order, above, sizes, of, of.length))
  },
  retainByClass({ group, firstChild, nextSibling }, { order, above }, retained, onTheWay, bytes) {
    kernel.retainByClass(...at(group, firstChild, nextSibling, order, above, retained, onTheWay, bytes))
  },
  likely(ids, sieve, out) {
    return kernel.likely(...at(ids, ids.length, sieve, out)) >>> 0
  },
  listMarked(marks, out) {
    return kernel.listMarked(...at(marks, marks.length, out)) >>> 0
  },
  listNamed(nodeName, marks, out) {
    return kernel.listNamed(...at(nodeName, marks, nodeName.length, out)) >>> 0
  },
  listInOrder(order, marks, out) {
    return kernel.listInOrder(...at(order, marks, order.length, out)) >>> 0
  },
  measureIds(ids, room, state) {
    kernel.measureIds(...at(ids, ids.length, room, state))
  },
  fillIds({ ids, odd, small, slots }) {
    const { length } = small
    return kernel.fillIds(...at(ids, ids.length, odd, small, length, slots, slots.length - 1, ID_SEED)) >>> 0
  },
  lookUpIds(wanted, { ids, odd, small, slots }, found) {
    const table = at(ids, ids.length, odd, small, small.length, slots, slots.length - 1, ID_SEED)
    kernel.lookUpIds(...at(wanted, wanted.length), ...table, ...at(found))
  },
  markIds(ids, bits, rest) {
    return kernel.markIds(...at(ids, ids.length, bits, 32 * bits.length, rest)) >>> 0
  },
  takeOver(was, before, now) {
    kernel.takeOver(...at(was, before, now, was.length))
  },
  joinLineage(was, before, { sizes, born, firstSizes }, grew, step) {
    const columns = at(was, before.born, before.firstSizes, before.sizes, sizes, born, firstSizes, grew)
    kernel.joinLineage(...columns, step, was.length)
  },
  markAsked({ firstEdge, edges }, owner, { sizes, born, firstSizes }, asked) {
    kernel.markAsked(...at(firstEdge, edges, owner, sizes, born, firstSizes, asked, asked.length))
  },
  askHolders(order, holder, asked) {
    kernel.askHolders(...at(order, holder, asked, order.length))
  },
  addNewBytes({ order, above }, sizes, born, bytes) {
    kernel.addNewBytes(...at(order, above, sizes, born, bytes, order.length))
  },
  listGrowth(nodeType, owner, { sizes, born, firstSizes }, out) {
    return kernel.listGrowth(...at(nodeType, owner, sizes, born, firstSizes, out, owner.length)) >>> 0
  },
  searchPaths(columns, cost, via, { buckets, entries }) {
    const { firstEdge, edges, edgeNameOrIndex, nodeType, owner, machinery, context, previous, costs, starts } = columns
    const heap = at(firstEdge, edges, edgeNameOrIndex, nodeType, owner, ...machinery, context, previous, costs)
    const room = at(cost, via, starts, starts.length / 2, buckets, entries, entries.length / 2)
    return kernel.searchPaths(...heap, ...room) !== 0
  },
  labelNodes(assign, columns, label, otherName) {
    const { firstEdge, edges, edgeNameOrIndex, owner, holder, wanted, globals, dictionary, known, used } = columns
    const heap = at(firstEdge, edges, edgeNameOrIndex, owner, holder, wanted, globals, globals.length)
    kernel.labelNodes(Number(assign), ...heap, ...at(dictionary, known, used, label, otherName, label.length))
  },
  countReferences(firstEdge, owner, count) {
    kernel.countReferences(...at(firstEdge, owner, count, owner.length))
  },
  listLargest(count, least, out) {
    return kernel.listLargest(...at(count, least, out, count.length)) >>> 0
  },
  listEntrances({ firstEdge, edges, owner, wanted, born, old }, out) {
    return kernel.listEntrances(...at(firstEdge, edges, owner, wanted, born, old, out, owner.length)) >>> 0
  },
  listOutermost({ order, above }, born, out) {
    return kernel.listOutermost(...at(order, above, born, out, order.length)) >>> 0
  },
  listBelow({ order, above }, marks, out) {
    return kernel.listBelow(...at(order, above, marks, out, order.length)) >>> 0
  },
  listTyped(nodeType, types, out) {
    return kernel.listTyped(...at(nodeType, types, out, nodeType.length)) >>> 0
  },
  sumTypes(nodeType, sizes, count, bytes) {
    kernel.sumTypes(...at(nodeType, sizes, count, bytes, nodeType.length))
  },
  countNames(list, { nodeName, sizes }, { count, size, mixed }) {
    kernel.countNames(...at(list, list.length, nodeName, sizes, count, size, mixed))
  },
  listLargestOutside(list, { nodeType, immediate, sizes }, types, out) {
    return kernel.listLargestOutside(...at(list, list.length, nodeType, types, immediate, sizes, out.length, out))
  },
  sortChildren(immediate, first, list) {
    kernel.sortChildren(...at(immediate, first, list, list.length))
  },
  reachNew({ firstEdge, edges, edgeNameOrIndex, born, neighbours }, marks, queue, length) {
    return kernel.reachNew(...at(firstEdge, edges, edgeNameOrIndex, born, neighbours, marks, queue, length)) >>> 0
  },
  countAmong(list, of, count, first) {
    kernel.countAmong(...at(list, list.length, of, count, first))
  },
  listAmong(list, of, wanted, out) {
    return kernel.listAmong(...at(list, list.length, of, wanted, out)) >>> 0
  },
  sumAmong(list, sizes, marks, wanted) {
    return kernel.sumAmong(...at(list, list.length, sizes, marks, wanted))
  },
  markAll(list, marks) {
    kernel.markAll(...at(list, list.length, marks))
  },
  listRows(rows, nodeType, type, out) {
    return kernel.listRows(...at(rows, rows.length, nodeType, type, out)) >>> 0
  },
  listAskedRows(rows, nodeType, holder, asked, out) {
    return kernel.listAskedRows(...at(rows, rows.length, nodeType, holder, asked, out)) >>> 0
  },
  listScopedRows(rows, { nodeType, firstEdge, edges, edgeNameOrIndex, context, scopes }, seen, out) {
    const heap = at(nodeType, firstEdge, edges, edgeNameOrIndex, context, scopes)
    return kernel.listScopedRows(...at(rows, rows.length), ...heap, ...at(seen, out)) >>> 0
  },
})
