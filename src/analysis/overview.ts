// What is big in one snapshot: by kind, by class, by dominator, and among the strings.

import { describeNode, describePath, type PathStep, stringText } from '../graph/describe.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { locationAt, type SourceLocation } from '../graph/locations.ts'
import { nodesOfTypes } from '../graph/named.ts'
import { SHARED } from '../graph/ownership.ts'
import { ROOT, userRoots } from '../graph/roots.ts'
import { NODE_TYPES, NodeType } from '../snapshot/meta.ts'
import { arenaFloat64, arenaOf, arenaUint32 } from '../support/arena.ts'
import { TupleInterner } from '../support/tuple-interner.ts'
import type { ClassRow } from './classes.ts'

export interface Kind {
  /** Type of node, as V8 names it. */
  readonly kind: string
  readonly count: number
  readonly shallowBytes: number
}

export interface BigObject {
  readonly node: string
  readonly nodeId: number
  readonly shallowBytes: number
  readonly retainedBytes: number
  readonly path: readonly PathStep[]
}

export interface BigClass {
  readonly name: string
  readonly location: SourceLocation | undefined
  readonly count: number
  readonly shallowBytes: number
  readonly retainedBytes: number
}

export interface DuplicateString {
  readonly text: string
  readonly count: number
  readonly shallowBytes: number
  /** Bytes that would go if the text were there but once. */
  readonly wastedBytes: number
}

export interface Overview {
  readonly kinds: readonly Kind[]
  readonly classes: readonly BigClass[]
  readonly dominators: readonly BigObject[]
  readonly largestStrings: readonly BigObject[]
  readonly duplicateStrings: readonly DuplicateString[]
}

/** An overview in which objects are ordinals: what can be found out while the paths to them are being worked out. */
export interface Found extends Omit<Overview, 'dominators' | 'largestStrings'> {
  readonly dominators: readonly number[]
  readonly largestStrings: readonly number[]
}

/**
 * @param rows the class table
 * @param limit how many rows of each kind, the biggest first
 */
export const overview = (graph: HeapGraph, rows: readonly ClassRow[], limit: number): Overview =>
  tellOverview(graph, findOverview(graph, rows, limit))

export function tellOverview(graph: HeapGraph, found: Found): Overview {
  const { snapshot } = graph
  const big = (node: number): BigObject => ({
    node: describeNode(graph, node),
    nodeId: snapshot.nodeId[node]!,
    shallowBytes: graph.shallowSize(node),
    retainedBytes: graph.retainedSize(node),
    path: describePath(graph, node),
  })
  return {
    ...found,
    dominators: found.dominators.map(big),
    largestStrings: found.largestStrings.map((node) => ({ ...big(node), node: stringText(graph, node) })),
  }
}

export function findOverview(graph: HeapGraph, rows: readonly ClassRow[], limit: number): Found {
  const { snapshot } = graph
  return {
    kinds: sumKinds(graph),
    classes: [...rows]
      .sort((a, b) => b.retainedBytes - a.retainedBytes)
      .slice(0, limit)
      .map(({ name, count, shallowBytes, retainedBytes, location }) => ({
        name,
        count,
        shallowBytes,
        retainedBytes,
        location: location < 0 ? undefined : locationAt(snapshot, graph.scriptUrls, location),
      })),
    dominators: accumulationPoints(graph, limit),
    largestStrings: largestStrings(graph, limit),
    duplicateStrings: duplicateStrings(graph, limit),
  }
}

function sumKinds({ snapshot: { nodeType, selfSize } }: HeapGraph): Kind[] {
  const arena = arenaOf(nodeType)
  const counts = arenaUint32(arena, NodeType.unknown + 1)
  const bytes = arenaFloat64(arena, NodeType.unknown + 1)
  loopsFor(nodeType, selfSize, counts, bytes).sumTypes(nodeType, selfSize, counts, bytes)
  const count = [...counts]
  return Array.from(count, (n, type) => ({ kind: NODE_TYPES[type] ?? 'other', count: n, shallowBytes: bytes[type]! }))
    .filter((kind) => kind.count > 0)
    .sort((a, b) => b.shallowBytes - a.shallowBytes)
}

/** A node is passed through when one node below it keeps this share of what it keeps. */
const PASS_THROUGH = 0.5

/**
 * The objects where bytes pile up: from the top of the dominator tree down, through those that only lead to one other
 * (and through the program's scopes and V8's roots, which hold everything), to those that hold many things themselves.
 */
