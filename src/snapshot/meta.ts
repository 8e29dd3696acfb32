// What the numbers of a .heapsnapshot mean: its types, and where each field stands in a row.

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
export const EDGE_TYPES = ['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak'] as const

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
