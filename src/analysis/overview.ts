// What is big in one snapshot: by kind, by class, by dominator, and among the strings.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { largest } from '../graph/largest.ts'
import { locationAt, type SourceLocation } from '../graph/locations.ts'
import { bitsOf, nodesOfTypes } from '../graph/named.ts'
import { SHARED } from '../graph/ownership.ts'
import { thingWords } from '../graph/path-words.ts'
import { type PathStep, retainingPath, stringText, thingOf } from '../graph/retaining-path.ts'
import { ROOT, userRoots } from '../graph/roots.ts'
import { NODE_TYPES, NodeType } from '../snapshot/meta.ts'
import { arenaFloat64, arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'
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
    node: thingWords(thingOf(graph, node)),
    nodeId: snapshot.nodeId[node]!,
    shallowBytes: graph.shallowSize(node),
    retainedBytes: graph.retainedSize(node),
    path: retainingPath(graph, node),
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
  const { retainedSizes } = graph
  const bySize = (a: number, b: number) => retainedSizes[b]! - retainedSizes[a]!
  const globals = new Set(userRoots(graph.snapshot))
  const waiting = [ROOT]
  const points: number[] = []
  while (points.length < limit && waiting.length > 0) {
    const node = waiting.shift()!
    const below = largest(graph.dominated(node), retainedSizes, limit)
    const candidates =
      node === ROOT ||
      nodeType[node] === NodeType.synthetic ||
      graph.moduleScopes.has(node) ||
      globals.has(node) ||
      (below.length > 0 && graph.retainedSize(below[0]!) >= graph.retainedSize(node) * PASS_THROUGH)
    // Bytes of a backing store are its owner's.
    if (!candidates) points.push(owner[node]! < SHARED ? owner[node]! : node)
    else for (const each of below) waiting.push(each)
    waiting.sort(bySize)
    waiting.length = Math.min(waiting.length, limit)
  }
  return [...new Set(points)]
}

const STRINGS = [NodeType.string, NodeType.consString, NodeType.slicedString] as const

/** Strings by retained size, without the parts of longer ones. */
function largestStrings({ snapshot, dominators, retainedSizes }: HeapGraph, limit: number): number[] {
  const { nodeType } = snapshot
  const { immediate } = dominators
  const nodes = nodesOfTypes(snapshot, STRINGS)
  const list = arenaUint32(arenaOf(nodeType), Math.min(limit, nodes.length))
  const columns = { nodeType, immediate, sizes: retainedSizes }
  const loops = loopsFor(nodes, nodeType, immediate, retainedSizes, list)
  return [...list.subarray(0, loops.listLargestOutside(nodes, columns, bitsOf(STRINGS), list))]
}

/** Strings of one text and one size; V8 cuts texts in a snapshot, so of cut ones the size has to agree too. */
function duplicateStrings({ snapshot }: HeapGraph, limit: number): DuplicateString[] {
  const { nodeName, selfSize, strings } = snapshot
  const nodes = nodesOfTypes(snapshot, [NodeType.string])
  const arena = arenaOf(nodeName, selfSize)
  const count = arenaUint32(arena, strings.count)
  const size = selfSize instanceof Uint32Array ? arenaUint32(arena, strings.count) : new Float64Array(strings.count)
  const mixed = arenaUint8(arena, strings.count)
  const loops = loopsFor(nodes, nodeName, selfSize, count, size, mixed)
  loops.countNames(nodes, { nodeName, sizes: selfSize }, { count, size, mixed })
  const list = arenaUint32(arenaOf(count), strings.count)
  const repeated = list.subarray(0, loopsFor(count, list).listLargest(count, 2, list))
  const copies: { name: number; size: number; count: number }[] = []
  for (const name of repeated) if (mixed[name] === 0) copies.push({ name, size: size[name]!, count: count[name]! })
  // Those of different sizes one by one.
  const known = new Map<string, (typeof copies)[number]>()
  for (const node of mixed.includes(1) ? nodes : []) {
    const name = nodeName[node]!
    if (mixed[name] === 0) continue
    const key = `${name} ${selfSize[node]}`
    const alike = known.get(key)
    if (alike) alike.count++
    else known.set(key, { name, size: selfSize[node]!, count: 1 })
  }
  return [...copies, ...known.values()]
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
