// The age of what Node keeps outside the JavaScript heap: V8 numbers it anew for each snapshot, so ids tell nothing of it.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { internal } from '../graph/look.ts'
import { nodesNamed } from '../graph/named.ts'
import { ROOT } from '../graph/roots.ts'
import { NodeType } from '../snapshot/meta.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'

/** By node ordinal: whether it is one of the nodes that Node itself adds to a snapshot. */
export function embeddedNodes({ snapshot }: HeapGraph): Uint8Array {
  const { nodeCount, nodeType, strings } = snapshot
  const embedded = arenaUint8(arenaOf(nodeType), nodeCount)
  for (const node of nodesNamed(snapshot, strings.startingWith('Node / '))) {
    const type = nodeType[node]
    if (type === NodeType.native || type === NodeType.synthetic) embedded[node] = 1
  }
  return embedded
}

/** Such a node is as old as the JavaScript object that stands for it, or else as what holds it. */
export function ageEmbedded(graph: HeapGraph, born: Uint16Array): Uint8Array {
  const embedded = embeddedNodes(graph)
  const { immediate, order } = graph.dominators
  const list = arenaUint32(arenaOf(order), order.length)
  const found = loopsFor(order, embedded, list).listInOrder(order, embedded, list)
  for (const node of list.subarray(0, found)) {
    const object = internal(graph, node, 'native_to_javascript')
    const holder = immediate[node]!
    born[node] = object !== undefined ? born[object]! : holder === ROOT ? 0 : born[holder]!
  }
  return embedded
}
