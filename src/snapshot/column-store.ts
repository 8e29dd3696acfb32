// Columns in a file, each with a checksum; what is not needed in memory waits there.

import { atOnce, type Slices } from '../support/breathing.ts'
import { readFully, writeFully } from '../support/descriptors.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { sharedFloat64, sharedUint8, sharedUint16, sharedUint32 } from '../support/shared.ts'
import { PIECE_BYTES, threadKernel } from './row-kernel.ts'
import { addSums, NO_SUMS, type Sums } from './sums.ts'

export type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array
export type ColumnKind = 'uint8' | 'uint16' | 'uint32' | 'float64'

const MAKE: Readonly<Record<ColumnKind, (length: number) => Column>> = {
  uint8: sharedUint8,
  uint16: sharedUint16,
  uint32: sharedUint32,
  float64: sharedFloat64,
}

/** Where a column stands in the file, which is open as `fd` in all threads. */
export interface Place {
  readonly fd: number
  readonly offset: number
}
export const bytesOf = (column: Column): Uint8Array =>
  new Uint8Array(column.buffer, column.byteOffset, column.byteLength)

/** Writes whole columns, one after another; the result has the sums of each. */
export function writeColumns(columns: readonly { readonly column: Column; readonly place: Place }[]): Sums[] {
  const kernel = threadKernel()
  const block = kernel.buffers[0]!
  return columns.map(({ column, place }) => {
    const bytes = bytesOf(column)
    let sums = NO_SUMS
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES)
      block.set(piece)
      sums = addSums(sums, kernel.weigh(block, piece.length, at / 4))
      writeFully(place.fd, block.subarray(0, piece.length), place.offset + at)
    }
    return sums
  })
}

export const callWriteColumns = (
  second: SecondThread,
  columns: readonly { readonly column: Column; readonly place: Place }[],
): Promise<Sums[]> => second.call(import.meta.url, 'writeColumns', columns)

/**
 * A column, or a part of it, as it stands in the file; whether it is what was written is not asked here.
 * @param into memory of that kind and length
 */
export function readColumn({ fd, offset }: Place, kind: ColumnKind, length: number, into?: Column): Column {
  const column = into ?? MAKE[kind](length)
  const bytes = bytesOf(column)
  if (readFully(fd, bytes, 0, offset, bytes.length) < bytes.length) throw new Error('a column of an index is cut off')
  return column
}

/** A column of a file, and the sums that it has to have. */
export interface Promised {
  readonly place: Place
  readonly byteLength: number
  readonly sums: Sums
}

/** Whether all columns still add up to what they did when they were written. */
export function* verifyColumns(columns: readonly Promised[]): Slices<boolean> {
  const kernel = threadKernel()
  const block = kernel.buffers[0]!
  for (const { place, byteLength, sums } of columns) {
    let found = NO_SUMS
    for (let at = 0; at < byteLength; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, byteLength - at)
      if (readFully(place.fd, block, 0, place.offset + at, length) < length) return false
      found = addSums(found, kernel.weigh(block, length, at / 4))
      yield undefined
    }
    if (found.plain !== sums.plain || found.weighted !== sums.weighted) return false
  }
  return true
}

export const verifyAtOnce = (columns: readonly Promised[]): boolean => atOnce(verifyColumns(columns))

export const callVerify = (second: SecondThread, columns: readonly Promised[]): Promise<boolean> =>
  second.call(import.meta.url, 'verifyAtOnce', columns)
