// Reads JSON token by token from bytes that arrive piece by piece, so that a file may be larger than a string can be.

import { printable } from '../support/format.ts'
import { malformed } from './call-tree.ts'

export const Token = { end: 0, open: 1, close: 2, openArray: 3, closeArray: 4, key: 5, string: 6, number: 7, word: 8 }

/** Fills `target` from `at` on with what comes next and says how many bytes that were; 0 at the end. */
export type Fill = (target: Buffer, at: number) => number

const ROOM = 1 << 20
/** No text of a profile is longer: a URL can be a whole data URL, with a program in it. */
const MAX_TOKEN_BYTES = 1 << 27

const QUOTE = 0x22
const BACKSLASH = 0x5c
const IN_OBJECT = 1
const IN_ARRAY = 2
/** What may stand next. */
const Expect = { value: 0, valueOrEnd: 1, key: 2, keyOrEnd: 3, commaOrEnd: 4, nothing: 5 }

export class JsonReader {
  readonly #file: string
  readonly #fill: Fill
  #buffer = Buffer.allocUnsafe(ROOM)
  #at = 0
  #end = 0
  #final = false
  /** Offset in the file of the buffer's first byte. */
  #base = 0
  /** By depth: what is open. Nested profiles are as deep as their stacks. */
  #open = new Uint8Array(1024)
  #depth = 0
  #expect = Expect.value
  /** Of the last key or string. */
  text = ''
  /** Of the last number. */
  number = 0

  constructor(file: string, fill: Fill) {
    this.#file = file
    this.#fill = fill
  }

  get offset(): number {
    return this.#base + this.#at
  }

  /** How many objects and arrays are open. */
  get depth(): number {
    return this.#depth
  }

