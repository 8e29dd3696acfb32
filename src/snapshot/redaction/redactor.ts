// Rewrites a snapshot as it streams by: everything stays as it is, but for texts that are the program's data.
//
// In the file all texts come last, and nodes and edges before them have told which of them are names and which are
// data. So numbers are copied byte by byte, and of the strings, those that are data become tokens of the same length:
// whoever reads the file finds the same nodes, edges, sizes, ids and places, and texts that can be told apart.

import { isUtf8 } from 'node:buffer'
import type { Encoder } from '../../support/encoder.ts'
import { Cursor, expect, type Parsing, peek, skipSpace } from '../cursor.ts'
import { parseHead } from '../head.ts'
import { readRows } from '../rows.ts'
import { Roles } from './roles.ts'
import { roundedNumber, Tokens } from './tokens.ts'
import { looksWritten, wordsLookWritten } from './written-name.ts'

const QUOTE = 0x22
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

const MAX_HEAD_BYTES = 1 << 20
const BATCH_ROWS = 2048
/** V8 puts this string in front, by which nothing is called. */
const NOBODY = '<dummy>'
/** What the note in front of the strings may add to the length of a piece. */
const SLACK = 128

/** Names that V8 gives to nodes whose names are data otherwise, see {@link Roles.nodes}. */
const WORDS_OF_V8 = /^(?:\((?:concatenated|sliced) string\)|symbol|bigint|(?:heap |smi )?number)$/
const MAX_WORD_BYTES = '(concatenated string)'.length
/**
 * What V8 calls the edges of a WeakMap's entries, with the names of key and value in it, which may be texts
 * (V8HeapExplorer::ExtractEphemeronHashTableReferences); who reads snapshots looks for the rest of it.
 */
const WEAK_PAIR = /^(\d+ \/ part of key \()(.*?)( @\d+\) -> value \()/s
const WEAK_PAIR_END = / @\d{1,10}\) pair in WeakMap \(table @\d{1,10}\)$/
const MAX_END = 64
/** One that is cut short. */
const WEAK_PAIR_START = /^(\d+ \/ part of key \()(.*)$/s
/** A script that is its own URL. */
const DATA_URL = /^(data:)(.*)$/s

/** By byte: 1 where the scan over a string's inside must stop. */
const STOP = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === QUOTE || byte === BACKSLASH || byte < 0x20 ? 1 : 0,
)

export interface Redactor extends Encoder {
  /** Strings so far, and those that are tokens now. */
  readonly strings: number
  readonly redacted: number
}

/**
 * An encoder that takes the bytes of a `.heapsnapshot` and gives those of the same snapshot without its data.
 *
 * Memory: two pieces and what {@link Roles} needs. `push` and `end` throw a LeakscopeError `snapshot-malformed` for
 * what is no heap snapshot.
 * @param file what to call the snapshot in complaints
 * @param key for tokens that can be compared with those of other files
 */
export function createRedactor(file: string, key: Uint8Array): Redactor {
  const cursor = new Cursor(file, undefined)
  cursor.buffer = new Uint8Array(0)
  const output = new Output(cursor)
  const counts = { strings: 0, redacted: 0 }
  const rewriting = rewrite(cursor, output, new Tokens(key), counts)
  let done = false

  function advance(piece: Uint8Array): Uint8Array {
    output.feed(piece)
    done ||= rewriting.next().done ?? false
    return output.take()
  }
  return {
    get strings() {
      return counts.strings
    },
    get redacted() {
      return counts.redacted
    },
    push: advance,
    end() {
      cursor.final = true
      const rest = advance(new Uint8Array(0))
      if (!done) throw new Error('the redactor wants more than there is')
      return rest
    },
  }
}

/** What is to be written of the cursor's bytes: those up to where it stands, but for what is replaced. */
class Output {
  readonly #cursor: Cursor
  #bytes = Buffer.alloc(0)
  #length = 0
  /** In the cursor's buffer: behind the last byte that is in `#bytes`, or replaced there. */
  #copied = 0

  constructor(cursor: Cursor) {
    this.#cursor = cursor
  }

