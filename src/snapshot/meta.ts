// The head of a .heapsnapshot: which fields a row has, what the type numbers mean, and how many rows follow.

import { z } from 'zod'
import { printable } from '../support/format.ts'

/** Node types this project gives a meaning to; a file may use fewer, more, or other numbers for them. */
export const NODE_TYPES = [
  'hidden',
  'array',
  'string',
  'object',
  'code',
  'closure',
  'regexp',
  'number',
  'native',
  'synthetic',
  'concatenated string',
  'sliced string',
  'symbol',
  'bigint',
  'object shape',
  'wasm object',
] as const
export type NodeTypeName = (typeof NODE_TYPES)[number]

/** Numbers for node types in {@link Snapshot.nodeType}, the same for every file whatever its own numbering. */
export const NodeType = {
  hidden: 0,
  array: 1,
  string: 2,
  object: 3,
  code: 4,
  closure: 5,
  regexp: 6,
  number: 7,
  native: 8,
  synthetic: 9,
  consString: 10,
  slicedString: 11,
  symbol: 12,
  bigint: 13,
  objectShape: 14,
  wasmObject: 15,
  /** A type that a newer V8 has and this list does not. */
  unknown: 16,
} as const

/** Numbers for edge types, the same for every file; three bits. */
export const EdgeType = {
  context: 0,
  element: 1,
  property: 2,
  internal: 3,
  hidden: 4,
  shortcut: 5,
  weak: 6,
  unknown: 7,
} as const
const EDGE_TYPES = ['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak'] as const

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
const fields = z.array(z.string()).min(1).max(32)
const typeLists = z.array(z.union([z.string(), z.array(z.string()).max(200)])).min(1)

const HeadSchema = z.object({
  meta: z.object({
    node_fields: fields,
    node_types: typeLists,
    edge_fields: fields,
    edge_types: typeLists,
    location_fields: fields.optional(),
  }),
  node_count: count,
  edge_count: count,
  extra_native_bytes: count.optional(),
})

/** Where each field stands in a row; -1 for one that this file does not have. */
export interface Layout {
  readonly nodeFieldCount: number
  readonly type: number
  readonly name: number
  readonly id: number
  readonly selfSize: number
  readonly edgeCount: number
  readonly detachedness: number
  readonly edgeFieldCount: number
  readonly edgeType: number
  readonly edgeNameOrIndex: number
  readonly edgeToNode: number
  readonly locationFieldCount: number
  readonly locationObject: number
  readonly locationScript: number
  readonly locationLine: number
  readonly locationColumn: number
  /** From the file's node type numbers to {@link NodeType}. */
  readonly nodeTypeOf: Uint8Array
  /** From the file's edge type numbers to {@link EdgeType}. */
  readonly edgeTypeOf: Uint8Array
}

export interface Head {
  readonly layout: Layout
  readonly nodeCount: number
  readonly edgeCount: number
  /** Bytes outside the V8 heap that V8 knows of but ties to no node (Node 24 and newer), else 0. */
  readonly extraNativeBytes: number
}

/**
 * Reads the value of the file's `"snapshot"` key.
 * @returns the head, or one sentence saying what is wrong with it.
 */
export function parseHead(json: string): Head | string {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    return `the "snapshot" object is not JSON (${printable((error as Error).message)})`
  }
  const parsed = HeadSchema.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return `the "snapshot" object is not a heap snapshot's head: ${issue?.path.join('.') || 'it'}: ${issue?.message}`
  }
  const { meta, node_count, edge_count, extra_native_bytes } = parsed.data
  const nodeFields = meta.node_fields
  const edgeFields = meta.edge_fields
  const locationFields = meta.location_fields ?? ['object_index', 'script_id', 'line', 'column']
  const required = {
    node_fields: [nodeFields, ['type', 'name', 'id', 'self_size', 'edge_count']],
    edge_fields: [edgeFields, ['type', 'name_or_index', 'to_node']],
    location_fields: [locationFields, ['object_index', 'script_id', 'line', 'column']],
  } as const
  for (const [list, [present, wanted]] of Object.entries(required)) {
    const missing = wanted.find((field) => !present.includes(field))
    if (missing) return `meta.${list} has no field "${missing}"`
  }
  const nodeTypes = meta.node_types[nodeFields.indexOf('type')]
  const edgeTypes = meta.edge_types[edgeFields.indexOf('type')]
  if (!Array.isArray(nodeTypes)) return 'meta.node_types does not list the names of the node types'
  if (!Array.isArray(edgeTypes)) return 'meta.edge_types does not list the names of the edge types'
  return {
    layout: {
      nodeFieldCount: nodeFields.length,
      type: nodeFields.indexOf('type'),
      name: nodeFields.indexOf('name'),
      id: nodeFields.indexOf('id'),
      selfSize: nodeFields.indexOf('self_size'),
      edgeCount: nodeFields.indexOf('edge_count'),
      detachedness: nodeFields.indexOf('detachedness'),
      edgeFieldCount: edgeFields.length,
      edgeType: edgeFields.indexOf('type'),
      edgeNameOrIndex: edgeFields.indexOf('name_or_index'),
      edgeToNode: edgeFields.indexOf('to_node'),
      locationFieldCount: locationFields.length,
      locationObject: locationFields.indexOf('object_index'),
      locationScript: locationFields.indexOf('script_id'),
      locationLine: locationFields.indexOf('line'),
      locationColumn: locationFields.indexOf('column'),
      nodeTypeOf: translate(nodeTypes, NODE_TYPES, NodeType.unknown),
      edgeTypeOf: translate(edgeTypes, EDGE_TYPES, EdgeType.unknown),
    },
    nodeCount: node_count,
    edgeCount: edge_count,
    extraNativeBytes: extra_native_bytes ?? 0,
  }
}

function translate(names: readonly string[], known: readonly string[], unknown: number): Uint8Array {
  return Uint8Array.from(names, (name) => {
    const index = known.indexOf(name)
    return index < 0 ? unknown : index
  })
}
