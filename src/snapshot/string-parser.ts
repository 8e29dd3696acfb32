// The "strings" section: found, checked and copied as it stands; decoded by nobody.

import { isUtf8 } from 'node:buffer'
import { sharedUint8, sharedUint32, widened } from '../support/shared.ts'
import { type Cursor, isSpace, MAX_SPACE, type Parsing } from './cursor.ts'
import type { RowKernel } from './row-kernel.ts'
import { StringTable } from './strings.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const BRACKET = 0x5d
const LETTER_U = 0x75
const ESCAPABLE = new Set([...'"\\/bfnrtu'].map((letter) => letter.charCodeAt(0)))

/** What is set aside at first at most; more is made when it is needed. Node 20 has no typed array beyond 4 GiB. */
const MAX_RESERVED = 2 ** 31

/** By byte: 1 where the scan over a string's inside must stop: its end, an escape, and what JSON forbids there. */
const STOP = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === QUOTE || byte === BACKSLASH || byte < 0x20 ? 1 : 0,
)

/** What the next byte has to be. */
type State = 'first' | 'quote' | 'inside' | 'escape' | 'hex' | 'separator' | 'end'

/** Reads from behind `[` to behind `]`. */
export function* parseStrings(cursor: Cursor, kernel: RowKernel): Parsing<StringTable> {
  const sectionAt = cursor.base + cursor.at
  const scan = new StringScan(cursor)
  for (;;) {
    scan.run(cursor, kernel)
    if (scan.state === 'end') break
    if (cursor.final) cursor.fail('the rest of the strings')
    yield
  }
  const { bytes, starts } = scan.finish()
  const strings = new StringTable(bytes, starts)
  if (!isUtf8(bytes)) {
    let bad = 0
    while (bad < strings.count && isUtf8(bytes.subarray(starts[bad]!, starts[bad + 1]!))) bad++
    cursor.contradiction(`string ${bad} is not UTF-8`, sectionAt + (starts[bad] ?? 0) - cursor.base)
  }
  return strings
}

/** The scan's state between two pieces of the file. */
class StringScan {
  state: State = 'first'
  #bytes: Uint8Array
  #length = 0
  #starts: Uint32Array | Float64Array
  #count = 0
  #hexDigits = 0
  #blanks = 0

  constructor(cursor: Cursor) {
    // Nothing but strings is left of a plain file, so its size is theirs; of a packed one it is only an upper bound,
    // which costs address space, not memory, until it is written to.
    const left = cursor.maxBytes === undefined ? 0 : cursor.maxBytes - cursor.base - cursor.at
    // Most are longer than this.
    this.#starts = sharedUint32(cursor.roomFor(12))
    this.#bytes = sharedUint8(Math.min(Math.max(left, 1 << 16), MAX_RESERVED))
  }

  /** Takes all bytes that the cursor has, or those up to the section's end. */
  run(cursor: Cursor, kernel: RowKernel): void {
    const { buffer, end } = cursor
    const pieceStart = cursor.at
    const offset = this.#length - pieceStart
    let at = pieceStart
    let state = this.state
    while (at < end && state !== 'end') {
      if (state === 'inside') {
        this.#pushStarts(offset + at, kernel.scanStrings(buffer, at, end))
        at = kernel.stringsEnd
        // What the kernel left: the end of the buffer, or something that is not plain.
        while (at < end && STOP[buffer[at]!] === 0) at++
        if (at === end) break
        const byte = buffer[at]!
        if (byte === QUOTE) state = 'separator'
        else if (byte === BACKSLASH) state = 'escape'
        else cursor.fail('no bare control character inside a string', at)
        at++
        continue
      }
      const byte = buffer[at]!
      if (state === 'escape') {
        if (!ESCAPABLE.has(byte)) cursor.fail('an escape that JSON has', at)
        this.#hexDigits = byte === LETTER_U ? 4 : 0
        state = byte === LETTER_U ? 'hex' : 'inside'
      } else if (state === 'hex') {
        if (!isHex(byte)) cursor.fail('a hexadecimal digit', at)
        if (--this.#hexDigits === 0) state = 'inside'
      } else if (isSpace(byte)) {
        // Who looks for a string's end goes back over them, each time.
        if (++this.#blanks > MAX_SPACE) cursor.fail(`at most ${MAX_SPACE} blanks between strings`, at)
      } else {
        this.#blanks = 0
        if (state === 'separator') {
          if (byte === COMMA) state = 'quote'
          else if (byte === BRACKET) state = 'end'
          else cursor.fail("',' or ']'", at)
        } else if (byte === QUOTE) {
          this.#pushStart(offset + at + 1)
          state = 'inside'
        } else if (byte === BRACKET && state === 'first') state = 'end'
        else cursor.fail("'\"'", at)
      }
      at++
    }
    this.state = state
    this.#append(buffer.subarray(pieceStart, at))
    cursor.at = at
  }

  finish(): { bytes: Uint8Array; starts: Uint32Array | Float64Array } {
    // Two bytes further than the last string's quote: where the next string's first character would stand.
    let lastQuote = this.#length - 1
    while (lastQuote > 0 && this.#bytes[lastQuote] !== QUOTE) lastQuote--
    const count = this.#count
    this.#pushStart(lastQuote + 2)
    return { bytes: this.#bytes.subarray(0, this.#length), starts: this.#starts.subarray(0, count + 1) }
  }

  #pushStarts(base: number, found: Uint32Array): void {
    while (this.#count + found.length > this.#starts.length) this.#starts = grown(this.#starts)
    // A piece is far smaller than 2 GiB.
    if (base > 0x7fffffff) {
      for (let i = 0; i < found.length; i++) this.#pushStart(base + found[i]!)
      return
    }
    const starts = this.#starts
    let count = this.#count
    for (let i = 0; i < found.length; i++) starts[count++] = base + found[i]!
    this.#count = count
  }

  #pushStart(offset: number): void {
    if (this.#count === this.#starts.length) this.#starts = grown(this.#starts)
    if (offset > 0xffffffff && this.#starts instanceof Uint32Array) this.#starts = widened(this.#starts)
    this.#starts[this.#count++] = offset
  }

  #append(piece: Uint8Array): void {
    while (this.#length + piece.length > this.#bytes.length) this.#bytes = grown(this.#bytes)
    this.#bytes.set(piece, this.#length)
    this.#length += piece.length
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(array: T): T {
  const buffer = new SharedArrayBuffer(2 * array.byteLength)
  const larger = new (array.constructor as new (buffer: SharedArrayBuffer) => T)(buffer)
  larger.set(array)
  return larger
}

const isHex = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)