  /** Puts a piece behind what the cursor has left. */
  feed(piece: Uint8Array): void {
    const { buffer, end } = this.#cursor
    this.#cursor.buffer = end === 0 ? piece : Buffer.concat([buffer, piece])
    this.#cursor.end = end + piece.length
    this.#copied = 0
    const most = this.#cursor.end + SLACK
    if (this.#bytes.length < most) this.#bytes = Buffer.allocUnsafe(most)
    this.#length = 0
  }

  /** Writes `text` for the cursor's bytes from `start` to `end`. */
  replace(start: number, end: number, text: string): void {
    this.#copy(start)
    this.#length += this.#bytes.write(text, this.#length, 'latin1')
    this.#copied = end
  }

  /** All that can be written by now. The piece that was fed last may be gone afterwards. */
  take(): Uint8Array {
    const cursor = this.#cursor
    this.#copy(cursor.at)
    cursor.buffer = Buffer.from(cursor.buffer.subarray(cursor.at, cursor.end))
    cursor.base += cursor.at
    cursor.end -= cursor.at
    cursor.at = 0
    return this.#bytes.subarray(0, this.#length)
  }

  #copy(to: number): void {
    this.#bytes.set(this.#cursor.buffer.subarray(this.#copied, to), this.#length)
    this.#length += to - this.#copied
    this.#copied = to
  }
}

interface Counts {
  strings: number
  redacted: number
}

function* rewrite(cursor: Cursor, output: Output, tokens: Tokens, counts: Counts): Parsing {
  yield* expect(cursor, '{')
  yield* expect(cursor, '"snapshot"')
  yield* expect(cursor, ':')
  const headAt = cursor.base + cursor.at
  const head = parseHead(yield* passValue(cursor))
  if (typeof head === 'string') cursor.contradiction(head, headAt - cursor.base)
  const { layout, nodeCount, edgeCount } = head
  const roles = new Roles(layout, (index) => cursor.contradiction(`no file has a string ${index}`))
  yield* expect(cursor, ',')
  yield* expect(cursor, '"nodes"')
  yield* expect(cursor, ':')
  yield* passRows(cursor, layout.nodeFieldCount, nodeCount, (batch, rows) => roles.nodes(batch, rows))
  yield* expect(cursor, ',')
  yield* expect(cursor, '"edges"')
  yield* expect(cursor, ':')
  yield* passRows(cursor, layout.edgeFieldCount, edgeCount, (batch, rows) => roles.edges(batch, rows))
  for (;;) {
    yield* expect(cursor, ',')
    yield* expect(cursor, '"')
    const key = yield* findQuote(cursor)
    const name = Buffer.from(cursor.buffer.subarray(cursor.at, key.end)).toString('latin1')
    cursor.at = key.end + 1
    yield* expect(cursor, ':')
    if (name === 'strings') break
    yield* passValue(cursor)
  }
  yield* rewriteStrings(cursor, output, roles, tokens, counts)
  yield* expect(cursor, '}')
  yield* skipSpace(cursor)
  if (cursor.at < cursor.end) cursor.fail('the end of the file')
}

/** Steps over an array of rows of numbers, handing them over in batches, each in the same array. */
function* passRows(
  cursor: Cursor,
  fieldCount: number,
  rowCount: number,
  take: (batch: Float64Array, rows: number) => void,
): Parsing {
  const batch = new Float64Array(fieldCount * BATCH_ROWS)
  let rows = 0
  yield* expect(cursor, '[')
  cursor.arrayEnded = (yield* peek(cursor)) === CLOSE_BRACKET
  if (cursor.arrayEnded) cursor.at++
  while (!cursor.arrayEnded) {
    const read = readRows(cursor, fieldCount, BATCH_ROWS, 'maybe', batch)
    take(batch, read)
    rows += read
    if (read === BATCH_ROWS || cursor.arrayEnded) continue
    if (cursor.final) cursor.fail('a number')
    yield
  }
  if (rows !== rowCount) cursor.contradiction(`the head promises ${rowCount} rows of this kind, here are ${rows}`)
}

/** Steps over one JSON object or array by counting brackets; returns the text of a short one. */
function* passValue(cursor: Cursor): Parsing<string> {
  let depth = 0
  let inString = false
  let escaped = false
  const text: Uint8Array[] = []
  let kept = 0
  yield* skipSpace(cursor)
  for (;;) {
    const { buffer, end } = cursor
    const from = cursor.at
    let at = from
    let ended = false
    while (at < end && !ended) {
      const byte = buffer[at]!
      if (depth === 0 && byte !== OPEN_BRACKET && byte !== OPEN_BRACE) cursor.fail("'[' or '{'", at)
      at++
      if (inString) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) inString = false
      } else if (byte === QUOTE) inString = true
      else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) depth++
      else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) ended = --depth === 0
    }
    if (kept < MAX_HEAD_BYTES) text.push(Buffer.from(buffer.subarray(from, at)))
    kept += at - from
    cursor.at = at
    if (ended) return Buffer.concat(text).toString()
    if (cursor.final) cursor.fail('the end of this section')
    yield
  }
}

/**
 * Where the string that the cursor stands in ends: the cursor stays at its first character, and what follows it is in
 * the buffer up to the closing quote.
 */
