// The entries of WeakMaps: V8 tells of them only in the names of edges.

import { sharedUint32 } from '../support/shared.ts'
import type { StringTable } from './strings.ts'

/** V8 names both edges to a WeakMap's value alike; the table's id in the name tells which of the two is the table's. */
const EPHEMERON = /^\d+ \/ part of key \(.*? @\d+\) -> value \(.*? @\d+\) pair in WeakMap \(table @(\d+)\)$/s
/** V8 writes no longer ones; the time that matching takes grows with the square of the length. */
const MAX_EPHEMERON = 4096
const MAX_ID = 0xffffffff
const EPHEMERON_PART = ' pair in WeakMap (table @'

/** By number of the entry, in ascending order of names. */
export interface Ephemerons {
  /** Index into the strings of the name that the edges to the entry's value have. */
  readonly names: Uint32Array
  /** V8's id of the WeakMap's table; ids have 32 bits. */
  readonly tables: Uint32Array
}

/** Looks through all strings; in shared memory. */
export function findEphemerons(strings: StringTable): Ephemerons {
  const names: number[] = []
  const tables: number[] = []
  for (const index of strings.containing(EPHEMERON_PART)) {
    const match = strings.byteLength(index) <= MAX_EPHEMERON && EPHEMERON.exec(strings.get(index))
    const table = match ? Number(match[1]) : MAX_ID + 1
    if (table > MAX_ID) continue
    names.push(index)
    tables.push(table)
  }
  const found = { names: sharedUint32(names.length), tables: sharedUint32(tables.length) }
  found.names.set(names)
  found.tables.set(tables)
  return found
}
