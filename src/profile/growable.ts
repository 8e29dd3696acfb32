// Columns of numbers that grow while a file is read, at one machine word an entry.

const FIRST_ROOM = 1024

/** Numbers one behind the other; reading a place that was never written gives undefined. */
export class Growable<T extends Int32Array | Uint32Array | Float64Array> {
  readonly #make: (length: number) => T
  #values: T
  length = 0

  constructor(make: (length: number) => T) {
    this.#make = make
    this.#values = make(FIRST_ROOM)
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = this.#make(2 * this.length)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.length++] = value
  }

  at(index: number): number {
    return this.#values[index]!
  }

  set(index: number, value: number): void {
    this.#values[index] = value
  }

  add(index: number, value: number): void {
    this.#values[index]! += value
  }

  /** What is there, without a copy: valid until the next `push`. */
  view(): T {
    return this.#values.subarray(0, this.length) as T
  }
}

export const growableInts = (): Growable<Int32Array> => new Growable((length) => new Int32Array(length))
export const growableFloats = (): Growable<Float64Array> => new Growable((length) => new Float64Array(length))
