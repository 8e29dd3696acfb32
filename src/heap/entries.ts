// The entries of Maps and Sets, out of the slots of the hash tables that V8 keeps them in.

import type { HeapGraph } from '../graph/heap-graph.ts'
import type { Table } from '../graph/tables.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'

/** Ordinals; undefined for a small integer, of which V8 writes nothing, and for the value of what is in a Set. */
export interface RawEntry {
  key: number | undefined
  value: number | undefined
}

const HOLE = 'system / Hole'

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
