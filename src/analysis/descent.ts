// Which objects of a heap were there before, and where it matters in which place one stands; by the second thread, if there is one.

import type { Dominators } from '../graph/dominators.ts'
import { type GraphParts, graphOf, type HeapGraph, partsOf } from '../graph/heap-graph.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { ageEmbedded, embeddedNodes } from './embedded.ts'
import { extendLineage, type Lineage } from './lineage.ts'
import { askedOf } from './place-growth.ts'

export interface Descent {
  readonly lineage: Lineage
  /** As `askedOf` gives it. */
  readonly asked: Uint8Array
  /** See {@link Dominators}: it is worked out for this, as the next one. */
  readonly immediate: Uint32Array
  /** As `embeddedNodes` gives them. */
  readonly embedded: Uint32Array
}

/** Undefined where ids stand for several objects. */
export function descend(before: Lineage, graph: HeapGraph): Descent | undefined {
  const lineage = extendLineage(before, graph.snapshot.nodeId, graph.ownership.shallowSize)
  if (!lineage) return undefined
  ageEmbedded(graph, lineage.born)
  const { immediate } = graph.dominators
  return { lineage, asked: askedOf(graph, lineage), immediate, embedded: embeddedNodes(graph) }
}

export const descendFrom = (before: Lineage, parts: GraphParts): Descent | undefined => descend(before, graphOf(parts))

/** {@link descend} on the second thread. */
export const callDescend = (second: SecondThread, before: Lineage, graph: HeapGraph): Promise<Descent | undefined> =>
  second.call(import.meta.url, 'descendFrom', before, partsOf(graph))
