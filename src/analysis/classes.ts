// Nodes grouped by class, as Chrome DevTools' summary does it.

import type { Dominators } from '../graph/dominators.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { type ClassTree, isNamed, NONE } from '../graph/loops.ts'
import type { Ownership } from '../graph/ownership.ts'
import { NodeType } from '../snapshot/meta.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type RawStrings, StringTable } from '../snapshot/strings.ts'
import { arenaFloat64, arenaOf, arenaUint16, arenaUint32 } from '../support/arena.ts'
import type { Scratch } from '../support/scratch.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { sharedUint32 } from '../support/shared.ts'
import { TupleInterner } from '../support/tuple-interner.ts'

/** Which class every node is of. */
export interface Classes {
  /** By node ordinal: number of its class; 32 bits only where there are more than 65,536 classes. */
  readonly of: Uint16Array | Uint32Array
  /** By class number: what it is called. */
  readonly names: readonly string[]
  /** By class number: a row of `snapshot.locations` that tells the constructor's place, or -1. */
  readonly locations: readonly number[]
  /** By class number: the same for the same class in every snapshot of one process, see {@link ClassRow.key}. */
  readonly keys: readonly string[]
}

/** What all nodes of a class have together; sizes in bytes. */
export interface ClassRow {
  /** `scriptId,line,column,name` (0-based) where the constructor's place is known, else `,name`. */
  readonly key: string
  readonly name: string
  /** Nodes with a shallow size; backing stores whose size went to their owner do not count. */
  readonly count: number
  readonly shallowBytes: number
  /** Retained sizes of those nodes that no other node of the class dominates: what would go if all went. */
  readonly retainedBytes: number
  /** Row of `snapshot.locations` with the constructor's place, or -1. */
  readonly location: number
}

/** Names of the classes that a node's type alone decides, as Chrome DevTools has them; others go by the node's name. */
const NAME_BY_TYPE: Readonly<Record<number, string>> = {
  [NodeType.hidden]: '(system)',
  [NodeType.array]: '(array)',
  [NodeType.string]: '(string)',
  [NodeType.code]: '(compiled code)',
  [NodeType.closure]: 'Function',
  [NodeType.regexp]: 'RegExp',
  [NodeType.number]: '(number)',
  [NodeType.synthetic]: '(synthetic)',
  [NodeType.consString]: '(concatenated string)',
  [NodeType.slicedString]: '(sliced string)',
  [NodeType.symbol]: '(symbol)',
  [NodeType.bigint]: '(bigint)',
  [NodeType.objectShape]: '(object shape)',
  [NodeType.wasmObject]: '(wasm object)',
  [NodeType.unknown]: '(unknown)',
}

/** The first class number that takes more than 16 bits. */
const MAX_NARROW = 0x10000

type ClassColumns = Pick<Snapshot, 'nodeCount' | 'nodeType' | 'nodeName' | 'locations' | 'strings'>

/** {@link classify} on the second thread. */
export function callClassify(
  second: SecondThread,
  { nodeCount, nodeType, nodeName, locations, strings }: Snapshot,
): Promise<Classes> {
  return second.call(import.meta.url, 'classifyRaw', { nodeCount, nodeType, nodeName, locations }, strings.raw)
}

export function classifyRaw(
  columns: Omit<ClassColumns, 'strings'>,
  { stringBytes, stringStarts }: RawStrings,
): Classes {
  return classify({ ...columns, strings: new StringTable(stringBytes, stringStarts) })
}

/**
 * Sorts all nodes into classes. Objects of one name whose constructors stand in different places are different classes.
 */
export function classify(snapshot: ClassColumns): Classes {
  const { nodeCount, nodeType, nodeName, locations, strings } = snapshot
  const names: string[] = []
  const rows: number[] = []
  const keys: string[] = []
  const byKey = new Map<string, number>()

  function classFor(name: string, row: number): number {
    const site = row < 0 ? -1 : locations.site[row]!
    const place = row < 0 ? '' : `${locations.script[site]},${locations.line[site]},${locations.column[site]}`
    const key = `${place},${name}`
    let number = byKey.get(key)
    if (number === undefined) {
      number = names.push(name) - 1
      if (number === MAX_NARROW) {
        const wide = sharedUint32(nodeCount)
        wide.set(of)
        of = wide
      }
      rows.push(row)
      keys.push(key)
      byKey.set(key, number)
    }
    return number
  }

  const arena = arenaOf(nodeType, nodeName)
  let of: Classes['of'] = arenaUint16(arena, nodeCount)
  const tables = { byType: arenaUint32(arena, 32).fill(NONE), byName: arenaUint32(arena, strings.count).fill(NONE) }
  const first = arenaUint32(arena, 32 + strings.count)
  const columns = { nodeType, nodeName }
  const { byType, byName } = tables
  const found = loopsFor(nodeType, nodeName, byType, byName, first).firstOfKinds(columns, tables, first)
  for (const node of first.subarray(0, found)) {
    const type = nodeType[node]!
    const name = nodeName[node]!
    if (isNamed(type)) byName[name] = classFor(strings.get(name), -1)
    else byType[type] = classFor(NAME_BY_TYPE[type] ?? '(unknown)', -1)
  }
  loopsFor(nodeType, nodeName, byType, byName, of).assignClasses(columns, tables, of)
  // Place and name together, for objects whose place is known.
  const placed = new TupleInterner(2)
  const classOfPlaced: number[] = []
  const placesAt = locations.node
  const list = arenaUint32(arena, placesAt.length)
  const rowCount = loopsFor(placesAt, nodeType, list).listRows(placesAt, nodeType, NodeType.object, list)
  for (const row of list.subarray(0, rowCount)) {
    const node = placesAt[row]!
    const entry = placed.intern(locations.site[row]!, nodeName[node]!)
    if (entry === classOfPlaced.length) classOfPlaced.push(classFor(strings.get(nodeName[node]!), row))
    of[node] = classOfPlaced[entry]!
  }
  return { of, names, locations: rows, keys }
}

