// Memory that goes from one computation to the next: making it anew costs more than what is done with it.

import { type Arena, arenaUint32 } from './arena.ts'

/** Arrays of one length, in shared memory, that nobody needs at the moment; their contents are anything. */
export class Scratch {
  readonly #length: number
  readonly #free: Uint32Array[] = []
  /** What long ones were made of. */
  readonly #halves = new WeakMap<Uint32Array, readonly Uint32Array[]>()
  /** Where new ones stand, if anywhere. */
  readonly arena: Arena | undefined

  constructor(length: number, arena?: Arena) {
    this.#length = length
    this.arena = arena
  }
  /** The one that was given last, or a new one. */
  take(): Uint32Array {
    return this.#free.pop() ?? arenaUint32(this.arena, this.#length)
  }
  /** An array of another length: out of two free ones that stand side by side, if it is not longer than they. */
  takeLong(length: number): Uint32Array {
    const [first, second] = length <= 2 * this.#length ? this.#neighbours() : []
    if (!first || !second) return arenaUint32(this.arena, length)
    const halves = [first, second]
    for (const half of halves) this.#free.splice(this.#free.indexOf(half), 1)
    const long = new Uint32Array(first.buffer, first.byteOffset, length)
    this.#halves.set(long, halves)
    return long
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
    const half = this.#length
    const halves = array.length < 2 * half ? [] : [array.subarray(0, half), array.subarray(half, 2 * half)]
    this.give(...(this.#halves.get(array) ?? halves))
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
