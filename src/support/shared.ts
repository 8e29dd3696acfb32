// Memory that both threads see.

import { isMainThread } from 'node:worker_threads'

export const sharedUint8 = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length))
export const sharedUint16 = (length: number): Uint16Array => new Uint16Array(new SharedArrayBuffer(2 * length))
export const sharedUint32 = (length: number): Uint32Array => new Uint32Array(new SharedArrayBuffer(4 * length))
export const sharedFloat64 = (length: number): Float64Array => new Float64Array(new SharedArrayBuffer(8 * length))

/**
 * Memory for what a thread finds out: shared where that is the second one, as the first is to have it without a copy.
 * Elsewhere it is not, as V8 does not hurry to collect what is shared.
 */
export const uint16ToGive = (length: number): Uint16Array =>
  isMainThread ? new Uint16Array(length) : sharedUint16(length)
export const uint32ToGive = (length: number): Uint32Array =>
  isMainThread ? new Uint32Array(length) : sharedUint32(length)

/** The same numbers with room for larger ones. */
export function widened(values: Uint32Array): Float64Array {
  const wider = sharedFloat64(values.length)
  wider.set(values)
  return wider
}