function* findQuote(cursor: Cursor): Parsing<{ end: number; escaped: boolean }> {
  let length = 0
  let escaped = false
  for (;;) {
    const { buffer, end } = cursor
    let at = cursor.at + length
    for (; at < end; at++) {
      while (at < end && STOP[buffer[at]!] === 0) at++
      if (at === end) break
      const byte = buffer[at]!
      if (byte === QUOTE) return { end: at, escaped }
      if (byte !== BACKSLASH) cursor.fail('no bare control character inside a string', at)
      if (at + 1 === end) break
      escaped = true
      at++
    }
    length = at - cursor.at
    if (cursor.final) cursor.fail('the rest of the strings', end)
    yield
  }
}

function* rewriteStrings(cursor: Cursor, output: Output, roles: Roles, tokens: Tokens, counts: Counts): Parsing {
  yield* expect(cursor, '[')
  yield* skipSpace(cursor)
  if (cursor.at < cursor.end && cursor.buffer[cursor.at] === CLOSE_BRACKET) {
    cursor.at++
    return
  }
  for (let index = 0; ; index++) {
    if (cursor.at < cursor.end && cursor.buffer[cursor.at] === QUOTE) cursor.at++
    else yield* expect(cursor, '"')
    const { end, escaped } = yield* findQuote(cursor)
    const replacement = replace(cursor, index, end, escaped, roles, tokens)
    counts.strings++
    if (index === 0 && end - cursor.at === NOBODY.length && replacement === tokens.tokenOf(NOBODY)) {
      output.replace(cursor.at, end, `<redacted by leakscope, key ${tokens.keyId}>`)
    } else if (replacement !== undefined) {
      output.replace(cursor.at, end, replacement)
      counts.redacted++
    }
    cursor.at = end + 1
    yield* skipSpace(cursor)
    if (cursor.at < cursor.end && cursor.buffer[cursor.at] === CLOSE_BRACKET) break
    yield* expect(cursor, ',')
  }
  cursor.at++
}

/** What comes in the place of the string at the cursor, in ASCII without quotes and backslashes; undefined if it stays. */
function replace(
  cursor: Cursor,
  index: number,
  end: number,
  escaped: boolean,
  roles: Roles,
  tokens: Tokens,
): string | undefined {
  const start = cursor.at
  if (start === end) return undefined
  const raw = Buffer.from(cursor.buffer.buffer, cursor.buffer.byteOffset + start, end - start)
  let text: string | undefined
  const decoded = (): string => {
    text ??= escaped ? jsonText(cursor, raw) : raw.toString()
    return text
  }
  const isClass = roles.isClass(index)
  if (isClass && decoded() === 'Object') roles.sawPlainClass(index)
  if (roles.isName(index)) return redactedName(decoded(), tokens)
  if (isClass && wordsLookWritten(decoded())) return undefined
  if (roles.isProperty(index) && looksWritten(decoded())) return undefined
  const rounded = roles.isNumber(index) ? roundedNumber(decoded()) : undefined
  if (rounded !== undefined) return rounded === text ? undefined : rounded
  if (raw.length <= MAX_WORD_BYTES && WORDS_OF_V8.test(decoded())) return undefined
  return escaped ? tokens.tokenOf(decoded()) : tokens.token(raw, utf16Length(raw))
}

/** A name in which texts of the program may stand. */
function redactedName(name: string, tokens: Tokens): string | undefined {
  const pair = WEAK_PAIR.exec(name)
  const tail = pair && WEAK_PAIR_END.exec(name.slice(-MAX_END))?.[0]
  if (pair && tail && pair[0].length + tail.length <= name.length) {
    const [matched, start, key, middle] = pair
    const value = name.slice(matched.length, name.length - tail.length)
    return `${start}${tokens.tokenOf(key!)}${middle}${tokens.tokenOf(value)}${tail}`
  }
  const [, start, rest] = WEAK_PAIR_START.exec(name) ?? DATA_URL.exec(name) ?? []
  return start === undefined ? undefined : start + tokens.tokenOf(rest!)
}

function jsonText(cursor: Cursor, raw: Buffer): string {
  if (!isUtf8(raw)) return cursor.contradiction('the string is not UTF-8')
  try {
    return JSON.parse(`"${raw.toString()}"`)
  } catch {
    return cursor.fail('escapes that JSON has')
  }
}

function utf16Length(utf8: Uint8Array): number {
  let length = utf8.length
  for (let i = 0; i < utf8.length; i++) {
    const byte = utf8[i]!
    if (byte >= 0x80) length += byte >= 0xf0 ? 1 : byte >= 0xc0 ? 0 : -1
  }
  return length
}
