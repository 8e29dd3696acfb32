// Memory that both threads see.

import { isMainThread } from 'node:worker_threads'

export const sharedUint8 = (length: number): Uint8Array => new Uint8Array(new SharedArrayBuffer(length))
export const sharedUint16 = (length: number): Uint16Array => new Uint16Array(new SharedArrayBuffer(2 * length))
export const sharedUint32 = (length: number): Uint32Array => new Uint32Array(new SharedArrayBuffer(4 * length))
export const sharedFloat64 = (length: number): Float64Array => new Float64Array(new SharedArrayBuffer(8 * length))

/** Two arrays that stand side by side. */
export function sharedNeighbours(length: number): readonly [Uint32Array, Uint32Array] {
  const both = sharedUint32(2 * length)
  return [both.subarray(0, length), both.subarray(length)]
}

/** The same numbers once more. */
export function sharedCopy(values: Uint32Array | Float64Array): Uint32Array | Float64Array {
  const copy = values instanceof Uint32Array ? sharedUint32(values.length) : sharedFloat64(values.length)
  copy.set(values)
  return copy
}

/**
 * Memory for what a thread finds out: shared where that is the second one, as the first is to have it without a copy.
 * Elsewhere it is not, as V8 does not hurry to collect what is shared.
 */
export const uint8ToGive = (length: number): Uint8Array => (isMainThread ? new Uint8Array(length) : sharedUint8(length))
export const uint16ToGive = (length: number): Uint16Array =>
  isMainThread ? new Uint16Array(length) : sharedUint16(length)
export const uint32ToGive = (length: number): Uint32Array =>
  isMainThread ? new Uint32Array(length) : sharedUint32(length)
export const copyToGive = (values: Uint32Array | Float64Array): Uint32Array | Float64Array =>
  isMainThread ? values.slice() : sharedCopy(values)

/** The same numbers with room for larger ones. */
export function widened(values: Uint32Array): Float64Array {
  const wider = sharedFloat64(values.length)
  wider.set(values)
  return wider
}
