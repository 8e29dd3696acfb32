// What a collection is, whatever its class is called: the hash tables that V8 keeps Maps and Sets in.

import { NodeType } from '../snapshot/meta.ts'
import type { HeapGraph } from './heap-graph.ts'
import { internal, nodeName } from './look.ts'

/** Slots of an entry of a Map: key, value, and the number of the next entry of its bucket; of a Set, there is no value. */
const ENTRY_SLOTS = [3, 2] as const
/** Slots in front of the buckets: how many entries there are, how many are deleted, how many buckets there are. */
const COUNTS = 3
/** Bytes of a slot, and of what is in front of all slots; the second where V8 compresses pointers. */
const SIZES = [
  { slot: 8, header: 16 },
  { slot: 4, header: 8 },
] as const

export interface Table {
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

/** What a node is, or extends, if that is a collection; of a class that extends Array, undefined. */
export function collectionOf(graph: HeapGraph, node: number): 'Array' | 'Map' | 'Set' | undefined {
  if (graph.snapshot.nodeType[node] !== NodeType.object) return undefined
  if (nodeName(graph, node) === 'Array') return 'Array'
  const table = tableOf(graph, node)
  return table && (table.slots === 3 ? 'Map' : 'Set')
}
