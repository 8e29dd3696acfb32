// A set of 32-bit ids with a position for each: at most 24 bytes an entry, where a Map takes twice that.

/** Another one in each process: ids that all fall on one slot cannot be chosen beforehand. */
const SEED = Math.floor(Math.random() * 2 ** 32)

/** Small ids have a place of their own, for up to so many places an entry. */
const ROOM = 3

/**
 * Finds the position of an id in the array that it was built from. V8 numbers objects one after another, with odd
 * numbers only, and Node adds a few that may be anything: those are hashed, all others looked up.
 */
export class IdTable {
  readonly #ids: Uint32Array
  /** 1 where most ids are odd, so that half of each is enough to tell it among them. */
  readonly #odd: number
  /** By id, or by half of it: position plus 1, or 0 for one that is not there. */
  readonly #small: Uint32Array
  /** By slot: position plus 1, or 0 if empty; open addressing, a power of two long, at most two thirds full. */
  readonly #slots: Uint32Array
  /** How many ids stand there that stood there before; of those, the first position counts. */
  readonly duplicates: number = 0

  /** @param ids each once */
  constructor(ids: Uint32Array) {
    const { length } = ids
    let oddOnes = 0
    for (let position = 0; position < length; position++) oddOnes += ids[position]! & 1
    const odd = 2 * oddOnes > length ? 1 : 0
    const room = ROOM * length
    let highest = -1
    let others = 0
    for (let position = 0; position < length; position++) {
      const id = ids[position]!
      const place = id >>> odd
      if (place >= room || (id & odd) !== odd) others++
      else if (place > highest) highest = place
    }
    let size = 16
    while (size < others * 1.5) size *= 2
    const small = new Uint32Array(highest + 1)
    this.#ids = ids
    this.#odd = odd
    this.#small = small
    this.#slots = new Uint32Array(size)
    for (let position = 0; position < length; position++) {
      const id = ids[position]!
      const place = id >>> odd
      const isSmall = place <= highest && (id & odd) === odd
      const found = isSmall ? small[place]! : this.#slots[this.#slot(id)]!
      if (found !== 0) this.duplicates++
      else if (isSmall) small[place] = position + 1
      else this.#slots[this.#slot(id)] = position + 1
    }
  }

  /** Where `id` stands, or -1. */
  position(id: number): number {
    const odd = this.#odd
    const place = id >>> odd
    if (place < this.#small.length && (id & odd) === odd) return this.#small[place]! - 1
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
