// Protocol buffers on the wire, as far as pprof uses them: whole numbers, and bytes with their length in front.
// https://protobuf.dev/programming-guides/encoding/

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

/** What a message says cannot be: it is cut off, or no protocol buffer. */
export class WireError extends Error {}

/** Steps through the fields of the message in `bytes[at, end)`. */
export class WireReader {
  readonly bytes: Buffer
  at: number
  readonly end: number
  /** Of the field that {@link next} stepped onto. */
  field = 0
  #type = 0

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  /** Onto the next field; false behind the last. Its value must be read, or skipped. */
  next(): boolean {
    if (this.at >= this.end) return false
    const tag = this.#varint()
    this.field = Math.floor(tag / 8)
    this.#type = tag % 8
    if (this.field === 0) throw new WireError(`there is no field 0 (byte ${this.at})`)
    return true
  }

  /** Whether the field has a number, or numbers one by one. */
  get holdsNumber(): boolean {
    return this.#type === VARINT
  }

  /** An int64; beyond 2⁵³ it loses its last digits. */
  number(): number {
    this.#expect(VARINT)
    return this.#varint()
  }

  /** The numbers of a repeated field, packed or single, to `take`. */
  numbers(take: (value: number) => void): void {
    if (this.#type === VARINT) {
      take(this.#varint())
      return
    }
    const inside = this.message()
    while (inside.at < inside.end) take(inside.#varint())
  }

  /** The message in this field. */
  message(): WireReader {
    const { at, end } = this.span()
    return new WireReader(this.bytes, at, end)
  }

  text(): string {
    const { at, end } = this.span()
    return this.bytes.toString('utf8', at, end)
  }

  /** Where the bytes of this field are, which are stepped over. */
  span(): { at: number; end: number } {
    this.#expect(BYTES)
    const length = this.#varint()
    const at = this.at
    if (length < 0 || length > this.end - at) throw new WireError(`it ends at byte ${this.end} of ${at + length}`)
    this.at = at + length
    return { at, end: this.at }
  }

  skip(): void {
    if (this.#type === VARINT) this.#varint()
    else if (this.#type === BYTES) this.span()
    else if (this.#type === FIXED32) this.#step(4)
    else if (this.#type === FIXED64) this.#step(8)
    else throw new WireError(`byte ${this.at} is of no known type`)
  }

  #step(bytes: number): void {
    if (bytes > this.end - this.at) throw new WireError(`it ends at byte ${this.end}`)
    this.at += bytes
  }

  #expect(type: number): void {
    if (this.#type !== type) throw new WireError(`field ${this.field} is of another type (byte ${this.at})`)
  }

  /** Two's complement of 64 bits, seven at a time, the lowest first. */
  #varint(): number {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) throw new WireError(`it ends at byte ${this.end}`)
      const byte = this.bytes[this.at++]!
      const bits = byte & 0x7f
      if (shift < 28) low += bits * 2 ** shift
      else high += bits * 2 ** (shift - 28)
      if (byte < 0x80) {
        // 28 bits are in `low`, 36 in `high`: the last of them is the sign.
        high %= 2 ** 36
        return high >= 2 ** 35 ? (high - 2 ** 36) * 2 ** 28 + low : high * 2 ** 28 + low
      }
    }
    throw new WireError(`a number has more than ten bytes (byte ${this.at})`)
  }
}

/** Puts a message together. */
export class WireWriter {
  #bytes = Buffer.allocUnsafe(1024)
  #length = 0

  /** What was written, without a copy; valid until the next write. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  clear(): this {
    this.#length = 0
    return this
  }

  /** A whole number below 2⁵³, of either sign; 0 is what a missing field means. */
  number(field: number, value: number): this {
    if (value === 0) return this
    this.#tag(field, VARINT)
    this.#varint(value)
    return this
  }

  /** Numbers one behind the other, packed; zeros count. */
  numbers(field: number, values: Iterable<number>): this {
    const inside = new WireWriter()
    for (const value of values) inside.#varint(value)
    return this.bytes(field, inside.written)
  }

  bytes(field: number, bytes: Uint8Array): this {
    this.#tag(field, BYTES)
    this.#varint(bytes.length)
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  text(field: number, text: string): this {
    return this.bytes(field, Buffer.from(text))
  }

  #tag(field: number, type: number): void {
    this.#varint(field * 8 + type)
  }

  #varint(value: number): void {
    this.#room(10)
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value))
      for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80
      this.#bytes[this.#length++] = Number(rest)
      return
    }
    let rest = value
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) | 0x80
    this.#bytes[this.#length++] = rest
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(2 * (this.#length + bytes))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
