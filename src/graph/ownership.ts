// Shallow sizes as a person sees them: what V8 keeps beside an object for it counts as the object's own.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, type Snapshot } from '../snapshot/snapshot.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { copyToGive, sharedUint32, widened } from '../support/shared.ts'
import { ROOT, userRoots } from './roots.ts'

/** In {@link Ownership.owner}: nothing that is no backing store itself reaches the node. */
export const NO_OWNER = 0xffffffff
/** In {@link Ownership.owner}: several objects share the node. */
export const SHARED = 0xfffffffe

export interface Ownership {
  /**
   * By node ordinal: for backing stores (elements, properties, hash tables, V8's hidden nodes) the ordinal of the one
   * object that they belong to, or NO_OWNER or SHARED; every other node owns itself.
   */
  readonly owner: Uint32Array
  /** By node ordinal: bytes of the node with those of the backing stores that it owns; 0 for an owned one. */
  readonly shallowSize: Uint32Array | Float64Array
}

/**
 * Gives each backing store to its owner where there is exactly one, as Chrome DevTools does: `new Map()` with a million
 * entries is then a large Map, not a small Map and a large `(array)` (visits each edge of an owner at most twice).
 *
 * A snapshot without global objects was taken with V8's internals exposed; there sizes stay where they are.
 */
export function computeOwnership(snapshot: Snapshot): Ownership {
  const owner = sharedUint32(snapshot.nodeCount)
  findOwners(ownerColumns(snapshot), owner)
  return { owner, shallowSize: moveSizes(snapshot, copyToGive(snapshot.selfSize), owner) }
}

type OwnerColumns = Pick<Snapshot, 'nodeCount' | 'nodeType' | 'nodeName' | 'firstEdge' | 'edges'> & {
  /** Name of the nodes that hold what external strings have outside the heap. */
  readonly externalStringData: number
}

function ownerColumns(snapshot: Snapshot): OwnerColumns {
  const { nodeCount, nodeType, nodeName, firstEdge, edges, strings } = snapshot
  const externalStringData = strings.indexOf('system / ExternalStringData')
  return { nodeCount, nodeType, nodeName, firstEdge, edges, externalStringData }
}

/** Has {@link findOwners} called on the second thread. */
export const callFindOwners = (second: SecondThread, snapshot: Snapshot, owner: Uint32Array): Promise<void> =>
  second.call(import.meta.url, 'findOwners', ownerColumns(snapshot), owner)

/** The same for {@link moveSizes}. */
export function callMoveSizes(
  second: SecondThread,
  { nodeCount, nodeType }: Snapshot,
  sizes: Ownership['shallowSize'],
  owner: Uint32Array,
): Promise<Ownership['shallowSize']> {
  return second.call(import.meta.url, 'moveSizes', { nodeCount, nodeType }, sizes, owner)
}

/** Fills {@link Ownership.owner}. */
export function findOwners(columns: OwnerColumns, owner: Uint32Array): void {
  const { nodeCount, nodeType, nodeName, firstEdge, edges, externalStringData } = columns
  if (userRoots(columns).next().done) {
    for (let node = 0; node < nodeCount; node++) owner[node] = node
    return
  }

  for (let node = 0; node < nodeCount; node++) {
    const type = nodeType[node]
    const isStore =
      type === NodeType.hidden ||
      type === NodeType.array ||
      (type === NodeType.native && nodeName[node] === externalStringData)
    owner[node] = isStore ? NO_OWNER : node
  }

  // Each store is visited when it gets its owner, and once more if it turns out to be shared.
  let worklist = new Uint32Array(1024)
  let height = 0
  const spread = (node: number): void => {
    const own = owner[node]!
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) {
      const packed = edges[edge]!
      const target = edgeTarget(packed)
      const current = owner[target]!
      if (current === target || current === own || current === SHARED || edgeType(packed) === EdgeType.weak) continue
      owner[target] = current === NO_OWNER ? own : SHARED
      if (height === worklist.length) {
        const larger = new Uint32Array(2 * height)
        larger.set(worklist)
        worklist = larger
      }
      worklist[height++] = target
    }
  }
  for (let node = 0; node < nodeCount; node++) if (owner[node] === node) spread(node)
  while (height > 0) spread(worklist[--height]!)
}

/** Moves the sizes of stores to their owners, in `sizes` itself or, where a sum takes more than 32 bits, in another array. */
export function moveSizes(
  { nodeCount, nodeType }: Pick<Snapshot, 'nodeCount' | 'nodeType'>,
  sizes: Uint32Array | Float64Array,
  owner: Uint32Array,
): Uint32Array | Float64Array {
  let shallow = sizes
  for (let node = 0; node < nodeCount; node++) {
    const own = owner[node]!
    if (own === node || own >= SHARED || own === ROOT || nodeType[own] === NodeType.synthetic) continue
    const sum = shallow[own]! + shallow[node]!
    if (sum > 0xffffffff && shallow instanceof Uint32Array) {
      shallow = widened(shallow)
    }
    shallow[own] = sum
    shallow[node] = 0
  }
  return shallow
}
