// How many steps each node is away from the user's global objects, and over which node the shortest way leads.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, type Snapshot } from '../snapshot/snapshot.ts'
import { ephemeronTables } from './retaining.ts'
import { ROOT, userRoots } from './roots.ts'

/** Distance of a node that only V8's own roots reach: this much is added, so that it sorts behind all others. */
export const SYSTEM_DISTANCE = 100_000_000
export const UNREACHABLE = -1

export interface Distances {
  /** By node ordinal: edges from the nearest global object plus 1, see SYSTEM_DISTANCE, or UNREACHABLE. */
  readonly distance: Int32Array
  /** By node ordinal: ordinal of the node in front of it on a shortest way; ROOT for those without. */
  readonly via: Uint32Array
}

/**
 * Measures distances as Chrome DevTools does: breadth first over all but weak edges, from the global objects, then from
 * the root for what they do not reach. Three kinds of edges are passed over because they tie together what has nothing
 * to do with each other: a native context's `sloppy_function_map`, the keys that unrelated maps share in one descriptor
 * array (https://crbug.com/413608), and the first of the two edges to a WeakMap's value (https://crbug.com/1290800).
 */
export function computeDistances(snapshot: Snapshot): Distances {
  const { nodeCount, firstEdge, edges, edgeNameOrIndex, nodeType, nodeName, strings } = snapshot
  const distance = new Int32Array(nodeCount).fill(UNREACHABLE)
  const via = new Uint32Array(nodeCount)
  const order = new Uint32Array(nodeCount)
  let length = 0
  let next = 0

  const nativeContext = strings.indexOf('system / NativeContext')
  const sloppyFunctionMap = strings.indexOf('sloppy_function_map')
  const mapDescriptors = strings.indexOf('(map descriptors)')
  const isEphemeron = ephemeronTables(snapshot)
  const halfSeen = new Set<string>()

  function passedOver(node: number, edge: number, type: number): boolean {
    const name = edgeNameOrIndex[edge]!
    const named = type !== EdgeType.element && type !== EdgeType.hidden
    if (nodeName[node] === nativeContext && nodeType[node] === NodeType.hidden) {
      if (named && name === sloppyFunctionMap) return true
    } else if (nodeName[node] === mapDescriptors && nodeType[node] === NodeType.array) {
      const index = named ? Number.parseInt(strings.get(name), 10) : name
      return index >= 2 && index % 3 === 1
    }
    if (type === EdgeType.internal && isEphemeron?.has(name)) {
      // What follows the entry's number is the same in the names of both edges.
      const pair = strings.get(name).replace(/^\d+/, '')
      if (!halfSeen.delete(pair)) {
        halfSeen.add(pair)
        return true
      }
    }
    return false
  }

  function spread(): void {
    while (next < length) {
      const node = order[next++]!
      const step = distance[node]! + 1
      const end = firstEdge[node + 1]!
      const name = nodeName[node]
      const special = isEphemeron !== undefined || name === nativeContext || name === mapDescriptors
      for (let edge = firstEdge[node]!; edge < end; edge++) {
        const packed = edges[edge]!
        const target = edgeTarget(packed)
        if (distance[target] !== UNREACHABLE) continue
        const type = edgeType(packed)
        if (type === EdgeType.weak || (special && passedOver(node, edge, type))) continue
        distance[target] = step
        via[target] = node
        order[length++] = target
      }
    }
  }

  for (const node of userRoots(snapshot)) {
    if (distance[node] !== UNREACHABLE) continue
    distance[node] = 1
    via[node] = ROOT
    order[length++] = node
  }
  spread()
  distance[ROOT] = length > 0 ? SYSTEM_DISTANCE : 0
  // A global object that leads back to the root has put it into the queue already; it must not be there twice.
  if (!order.subarray(0, length).includes(ROOT)) order[length++] = ROOT
  else next = order.indexOf(ROOT)
  spread()
  return { distance, via }
}
