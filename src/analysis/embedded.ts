// The age of what Node keeps outside the JavaScript heap: V8 numbers it anew for each snapshot, so ids tell nothing of it.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { nodesNamed } from '../graph/named.ts'
import { ROOT } from '../graph/roots.ts'
import { NATIVE_PREFIX, objectOf } from '../node-internals/handles.ts'
import { NodeType } from '../snapshot/meta.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'

const embeddedOf = new WeakMap<HeapGraph, Uint32Array>()

/** For who has had them worked out by another thread. */
export const knowEmbedded = (graph: HeapGraph, nodes: Uint32Array): void => void embeddedOf.set(graph, nodes)

/** The nodes that Node itself adds to a snapshot. */
export function embeddedNodes(graph: HeapGraph): Uint32Array {
  const known = embeddedOf.get(graph)
  if (known) return known
  const { nodeType, strings } = graph.snapshot
  const nodes = nodesNamed(graph.snapshot, strings.startingWith(NATIVE_PREFIX)).filter(
    (node) => nodeType[node] === NodeType.native || nodeType[node] === NodeType.synthetic,
  )
  embeddedOf.set(graph, nodes)
  return nodes
}

/** By node ordinal: 1 for those. */
export function markEmbedded(graph: HeapGraph): Uint8Array {
  const { nodeType, nodeCount } = graph.snapshot
  const embedded = arenaUint8(arenaOf(nodeType), nodeCount)
  for (const node of embeddedNodes(graph)) embedded[node] = 1
  return embedded
}

/** Such a node is as old as the JavaScript object that stands for it, or else as what holds it. */
export function ageEmbedded(graph: HeapGraph, born: Uint16Array): void {
  const embedded = markEmbedded(graph)
  const { immediate, order } = graph.dominators
  const list = arenaUint32(arenaOf(order), order.length)
  const found = loopsFor(order, embedded, list).listInOrder(order, embedded, list)
  for (const node of list.subarray(0, found)) {
    const object = objectOf(graph, node)
    const holder = immediate[node]!
    born[node] = object !== undefined ? born[object]! : holder === ROOT ? 0 : born[holder]!
  }
}
