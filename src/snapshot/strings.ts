// The strings of a snapshot, kept as the file's own bytes and decoded one at a time when somebody asks.

import { LeakscopeError } from '../errors.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { uint32ToGive } from '../support/shared.ts'

const QUOTE = 0x22
const ZERO = 0x30
/** Longer numbers could not be told exactly. */
const MAX_DIGITS = 15

/** Names that are asked for before they are worth a table. */
const MANY_ASKED = 24
/** Bytes of the longest name that the table has. */
const MAX_NAME = 64

/** Another one in each thread: strings that all fall on one slot cannot be chosen beforehand. */
const SEED = Math.floor(Math.random() * 2 ** 32)

/** FNV-1a. */
function hashOf(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}

/** By hash of a short string: its index and 1, or 0; open addressing. */
interface Slots {
  readonly slots: Uint32Array
  /** Of the hash. */
  readonly seed: number
}

export interface RawStrings {
  /** The section's bytes as they stand in the file, from behind `[` on; JSON, so with quotes, commas and escapes. */
  readonly stringBytes: Uint8Array
  /** By string index: where in `stringBytes` the string's first character stands; one more entry ends the last string. */
  readonly stringStarts: Uint32Array | Float64Array
}

/**
 * The `"strings"` section: up to gigabytes that mostly nobody reads, so neither one JavaScript string (V8 ends at about
 * 512 MB) nor an array of a million of them.
 */
export class StringTable {
  #loaded: Buffer | undefined
  readonly #load: () => Uint8Array
  /** By string index: where in `#bytes` the string's first character stands; one more entry ends the last string. */
  readonly #starts: Uint32Array | Float64Array
  readonly count: number
  /** What was asked of {@link indexOf}, which takes long where the answer is -1: a few names, again and again. */
  readonly #asked = new Map<string, number>()
  #slots: Slots | undefined

  /** @param bytes what {@link RawStrings.stringBytes} are, or what gives them when they are first asked for */
  constructor(bytes: Uint8Array | (() => Uint8Array), starts: Uint32Array | Float64Array) {
    this.#load = typeof bytes === 'function' ? bytes : () => bytes
    this.#starts = starts
    this.count = starts.length - 1
  }

  /** What the table is made of, to be made anew on another thread. */
  get raw(): RawStrings {
    return { stringBytes: this.#bytes, stringStarts: this.#starts }
  }
  get #bytes(): Buffer {
    if (!this.#loaded) {
      const { buffer, byteOffset, byteLength } = this.#load()
      this.#loaded = Buffer.from(buffer, byteOffset, byteLength)
    }
    return this.#loaded
  }

  /** The string at `index` (0…count-1). */
  get(index: number): string {
    if (index < 0 || index >= this.count) throw new RangeError(`no string ${index}`)
    const start = this.#starts[index]!
    const end = this.#end(index)
    const text = this.#bytes.toString('utf8', start, end)
    if (!text.includes('\\')) return text
    try {
      return JSON.parse(`"${text}"`)
    } catch (cause) {
      throw new LeakscopeError('snapshot-malformed', `string ${index} of the snapshot is not valid JSON`, { cause })
    }
  }

  /** The number that the string at `index` is in decimal digits, as V8 calls the slots of a table; NaN for other strings. */
  digits(index: number): number {
    const bytes = this.#bytes
    const start = this.#starts[index]!
    const end = this.#end(index)
    if (start === end || end - start > MAX_DIGITS) return Number.NaN
    let value = 0
    for (let at = start; at < end; at++) {
      const digit = bytes[at]! - ZERO
      if (digit < 0 || digit > 9) return Number.NaN
      value = 10 * value + digit
    }
    return value
  }

  /** Bytes that the string takes in the file: a cheap upper bound of its length. */
  byteLength(index: number): number {
    return this.#end(index) - this.#starts[index]!
  }

