// Which retaining path of a candidate is shown, and what its container is called by that path.

import { wayIn } from '../analysis/entries.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName } from '../graph/look.ts'
import { SHARED } from '../graph/ownership.ts'
import { NOT_REACHED, pathTo } from '../graph/paths.ts'
import { isUnnamed, isVariable, nameOfStep, type PathStep, pathAlong } from '../graph/retaining-path.ts'
import { isTimerListOrQueue } from '../node-internals/timers.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { isOwn } from '../source/origins.ts'
import type { IsolateHeap } from './detector.ts'

/** The nodes of the retaining path, as ordinals: from where the program keeps it to one of the objects. */
export function nodesTo({ graph, heap }: Pick<IsolateHeap, 'graph' | 'heap'>, suspect: Suspect): readonly number[] {
  const inside = suspect.kind === 'grown' ? [suspect.sample] : wayIn(graph, heap.lineage, suspect)
  const way = byWeakMap(graph, [...pathTo(graph.paths, inside[0]!).slice(0, -1), ...inside])
  return byOwnName(graph, way, suspect.container)
}

/** Retainers of an object that are looked at for a path with names of the program. */
const MOST_RETAINERS = 32

/**
 * The shortest path may lead by a timer or a callback of Node. Where the program holds an object on it by a name as well,
 * the path by that name says more.
 */
function byOwnName(graph: HeapGraph, way: readonly number[], container: number): readonly number[] {
  const { edges, edgeNameOrIndex, nodeType, strings } = graph.snapshot
  const isFromProgram = (node: number): boolean => isOwn(graph.moduleScopes.get(node) ?? 'node:')
  const last = way.indexOf(container)
  // A path by something of the program has names already, and the global object has nothing but names.
  if (way.slice(0, last + 1).some((node) => isOwn(urlOf(graph, node) ?? 'node:'))) return way
  if (/^global\b/.test(nodeName(graph, way[0]!))) return way
  if (way.some((node, at) => at >= last - 1 && isTimerListOrQueue(graph, node))) return way
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

/** The steps along these nodes; in a tree, only those to its topmost node and the one from there to the sample. */
export function stepsTo(of: IsolateHeap, way: readonly number[], suspect: Suspect): PathStep[] {
  const steps = pathAlong(of.graph, way)
  return isInTree(of, way, suspect) ? stepsToTree(steps, way, suspect) : steps
}

/**
 * Whether the path has another node of the class of the tree's topmost node. Signals that depend on other signals make a
 * tree as well, but the path to a listener of one of them is a plain path.
 */
function hasInnerNodes({ heap }: IsolateHeap, way: readonly number[], { container }: Suspect): boolean {
  const { of } = heap.opened.classes
  return way.slice(way.indexOf(container) + 1).some((node) => of[node] === of[container])
}

/** The path to the tree's topmost node, then one step to the sample: which branches lead there is chance. */
function stepsToTree(path: PathStep[], way: readonly number[], { container, sample }: Suspect): PathStep[] {
  const top = way.indexOf(container)
  const at = path.findIndex(({ ordinal }) => ordinal === container)
  if (top < 0 || at < 0 || at + 2 >= path.length) return path
  const last = path.at(-1)!
  return [...path.slice(0, at + 1), { ...last, reference: path[at + 1]!.reference, times: way.indexOf(sample) - top }]
}

const isInTree = (of: IsolateHeap, way: readonly number[], suspect: Suspect): boolean =>
  suspect.isTree === true && hasInnerNodes(of, way, suspect)

/** A value of a WeakMap is retained by its key, but the program keeps it in the WeakMap: the path leads by that. */
function byWeakMap(graph: HeapGraph, way: readonly number[]): readonly number[] {
  for (let at = way.length - 1; at > 0; at--) {
    const table = tableBetween(graph, way[at - 1]!, way[at]!)
    const map = table === undefined ? SHARED : graph.ownership.owner[table]!
    // A table may have no owner, or several.
    if (table === undefined || map >= SHARED || map === table || graph.paths.via[map] === NOT_REACHED) continue
    const toMap = pathTo(graph.paths, map)
    // Compiled private fields of a package are WeakMaps, too: there the object that has the fields says more.
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

/** References by which V8 and Node hold things themselves: names in front of these belong to something else. */
const isOfV8 = ({ reference }: PathStep): boolean =>
  isUnnamed(reference) && !/^(value|buffer$|backing_store)/.test(reference.name ?? '')

/**
 * What a path's container is called: by its last name, with the name of its owner in front; variables have no owner. A list
 * is called by its name and not by that of its links. A container without a name may be a local variable of a function.
 */
export function containerName(
  of: IsolateHeap,
  way: readonly number[],
  path: readonly PathStep[],
  suspect: Suspect,
): string | undefined {
  const { kind } = suspect
  const isTree = isInTree(of, way, suspect)
  // An object that has grown itself is the last step of the path.
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
