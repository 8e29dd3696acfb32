// Collects strings, each once, in the form in which a snapshot's string table has them: JSON, one behind the other.

import { StringTable } from '../snapshot/strings.ts'
import { type Arena, arenaUint32, giveBack } from '../support/arena.ts'
import { sharedUint8, sharedUint32, widened } from '../support/shared.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const NEWLINE = 0x0a
/** What stands between the last byte of one string and the first of the next: quote, comma, line break, quote. */
const BETWEEN = 4
/** Bytes that one UTF-16 unit takes at most, as `\u0000`. */
const MOST_PER_UNIT = 6
const MOST_DIGITS = 16
const MOST_BYTES_AT_FIRST = 2 ** 31
/** FNV-1a. http://www.isthe.com/chongo/tech/comp/fnv/ */
const HASH_OF_NOTHING = 0x811c9dc5
const HASH_FACTOR = 0x01000193
const folded = (hash: number): number => (hash ^ (hash >>> 15)) >>> 0
const HEX = Buffer.from('0123456789abcdef')

export class StringColumn {
  #bytes: Uint8Array
  /** Where the next string would begin; its opening quote stands in front. */
  #end = 1
  #starts: Uint32Array | Float64Array
  /** By index of a string: the hash of its bytes. */
  #hashes: Uint32Array
  readonly #arena: Arena | undefined
  #count = 0
  /** By slot: index of a string and 1, or 0; open addressing, at most three quarters full. */
  #slots: Uint32Array
  /** Of texts that are asked for by us again and again. */
  readonly #known = new Map<string, number>()

  /**
   * Room that is not used costs nothing: the system gives memory when it is first written to.
   * @param strings @param bytes how many there may be, about
   * @param arena where to stand what is needed only until {@link forget}
   */
  constructor(strings = 1 << 12, bytes = 1 << 20, arena?: Arena) {
    this.#arena = arena
    this.#bytes = sharedUint8(Math.min(Math.max(bytes, 1 << 20), MOST_BYTES_AT_FIRST))
    this.#starts = sharedUint32(strings + 2)
    this.#hashes = arenaUint32(arena, strings + 2)
    let slots = 1 << 13
    while (3 * slots < 4 * strings) slots *= 2
    this.#slots = arenaUint32(arena, slots)
    this.#bytes[0] = QUOTE
    // Its number is 0.
    this.intern('')
  }

  get count(): number {
    return this.#count
  }

  /** The number of the text, a new one if it was not seen before. */
  intern(text: string): number {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const index = this.internRare(text)
    if (text.length < 64) this.#known.set(text, index)
    return index
  }

