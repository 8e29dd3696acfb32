// A set of 32-bit ids with a position for each: 12 bytes an entry, where a Map takes four times that.

/** Another one in each process: ids that all fall on one slot cannot be chosen beforehand. */
const SEED = Math.floor(Math.random() * 2 ** 32)

/** Finds the position of an id in the array that it was built from. */
export class IdTable {
  readonly #ids: Uint32Array
  /** By slot: position plus 1, or 0 if empty; open addressing, a power of two long, at most two thirds full. */
  readonly #slots: Uint32Array
  /** How many ids stand there that stood there before; of those, the first position counts. */
  readonly duplicates: number = 0

  /** @param ids each once */
  constructor(ids: Uint32Array) {
    let size = 16
    while (size < ids.length * 1.5) size *= 2
    this.#ids = ids
    this.#slots = new Uint32Array(size)
    for (let position = 0; position < ids.length; position++) {
      const slot = this.#slot(ids[position]!)
      if (this.#slots[slot] === 0) this.#slots[slot] = position + 1
      else this.duplicates++
    }
  }

  /** Where `id` stands, or -1. */
  position(id: number): number {
    return this.#slots[this.#slot(id)]! - 1
  }

  /** The slot that holds `id`, or the empty one where it would go. */
  #slot(id: number): number {
    const mask = this.#slots.length - 1
    // All bits of the hash count, however large the table (MurmurHash3's finalizer; Austin Appleby, public domain).
    let hash = id ^ SEED
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    let slot = (hash ^ (hash >>> 16)) & mask
    for (;;) {
      const entry = this.#slots[slot]!
      if (entry === 0 || this.#ids[entry - 1] === id) return slot
      slot = (slot + 1) & mask
    }
  }
}