  /** Indexes of all strings that contain `needle` (printable ASCII without `"` and `\`), in ascending order. */
  *containing(needle: string): Generator<number> {
    const haystack = this.#bytes
    let at = haystack.indexOf(needle)
    while (at >= 0) {
      const index = this.#indexAt(at)
      yield index
      at = haystack.indexOf(needle, this.#starts[index + 1]!)
    }
  }

  /** Indexes of all strings that start with `prefix` (as {@link containing}), in ascending order. */
  *startingWith(prefix: string): Generator<number> {
    // No quote in front of the first string belongs to another.
    if (this.count > 0 && this.get(0).startsWith(prefix)) yield 0
    for (const index of this.containing(`"${prefix}`)) {
      // The quote in front counts to the string before; an inner one would stand behind a backslash.
      const own = index + 1
      if (own < this.count && this.get(own).startsWith(prefix)) yield own
    }
  }

  /** Index of the string that is exactly `text` (as {@link containing}), or -1. */
  indexOf(text: string): number {
    let index = this.#asked.get(text)
    if (index === undefined) {
      index = this.#find(text)
      this.#asked.set(text, index)
    }
    return index
  }

  #find(text: string): number {
    // Who asks for so many names pays for a table once, instead of a search through all bytes each time.
    if ((this.#slots || this.#asked.size >= MANY_ASKED) && text.length <= MAX_NAME) return this.#lookUp(text)
    const haystack = this.#bytes
    const needle = `"${text}"`
    for (let at = haystack.indexOf(needle); at >= 0; at = haystack.indexOf(needle, at + 1)) {
      const index = this.#indexAt(at + 1)
      // Else it is the inside of a string, between two escaped quotes.
      if (this.#starts[index] === at + 1 && this.get(index) === text) return index
    }
    return -1
  }

  #lookUp(text: string): number {
    this.#slots ??= this.buildSlots()
    const { slots, seed } = this.#slots
    const bytes = Buffer.from(text, 'latin1')
    const mask = slots.length - 1
    for (let slot = hashOf(bytes, 0, bytes.length, seed) & mask; ; slot = (slot + 1) & mask) {
      const index = slots[slot]! - 1
      if (index < 0) return -1
      const start = this.#starts[index]!
      if (this.#bytes[start + bytes.length] === QUOTE && this.get(index) === text) return index
    }
  }

  /** Has the table that {@link indexOf} looks into made on another thread, for the time when it is there. */
  prepareNames(second: SecondThread): void {
    // What is not there yet, or would have to be copied, costs more than it is worth.
    if (this.#slots || !(this.#loaded?.buffer instanceof SharedArrayBuffer)) return
    second.call<Slots>(import.meta.url, 'slotsOf', this.raw).then(
      (slots) => {
        this.#slots ??= slots
      },
      // It is made here when it is asked for.
      () => {},
    )
  }

  /** The short strings by their bytes; of those alike the first. */
  buildSlots(): Slots {
    const { count } = this
    let size = 16
    while (size < 2 * count) size *= 2
    const slots = uint32ToGive(size)
    const bytes = this.#bytes
    for (let index = 0; index < count; index++) {
      const start = this.#starts[index]!
      if (this.#starts[index + 1]! - start > MAX_NAME + 8) continue
      const end = this.#end(index)
      let slot = hashOf(bytes, start, end, SEED) & (size - 1)
      while (slots[slot] !== 0 && !this.#isSame(slots[slot]! - 1, start, end)) slot = (slot + 1) & (size - 1)
      if (slots[slot] === 0) slots[slot] = index + 1
    }
    return { slots, seed: SEED }
  }

  #isSame(index: number, start: number, end: number): boolean {
    const own = this.#starts[index]!
    // Most that fall on one slot differ at once.
    if (this.#bytes[own] !== this.#bytes[start] || this.#bytes[own + end - start] !== QUOTE) return false
    return this.#bytes.compare(this.#bytes, start, end, own, this.#end(index)) === 0
  }

  /** Where the closing quote of the string stands: the last one in front of the next string's opening quote. */
  #end(index: number): number {
    const bytes = this.#bytes
    let end = this.#starts[index + 1]! - 2
    while (bytes[end] !== QUOTE) end--
    return end
  }

  /** The string that the byte at `offset` belongs to, by bisection. */
  #indexAt(offset: number): number {
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** On the second thread: {@link StringTable.buildSlots}. */
export const slotsOf = ({ stringBytes, stringStarts }: RawStrings): Slots =>
  new StringTable(stringBytes, stringStarts).buildSlots()
