// The history of a heap's objects over a series of snapshots, in memory for one snapshot however long the series is.

import { IdTable } from '../graph/id-table.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { NONE } from '../graph/loops.ts'
import { type Arena, arenaOf, arenaUint16, arenaUint32 } from '../support/arena.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { sharedFloat64, uint16ToGive, uint32ToGive } from '../support/shared.ts'

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
  const arena = arenaOf(ids, sizes)
  const earlier = besides(arena, before)
  const table = new IdTable(earlier.ids)
  if (table.duplicates > 0) return undefined
  const { length } = ids
  const step = before.steps
  // Two snapshots name most objects in the same order.
  const was = table.positions(ids)
  const grew = Array.from({ length: Math.ceil((step + 1) / 32) }, () => arenaUint32(arena, length))
  for (const [word, column] of earlier.grew.entries()) {
    loopsFor(was, column, grew[word]!).takeOver(was, column, grew[word]!)
  }
  const now = { sizes, born: arenaUint16(arena, length), firstSizes: sizesLike(sizes, earlier.firstSizes, arena) }
  const latest = grew[step >>> 5]!
  const { born, firstSizes } = now
  const columns = [was, earlier.born, earlier.firstSizes, earlier.sizes, sizes, born, firstSizes, latest]
  loopsFor(...columns).joinLineage(was, earlier, now, latest, step)
  return { steps: step + 1, ids, sizes, born, firstSizes, grew }
}

/** The same in memory of its own, so that the snapshot's can go. */
export function standAlone({ steps, ids, sizes, born, firstSizes, grew }: Lineage): Lineage {
  const ownSizes = toGive(sizes)
  return {
    ...{ steps, ids: toGive(ids), sizes: ownSizes, born: toGive(born) },
    firstSizes: firstSizes === sizes ? ownSizes : toGive(firstSizes),
    grew: grew.map((column) => toGive(column)),
  }
}

function toGive<T extends Sizes | Uint16Array>(values: T): T {
  const { length } = values
  const copy =
    values instanceof Float64Array
      ? sharedFloat64(length)
      : values instanceof Uint16Array
        ? uint16ToGive(length)
        : uint32ToGive(length)
  copy.set(values)
  return copy as T
}

/** The same in the memory of the next snapshot. */
function besides(arena: Arena | undefined, before: Lineage): Lineage {
  if (!arena) return before
  const sizes = beside(arena, before.sizes)
  return {
    steps: before.steps,
    ids: beside(arena, before.ids),
    sizes,
    born: beside(arena, before.born),
    firstSizes: before.firstSizes === before.sizes ? sizes : beside(arena, before.firstSizes),
    grew: before.grew.map((column) => beside(arena, column)),
  }
}

function beside<T extends Sizes | Uint16Array>(arena: Arena, values: T): T {
  if (values instanceof Float64Array || arenaOf(values) === arena) return values
  const copy = (values instanceof Uint16Array ? arenaUint16 : arenaUint32)(arena, values.length)
  copy.set(values)
  return copy as T
}

/** Memory for sizes that are those of one or the other. */
const sizesLike = (a: Sizes, b: Sizes, arena: Arena | undefined): Sizes =>
  a instanceof Uint32Array && b instanceof Uint32Array ? arenaUint32(arena, a.length) : sharedFloat64(a.length)

/** Whether a node of the latest snapshot became larger in a step (0 is the first). */
export const grewIn = ({ grew }: Lineage, step: number, node: number): boolean =>
  ((grew[step >>> 5]![node]! >>> (step & 31)) & 1) === 1

/** Whether two of the ids are the same. */
export function hasDuplicates(ids: Uint32Array): boolean {
  const arena = arenaOf(ids)
  // V8's own ids are small numbers.
  const bits = arenaUint32(arena, Math.ceil(ids.length / 4))
  const rest = arenaUint32(arena, ids.length)
  const others = loopsFor(ids, bits, rest).markIds(ids, bits, rest)
  return others === NONE || (others > 0 && new IdTable(rest.subarray(0, others)).duplicates > 0)
}

/** {@link hasDuplicates} on the second thread, if there is one. */
export const callHasDuplicates = async (second: SecondThread | undefined, ids: Uint32Array): Promise<boolean> =>
  second ? second.call(import.meta.url, 'hasDuplicates', ids) : hasDuplicates(ids)
