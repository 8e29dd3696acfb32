// The sections of a .heapsnapshot behind its rows: source positions and strings, and those that nobody reads.

import type { Arena } from '../support/arena.ts'
import { NO_LOCATIONS, parseLocations } from './column-parser.ts'
import { type Cursor, expect, type Parsing, skipSpace } from './cursor.ts'
import type { Layout } from './meta.ts'
import type { RowKernel } from './row-kernel.ts'
import type { Locations } from './snapshot.ts'
import { parseStrings } from './string-parser.ts'
import type { StringTable } from './strings.ts'

/** What comes behind the edges. */
export interface Tail {
  readonly locations: Locations
  readonly strings: StringTable
  /** Offset of the first byte behind the `[` of the strings. */
  readonly stringBytesAt: number
}

/**
 * Parses what comes behind the `]` of the edges, to the end of the file.
 * @param arena where the nodes of source positions are to stand
 */
export function* parseTail(
  cursor: Cursor,
  kernel: RowKernel,
  layout: Layout,
  nodeCount: number,
  arena?: Arena,
): Parsing<Tail> {
  let locations: Locations | undefined
  for (;;) {
    yield* expect(cursor, ',')
    const keyAt = cursor.base + cursor.at
    const key = yield* parseKey(cursor)
    if (key === 'strings') break
    if (key === 'locations' && !locations) locations = yield* parseLocations(cursor, kernel, layout, nodeCount, arena)
    else if (key === 'trace_function_infos' || key === 'trace_tree' || key === 'samples') yield* skipValue(cursor)
    else cursor.fail('"strings" or another section of a heap snapshot, once each', keyAt - cursor.base)
  }
  yield* expect(cursor, '[')
  const stringBytesAt = cursor.base + cursor.at
  const strings = yield* parseStrings(cursor, kernel)
  yield* expect(cursor, '}')
  yield* skipSpace(cursor)
  if (cursor.at < cursor.end) cursor.fail('the end of the file')
  return { locations: locations ?? NO_LOCATIONS, strings, stringBytesAt }
}

/** A quoted key of plain characters, and the colon behind it. */
function* parseKey(cursor: Cursor): Parsing<string> {
  yield* expect(cursor, '"')
  let key = ''
  for (;;) {
    if (cursor.at >= cursor.end) {
      if (cursor.final) cursor.fail('the rest of a key')
      yield
      continue
    }
    const byte = cursor.buffer[cursor.at]!
    if (byte === 0x22) break
    if (key.length > 100 || byte < 0x20 || byte === 0x5c) cursor.fail('a key of a heap snapshot')
    key += String.fromCharCode(byte)
    cursor.at++
  }
  cursor.at++
  yield* expect(cursor, ':')
  return key
}

/** Steps over one JSON object or array whose insides do not matter and are not checked: by counting brackets. */
export function* skipValue(cursor: Cursor, visit?: (byte: number) => void): Parsing {
  let depth = 0
  let inString = false
  let escaped = false
  yield* skipSpace(cursor)
  for (;;) {
    const { buffer, end } = cursor
    while (cursor.at < end) {
      const byte = buffer[cursor.at]!
      if (depth === 0 && byte !== 0x5b && byte !== 0x7b) cursor.fail("'[' or '{'")
      cursor.at++
      visit?.(byte)
      if (inString) {
        if (escaped) escaped = false
        else if (byte === 0x5c) escaped = true
        else if (byte === 0x22) inString = false
      } else if (byte === 0x22) inString = true
      else if (byte === 0x5b || byte === 0x7b) depth++
      else if (byte === 0x5d || byte === 0x7d) {
        if (--depth === 0) return
      }
    }
    if (cursor.final) cursor.fail('the end of this section')
    yield
  }
}
