// Gives equal tuples of 32-bit numbers the same small number, for millions of tuples without an object for each.

/** An open-addressing hash table over tuples of `width` unsigned 32-bit integers. */
export class TupleInterner {
  readonly #width: number
  /** By slot: number of the tuple plus 1, or 0 for an empty slot; a power of two long, at most half full. */
  #slots = new Uint32Array(1024)
  /** By tuple number times width: the tuples one after another. */
  #tuples: Uint32Array
  #size = 0

  constructor(width: number) {
    this.#width = width
    this.#tuples = new Uint32Array(512 * width)
  }

  /** How many different tuples there are; their numbers are 0…size-1, in order of appearance. */
  get size(): number {
    return this.#size
  }

  /** The tuple's number, a new one if it was not seen before; `width` numbers count, the others are ignored. */
  intern(a: number, b: number, c = 0, d = 0): number {
    const width = this.#width
    const mask = this.#slots.length - 1
    let slot = hash(a, b, c, d) & mask
    for (;;) {
      const entry = this.#slots[slot]!
      if (entry === 0) break
      const at = (entry - 1) * width
      const tuples = this.#tuples
      if (
        tuples[at] === a &&
        tuples[at + 1] === b &&
        (width < 3 || tuples[at + 2] === c) &&
        (width < 4 || tuples[at + 3] === d)
      ) {
        return entry - 1
      }
      slot = (slot + 1) & mask
    }
    const number = this.#size++
    if (this.#size * 2 > this.#slots.length) {
      this.#grow()
      return this.#insert(number, a, b, c, d)
    }
    this.#slots[slot] = number + 1
    this.#store(number, a, b, c, d)
    return number
  }

  /** The `part`-th number of a tuple. */
  part(number: number, part: number): number {
    return this.#tuples[number * this.#width + part]!
  }

  #insert(number: number, a: number, b: number, c: number, d: number): number {
    const mask = this.#slots.length - 1
    let slot = hash(a, b, c, d) & mask
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
    this.#slots[slot] = number + 1
    this.#store(number, a, b, c, d)
    return number
  }

  #store(number: number, a: number, b: number, c: number, d: number): void {
    const at = number * this.#width
    this.#tuples[at] = a
    this.#tuples[at + 1] = b
    if (this.#width > 2) this.#tuples[at + 2] = c
    if (this.#width > 3) this.#tuples[at + 3] = d
  }

  #grow(): void {
    const tuples = this.#tuples
    const width = this.#width
    this.#tuples = new Uint32Array(2 * tuples.length)
    this.#slots = new Uint32Array(2 * this.#slots.length)
    for (let number = 0; number < this.#size - 1; number++) {
      const at = number * width
      this.#insert(
        number,
        tuples[at]!,
        tuples[at + 1]!,
        width > 2 ? tuples[at + 2]! : 0,
        width > 3 ? tuples[at + 3]! : 0,
      )
    }
  }
}

/** Other ones in each process: tuples that all fall on one slot cannot be chosen beforehand. */
const [SEED_A, SEED_B, SEED_C, SEED_D] = Array.from(
  { length: 4 },
  () => Math.floor(Math.random() * 2 ** 31) * 2 + 1,
) as [number, number, number, number]

/** Multiplies each number with one of its own, then mixes like MurmurHash3's finalizer (Austin Appleby, public domain). */
function hash(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a, SEED_A) ^ Math.imul(b, SEED_B) ^ Math.imul(c, SEED_C) ^ Math.imul(d, SEED_D)
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
