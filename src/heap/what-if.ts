// What would be freed if a reference were not there.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { edgeSource } from '../graph/retainers.ts'
import { referenceOf } from '../graph/retaining-path.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'

export interface Cut {
  /** How many references are taken away. */
  readonly references: number
  readonly freedBytes: number
  /** References, as ordinals of edges, that go on holding the object, or may do so. */
  readonly remaining: readonly number[]
}

/**
 * All references from `from`, and from the backing stores that are its own, to `to` are taken away. What then goes is
 * all that `to` retains, or nothing: as long as `to` can be reached, so can everything behind it. It can be reached as long
 * as one of its retainers can be reached without it, which is one that it does not dominate.
 * @param most how many of the remaining references are wanted
 */
export function cutReferences(graph: HeapGraph, from: number, to: number, most: number): Cut {
  const { snapshot, ownership } = graph
  const inside = new Set([to])
  const holding: number[] = []
  const beside: number[] = []
  for (const edge of graph.edgesTo(to)) {
    const source = edgeSource(snapshot, edge)
    if (source === from || ownership.owner[source] === from || !isStrong(graph, source, edge)) continue
    if (isInside(graph, source, inside)) continue
    if (!retains(snapshot.edges[edge]!)) beside.push(edge)
    // As soon as it is known to be held on, the others need not be looked at.
    else if (holding.push(edge) === most) break
  }
  const references = countReferences(graph, from, to)
  const isHeld = holding.length > 0
  return {
    references,
    freedBytes: isHeld || references === 0 ? 0 : graph.retainedSize(to),
    remaining: isHeld ? holding : beside.slice(0, most),
  }
}

/** How many references from a node or its backing stores keep another one alive. */
function countReferences(graph: HeapGraph, from: number, to: number): number {
  const { firstEdge, edges } = graph.snapshot
  const { owner } = graph.ownership
  const stores = new Set([from])
  let count = 0
  for (const store of stores) {
    for (let edge = firstEdge[store]!; edge < firstEdge[store + 1]!; edge++) {
      const target = edgeTarget(edges[edge]!)
      if (target === to) count += Number(isStrong(graph, store, edge))
      else if (owner[target] === from) stores.add(target)
    }
  }
  return count
}

/** Whether the reference keeps its target alive; some of V8's and a debugger's do, though retained sizes leave them out. */
function isStrong(graph: HeapGraph, source: number, edge: number): boolean {
  const packed = graph.snapshot.edges[edge]!
  if (retains(packed)) return true
  const type = edgeType(packed)
  if (type === EdgeType.weak || type === EdgeType.shortcut || edgeTarget(packed) === source) return false
  // The table of a WeakMap does not hold the values: the keys do.
  return referenceOf(graph, source, edge).kind !== 'WeakMap value'
}

/** Whether one of the nodes that are inside dominates this one, which then is one of them, as are those between. */
function isInside({ dominators }: HeapGraph, node: number, inside: Set<number>): boolean {
  const { immediate } = dominators
  const between: number[] = []
  for (let at = node; !inside.has(at); at = immediate[at]!) {
    if (immediate[at] === at) return false
    between.push(at)
  }
  for (const each of between) inside.add(each)
  return true
}
