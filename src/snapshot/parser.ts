// The grammar of a .heapsnapshot: from its bytes to columns, believing none of its counts, indexes and offsets.
//
// The format is V8's (src/profiler/heap-snapshot-generator.cc, HeapSnapshotJSONSerializer): one JSON object whose keys
// come in this order: "snapshot", "nodes", "edges", then "trace_function_infos", "trace_tree", "samples", "locations",
// and "strings" last.

import { isUtf8 } from 'node:buffer'
import { NO_LOCATIONS, parseEdges, parseLocations, parseNodes } from './column-parser.ts'
import { type Cursor, expect, type Parsing, skipSpace } from './cursor.ts'
import { type Head, type Layout, parseHead } from './meta.ts'
import type { RowKernel } from './row-kernel.ts'
import { type Locations, MAX_NODES, type Snapshot } from './snapshot.ts'
import { parseStrings } from './string-parser.ts'
import type { StringTable } from './strings.ts'

const MAX_HEAD_BYTES = 1 << 20
/** A row takes at least a digit and a separator for each of its fields: what a file's size says of its counts. */
const MIN_BYTES_PER_NUMBER = 2

/** Parses a whole snapshot; all fields of the result but the file's own size and name. */
export function* parseSnapshot(
  cursor: Cursor,
  kernel: RowKernel,
): Parsing<Omit<Snapshot, 'file' | 'fileBytes' | 'packed'>> {
  const head = yield* parseHeadSection(cursor)
  const { layout, nodeCount, edgeCount } = head
  yield* expect(cursor, ',')
  yield* expect(cursor, '"nodes"')
  yield* expect(cursor, ':')
  const nodes = yield* parseNodes(cursor, kernel, head)
  yield* expect(cursor, ',')
  yield* expect(cursor, '"edges"')
  yield* expect(cursor, ':')
  const edges = yield* parseEdges(cursor, kernel, head)

  const { locations, strings, stringBytesAt } = yield* parseTail(cursor, kernel, layout, nodeCount)
  requireNames(cursor, strings, stringBytesAt - 1, nodes.maxName, edges.maxName)

  return {
    nodeCount,
    edgeCount,
    extraNativeBytes: head.extraNativeBytes,
    nodeType: nodes.type,
    nodeName: nodes.name,
    nodeId: nodes.id,
    selfSize: nodes.selfSize,
    firstEdge: nodes.firstEdge,
    edges: edges.packed,
    edgeNameOrIndex: edges.nameOrIndex,
    locations,
    strings,
    stringBytesAt,
  }
}

/** What comes behind the edges. */
export interface Tail {
  readonly locations: Locations
  readonly strings: StringTable
  /** Offset of the first byte behind the `[` of the strings. */
  readonly stringBytesAt: number
}

/** Parses what comes behind the `]` of the edges, to the end of the file. */
export function* parseTail(cursor: Cursor, kernel: RowKernel, layout: Layout, nodeCount: number): Parsing<Tail> {
  let locations: Locations | undefined
  for (;;) {
    yield* expect(cursor, ',')
    const keyAt = cursor.base + cursor.at
    const key = yield* parseKey(cursor)
    if (key === 'strings') break
    if (key === 'locations' && !locations) locations = yield* parseLocations(cursor, kernel, layout, nodeCount)
    else if (key === 'trace_function_infos' || key === 'trace_tree' || key === 'samples') yield* skipValue(cursor)
    else cursor.fail('"strings" or another section of a heap snapshot, once each', keyAt - cursor.base)
  }
  yield* expect(cursor, '[')
  const stringBytesAt = cursor.base + cursor.at
  const strings = yield* parseStrings(cursor)
  yield* expect(cursor, '}')
  yield* skipSpace(cursor)
  if (cursor.at < cursor.end) cursor.fail('the end of the file')
  return { locations: locations ?? NO_LOCATIONS, strings, stringBytesAt }
}

/** Throws if a node or an edge has a name that there is no string for. */
export function requireNames(
  cursor: Cursor,
  strings: StringTable,
  stringsAt: number,
  maxNodeName: number,
  maxEdgeName: number,
): void {
  const highest = Math.max(maxNodeName, maxEdgeName)
  if (highest < strings.count) return
  const what = maxNodeName === highest ? 'a node' : 'an edge'
  cursor.contradiction(
    `there are ${strings.count} strings, but ${what} is named by number ${highest}`,
    stringsAt - cursor.base,
  )
}

/** Parses from the file's first byte to behind the object that `"snapshot"` names. */
export function* parseHeadSection(cursor: Cursor): Parsing<Head> {
  yield* expect(cursor, '{')
  yield* expect(cursor, '"snapshot"')
  yield* expect(cursor, ':')
  yield* skipSpace(cursor)
  const start = cursor.base + cursor.at
  const text: number[] = []
  yield* skipValue(cursor, (byte) => {
    text.push(byte)
    if (text.length > MAX_HEAD_BYTES) cursor.fail(`a "snapshot" object of at most ${MAX_HEAD_BYTES} bytes`)
  })
  const bytes = Buffer.from(text)
  const at = start - cursor.base
  if (!isUtf8(bytes)) cursor.contradiction('the "snapshot" object is not UTF-8', at)
  const head = parseHead(bytes.toString('utf8'))
  if (typeof head === 'string') cursor.contradiction(head, at)
  const { nodeCount, edgeCount, layout } = head
  if (nodeCount < 1) cursor.contradiction('the head promises no nodes, so there is no root', at)
  if (nodeCount > MAX_NODES) cursor.contradiction(`${nodeCount} nodes are more than the ${MAX_NODES} supported`, at)
  // Columns are made before their rows are seen: a count that lies must not cost memory.
  const numbers = nodeCount * layout.nodeFieldCount + edgeCount * layout.edgeFieldCount
  if (cursor.maxBytes !== undefined && numbers * MIN_BYTES_PER_NUMBER > cursor.maxBytes) {
    cursor.contradiction(
      `the head promises ${nodeCount} nodes and ${edgeCount} edges, more than the file's ${cursor.maxBytes} bytes can hold: it is cut off`,
      at,
    )
  }
  return head
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
function* skipValue(cursor: Cursor, visit?: (byte: number) => void): Parsing {
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
