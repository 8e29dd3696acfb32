// Writes columns as a .heapsnapshot: the text that V8 would write, which DevTools and leakscope open.

import type { Encoder } from '../support/encoder.ts'
import { createPartialFile } from '../support/files.ts'
import { EDGE_TYPES, NODE_TYPES } from './meta.ts'
import { edgeTarget, edgeType, type Snapshot } from './snapshot.ts'

const NODE_FIELDS = ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness']
const META = {
  node_fields: NODE_FIELDS,
  node_types: [NODE_TYPES, 'string', 'number', 'number', 'number', 'number'],
  edge_fields: ['type', 'name_or_index', 'to_node'],
  edge_types: [EDGE_TYPES, 'string_or_number', 'node'],
  trace_function_info_fields: ['function_id', 'name', 'script_name', 'script_id', 'line', 'column'],
  trace_node_fields: ['id', 'function_info_index', 'count', 'size', 'children'],
  sample_fields: ['timestamp_us', 'last_assigned_id'],
  location_fields: ['object_index', 'script_id', 'line', 'column'],
}
const PIECE_BYTES = 1 << 16
/** Characters that a row takes at most: six numbers, and commas. */
const MOST_ROW = 100

export interface WrittenSnapshot {
  readonly path: string
  readonly fileBytes: number
}

/**
 * Node and edge types have the numbers that leakscope gives them, and the head says which those are.
 * @param encoders what the bytes go through on their way
 * @throws LeakscopeError `file-…` if the file cannot be written
 */
export function writeSnapshot(
  snapshot: Snapshot,
  path: string,
  { force = false, encoders = [] }: { readonly force?: boolean; readonly encoders?: readonly Encoder[] } = {},
): WrittenSnapshot {
  const { nodeCount, edgeCount, nodeType, nodeName, nodeId, selfSize, firstEdge } = snapshot
  const { edges, edgeNameOrIndex, locations, strings, extraNativeBytes } = snapshot
  const fields = NODE_FIELDS.length
  const file = createPartialFile(path, force, encoders)
  const rows = (count: number, row: (index: number) => string): void => {
    let text = ''
    for (let i = 0; i < count; i++) {
      text += i === 0 ? row(i) : `,${row(i)}`
      if (text.length > PIECE_BYTES - MOST_ROW) {
        file.write(text)
        text = ''
      }
    }
    file.write(text)
  }
  try {
    const head = {
      meta: META,
      node_count: nodeCount,
      edge_count: edgeCount,
      trace_function_count: 0,
      ...(extraNativeBytes > 0 && { extra_native_bytes: extraNativeBytes }),
    }
    file.write(`{"snapshot":${JSON.stringify(head)},\n"nodes":[`)
    rows(nodeCount, (node) => {
      const edgesOf = firstEdge[node + 1]! - firstEdge[node]!
      return `${nodeType[node]},${nodeName[node]},${nodeId[node]},${selfSize[node]},${edgesOf},0\n`
    })
    file.write('],\n"edges":[')
    rows(edgeCount, (edge) => {
      const packed = edges[edge]!
      return `${edgeType(packed)},${edgeNameOrIndex[edge]},${edgeTarget(packed) * fields}\n`
    })
    file.write('],\n"trace_function_infos":[],\n"trace_tree":[],\n"samples":[],\n"locations":[')
    rows(locations.node.length, (row) => {
      const site = locations.site[row]!
      const place = `${locations.script[site]},${locations.line[site]},${locations.column[site]}`
      return `${locations.node[row]! * fields},${place}\n`
    })
    file.write('],\n"strings":[')
    const { stringBytes, stringStarts } = strings.raw
    // Up to the last quote: behind it there may be the rest of a file.
    const end = strings.count === 0 ? 0 : stringStarts[strings.count]! - 1
    for (let at = 0; at < end; at += PIECE_BYTES) {
      const piece = stringBytes.subarray(at, Math.min(end, at + PIECE_BYTES))
      file.fill(piece.length, (buffer, from) => {
        buffer.set(piece, from)
        return from + piece.length
      })
    }
    file.write(']}')
    file.commit()
    return { path, fileBytes: file.bytes }
  } finally {
    file.discard()
  }
}