  /** The same for texts that will not be asked for again and again. */
  internRare(text: string): number {
    this.#makeRoom(text.length)
    let at = this.#end
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(i + 1)))
        at = this.#putPair(at, unit, text.charCodeAt(++i))
      else at = this.#put(at, unit)
    }
    return this.#take(at)
  }

  /** The same for the digits of a whole number from 0 on. */
  internNumber(number: number): number {
    return this.#take(this.#putNumber(number))
  }

  /** The same for Latin-1 bytes. */
  internOneByte(text: Uint8Array, from: number, to: number): number {
    this.#makeRoom(to - from)
    const bytes = this.#bytes
    let at = this.#end
    let hash = HASH_OF_NOTHING
    let isPlain = true
    for (let i = from; i < to; i++) {
      const byte = text[i]!
      if (byte < 0x20 || byte > 0x7e || byte === QUOTE || byte === BACKSLASH) {
        at = this.#put(at, byte)
        isPlain = false
      } else {
        bytes[at++] = byte
        hash = Math.imul(hash ^ byte, HASH_FACTOR)
      }
    }
    return isPlain ? this.#take(at, folded(hash)) : this.#take(at)
  }

  /** The same for UTF-16 units. */
  internTwoByte(text: Uint16Array, from: number, to: number): number {
    this.#makeRoom(to - from)
    let at = this.#end
    for (let i = from; i < to; i++) {
      const unit = text[i]!
      if (isHighSurrogate(unit) && i + 1 < to && isLowSurrogate(text[i + 1]!)) at = this.#putPair(at, unit, text[++i]!)
      else at = this.#put(at, unit)
    }
    return this.#take(at)
  }

  get(index: number): string {
    const start = this.#starts[index]!
    const next = index + 1 < this.#count ? this.#starts[index + 1]! : this.#end
    return JSON.parse(Buffer.from(this.#bytes.buffer).toString('utf8', start - 1, next - BETWEEN + 1))
  }

  /** Adds the digits of a whole number from 0 on, whether they are there already or not. */
  addNumber(number: number): void {
    this.#append(this.#putNumber(number))
  }
  #putNumber(number: number): number {
    this.#makeRoom(MOST_DIGITS)
    let digits = 1
    for (let power = 10; power <= number; power *= 10) digits++
    const end = this.#end + digits
    let rest = number
    for (let at = end - 1; at >= this.#end; at--) {
      this.#bytes[at] = 0x30 + (rest % 10)
      rest = Math.floor(rest / 10)
    }
    return end
  }

  /** In shared memory. Nothing can be added afterwards. */
  finish(): StringTable {
    // Without what stands in front of the next string: a comma, a line break, a quote.
    const length = this.#count === 0 ? 0 : this.#end - BETWEEN + 1
    this.#starts[this.#count] = length + 1
    const table = new StringTable(this.#bytes.subarray(0, length), this.#starts.subarray(0, this.#count + 1))
    this.forget()
    this.#bytes = new Uint8Array(0)
    return table
  }
  /** Lets go of what finds out whether a text is there already: from now on only numbers are added. */
  forget(): void {
    giveBack(this.#hashes)
    giveBack(this.#slots)
    this.#hashes = new Uint32Array(0)
    this.#slots = new Uint32Array(1)
    this.#known.clear()
  }

  /** A unit that is no half of a pair, as JSON has it. */
  #put(from: number, unit: number): number {
    const bytes = this.#bytes
    let at = from
    if (unit === QUOTE || unit === BACKSLASH) {
      bytes[at++] = BACKSLASH
      bytes[at++] = unit
    } else if (unit < 0x20 || (unit >= 0xd800 && unit < 0xe000)) {
      bytes[at++] = BACKSLASH
      bytes[at++] = 0x75
      for (let shift = 12; shift >= 0; shift -= 4) bytes[at++] = HEX[(unit >>> shift) & 15]!
    } else if (unit < 0x80) bytes[at++] = unit
    else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >>> 6)
      bytes[at++] = 0x80 | (unit & 0x3f)
    } else {
      bytes[at++] = 0xe0 | (unit >>> 12)
      bytes[at++] = 0x80 | ((unit >>> 6) & 0x3f)
      bytes[at++] = 0x80 | (unit & 0x3f)
    }
    return at
  }
  #putPair(at: number, high: number, low: number): number {
    const point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
    const bytes = this.#bytes
    bytes[at] = 0xf0 | (point >>> 18)
    bytes[at + 1] = 0x80 | ((point >>> 12) & 0x3f)
    bytes[at + 2] = 0x80 | ((point >>> 6) & 0x3f)
    bytes[at + 3] = 0x80 | (point & 0x3f)
    return at + 4
  }

  /** Keeps what was put behind the last string, unless it is there already. */
  #take(end: number, hash = this.#hash(this.#end, end)): number {
    const start = this.#end
    const mask = this.#slots.length - 1
    let slot = hash & mask
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const index = this.#slots[slot]! - 1
      if (this.#hashes[index] === hash && this.#isSame(index, start, end)) return index
    }
    const index = this.#append(end)
    if (index >= this.#hashes.length) this.#hashes = grown(this.#hashes)
    this.#hashes[index] = hash
    this.#slots[slot] = index + 1
    if (4 * this.#count > 3 * this.#slots.length) this.#rehash()
    return index
  }
  #append(end: number): number {
    const bytes = this.#bytes
    const index = this.#count++
    if (index + 1 >= this.#starts.length) this.#starts = grown(this.#starts)
    if (this.#end > 0xffffffff && this.#starts instanceof Uint32Array) this.#starts = widened(this.#starts)
    this.#starts[index] = this.#end
    bytes[end] = QUOTE
    bytes[end + 1] = COMMA
    bytes[end + 2] = NEWLINE
    bytes[end + 3] = QUOTE
    this.#end = end + BETWEEN
    return index
  }

  #isSame(index: number, start: number, end: number): boolean {
    const bytes = this.#bytes
    const own = this.#starts[index]!
    const next = index + 1 < this.#count ? this.#starts[index + 1]! : this.#end
    if (next - own - BETWEEN !== end - start) return false
    for (let i = 0; i < end - start; i++) if (bytes[own + i] !== bytes[start + i]) return false
    return true
  }

  #hash(start: number, end: number): number {
    const bytes = this.#bytes
    let hash = HASH_OF_NOTHING
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, HASH_FACTOR)
    return folded(hash)
  }

  #rehash(): void {
    const slots = arenaUint32(this.#arena, 2 * this.#slots.length)
    const mask = slots.length - 1
    for (let index = 0; index < this.#count; index++) {
      let slot = this.#hashes[index]! & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = index + 1
    }
    giveBack(this.#slots)
    this.#slots = slots
  }

  #makeRoom(units: number): void {
    while (this.#end + units * MOST_PER_UNIT + BETWEEN > this.#bytes.length) this.#bytes = grown(this.#bytes)
  }
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000

function grown<T extends Uint8Array | Uint32Array | Float64Array>(array: T): T {
  const Kind = array.constructor as new (of: number | SharedArrayBuffer) => T
  const length = 2 * array.length
  const isShared = array.buffer instanceof SharedArrayBuffer
  const larger = new Kind(isShared ? new SharedArrayBuffer(length * array.BYTES_PER_ELEMENT) : length)
  larger.set(array)
  return larger
}
