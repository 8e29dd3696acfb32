// The history of a heap's objects over a series of snapshots, in memory for one snapshot however long the series is.

import { IdTable } from '../support/id-table.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { copyToGive, uint16ToGive, uint32ToGive } from '../support/shared.ts'

type Sizes = Uint32Array | Float64Array

/**
 * What the latest snapshot's objects have behind them; an object that is gone is forgotten. Some 20 bytes a node.
 * V8 gives no id twice as long as ids last, so an object that is there again was there all the time.
 */
export interface Lineage {
  /** How many snapshots came before the latest. */
  readonly steps: number
  /** By node ordinal: V8's object id. */
  readonly ids: Uint32Array
  /** By node ordinal: bytes of the object and its stores. */
  readonly sizes: Sizes
  /** By node ordinal: number of the first snapshot that it is in. */
  readonly born: Uint16Array
  /** By node ordinal: its size when it was first seen. */
  readonly firstSizes: Sizes
  /** By step divided by 32, then by node ordinal: a bit for each step in which it became larger. */
  readonly grew: readonly Uint32Array[]
}

export const startLineage = (ids: Uint32Array, sizes: Sizes): Lineage => ({
  steps: 0,
  ids,
  sizes,
  born: uint16ToGive(ids.length),
  firstSizes: sizes,
  grew: [],
})

/** Goes on with the next snapshot; undefined where ids stand for several objects, and so tell nothing: V8 writes none. */
export function extendLineage(before: Lineage, ids: Uint32Array, sizes: Sizes): Lineage | undefined {
  const table = new IdTable(before.ids)
  if (table.duplicates > 0) return undefined
  const { length } = ids
  const step = before.steps
  const born = uint16ToGive(length)
  const firstSizes = copyToGive(sizes)
  const grew = Array.from({ length: Math.ceil((step + 1) / 32) }, () => uint32ToGive(length))
  // Two snapshots name most objects in the same order.
  for (let node = 0, was = -1, last = -1; node < length; node++) {
    was = before.ids[last + 1] === ids[node] ? last + 1 : table.position(ids[node]!)
    if (was >= 0) last = was
    else {
      born[node] = step + 1
      continue
    }
    born[node] = before.born[was]!
    firstSizes[node] = before.firstSizes[was]!
    for (let word = 0; word < before.grew.length; word++) grew[word]![node] = before.grew[word]![was]!
    if (sizes[node]! > before.sizes[was]!) grew[step >>> 5]![node]! |= 1 << (step & 31)
  }
  return { steps: step + 1, ids, sizes, born, firstSizes, grew }
}

/** Whether a node of the latest snapshot became larger in a step (0 is the first). */
export const grewIn = ({ grew }: Lineage, step: number, node: number): boolean =>
  ((grew[step >>> 5]![node]! >>> (step & 31)) & 1) === 1

export const hasDuplicates = (ids: Uint32Array): boolean => new IdTable(ids).duplicates > 0

/** {@link hasDuplicates} on the second thread, if there is one. */
export const callHasDuplicates = async (second: SecondThread | undefined, ids: Uint32Array): Promise<boolean> =>
  second ? second.call(import.meta.url, 'hasDuplicates', ids) : hasDuplicates(ids)
