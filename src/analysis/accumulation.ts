// Where growth that hangs on one reference has its parts: the first object below that has many, or a chain of objects alike.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName, referencesOf } from '../graph/look.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, retains } from '../snapshot/snapshot.ts'
import type { Classes } from './classes.ts'
import { isOfV8 } from './entries.ts'

/** A heap in which some objects are known to be new. */
export interface NewHeap {
  readonly graph: HeapGraph
  readonly classes: Classes
  /** By node ordinal: 0 for what is from before the first snapshot. */
  readonly born: Uint16Array
  /** As `bytesOfNew` gives it. */
  readonly newBytes: Float64Array
}

export interface Accumulation {
  /** What has the parts: an object, or the first one of a chain. */
  readonly container: number
  readonly parts: readonly number[]
}

/** A node is passed by if so much of its new bytes is in one part. */
const MOSTLY = 0.6
/** So many alike, one behind another, are a chain. */
const CHAIN = 8
const MAX_DEPTH = 10_000
/** Objects that are looked at for a part that several of them lead to. */
const MAX_EXPANDED = 64

/**
 * Where the way from the heaviest of `targets` down splits up: the first node whose new bytes are in many hands, or that
 * is one of a chain of its own kind (as in MAT's "accumulation point").
 */
export function accumulation(heap: NewHeap, targets: readonly number[]): Accumulation {
  const { classes, newBytes } = heap
  let chain: number[] = []
  let next = heaviest(newBytes, targets)
  for (let depth = 1; ; depth++) {
    const at = next
    chain.push(at)
    const parts = partsOf(heap, at)
    next = parts.length > 0 ? heaviest(newBytes, parts) : at
    if (depth < MAX_DEPTH && next !== at && newBytes[next]! >= MOSTLY * newBytes[at]!) continue
    const alike = mostAlike(heap, chain)
    if (depth >= MAX_DEPTH || alike.length > Math.max(CHAIN, parts.length))
      return { container: alike[0]!, parts: alike }
    // The last link but one of a list of lists: what it has and the next link are as heavy.
    const own = parts.filter((part) => classes.of[part] !== classes.of[at])
    if (own.length === 0 || own.length === parts.length) return { container: at, parts }
    next = heaviest(newBytes, own)
    chain = []
  }
}

const heaviest = (newBytes: Float64Array, nodes: readonly number[]): number =>
  nodes.reduce((best, node) => (newBytes[node]! > newBytes[best]! ? node : best))

/** Of a chain, the nodes of the class that it has most of: an object's, where there are as many of several. */
function mostAlike({ graph, classes }: NewHeap, chain: readonly number[]): number[] {
  const counts = new Map<number, number>()
  const worth = (node: number): number => {
    const isThing = graph.snapshot.nodeType[node] === NodeType.object && nodeName(graph, node) !== 'system / Context'
    return counts.get(classes.of[node]!)! + (isThing ? 0.05 * chain.length : 0)
  }
  for (const node of chain) counts.set(classes.of[node]!, (counts.get(classes.of[node]!) ?? 0) + 1)
  const best = chain.reduce((most, node) => (worth(node) > worth(most) ? node : most))
  return chain.filter((node) => classes.of[node] === classes.of[best])
}

/**
 * What is new and only one object has, itself not included: what it refers to, and what is referred to by several of
 * these, such as the scope that two functions share.
 */
function partsOf({ graph, born, newBytes }: NewHeap, at: number): number[] {
  const { firstEdge, edges, nodeType } = graph.snapshot
  const { owner, shallowSize } = graph.ownership
  const parts = new Set<number>()
  const own = new Set<number>()
  const stores = new Set([at])
  let missing = newBytes[at]! - shallowSize[at]!
  const look = (node: number): void => {
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const packed = edges[edge]!
      const target = edgeTarget(packed)
      if (!retains(packed) || stores.has(target) || parts.has(target) || own.has(target)) continue
      if (owner[target] === at) stores.add(target)
      else if (born[target]! > 0 && stores.has(graph.immediateDominator(target))) {
        // What V8 has for itself, such as the shapes that the object had before, is as many as the things that came.
        ;(isOfV8(nodeType[target]!) ? own : parts).add(target)
        missing -= newBytes[target]!
      }
    }
  }
  // Both grow while they are gone through.
  for (const store of stores) look(store)
  let expanded = 0
  for (const part of parts) {
    if (missing < (1 - MOSTLY) * newBytes[at]! || ++expanded > MAX_EXPANDED) break
    look(part)
    for (const store of referredStores(graph, part)) look(store)
  }
  return [...(parts.size > 0 ? parts : own)]
}

/** The stores of an object, as far as it refers to them itself. */
function* referredStores({ snapshot, ownership }: HeapGraph, node: number): Generator<number> {
  const { firstEdge, edges } = snapshot
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    const target = edgeTarget(edges[edge]!)
    if (target !== node && ownership.owner[target] === node) yield target
  }
}

/**
 * How an object has a container to itself, as in a list of lists: its class, and what it calls that, such as `.list` of a
 * `FixedCircularBuffer`; undefined where none has it by a name.
 */
export function linkOf({ graph, classes }: Pick<NewHeap, 'graph' | 'classes'>, container: number): string | undefined {
  const host = graph.immediateDominator(container)
  if (graph.snapshot.nodeType[host] !== NodeType.object) return undefined
  for (const { type, name, target } of referencesOf(graph, host, 200)) {
    if (target === container && type === EdgeType.property) return `${classes.keys[classes.of[host]!]} ${name}`
  }
  return undefined
}
