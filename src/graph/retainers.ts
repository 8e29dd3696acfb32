// Who refers to a node: the edges of the heap, seen from their other end.

import { edgeTarget, type Snapshot } from '../snapshot/snapshot.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { uint32ToGive } from '../support/shared.ts'

export interface Retainers {
  /** By node ordinal, one more than nodes: where the node's part of `edge` starts. */
  readonly first: Uint32Array
  /** Ordinals of the edges that lead to the node, ascending. */
  readonly edge: Uint32Array
}

type Edges = Pick<Snapshot, 'nodeCount' | 'edgeCount' | 'edges'>

/** Turns all edges around, weak ones too; 4 bytes an edge. */
export function computeRetainers({ nodeCount, edgeCount, edges }: Edges): Retainers {
  const first = uint32ToGive(nodeCount + 1)
  for (let edge = 0; edge < edgeCount; edge++) first[edgeTarget(edges[edge]!)]!++
  // Each count becomes where its part ends; filling the parts from their ends turns that into where they start.
  for (let node = 1; node < nodeCount; node++) first[node]! += first[node - 1]!
  first[nodeCount] = edgeCount
  const edge = uint32ToGive(edgeCount)
  for (let each = edgeCount - 1; each >= 0; each--) edge[--first[edgeTarget(edges[each]!)]!] = each
  return { first, edge }
}

/** {@link computeRetainers} on the second thread. */
export const callComputeRetainers = (
  second: SecondThread,
  { nodeCount, edgeCount, edges }: Edges,
): Promise<Retainers> => second.call(import.meta.url, 'computeRetainers', { nodeCount, edgeCount, edges })

/** The node that an edge comes from, by bisection. */
export function edgeSource({ nodeCount, firstEdge }: Snapshot, edge: number): number {
  let low = 0
  let high = nodeCount - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (firstEdge[middle]! <= edge) low = middle
    else high = middle - 1
  }
  return low
}
