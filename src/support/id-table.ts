// A set of 32-bit ids with a position for each: 12 bytes an entry, where a Map takes four times that.

/** Finds the position of an id in the array that it was built from. */
export class IdTable {
  readonly #ids: Uint32Array
  /** By slot: position plus 1, or 0 if empty; open addressing, a power of two long, at most two thirds full. */
  readonly #slots: Uint32Array

  /** @param ids each once; of an id that stands there twice, the first position counts */
  constructor(ids: Uint32Array) {
    let size = 16
    while (size < ids.length * 1.5) size *= 2
    this.#ids = ids
    this.#slots = new Uint32Array(size)
    for (let position = 0; position < ids.length; position++) {
      const slot = this.#slot(ids[position]!)
      if (this.#slots[slot] === 0) this.#slots[slot] = position + 1
    }
  }

  /** Where `id` stands, or -1. */
  position(id: number): number {
    return this.#slots[this.#slot(id)]! - 1
  }

  /** The slot that holds `id`, or the empty one where it would go. */
  #slot(id: number): number {
    const mask = this.#slots.length - 1
    // Ids come in runs of odd numbers; the golden ratio spreads them (Knuth, TAOCP 3, 6.4).
    let slot = (Math.imul(id, 0x9e3779b1) >>> 7) & mask
    for (;;) {
      const entry = this.#slots[slot]!
      if (entry === 0 || this.#ids[entry - 1] === id) return slot
      slot = (slot + 1) & mask
    }
  }
}
