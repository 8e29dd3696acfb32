// Where the parts of a snapshot stand in its file, and its rows of digits one by one, in little memory.

import { fstatSync, readSync } from 'node:fs'

const PIECE_BYTES = 4 << 20

/** @typedef {{ start: number, end: number }} Span of bytes, the end not included */

/**
 * The head, and where the sections are. Sections are found by their names, which cannot occur before them: what V8
 * writes first are digits, and in a string the quotes around a name would be escaped.
 * @param {number} fd
 */
export function layOut(fd) {
  const fileBytes = fstatSync(fd).size
  const nodes = section(fd, 'nodes', 0)
  const edges = section(fd, 'edges', nodes.end)
  const locations = section(fd, 'locations', edges.end)
  const strings = section(fd, 'strings', locations.end, fileBytes)
  const head = textOf(fd, { start: 0, end: nodes.start })
  return {
    head: JSON.parse(`${head.slice(0, head.lastIndexOf('"nodes"')).trimEnd().slice(0, -1)}}`).snapshot,
    nodes,
    edges,
    locations,
    strings,
    // The brackets, names and empty sections around them.
    between: [
      textOf(fd, { start: nodes.end, end: edges.start }),
      textOf(fd, { start: edges.end, end: locations.start }),
      textOf(fd, { start: locations.end, end: strings.start }),
      textOf(fd, { start: strings.end, end: fileBytes }),
    ],
  }
}

/** What is between the brackets of the section of that name; the last one ends with the file. */
function section(fd, name, from, fileBytes) {
  const key = `"${name}":[`
  const start = find(fd, key, from) + key.length
  if (fileBytes === undefined) return { start, end: find(fd, ']', start) }
  const tail = textOf(fd, { start: Math.max(start, fileBytes - 64), end: fileBytes })
  const bracket = tail.search(/\]\s*\}\s*$/)
  if (bracket < 0) throw new Error('the file is cut short: it does not end with ]}')
  // In bytes, as the last string may not be ASCII.
  return { start, end: fileBytes - Buffer.byteLength(tail.slice(bracket)) }
}

function find(fd, text, from) {
  const piece = Buffer.allocUnsafe(PIECE_BYTES)
  for (let at = from; ; ) {
    const bytes = readSync(fd, piece, 0, PIECE_BYTES, at)
    const found = piece.subarray(0, bytes).indexOf(text)
    if (found >= 0) return at + found
    if (bytes < text.length) throw new Error(`the file has no ${text}`)
    at += bytes - text.length + 1
  }
}

function textOf(fd, { start, end }) {
  const bytes = Buffer.alloc(end - start)
  return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, start))
}

/** The bytes of a span, a piece at a time; a piece is good until the next one is asked for. */
export function* piecesOf(fd, { start, end }) {
  const piece = Buffer.allocUnsafe(PIECE_BYTES)
  for (let at = start; at < end; ) {
    const bytes = readSync(fd, piece, 0, Math.min(PIECE_BYTES, end - at), at)
    if (bytes === 0) throw new Error(`the file ends at byte ${at}`)
    at += bytes
    yield piece.subarray(0, bytes)
  }
}

/**
 * Calls `onRow` with each row of a section of digits: one and the same array, overwritten by the next row.
 * @param {(row: number[]) => void} onRow
 */
export function eachRow(fd, span, width, onRow) {
  const row = new Array(width).fill(0)
  let field = 0
  let value = 0
  let digits = 0
  const endOfField = () => {
    if (digits === 0) throw new Error('a row of the file has an empty field')
    row[field++] = value
    value = 0
    digits = 0
    if (field < width) return
    field = 0
    onRow(row)
  }
  for (const piece of piecesOf(fd, span)) {
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]
      if (byte >= 48 && byte <= 57) {
        value = value * 10 + byte - 48
        digits++
      } else if (byte === 44) endOfField()
      else if (byte !== 10) throw new Error(`unexpected byte ${byte} among digits`)
    }
  }
  if (span.end > span.start) endOfField()
  if (field !== 0) throw new Error('the last row of a section is cut short')
}

/** How many strings there are in the section of strings. */
export function countStrings(fd, span) {
  let quotes = 0
  let escaped = false
  for (const piece of piecesOf(fd, span)) {
    for (let at = 0; at < piece.length; at++) {
      if (escaped) escaped = false
      else if (piece[at] === 92) escaped = true
      else if (piece[at] === 34) quotes++
    }
  }
  return quotes / 2
}
