// Which objects of a heap were there before, and where it matters in which place one stands; by the second thread, if there is one.

import { type GraphParts, graphOf, type HeapGraph, partsOf } from '../graph/heap-graph.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { ageEmbedded } from './embedded.ts'
import { type Identity, idsAgree } from './identity.ts'
import { extendLineage, type Lineage } from './lineage.ts'
import { askedOf } from './place-growth.ts'

export interface Descent {
  readonly lineage: Lineage
  /** As `askedOf` gives it. */
  readonly asked: Uint8Array
}

/** What is kept of the snapshot before. */
interface Before {
  readonly identity: Identity
  readonly lineage: Lineage
}

/** Undefined where ids turn out not to mean the same objects. */
export async function findDescent(
  { identity, lineage }: Before,
  graph: HeapGraph,
  second: SecondThread | undefined,
): Promise<Descent | undefined> {
  if (!second) return descend({ identity, lineage }, graph)
  return second.call(import.meta.url, 'descendFrom', { identity, lineage }, partsOf(graph))
}

/** On the second thread. */
export const descendFrom = (before: Before, parts: GraphParts): Descent | undefined => descend(before, graphOf(parts))

function descend({ identity, lineage: before }: Before, graph: HeapGraph): Descent | undefined {
  const { snapshot, ownership } = graph
  if (!idsAgree(identity, snapshot)) return undefined
  const lineage = extendLineage(before, snapshot.nodeId, ownership.shallowSize)
  if (!lineage) return undefined
  ageEmbedded(graph, lineage.born)
  return { lineage, asked: askedOf(graph, lineage) }
}
