// What a heap snapshot is once read: columns, one typed array per field.

import type { Ephemerons } from './ephemerons.ts'
import type { StringTable } from './strings.ts'

/**
 * A heap snapshot in memory. Nodes are numbered by **ordinal** (0…nodeCount-1, the order of the file, 0 is the root),
 * edges likewise; the edges of one node follow each other.
 */
export interface Snapshot {
  /** Where it was read from, for messages and reports. */
  readonly file: string
  readonly fileBytes: number
  readonly nodeCount: number
  readonly edgeCount: number
  /** See {@link Head.extraNativeBytes}; bytes. */
  readonly extraNativeBytes: number

  /** By node ordinal: a {@link NodeType}. */
  readonly nodeType: Uint8Array
  /** By node ordinal: index into `strings` of the node's name. */
  readonly nodeName: Uint32Array
  /** By node ordinal: V8's object id, the same in all snapshots that one inspector session took. */
  readonly nodeId: Uint32Array
  /** By node ordinal: the bytes of the object itself; doubles only where a node is 4 GiB or larger. */
  readonly selfSize: Uint32Array | Float64Array
  /** By node ordinal, one more than nodes: the ordinal of the node's first edge. */
  readonly firstEdge: Uint32Array

  /** By edge ordinal: `target << 4 | EXCEPTION or 0 | EdgeType`; read it with the functions below. */
  readonly edges: Uint32Array
  /** By edge ordinal: an element's or hidden edge's index, else index into `strings` of its name. */
  readonly edgeNameOrIndex: Uint32Array

  /** Source positions, in the order of the file. */
  readonly locations: Locations
  readonly strings: StringTable
  /** The entries of WeakMaps, if they were looked for already. */
  readonly ephemerons?: Ephemerons
  /** Gives a part of a column that is not in memory without bringing all of it there; see {@link peek}. */
  readonly peekAt?: (column: PeekColumn, from: number, to: number) => Uint32Array
  /** Offset in the unpacked file of the strings' bytes. */
  readonly stringBytesAt: number
  /** Whether the file is compressed. */
  readonly packed: boolean
}

type PeekColumn = 'nodeId' | 'edgeNameOrIndex'

/** A part of a column, to look at once: where the column waits in a file, only that part is read. */
export const peek = (snapshot: Snapshot, column: PeekColumn, from: number, to: number): Uint32Array =>
  snapshot.peekAt ? snapshot.peekAt(column, from, to) : snapshot[column].subarray(from, to)

/** Source positions of closures and of class instances (there: of their constructor), one row each. */
export interface Locations {
  /** By row: a node ordinal. */
  readonly node: Uint32Array
  /** By row: number of the place, which many nodes share; 32 bits only where there are more than 65,536 places. */
  readonly site: Uint16Array | Uint32Array
  /** By place: V8's script id. */
  readonly script: Uint32Array
  /** By place: 0-based line. */
  readonly line: Uint32Array
  /** By place: 0-based column. */
  readonly column: Uint32Array
}

/** Nodes that an edge's packed word can point to; a file with more is refused (it would be over 20 GB). */
export const MAX_NODES = 2 ** 28

/** Flag of an edge that is an exception to its type's rule; set by `graph/`, never by the reader. */
export const EXCEPTION = 8
/** By the four bits of flag and type: whether such an edge retains. Of themselves, all do but shortcut (5), weak (6). */
const RETAINS = 0b0010_0000_1001_1111

export const packEdge = (target: number, type: number): number => ((target << 4) | type) >>> 0
export const edgeTarget = (packed: number): number => packed >>> 4
export const edgeType = (packed: number): number => packed & 7
/** Whether the edge keeps its target alive, once `graph/` has marked the exceptions. */
export const retains = (packed: number): boolean => ((RETAINS >>> (packed & 15)) & 1) === 1
