// The entries of Maps and Sets, out of the slots of the hash tables that V8 keeps them in.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, nodeName } from '../graph/look.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'

/** Ordinals; undefined for a small integer, of which V8 writes nothing, and for the value of what is in a Set. */
export interface RawEntry {
  key: number | undefined
  value: number | undefined
}

/** Slots of an entry of a Map: key, value, and the number of the next entry of its bucket; of a Set, there is no value. */
const ENTRY_SLOTS = [3, 2] as const
/** Slots in front of the buckets: how many entries there are, how many are deleted, how many buckets there are. */
const COUNTS = 3
/** Bytes of a slot, and of what is in front of all slots; the second where V8 compresses pointers. */
const SIZES = [
  { slot: 8, header: 16 },
  { slot: 4, header: 8 },
] as const
const HOLE = 'system / Hole'

interface Table {
  readonly node: number
  /** The first slot that belongs to an entry. */
  readonly first: number
  readonly slots: (typeof ENTRY_SLOTS)[number]
}

/**
 * The table of a Map or Set, or of an instance of a class that extends one; undefined for other nodes. Such a table has room
 * for twice as many entries as it has buckets, which are a power of two, so that its size tells what it is:
 * https://github.com/v8/v8/blob/main/src/objects/ordered-hash-table.h
 */
export function tableOf(graph: HeapGraph, node: number): Table | undefined {
  const { nodeType, selfSize } = graph.snapshot
  const table = nodeType[node] === NodeType.object ? internal(graph, node, 'table') : undefined
  // Iterators refer to the table that they go through.
  if (table === undefined || nodeName(graph, node).endsWith('Iterator')) return undefined
  for (const { slot, header } of SIZES) {
    for (const slots of ENTRY_SLOTS) {
      const buckets = ((selfSize[table]! - header) / slot - COUNTS) / (1 + 2 * slots)
      if (buckets >= 1 && Number.isInteger(Math.log2(buckets))) return { node: table, first: COUNTS + buckets, slots }
    }
  }
  return undefined
}

/** The entries in their order, as far as key or value is more than a small integer; deleted ones are left out. */
export function* entriesIn(graph: HeapGraph, { node: table, first, slots }: Table): Generator<RawEntry> {
  const { firstEdge, edges, edgeNameOrIndex, strings, nodeName: names } = graph.snapshot
  const hole = strings.indexOf(HOLE)
  let entry: RawEntry | undefined
  let number = -1
  for (let edge = firstEdge[table]!; edge < firstEdge[table + 1]!; edge++) {
    const type = edgeType(edges[edge]!)
    if (type !== EdgeType.internal && type !== EdgeType.element) continue
    const index = edgeNameOrIndex[edge]!
    const slot = (type === EdgeType.element ? index : strings.digits(index)) - first
    // What has a name, or stands in front, is V8's own.
    if (!(slot >= 0) || slot % slots === slots - 1) continue
    const target = edgeTarget(edges[edge]!)
    if (hole >= 0 && names[target] === hole) continue
    if (!entry || Math.floor(slot / slots) !== number) {
      if (entry) yield entry
      entry = { key: undefined, value: undefined }
      number = Math.floor(slot / slots)
    }
    entry[slot % slots === 0 ? 'key' : 'value'] = target
  }
  if (entry) yield entry
}
