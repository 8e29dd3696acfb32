// Digits to numbers, a batch of rows at a time: the loop where most of the time of reading a snapshot goes.

import { type Cursor, isSpace, MAX_DIGITS, MAX_SPACE } from './cursor.ts'

const COMMA = 0x2c
const BRACKET = 0x5d
const NEWLINE = 0x0a
/** Digits that fit a 32-bit integer whatever they are. */
const SMALL_DIGITS = 9

/** Whether the last wanted row is the array's last: `no`, `yes`, or `maybe` when nobody knows how many rows there are. */
export type EndsArray = 'no' | 'yes' | 'maybe'

/**
 * Reads whole rows of `fieldCount` numbers until `wantedRows` are read, the array ends or the bytes at hand run out,
 * each number with the `,` behind it, or the `]` behind the array's last (see {@link Cursor.arrayEnded}).
 * Zeros in front of a number are let pass, which JSON would not: looking for them costs more than they could mean.
 * @param out by row, then by field: the numbers
 * @returns how many rows were read; the cursor stands behind them
 */
export function readRows(
  cursor: Cursor,
  fieldCount: number,
  wantedRows: number,
  endsArray: EndsArray,
  out: Float64Array,
): number {
  const bytes = cursor.buffer
  const limit = cursor.rowLimit
  let at = cursor.at
  let row = 0
  let slot = 0
  while (row < wantedRows && at < limit && !cursor.arrayEnded) {
    const rowEnd = slot + fieldCount
    row++
    while (slot < rowEnd) {
      // For a digit, XOR with '0' gives its value; for every other byte, more than 9.
      let value = bytes[at]! ^ 0x30
      if (value > 9) {
        at = skipFewSpaces(cursor, at)
        value = bytes[at]! ^ 0x30
        if (value > 9) cursor.fail('a number', at)
      }
      const start = at++
      let next = bytes[at]! ^ 0x30
      while (next <= 9) {
        value = (Math.imul(value, 10) + next) | 0
        next = bytes[++at]! ^ 0x30
      }
      out[slot++] = at - start <= SMALL_DIGITS ? value : readLarge(cursor, start, at)

      let separator = next ^ 0x30
      if (separator === NEWLINE) separator = bytes[++at]!
      if (separator !== COMMA) {
        at = skipFewSpaces(cursor, at)
        separator = bytes[at]!
      }
      if (slot === rowEnd && endsArray !== 'no' && (endsArray === 'maybe' || row === wantedRows)) {
        if (separator === BRACKET) cursor.arrayEnded = true
        else if (endsArray === 'yes') cursor.fail("']' behind as many rows as promised", at)
        else if (separator !== COMMA) cursor.fail("',' or ']'", at)
      } else if (separator !== COMMA) cursor.fail("','", at)
      at++
    }
  }
  cursor.at = at
  return row
}

/** Where the `index`-th number from `from` on starts: for naming the place of a number found wrong afterwards. */
export function findNumber(cursor: Cursor, from: number, index: number): number {
  let at = skipFewSpaces(cursor, from)
  for (let i = 0; i < index; i++) {
    while (cursor.buffer[at] !== COMMA && at < cursor.end) at++
    at = skipFewSpaces(cursor, at + 1)
  }
  return at
}

function readLarge(cursor: Cursor, start: number, end: number): number {
  if (end - start > MAX_DIGITS) cursor.fail(`a number of at most ${MAX_DIGITS} digits`, start)
  let value = 0
  for (let at = start; at < end; at++) value = value * 10 + (cursor.buffer[at]! - 0x30)
  if (value > Number.MAX_SAFE_INTEGER) cursor.fail(`a number up to ${Number.MAX_SAFE_INTEGER}`, start)
  return value
}

function skipFewSpaces(cursor: Cursor, at: number): number {
  let end = at
  while (isSpace(cursor.buffer[end]!)) {
    if (++end - at > MAX_SPACE) cursor.fail(`at most ${MAX_SPACE} blanks between numbers`, at)
  }
  return end
}
