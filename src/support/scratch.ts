// Memory that goes from one computation to the next: making it anew costs more than what is done with it.

import { sharedUint32 } from './shared.ts'

/** Arrays of one length, in shared memory, that nobody needs at the moment; their contents are anything. */
export class Scratch {
  readonly #length: number
  readonly #free: Uint32Array[] = []

  constructor(length: number) {
    this.#length = length
  }
  take(): Uint32Array {
    return this.#free.pop() ?? sharedUint32(this.#length)
  }
  /** Whoever gives an array must not use it any more. */
  give(...arrays: readonly Uint32Array[]): void {
    for (const array of arrays) {
      const isShared = array.buffer instanceof SharedArrayBuffer
      if (isShared && array.length === this.#length) this.#free.push(array)
    }
  }
}
