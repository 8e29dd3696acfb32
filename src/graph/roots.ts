// The root of a snapshot and the nodes that stand for the program right below it.

import { NodeType } from '../snapshot/meta.ts'
import { edgeTarget, type Snapshot } from '../snapshot/snapshot.ts'

/** The first node of every snapshot is its root; it has no size and no retainer. */
export const ROOT = 0

/**
 * The user roots, as Chrome DevTools calls them: what hangs directly below the root and is no synthetic grouping of
 * V8's. In Node these are the global objects.
 */
export function* userRoots({
  firstEdge,
  edges,
  nodeType,
}: Pick<Snapshot, 'firstEdge' | 'edges' | 'nodeType'>): Generator<number> {
  for (let edge = firstEdge[ROOT]!; edge < firstEdge[ROOT + 1]!; edge++) {
    const target = edgeTarget(edges[edge]!)
    if (nodeType[target] !== NodeType.synthetic) yield target
  }
}
