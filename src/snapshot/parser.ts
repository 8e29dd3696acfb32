// The grammar of a .heapsnapshot: from its bytes to columns, believing none of its counts, indexes and offsets.
//
// The format is V8's (src/profiler/heap-snapshot-generator.cc, HeapSnapshotJSONSerializer): one JSON object whose keys
// come in this order: "snapshot", "nodes", "edges", then "trace_function_infos", "trace_tree", "samples", "locations",
// and "strings" last.

import { isUtf8 } from 'node:buffer'
import { parseEdges, parseNodes } from './column-parser.ts'
import { type Cursor, expect, type Parsing, skipSpace } from './cursor.ts'
import { parseHead } from './head.ts'
import type { Head } from './meta.ts'
import type { RowKernel } from './row-kernel.ts'
import { MAX_NODES, type Snapshot } from './snapshot.ts'
import type { StringTable } from './strings.ts'
import { parseTail, skipValue } from './tail-parser.ts'

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

/** Throws if a node or an edge has a name that there is no string for. */
function requireNames(
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
