// The age of what Node keeps outside the JavaScript heap: V8 numbers it anew for each snapshot, so ids tell nothing of it.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal } from '../graph/look.ts'
import { ROOT } from '../graph/roots.ts'
import { NodeType } from '../snapshot/meta.ts'

/** By node ordinal: whether it is one of the nodes that Node itself adds to a snapshot. */
export function embeddedNodes({ snapshot }: HeapGraph): Uint8Array {
  const { nodeCount, nodeType, nodeName, strings } = snapshot
  const isNodes = new Uint8Array(strings.count)
  for (const name of strings.startingWith('Node / ')) isNodes[name] = 1
  const embedded = new Uint8Array(nodeCount)
  for (let node = 0; node < nodeCount; node++) {
    const type = nodeType[node]
    if ((type === NodeType.native || type === NodeType.synthetic) && isNodes[nodeName[node]!] === 1) {
      embedded[node] = 1
    }
  }
  return embedded
}

/** Such a node is as old as the JavaScript object that stands for it, or else as what holds it. */
export function ageEmbedded(graph: HeapGraph, born: Uint16Array): Uint8Array {
  const embedded = embeddedNodes(graph)
  const { immediate, order } = graph.dominators
  for (const node of order) {
    if (embedded[node] === 0) continue
    const object = internal(graph, node, 'native_to_javascript')
    const holder = immediate[node]!
    born[node] = object !== undefined ? born[object]! : holder === ROOT ? 0 : born[holder]!
  }
  return embedded
}
