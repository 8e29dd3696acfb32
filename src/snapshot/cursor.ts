// A place in a stream of bytes that arrives piece by piece, and the way to complain about what stands there.

import { LeakscopeError } from '../errors.ts'
import { printable } from '../support/format.ts'

/**
 * How many bytes behind {@link Cursor.end} may be read (they are zeros once the file has ended, and no valid number or
 * separator is a zero), so that loops over rows check for the end once a row instead of once a byte: a row has at most
 * 32 numbers of {@link MAX_DIGITS} digits with {@link MAX_SPACE} blanks in front of each, and a line break, as many
 * blanks again and a separator behind it.
 */
export const MARGIN = 1536
export const MAX_DIGITS = 16
export const MAX_SPACE = 14
const MAX_ROOM = 1 << 25
const MIN_ROOM = 4096

export class Cursor {
  readonly file: string
  buffer: Uint8Array<ArrayBufferLike> = new Uint8Array(MARGIN)
  /** The next byte to read. */
  at = 0
  /** Behind the last byte that is there. */
  end = 0
  /** Whether nothing comes after `end`. */
  final = false
  /** Offset in the file of `buffer[0]`. */
  base = 0
  /** Whether the `]` of the array being read has been stepped over. */
  arrayEnded = false
  /** No more bytes than this will come, if anybody knows: what the file says of its counts is held against it. */
  readonly maxBytes: number | undefined

  constructor(file: string, maxBytes: number | undefined) {
    this.file = file
    this.maxBytes = maxBytes
  }

  /** How many things of `bytes` each are still to come, as room to set aside for them; few where nobody knows. */
  roomFor(bytes: number): number {
    const most = this.maxBytes === undefined ? Number.POSITIVE_INFINITY : (this.maxBytes - this.base - this.at) / bytes
    return most < MAX_ROOM ? Math.ceil(most) + 1 : MIN_ROOM
  }

  /** Where loops over rows must stop: MARGIN before the end, or at the end itself when it is the file's. */
  get rowLimit(): number {
    return this.final ? this.end : this.end - MARGIN
  }

  /** Throws: what was expected at `at` and what stands there instead. */
  fail(expected: string, at = this.at): never {
    const offset = this.base + at
    if (at >= this.end) {
      throw new LeakscopeError(
        'snapshot-malformed',
        `${this.file}: ends at byte ${offset}, where ${expected} was expected`,
        {
          hint: 'The file is cut off: was the disk full, or the capture interrupted? Capture it again.',
        },
      )
    }
    const found = Buffer.from(this.buffer.subarray(at, Math.min(at + 12, this.end))).toString('latin1')
    throw new LeakscopeError(
      'snapshot-malformed',
      `${this.file}: byte ${offset}: expected ${expected}, found '${printable(found)}'`,
      { hint: 'The file is damaged or not a V8 heap snapshot.' },
    )
  }

  /** Throws: what the file says at `at` contradicts what it said before. */
  contradiction(problem: string, at = this.at): never {
    throw new LeakscopeError('snapshot-malformed', `${this.file}: byte ${this.base + at}: ${problem}`, {
      hint: 'The file is damaged or not a V8 heap snapshot.',
    })
  }
}

/** A piece of parsing that `yield`s whenever it needs more bytes and goes on once the cursor has them. */
export type Parsing<T = void> = Generator<void, T>

export function* skipSpace(cursor: Cursor): Parsing {
  for (;;) {
    while (cursor.at < cursor.end && isSpace(cursor.buffer[cursor.at]!)) cursor.at++
    if (cursor.at < cursor.end || cursor.final) return
    yield
  }
}

/** Steps over `text` (ASCII), with space in front of it allowed. */
export function* expect(cursor: Cursor, text: string): Parsing {
  yield* skipSpace(cursor)
  while (cursor.end - cursor.at < text.length && !cursor.final) yield
  for (let i = 0; i < text.length; i++) {
    if (cursor.buffer[cursor.at + i] !== text.charCodeAt(i) || cursor.at + i >= cursor.end) {
      cursor.fail(`'${text}'`, cursor.at + i >= cursor.end ? cursor.end : cursor.at)
    }
  }
  cursor.at += text.length
}

/** The next byte behind any space, not stepped over; 0 at the end of the file. */
export function* peek(cursor: Cursor): Parsing<number> {
  yield* skipSpace(cursor)
  return cursor.at < cursor.end ? cursor.buffer[cursor.at]! : 0
}

export const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
