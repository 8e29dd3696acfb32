// How much every large object refers to, remembered from snapshot to snapshot: a collection that gains entries shows by that.

import { IdTable } from '../graph/id-table.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { arenaOf, arenaUint32 } from '../support/arena.ts'
import { uint32ToGive } from '../support/shared.ts'

/** Of objects that refer to fewer others, nothing is remembered. */
export const FEW_REFERENCES = 12

/** By position: an object's V8 id, and how many references it and its backing stores have. */
export interface Contents {
  readonly ids: Uint32Array
  readonly counts: Uint32Array
}

/** O(nodes): all references count, also those that never change. */
export function countContents(ids: Uint32Array, firstEdge: Uint32Array, owner: Uint32Array): Contents {
  const count = referenceCounts(firstEdge, owner)
  const list = arenaUint32(arenaOf(count), count.length)
  const nodes = list.subarray(0, loopsFor(count, list).listLargest(count, FEW_REFERENCES, list))
  const contents = { ids: uint32ToGive(nodes.length), counts: uint32ToGive(nodes.length) }
  for (let i = 0; i < nodes.length; i++) {
    contents.ids[i] = ids[nodes[i]!]!
    contents.counts[i] = count[nodes[i]!]!
  }
  return contents
}

/** By node ordinal: how many references it and its backing stores have. */
export function referenceCounts(firstEdge: Uint32Array, owner: Uint32Array): Uint32Array {
  const count = arenaUint32(arenaOf(owner), owner.length)
  loopsFor(firstEdge, owner, count).countReferences(firstEdge, owner, count)
  return count
}

/** Looks up, for each snapshot in order, how many references the object with an id had; undefined for few or none. */
export function contentsById(series: readonly Contents[]): (id: number) => (number | undefined)[] {
  const tables = series.map(({ ids }) => new IdTable(ids))
  return (id) =>
    tables.map((table, i) => {
      const at = table.position(id)
      return at < 0 ? undefined : series[i]!.counts[at]
    })
}
