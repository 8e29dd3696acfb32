// A set of 32-bit ids with a position for each: at most 24 bytes an entry, where a Map takes twice that.

import { type Arena, arenaOf, arenaUint32 } from '../support/arena.ts'
import { loopsFor } from './kernel-loops.ts'
import type { IdColumns } from './loops.ts'
import { positionOf } from './plain-loops.ts'

/** Small ids have a place of their own, for up to so many places an entry. */
const ROOM = 3

/**
 * Finds the position of an id in the array that it was built from. V8 numbers objects one after another, with odd
 * numbers only, and Node adds a few that may be anything: those are hashed, all others looked up.
 */
export class IdTable {
  /**
   * `odd` is 1 where most ids are odd, so that half of each is enough to tell it among them; `small` has, by id or by
   * half of it, the position plus 1, or 0 for one that is not there; `slots` the same by slot, with open addressing, a
   * power of two long, at most two thirds full.
   */
  readonly #columns: IdColumns
  /** How many ids stand there that stood there before; of those, the first position counts. */
  readonly duplicates: number

  /**
   * @param given each once
   * @param arena where the table is to stand
   */
  constructor(given: Uint32Array, arena: Arena | undefined = arenaOf(given)) {
    const ids = arena === arenaOf(given) ? given : arenaUint32(arena, given.length)
    if (ids !== given) ids.set(given)
    const state = arenaUint32(arena, 3)
    loopsFor(ids, state).measureIds(ids, ROOM * ids.length, state)
    const [odd, places, others] = [state[0]!, state[1]!, state[2]!]
    let size = 16
    while (size < others * 1.5) size *= 2
    const small = arenaUint32(arena, places)
    const slots = arenaUint32(arena, size)
    this.#columns = { ids, odd, small, slots }
    this.duplicates = loopsFor(ids, small, slots).fillIds(this.#columns)
  }

  /** Where `id` stands, or -1. */
  position(id: number): number {
    return positionOf(this.#columns, id)
  }

  /** The same for many, or NONE; for ids that stand there once. */
  positions(wanted: Uint32Array): Uint32Array {
    const { ids, small, slots } = this.#columns
    const found = arenaUint32(arenaOf(wanted), wanted.length)
    loopsFor(wanted, ids, small, slots, found).lookUpIds(wanted, this.#columns, found)
    return found
  }
}