function accumulationPoints(graph: HeapGraph, limit: number): number[] {
  const { nodeType } = graph.snapshot
  const { owner } = graph.ownership
  const children = childrenOf(graph)
  const { retainedSizes } = graph
  const bySize = (a: number, b: number) => retainedSizes[b]! - retainedSizes[a]!
  const globals = new Set(userRoots(graph.snapshot))
  const waiting = [ROOT]
  const points: number[] = []
  while (points.length < limit && waiting.length > 0) {
    const node = waiting.shift()!
    const below = biggest(children(node), limit, bySize)
    const leads =
      node === ROOT ||
      nodeType[node] === NodeType.synthetic ||
      graph.moduleScopes.has(node) ||
      globals.has(node) ||
      (below.length > 0 && graph.retainedSize(below[0]!) >= graph.retainedSize(node) * PASS_THROUGH)
    // Bytes of a backing store are its owner's.
    if (!leads) points.push(owner[node]! < SHARED ? owner[node]! : node)
    else for (const each of below) waiting.push(each)
    waiting.sort(bySize)
    waiting.length = Math.min(waiting.length, limit)
  }
  return [...new Set(points)]
}

/** The first `limit` of the nodes in the order of `compare`; a node may have twenty million below it. */
function biggest(nodes: Uint32Array, limit: number, compare: (a: number, b: number) => number): number[] {
  let kept: number[] = []
  for (const node of nodes) {
    kept.push(node)
    if (kept.length >= 2 * limit && kept.length > 1000) kept = kept.sort(compare).slice(0, limit)
  }
  return kept.sort(compare).slice(0, limit)
}

/** The nodes that a node immediately dominates. */
function childrenOf({ dominators: { immediate }, snapshot: { nodeCount } }: HeapGraph): (node: number) => Uint32Array {
  const first = new Uint32Array(nodeCount + 1)
  for (let node = 1; node < nodeCount; node++) first[immediate[node]! + 1]!++
  for (let node = 0; node < nodeCount; node++) first[node + 1]! += first[node]!
  const free = first.slice(0, nodeCount)
  const list = new Uint32Array(nodeCount)
  for (let node = 1; node < nodeCount; node++) list[free[immediate[node]!]!++] = node
  return (node) => list.subarray(first[node]!, first[node + 1]!)
}

const STRINGS = [NodeType.string, NodeType.consString, NodeType.slicedString] as const
const isString = (type: number): boolean => (STRINGS as readonly number[]).includes(type)

/** Strings by retained size, without the parts of longer ones. */
function largestStrings(graph: HeapGraph, limit: number): number[] {
  const { nodeType } = graph.snapshot
  const largest: number[] = []
  for (const node of nodesOfTypes(graph.snapshot, STRINGS)) {
    if (isString(nodeType[graph.immediateDominator(node)]!)) continue
    const size = graph.retainedSize(node)
    if (largest.length === limit && size <= graph.retainedSize(largest.at(-1)!)) continue
    let at = largest.length
    while (at > 0 && graph.retainedSize(largest[at - 1]!) < size) at--
    largest.splice(at, 0, node)
    largest.length = Math.min(largest.length, limit)
  }
  return largest
}

/** Strings of one text and one size; V8 cuts texts in a snapshot, so of cut ones the size has to agree too. */
function duplicateStrings({ snapshot }: HeapGraph, limit: number): DuplicateString[] {
  const { nodeName, selfSize, strings } = snapshot
  const known = new TupleInterner(3)
  const copies: { name: number; size: number; count: number }[] = []
  const nodes = nodesOfTypes(snapshot, [NodeType.string])
  const times = arenaUint32(arenaOf(nodeName), strings.count)
  loopsFor(nodes, nodeName, times).countNames(nodes, nodeName, times)
  for (const node of nodes) {
    const name = nodeName[node]!
    if (times[name] === 1) continue
    const size = selfSize[node]!
    const number = known.intern(name, size >>> 0, Math.floor(size / 2 ** 32))
    if (number === copies.length) copies.push({ name, size, count: 1 })
    else copies[number]!.count++
  }
  return copies
    .filter(({ count }) => count > 1)
    .sort((a, b) => b.size * (b.count - 1) - a.size * (a.count - 1))
    .slice(0, limit)
    .map(({ name, size, count }) => ({
      text: strings.get(name),
      count,
      shallowBytes: size * count,
      wastedBytes: size * (count - 1),
    }))
}