/** What the nodes of each class are and have by themselves. */
export interface ClassTotals {
  /** By class number: nodes with a shallow size. */
  readonly count: Uint32Array
  /** By class number: their shallow sizes together, in bytes. */
  readonly shallowBytes: Float64Array
}

/** @param size how many classes there are */
export function classTotals(of: Classes['of'], size: number, shallowSize: Ownership['shallowSize']): ClassTotals {
  const arena = arenaOf(of, shallowSize)
  const count = arenaUint32(arena, size)
  const shallowBytes = arenaFloat64(arena, size)
  loopsFor(of, shallowSize, count, shallowBytes).totalClasses(of, shallowSize, count, shallowBytes)
  return { count, shallowBytes }
}

/** {@link classTotals} on the second thread. */
export const callClassTotals = (
  second: SecondThread,
  { of, names }: Classes,
  shallowSize: Ownership['shallowSize'],
): Promise<ClassTotals> => second.call(import.meta.url, 'classTotals', of, names.length, shallowSize)

/**
 * One row for each class that has a node with a size, in no particular order; one walk over the dominator tree.
 * @param totals what {@link classTotals} found, if that was done already
 * @param tree the same of {@link classTree}
 */
export function classRows(
  graph: HeapGraph,
  classes: Classes,
  totals = classTotals(classes.of, classes.names.length, graph.ownership.shallowSize),
  tree = classTree(graph, classes),
): ClassRow[] {
  const size = classes.names.length
  const { count, shallowBytes } = totals
  const retained = retainedByClass(graph, tree, size)
  graph.scratch.give(tree.group, tree.firstChild, tree.nextSibling)
  const rows: ClassRow[] = []
  for (let number = 0; number < size; number++) {
    if (count[number] === 0) continue
    rows.push({
      key: classes.keys[number]!,
      name: classes.names[number]!,
      count: count[number]!,
      shallowBytes: shallowBytes[number]!,
      retainedBytes: retained[number]!,
      location: classes.locations[number]!,
    })
  }
  return rows
}

export function classTree(graph: HeapGraph, classes: Classes): ClassTree {
  const tree = takeTree(graph.scratch)
  growClassTree(tree, graph.dominators.order, graph.dominators.above, graph.ownership.shallowSize, classes.of)
  return tree
}

/** {@link classTree} on the second thread, while this one does something else. */
export async function callClassTree(
  second: SecondThread,
  scratch: Scratch,
  { order, above }: Dominators,
  { shallowSize }: Ownership,
  classes: Classes,
): Promise<ClassTree> {
  const tree = takeTree(scratch)
  await second.call<void>(import.meta.url, 'growClassTree', tree, order, above, shallowSize, classes.of)
  return tree
}

const takeTree = (scratch: Scratch): ClassTree => ({
  group: scratch.take(),
  firstChild: scratch.take(),
  nextSibling: scratch.take(),
})

/**
 * Each place is behind its dominator's, so going backwards and putting each in front of its siblings gives linked lists
 * of children without sorting.
 */
export function growClassTree(
  tree: ClassTree,
  order: Uint32Array,
  above: Uint32Array,
  shallowSize: Ownership['shallowSize'],
  of: Classes['of'],
): void {
  const loops = loopsFor(...Object.values(tree), order, above, shallowSize, of)
  loops.growClassTree(tree, { order, above }, shallowSize, of)
}

/**
 * By class: the sum of retained sizes over its nodes that no other node of the class dominates, so that nothing is
 * counted twice; a depth-first walk over the dominator tree.
 */
function retainedByClass(graph: HeapGraph, tree: ClassTree, size: number): Float64Array {
  const { order, above } = graph.dominators
  const { retainedSizes } = graph
  const arena = arenaOf(order)
  const bytes = arenaFloat64(arena, size)
  /** By class: how many nodes of it stand on the way from the root to here. */
  const onTheWay = arenaUint32(arena, size)
  const loops = loopsFor(...Object.values(tree), order, above, retainedSizes, onTheWay, bytes)
  loops.retainByClass(tree, { order, above }, retainedSizes, onTheWay, bytes)
  return bytes
}
