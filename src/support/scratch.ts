// Memory that goes from one computation to the next: making it anew costs more than what is done with it.

import { sharedUint32 } from './shared.ts'

/** Arrays of one length, in shared memory, that nobody needs at the moment; their contents are anything. */
export class Scratch {
  readonly #length: number
  readonly #free: Uint32Array[] = []

  constructor(length: number) {
    this.#length = length
  }
  /** The one that was given last, or a new one. */
  take(): Uint32Array {
    return this.#free.pop() ?? sharedUint32(this.#length)
  }
  /** An array of another length: out of two free ones that stand side by side, if it is not longer than they. */
  takeLong(length: number): Uint32Array {
    const [first, second] = length <= 2 * this.#length ? this.#neighbours() : []
    if (!first || !second) return sharedUint32(length)
    for (const half of [first, second]) this.#free.splice(this.#free.indexOf(half), 1)
    return new Uint32Array(first.buffer, first.byteOffset, length)
  }
  /** Whoever gives an array must not use it any more. */
  give(...arrays: readonly (Uint32Array | Float64Array)[]): void {
    for (const array of arrays) {
      const isShared = array.buffer instanceof SharedArrayBuffer
      if (isShared && array instanceof Uint32Array && array.length === this.#length) this.#free.push(array)
    }
  }
  /** The same for one that {@link takeLong} has given. */
  giveLong(array: Uint32Array): void {
    const { buffer, byteOffset } = array
    const half = this.#length
    if (buffer.byteLength - byteOffset < 8 * half) return
    this.give(new Uint32Array(buffer, byteOffset, half), new Uint32Array(buffer, byteOffset + 4 * half, half))
  }

  #neighbours(): readonly Uint32Array[] {
    for (const first of this.#free) {
      const end = first.byteOffset + first.byteLength
      const second = this.#free.find(({ buffer, byteOffset }) => buffer === first.buffer && byteOffset === end)
      if (second) return [first, second]
    }
    return []
  }
}
