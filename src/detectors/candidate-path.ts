// Which path to a candidate is told, and what its container is called by that.

import { wayIn } from '../analysis/entries.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName } from '../graph/look.ts'
import { SHARED } from '../graph/ownership.ts'
import { NOT_REACHED, pathTo } from '../graph/paths.ts'
import { isUnnamed, isVariable, nameOfStep, type PathStep, pathAlong } from '../graph/retaining-path.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { isOwn } from '../source/origins.ts'
import type { IsolateHeap } from './detector.ts'

/** Ordinals of the nodes from where the program keeps it to one of the objects. */
export function nodesTo({ graph, heap }: Pick<IsolateHeap, 'graph' | 'heap'>, suspect: Suspect): readonly number[] {
  const inside = suspect.kind === 'grown' ? [suspect.sample] : wayIn(graph, heap.lineage, suspect)
  const way = byWeakMap(graph, [...pathTo(graph.paths, inside[0]!).slice(0, -1), ...inside])
  return byOwnName(graph, way, suspect.container)
}

/** Of what refers to an object, so many are looked at for a way by the program's names. */
const MOST_RETAINERS = 32

/**
 * The shortest way may be one by a timer or a callback of Node's. Where the program has an object on it by a name as well,
 * that way says more.
 */
function byOwnName(graph: HeapGraph, way: readonly number[], container: number): readonly number[] {
  const { edges, edgeNameOrIndex, nodeType, strings } = graph.snapshot
  const isFromProgram = (node: number): boolean => isOwn(graph.moduleScopes.get(node) ?? 'node:')
  const last = way.indexOf(container)
  // Something of the program's on the way has names as well; the global object has only such.
  if (way.slice(0, last + 1).some((node) => isOwn(urlOf(graph, node) ?? 'node:'))) return way
  if (/^global\b/.test(nodeName(graph, way[0]!))) return way
  if (way.some((node, at) => at >= last - 1 && /^(TimersList|PriorityQueue)$/.test(nodeName(graph, node)))) return way
  for (let at = last; at > 0; at--) {
    const node = way[at]!
    if (nodeType[node] !== NodeType.object) continue
    for (const { node: holder, edge } of graph.retainers(node, MOST_RETAINERS)) {
      const type = edgeType(edges[edge]!)
      if (type !== EdgeType.property && type !== EdgeType.context) continue
      if (!/^[\p{ID_Start}$#][\p{ID_Continue}$]*$/u.test(strings.get(edgeNameOrIndex[edge]!))) continue
      if (graph.paths.via[holder] === NOT_REACHED) continue
      const toHolder = pathTo(graph.paths, holder)
      if (isFromProgram(toHolder[0]!) && !toHolder.includes(node)) return [...toHolder, ...way.slice(at)]
    }
  }
  return way
}

/** The steps along these nodes; of a tree, only the one to its topmost node. */
export function stepsTo(of: IsolateHeap, way: readonly number[], suspect: Suspect): PathStep[] {
  const steps = pathAlong(of.graph, way)
  return isInTree(of, way, suspect) ? stepsToTree(steps, way, suspect) : steps
}

/**
 * Whether the way comes by something like the tree's topmost node once more. Listeners of a signal each of which has a
 * signal of its own make a tree of signals, and the way to one of them is a plain one all the same.
 */
function goesRound({ heap }: IsolateHeap, way: readonly number[], { container }: Suspect): boolean {
  const { of } = heap.opened.classes
  return way.slice(way.indexOf(container) + 1).some((node) => of[node] === of[container])
}

/** The way to the tree's topmost node, and at once to one that came: which branches lead there is chance. */
function stepsToTree(path: PathStep[], way: readonly number[], { container, sample }: Suspect): PathStep[] {
  const top = way.indexOf(container)
  const at = path.findIndex(({ ordinal }) => ordinal === container)
  if (top < 0 || at < 0 || at + 2 >= path.length) return path
  const last = path.at(-1)!
  return [...path.slice(0, at + 1), { ...last, reference: path[at + 1]!.reference, times: way.indexOf(sample) - top }]
}

const isInTree = (of: IsolateHeap, way: readonly number[], suspect: Suspect): boolean =>
  suspect.isTree === true && goesRound(of, way, suspect)

/** A value of a WeakMap's lives by its key, but it is in the WeakMap that the program keeps it. */
function byWeakMap(graph: HeapGraph, way: readonly number[]): readonly number[] {
  for (let at = way.length - 1; at > 0; at--) {
    const table = tableBetween(graph, way[at - 1]!, way[at]!)
    const map = table === undefined ? SHARED : graph.ownership.owner[table]!
    // A table may have no owner, or several.
    if (table === undefined || map >= SHARED || map === table || graph.paths.via[map] === NOT_REACHED) continue
    const toMap = pathTo(graph.paths, map)
    // In a package it is how private fields are compiled: the object that has them says more.
    const nearest = toMap.findLast((node) => urlOf(graph, node) !== undefined)
    if (nearest !== undefined && isOwn(urlOf(graph, nearest)!)) return [...toMap, table, ...way.slice(at)]
  }
  return way
}

const urlOf = (graph: HeapGraph, node: number): string | undefined =>
  graph.moduleScopes.get(node) ?? graph.sourceLocation(node)?.url

/** The table of the WeakMap in which one node is a key and the other its value. */
function tableBetween(graph: HeapGraph, key: number, value: number): number | undefined {
  const { firstEdge, edges, edgeNameOrIndex, strings } = graph.snapshot
  for (let edge = firstEdge[key]!; edge < firstEdge[key + 1]!; edge++) {
    if (edgeTarget(edges[edge]!) !== value || edgeType(edges[edge]!) !== EdgeType.internal) continue
    const id = / pair in WeakMap \(table @(\d+)\)$/.exec(strings.get(edgeNameOrIndex[edge]!))?.[1]
    const table = id === undefined ? -1 : graph.snapshot.nodeId.indexOf(Number(id))
    if (table >= 0) return table
  }
  return undefined
}

/** References by which V8 and Node hold things on their own account: names in front of them are of something else. */
const isOfV8 = ({ reference }: PathStep): boolean =>
  isUnnamed(reference) && !/^(value|buffer$|backing_store)/.test(reference.name ?? '')

/**
 * What a path's container is called: its last name, and that with the name of what it belongs to; of a list, by what its
 * links are linked. Variables belong to nothing. Without a name, whose local variable it is.
 */
export function containerName(
  of: IsolateHeap,
  way: readonly number[],
  path: readonly PathStep[],
  suspect: Suspect,
): string | undefined {
  const { kind } = suspect
  const isTree = isInTree(of, way, suspect)
  // What has grown itself is called by the last name.
  const isNamed = kind === 'grown' || (!isTree && path.length > 0 && path.at(-1)!.times > 1)
  const steps = isNamed ? path : path.slice(0, -1)
  const from = steps.findLastIndex((step) => isOfV8(step) || isVariable(step.reference))
  const names = steps
    .slice(Math.max(0, from))
    .map((step) => (step.thing.kind === 'scope' ? undefined : nameOfStep(step)))
    .filter((name) => name !== undefined && name !== '__proto__')
  // Where a list has a name, that of its links says nothing more.
  const isList = kind === 'added' && isNamed && names.length > 2
  if (names.length > 0) return (isList ? names.slice(-3, -1) : names.slice(-2)).join('.')
  const last = steps[from]?.reference
  if (last?.kind !== 'local' || isVariable(last)) return undefined
  const holder = steps[from - 1]!.thing.name
  return holder === '' ? 'a local variable' : `a local variable of ${holder}`
}
