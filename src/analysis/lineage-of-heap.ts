// Which objects of a heap were there before, and where it matters in which place one stands; by the second thread, if there is one.

import type { Dominators } from '../graph/dominators.ts'
import { type GraphParts, graphOf, type HeapGraph, partsOf } from '../graph/heap-graph.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { ageEmbedded, embeddedNodes } from './embedded.ts'
import { extendLineage, type Lineage } from './lineage.ts'
import { askedOf } from './place-growth.ts'

export interface HeapLineage {
  readonly lineage: Lineage
  /** As `askedOf` gives it. */
  readonly asked: Uint8Array
  /** See {@link Dominators}: it is worked out for this, as the next one. */
  readonly immediate: Uint32Array
  /** As `embeddedNodes` gives them. */
  readonly embedded: Uint32Array
}

/** Undefined where ids stand for several objects. */
export function lineageOfHeap(before: Lineage, graph: HeapGraph): HeapLineage | undefined {
  const lineage = extendLineage(before, graph.snapshot.nodeId, graph.ownership.shallowSize)
  if (!lineage) return undefined
  ageEmbedded(graph, lineage.born)
  const { immediate } = graph.dominators
  return { lineage, asked: askedOf(graph, lineage), immediate, embedded: embeddedNodes(graph) }
}

export const lineageOfParts = (before: Lineage, parts: GraphParts): HeapLineage | undefined =>
  lineageOfHeap(before, graphOf(parts))

/** {@link lineageOfHeap} on the second thread. */
export const callLineageOfHeap = (
  second: SecondThread,
  before: Lineage,
  graph: HeapGraph,
): Promise<HeapLineage | undefined> => second.call(import.meta.url, 'lineageOfParts', before, partsOf(graph))
