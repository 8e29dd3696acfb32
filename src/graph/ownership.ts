// Shallow sizes as a person sees them: what V8 keeps beside an object for it counts as the object's own.

import type { Snapshot } from '../snapshot/snapshot.ts'
import { arenaCopy, arenaOf, arenaUint32 } from '../support/arena.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { widened } from '../support/shared.ts'
import { loopsFor } from './kernel-loops.ts'
import { plainLoops } from './plain-loops.ts'
import { userRoots } from './roots.ts'

export { NO_OWNER, SHARED } from './loops.ts'

import { SHARED } from './loops.ts'

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
  const owner = arenaUint32(arenaOf(snapshot.edges), snapshot.nodeCount)
  findOwners(ownerColumns(snapshot), owner)
  return { owner, shallowSize: moveSizes(snapshot, arenaCopy(snapshot.selfSize), owner) }
}

const PASSING = ['MapIterator', 'SetIterator']

type OwnerColumns = Pick<Snapshot, 'nodeCount' | 'nodeType' | 'nodeName' | 'firstEdge' | 'edges'> & {
  /** Name of the nodes that hold what external strings have outside the heap. */
  readonly externalStringData: number
  /** Names of what refers to a store for a while: iterators of Maps and Sets. */
  readonly passing: readonly number[]
}

function ownerColumns(snapshot: Snapshot): OwnerColumns {
  const { nodeCount, nodeType, nodeName, firstEdge, edges, strings } = snapshot
  const externalStringData = strings.indexOf('system / ExternalStringData')
  const passing = PASSING.map((name) => strings.indexOf(name)).filter((name) => name >= 0)
  return { nodeCount, nodeType, nodeName, firstEdge, edges, externalStringData, passing }
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
  const { nodeCount, nodeType, nodeName, firstEdge, edges, externalStringData, passing } = columns
  if (userRoots(columns).next().done) {
    for (let node = 0; node < nodeCount; node++) owner[node] = node
    return
  }

  // Each store is visited when it gets its owner, and once more if it turns out to be shared.
  const stores = loopsFor(nodeType, nodeName, owner).findStores({ nodeType, nodeName }, externalStringData, owner)
  const worklist = arenaUint32(arenaOf(owner), 2 * stores)
  // The table that an iterator refers to is the Map's all the same: what is no owner passes nothing on.
  const living: number[] = []
  for (let node = 0; passing.length > 0 && node < nodeCount; node++) {
    if (owner[node] === node && passing.includes(nodeName[node]!)) living.push(node)
  }
  for (const node of living) owner[node] = SHARED
  loopsFor(firstEdge, edges, owner, worklist).spreadOwners({ firstEdge, edges }, owner, worklist)
  for (const node of living) owner[node] = node
}

/** Moves the sizes of stores to their owners, in `sizes` itself or, where a sum takes more than 32 bits, in another array. */
export function moveSizes(
  { nodeCount, nodeType }: Pick<Snapshot, 'nodeCount' | 'nodeType'>,
  sizes: Uint32Array | Float64Array,
  owner: Uint32Array,
): Uint32Array | Float64Array {
  const narrow = sizes instanceof Uint32Array && loopsFor(nodeType, sizes, owner)
  if (narrow && narrow.moveSizes(nodeType, sizes, owner) === nodeCount) return sizes
  const shallow = narrow ? widened(sizes) : sizes
  plainLoops.moveSizes(nodeType, shallow, owner)
  return shallow
}
