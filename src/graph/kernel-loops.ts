// The loops in WebAssembly, where their arrays stand in its memory.

import { readFileSync } from 'node:fs'
import { type Arena, arenaOf } from '../support/arena.ts'
import { type Kernel, kernelOf } from './kernel-table.ts'
import { ID_SEED, type IdColumns, type Loops } from './loops.ts'
import { plainLoops } from './plain-loops.ts'

let compiled: WebAssembly.Module | undefined
const known = new WeakMap<Arena, Loops>()

/** The loops for arrays all of which one of them is to work on. */
export function loopsFor(...arrays: readonly ArrayBufferView[]): Loops {
  const memory = arenaOf(...arrays)
  return memory ? loopsIn(memory) : plainLoops
}

function loopsIn(memory: Arena): Loops {
  let loops = known.get(memory)
  if (!loops) {
    compiled ??= new WebAssembly.Module(readFileSync(new URL('./kernel/loops.wasm', import.meta.url)))
    const { exports } = new WebAssembly.Instance(compiled, { env: { memory } })
    loops = loopsOf(kernelOf(exports as Parameters<typeof kernelOf>[0]))
    known.set(memory, loops)
  }
  return loops
}

const idArguments = ({ ids, odd, small, slots }: IdColumns) => ({
  ...{ ids, count: ids.length, odd, small, places: small.length },
  ...{ slots, mask: slots.length - 1, seed: ID_SEED },
})