  /** The next token; its value is in `text` or `number`. */
  next(): number {
    for (;;) {
      const byte = this.#peek()
      switch (byte) {
        case -1:
          if (this.#expect === Expect.nothing) return Token.end
          throw this.#cutOff()
        case 0x2c: // ,
          if (this.#expect !== Expect.commaOrEnd) throw this.#unexpected()
          this.#at++
          this.#expect = this.#open[this.#depth] === IN_OBJECT ? Expect.key : Expect.value
          continue
        case 0x7d: // }
          if (this.#open[this.#depth] !== IN_OBJECT || this.#expect === Expect.key) throw this.#unexpected()
          return this.#close(Token.close)
        case 0x5d: // ]
          if (
            this.#open[this.#depth] !== IN_ARRAY ||
            (this.#expect !== Expect.commaOrEnd && this.#expect !== Expect.valueOrEnd)
          ) {
            throw this.#unexpected()
          }
          return this.#close(Token.closeArray)
        case QUOTE: {
          const key = this.#expect === Expect.key || this.#expect === Expect.keyOrEnd
          if (!key) this.#beginValue()
          this.text = this.#string()
          if (!key) return Token.string
          if (this.#peek() !== 0x3a) throw this.#final && this.#at >= this.#end ? this.#cutOff() : this.#unexpected()
          this.#at++
          this.#expect = Expect.value
          return Token.key
        }
        default:
          this.#beginValue()
          if (byte === 0x7b) return this.#enter(IN_OBJECT, Token.open)
          if (byte === 0x5b) return this.#enter(IN_ARRAY, Token.openArray)
          return this.#scalar()
      }
    }
  }

  /** Steps over the value that comes next, whatever it is. */
  skip(): void {
    const depth = this.#depth
    do this.next()
    while (this.#depth > depth)
  }

  /** The number that comes next. */
  takeNumber(what: string): number {
    if (this.next() !== Token.number) throw this.wrong(`${what} is not a number`)
    return this.number
  }

  /** The text that comes next. */
  takeText(what: string): string {
    if (this.next() !== Token.string) throw this.wrong(`${what} is not text`)
    return this.text
  }

  /** Steps into the array or object that comes next. */
  take(token: number, what: string): void {
    if (this.next() !== token) throw this.wrong(`${what} is not ${token === Token.open ? 'an object' : 'an array'}`)
  }

  wrong(what: string) {
    return malformed(this.#file, `${what} (byte ${this.offset})`)
  }

  #enter(kind: number, token: number): number {
    this.#at++
    if (++this.#depth === this.#open.length) {
      const larger = new Uint8Array(2 * this.#depth)
      larger.set(this.#open)
      this.#open = larger
    }
    this.#open[this.#depth] = kind
    this.#expect = kind === IN_OBJECT ? Expect.keyOrEnd : Expect.valueOrEnd
    return token
  }

  #close(token: number): number {
    this.#at++
    this.#depth--
    this.#expect = this.#depth === 0 ? Expect.nothing : Expect.commaOrEnd
    return token
  }

  #beginValue(): void {
    if (this.#expect !== Expect.value && this.#expect !== Expect.valueOrEnd) throw this.#unexpected()
    this.#expect = this.#depth === 0 ? Expect.nothing : Expect.commaOrEnd
  }

  /** The next byte that is no white space, or -1 at the end of the file. */
  #peek(): number {
    for (;;) {
      while (this.#at < this.#end) {
        const byte = this.#buffer[this.#at]!
        if (byte > 0x20) return byte
        this.#at++
      }
      if (!this.#more(this.#at)) return -1
    }
  }

  /** Reads on, keeping what stands from `from` on; false when there is nothing left. */
  #more(from: number): boolean {
    if (this.#final) return false
    const kept = this.#end - from
    if (kept > this.#buffer.length / 2) {
      if (kept > MAX_TOKEN_BYTES) throw this.wrong(`a text has more than ${MAX_TOKEN_BYTES} bytes`)
      const larger = Buffer.allocUnsafe(2 * this.#buffer.length)
      this.#buffer.copy(larger, 0, from, this.#end)
      this.#buffer = larger
    } else this.#buffer.copyWithin(0, from, this.#end)
    this.#base += from
    this.#at -= from
    this.#end = kept
    const read = this.#fill(this.#buffer, this.#end)
    this.#end += read
    this.#final = read === 0
    return read > 0
  }

  #string(): string {
    let escaped = false
    for (let i = this.#at + 1; ; i++) {
      if (i >= this.#end) {
        const done = i - this.#at
        if (!this.#more(this.#at)) throw this.#cutOff()
        i = this.#at + done
      }
      const byte = this.#buffer[i]!
      if (byte === BACKSLASH) {
        escaped = true
        i++
      } else if (byte === QUOTE) {
        const text = this.#buffer.toString('utf8', escaped ? this.#at : this.#at + 1, escaped ? i + 1 : i)
        this.#at = i + 1
        return escaped ? this.#unescape(text) : text
      }
    }
  }

  #unescape(text: string): string {
    try {
      return JSON.parse(text)
    } catch {
      throw this.wrong('a text has an escape that JSON does not know')
    }
  }

  #scalar(): number {
    let value = 0
    let i = this.#at
    for (; ; i++) {
      if (i >= this.#end) {
        const done = i - this.#at
        if (!this.#more(this.#at)) break
        i = this.#at + done
      }
      const digit = this.#buffer[i]! - 0x30
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    const next = i < this.#end ? this.#buffer[i]! : 0
    if (i > this.#at && i - this.#at < 16 && (next === 0x2c || next === 0x5d || next === 0x7d)) {
      this.#at = i
      this.number = value
      return Token.number
    }
    return this.#word()
  }

  /** Numbers that are no plain digits, and `true`, `false` and `null`. */
  #word(): number {
    let i = this.#at
    for (; ; i++) {
      if (i >= this.#end) {
        const done = i - this.#at
        if (!this.#more(this.#at)) break
        i = this.#at + done
      }
      if (!/[\w.+-]/.test(String.fromCharCode(this.#buffer[i]!))) break
    }
    const word = this.#buffer.toString('latin1', this.#at, i)
    if (i >= this.#end && this.#depth > 0) throw this.#cutOff()
    if (word === 'true' || word === 'false' || word === 'null') {
      this.#at = i
      return Token.word
    }
    const number = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(word) ? Number(word) : Number.NaN
    if (!Number.isFinite(number)) throw this.#unexpected()
    this.#at = i
    this.number = number
    return Token.number
  }

  #cutOff() {
    return malformed(
      this.#file,
      `ends at byte ${this.#base + this.#end}, in the middle of the profile`,
      'The file is cut off: was the disk full, or the capture interrupted? Capture it again.',
    )
  }

  #unexpected() {
    const found = printable(this.#buffer.toString('utf8', this.#at, Math.min(this.#end, this.#at + 12)))
    return malformed(this.#file, `byte ${this.offset} is not JSON as it should be, at '${found}'`)
  }
}
