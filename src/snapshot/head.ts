// The head of a .heapsnapshot: which fields a row has, what the type numbers mean, and how many rows follow.

import { z } from 'zod'
import { printable } from '../support/format.ts'
import { EDGE_TYPES, EdgeType, type Head, NODE_TYPES, NodeType } from './meta.ts'

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
