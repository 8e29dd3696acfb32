// How much every large object refers to, remembered from snapshot to snapshot: a collection that gains entries shows by that.

import { IdTable } from '../graph/id-table.ts'
import { SHARED } from '../graph/ownership.ts'
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
  let size = 0
  for (let node = 0; node < count.length; node++) if (count[node]! >= FEW_REFERENCES) size++
  const contents = { ids: uint32ToGive(size), counts: uint32ToGive(size) }
  for (let node = 0, at = 0; node < count.length; node++) {
    if (count[node]! < FEW_REFERENCES) continue
    contents.ids[at] = ids[node]!
    contents.counts[at++] = count[node]!
  }
  return contents
}

/** By node ordinal: how many references it and its backing stores have. */
export function referenceCounts(firstEdge: Uint32Array, owner: Uint32Array): Uint32Array {
  const count = new Uint32Array(owner.length)
  for (let node = 0; node < owner.length; node++) {
    const own = owner[node]! < SHARED ? owner[node]! : node
    count[own]! += firstEdge[node + 1]! - firstEdge[node]!
  }
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
