// The head of a .heapsnapshot: which fields a row has, what the type numbers mean, and how many rows follow.

import { printable } from '../support/format.ts'
import { EDGE_TYPES, EdgeType, type Head, NODE_TYPES, NodeType } from './meta.ts'

const MAX_FIELDS = 32
const MAX_TYPES = 200

/** As V8 writes it, once {@link complaint} has none. */
interface RawHead {
  readonly meta: {
    readonly node_fields: readonly string[]
    readonly node_types: readonly (string | readonly string[])[]
    readonly edge_fields: readonly string[]
    readonly edge_types: readonly (string | readonly string[])[]
    readonly location_fields?: readonly string[]
  }
  readonly node_count: number
  readonly edge_count: number
  readonly extra_native_bytes?: number
}

const isStrings = (value: unknown, most: number): boolean =>
  Array.isArray(value) && value.length <= most && value.every((each) => typeof each === 'string')
const isFields = (value: unknown): boolean => isStrings(value, MAX_FIELDS) && (value as string[]).length > 0
const isTypes = (value: unknown): boolean =>
  Array.isArray(value) && value.every((each) => typeof each === 'string' || isStrings(each, MAX_TYPES))
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

/** What of a {@link RawHead} the value lacks, if anything. By hand: a schema's library takes longer to load than a heap. */
function complaint(value: unknown): string | undefined {
  const head = (value ?? {}) as Record<string, unknown>
  const meta = (head.meta ?? {}) as Record<string, unknown>
  for (const list of ['node_fields', 'edge_fields']) if (!isFields(meta[list])) return `meta.${list}: no list of names`
  for (const list of ['node_types', 'edge_types']) if (!isTypes(meta[list])) return `meta.${list}: no list of types`
  if (meta.location_fields !== undefined && !isFields(meta.location_fields)) {
    return 'meta.location_fields: no list of names'
  }
  for (const name of ['node_count', 'edge_count']) if (!isCount(head[name])) return `${name}: no whole number from 0`
  if (head.extra_native_bytes !== undefined && !isCount(head.extra_native_bytes)) {
    return 'extra_native_bytes: no whole number from 0'
  }
  return undefined
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
  const lacking = complaint(value)
  if (lacking !== undefined) return `the "snapshot" object is not a heap snapshot's head: ${lacking}`
  const { meta, node_count, edge_count, extra_native_bytes } = value as RawHead
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
