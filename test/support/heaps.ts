// Snapshots for tests: real ones from bytes at hand, tiny ones from a builder.

import { EdgeType, NODE_TYPES, type NodeTypeName } from '../../src/snapshot/meta.ts'
import { parseSource } from '../../src/snapshot/read.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'

/** Parses the bytes of a plain `.heapsnapshot`, handed over `pieceBytes` at a time. */
export function parseBytes(bytes: Uint8Array, pieceBytes = bytes.length, file?: string): Promise<Snapshot> {
  function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
  }
  return parsePieces(pieces(), bytes.length, file)
}

/** Parses a plain `.heapsnapshot` that comes in pieces and so is never in memory as a whole. */
export function parsePieces(
  pieces: Iterable<Uint8Array>,
  fileBytes: number,
  file = 'test.heapsnapshot',
): Promise<Snapshot> {
  const iterator = pieces[Symbol.iterator]()
  let piece = new Uint8Array(0)
  let at = 0
  return parseSource(file, {
    fileBytes,
    maxBytes: fileBytes,
    async read(target, from) {
      if (piece.length === 0) piece = iterator.next().value ?? piece
      const part = piece.subarray(0, target.length - from)
      target.set(part, from)
      piece = piece.subarray(part.length)
      at += part.length
      return part.length
    },
    progress: () => at / fileBytes,
    close: async () => {},
  })
}

export interface NodeSketch {
  type?: NodeTypeName
  name?: string
  size?: number
  id?: number
}
export type EdgeTypeName = Exclude<keyof typeof EdgeType, 'unknown'>
/** An edge: from and to are node ordinals; `name` a string, or a number for elements and hidden edges. */
export interface EdgeSketch {
  from: number
  to: number
  type?: EdgeTypeName
  name?: string | number
}
export interface HeapSketch {
  /** The first one is the root. */
  nodes: NodeSketch[]
  edges: EdgeSketch[]
  /** Closures and instances with their place in the source, 0-based. */
  locations?: { node: number; script: number; line: number; column: number }[]
}

/** The text of a snapshot as V8 writes it, fields in the order of Node 24. */
export function heapText({ nodes, edges, locations = [] }: HeapSketch): string {
  const strings: string[] = []
  const index = new Map<string, number>()
  const string = (text: string): number => {
    const known = index.get(text)
    if (known !== undefined) return known
    index.set(text, strings.push(text) - 1)
    return strings.length - 1
  }
  string('<dummy>')
  const edgeTypes = Object.keys(EdgeType).slice(0, -1)
  const sorted = edges.map((edge, i) => ({ ...edge, i })).sort((a, b) => a.from - b.from || a.i - b.i)
  const nodeRows = nodes.map(({ type = 'object', name = '', size = 0, id }, i) => {
    const edgeCount = sorted.filter((edge) => edge.from === i).length
    return [NODE_TYPES.indexOf(type), string(name), id ?? 2 * i + 1, size, edgeCount, 0]
  })
  const edgeRows = sorted.map(({ to, type = 'property', name = 'p' }) => [
    EdgeType[type],
    typeof name === 'number' ? name : string(name),
    to * 6,
  ])
  const locationRows = locations.map(({ node, script, line, column }) => [node * 6, script, line, column])
  const head = {
    meta: {
      node_fields: ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'],
      node_types: [[...NODE_TYPES], 'string', 'number', 'number', 'number', 'number'],
      edge_fields: ['type', 'name_or_index', 'to_node'],
      edge_types: [edgeTypes, 'string_or_number', 'node'],
      trace_function_info_fields: ['function_id', 'name', 'script_name', 'script_id', 'line', 'column'],
      trace_node_fields: ['id', 'function_info_index', 'count', 'size', 'children'],
      sample_fields: ['timestamp_us', 'last_assigned_id'],
      location_fields: ['object_index', 'script_id', 'line', 'column'],
    },
    node_count: nodes.length,
    edge_count: edges.length,
    trace_function_count: 0,
  }
  return (
    `{"snapshot":${JSON.stringify(head)},\n"nodes":[${nodeRows.flat()}],\n"edges":[${edgeRows.flat()}],\n` +
    `"trace_function_infos":[],\n"trace_tree":[],\n"samples":[],\n"locations":[${locationRows.flat()}],\n` +
    `"strings":${JSON.stringify(strings)}}`
  )
}

export const buildHeap = (sketch: HeapSketch): Promise<Snapshot> => parseBytes(Buffer.from(heapText(sketch)))

/** A random graph: `edges` are pairs of ordinals, the root among them. */
export const plainHeap = (nodeCount: number, edges: readonly (readonly [number, number])[]): HeapSketch => ({
  nodes: Array.from({ length: nodeCount }, (_, i) => ({ size: 8 * (i + 1), name: `n${i}` })),
  edges: edges.map(([from, to]) => ({ from, to })),
})