const loopsOf = (kernel: Kernel): Loops => ({
  walk: (walk, until) => kernel.walk({ ...walk, stackWords: walk.stack.length, passedMost: walk.passed.length, until }),
  startLists: (lists, { parent, semi }, mostCrowds, state) =>
    kernel.startLists({ ...lists, parent, semi, mostCrowds, state }),
  fillLists({ firstEdge, edges, number }, lists, side, from, to) {
    const [places, ahead] = side === 'ends' ? [lists.first, 1] : [lists.next, 0]
    kernel.fillLists({ ...lists, firstEdge, edges, number, places, ahead, from, to })
  },
  findSemidominators: (lists, forest, state, from, to) =>
    kernel.findSemidominators({ ...lists, ...forest, state, from, to }),
  findDominators: (above, final, reached) => kernel.findDominators({ above, final, reached }),
  invert: (number, order) => kernel.invert({ number, order, nodes: number.length }),
  addUp: (order, above, sizes) => kernel.addUp({ order, above, sizes, nodes: order.length }),
  sum: (values) => kernel.sum({ values, length: values.length }),
  markForeign: ({ firstEdge, edges, number }, passedBy) =>
    kernel.markForeign({ firstEdge, edges, number, passedBy, nodes: number.length }),
  findStores: ({ nodeType, nodeName }, external, owner) =>
    kernel.findStores({ nodeType, nodeName, external, owner, nodes: owner.length }),
  spreadOwners: ({ firstEdge, edges }, owner, worklist) =>
    kernel.spreadOwners({ firstEdge, edges, owner, worklist, nodes: owner.length }),
  moveSizes: (nodeType, sizes, owner) => kernel.moveSizes({ nodeType, sizes, owner, nodes: owner.length }),
  findImmediate: (order, above, immediate) => kernel.findImmediate({ order, above, immediate, nodes: order.length }),
  findHolders: (order, above, owner, holder) =>
    kernel.findHolders({ order, above, owner, holder, nodes: order.length }),
  firstOfKinds: ({ nodeType, nodeName }, { byType, byName }, first) =>
    kernel.firstOfKinds({ nodeType, nodeName, byType, byName, first, nodes: nodeType.length }),
  assignClasses: ({ nodeType, nodeName }, { byType, byName }, classOf) =>
    kernel.assignClasses({ nodeType, nodeName, byType, byName, classOf, nodes: classOf.length }),
  totalClasses: (classOf, sizes, count, bytes) =>
    kernel.totalClasses({ classOf, sizes, count, bytes, nodes: classOf.length }),
  growClassTree: (tree, { order, above }, sizes, classOf) =>
    kernel.growClassTree({ ...tree, order, above, sizes, classOf, nodes: classOf.length }),
  retainByClass: (tree, { order, above }, retained, onTheWay, bytes) =>
    kernel.retainByClass({ ...tree, order, above, retained, onTheWay, bytes }),
  likely: (ids, sieve, out) => kernel.likely({ ids, count: ids.length, sieve, out }),
  listMarked: (marks, out) => kernel.listMarked({ marks, count: marks.length, out }),
  listNamed: (nodeName, marks, out) => kernel.listNamed({ nodeName, marks, count: nodeName.length, out }),
  listInOrder: (order, marks, out) => kernel.listInOrder({ order, marks, count: order.length, out }),
  measureIds: (ids, room, state) => kernel.measureIds({ ids, count: ids.length, room, state }),
  fillIds: (table) => kernel.fillIds(idArguments(table)),
  lookUpIds: (wanted, table, found) =>
    kernel.lookUpIds({ ...idArguments(table), wanted, wantedCount: wanted.length, found }),
  markIds: (ids, bits, rest) => kernel.markIds({ ids, count: ids.length, bits, most: 32 * bits.length, rest }),
  takeOver: (was, before, now) => kernel.takeOver({ was, before, now, nodes: was.length }),
  joinLineage: (was, before, { sizes, born, firstSizes }, grew, step) =>
    kernel.joinLineage({
      ...{ was, beforeBorn: before.born, beforeFirst: before.firstSizes, beforeSizes: before.sizes },
      ...{ sizes, born, firstSizes, grew, step, nodes: was.length },
    }),
  markAsked: ({ firstEdge, edges }, owner, { sizes, born, firstSizes }, asked) =>
    kernel.markAsked({ firstEdge, edges, owner, sizes, born, firstSizes, asked, nodes: asked.length }),
  askHolders: (order, holder, asked) => kernel.askHolders({ order, holder, asked, nodes: order.length }),
  addNewBytes: ({ order, above }, sizes, born, bytes) =>
    kernel.addNewBytes({ order, above, sizes, born, bytes, nodes: order.length }),
  listGrowth: (nodeType, owner, { sizes, born, firstSizes }, out) =>
    kernel.listGrowth({ nodeType, owner, sizes, born, firstSizes, out, nodes: owner.length }),
  searchPaths({ edgeNameOrIndex: names, machinery: [a, b, c], ...columns }, cost, via, { buckets, entries }) {
    const { starts } = columns
    const room = { buckets, entries, most: entries.length / 2 }
    return kernel.searchPaths({ ...columns, names, a, b, c, cost, via, startCount: starts.length / 2, ...room })
  },
  labelNodes: (assign, { edgeNameOrIndex: names, ...columns }, label, otherName) =>
    kernel.labelNodes({
      ...{ ...columns, assign, names, globalCount: columns.globals.length },
      ...{ label, otherName, nodes: label.length },
    }),
  countReferences: (firstEdge, owner, count) =>
    kernel.countReferences({ firstEdge, owner, count, nodes: owner.length }),
  listLargest: (count, least, out) => kernel.listLargest({ count, least, out, nodes: count.length }),
  listEntrances: (columns, out) => kernel.listEntrances({ ...columns, out, nodes: columns.owner.length }),
  listOutermost: ({ order, above }, born, out) =>
    kernel.listOutermost({ order, above, born, out, nodes: order.length }),
  listBelow: ({ order, above }, marks, out) => kernel.listBelow({ order, above, marks, out, nodes: order.length }),
  listTyped: (nodeType, types, out) => kernel.listTyped({ nodeType, types, out, nodes: nodeType.length }),
  sumTypes: (nodeType, sizes, count, bytes) =>
    kernel.sumTypes({ nodeType, sizes, count, bytes, nodes: nodeType.length }),
  countNames: (list, { nodeName, sizes }, { count, size, mixed }) =>
    kernel.countNames({ list, length: list.length, nodeName, sizes, count, size, mixed }),
  listLargestOutside: (list, { nodeType, immediate, sizes }, types, out) =>
    kernel.listLargestOutside({ list, length: list.length, nodeType, types, immediate, sizes, most: out.length, out }),
  sortChildren: (immediate, first, list) => kernel.sortChildren({ immediate, first, list, nodes: list.length }),
  reachNew: ({ firstEdge, edges, edgeNameOrIndex: names, born, neighbours }, marks, queue, length) =>
    kernel.reachNew({ firstEdge, edges, names, born, neighbours, marks, queue, length }),
  countAmong: (list, classOf, count, first) => kernel.countAmong({ list, length: list.length, classOf, count, first }),
  listAmong: (list, classOf, wanted, out) => kernel.listAmong({ list, length: list.length, classOf, wanted, out }),
  sumAmong: (list, sizes, marks, wanted) => kernel.sumAmong({ list, length: list.length, sizes, marks, wanted }),
  markAll: (list, marks) => kernel.markAll({ list, length: list.length, marks }),
  listRows: (rows, nodeType, type, out) => kernel.listRows({ rows, count: rows.length, nodeType, type, out }),
  listAskedRows: (rows, nodeType, holder, asked, out) =>
    kernel.listAskedRows({ rows, count: rows.length, nodeType, holder, asked, out }),
  listScopedRows: (rows, { edgeNameOrIndex: names, ...columns }, seen, out) =>
    kernel.listScopedRows({ ...columns, rows, count: rows.length, names, seen, out }),
})
