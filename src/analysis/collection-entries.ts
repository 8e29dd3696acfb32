// How many entries a collection has: each once, however many references V8 writes for it.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName } from '../graph/look.ts'
import { type Table, tableOf } from '../graph/tables.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'

export interface Entries {
  readonly count: number
  /** How many of them have something in them that `isNew` says is new. */
  readonly added: number
}

/**
 * The entries of an Array, of a Map or Set or what extends these, or of an object, as far as they hold anything but small
 * numbers; undefined for what is no collection.
 *
 * V8 writes each element of an Array twice: as an element of the Array, and as a slot of its store. Of a Map, it writes
 * the slots of the key and of the value, unless they hold small integers. Of an object with many properties, it writes
 * the property, or the element where its name is a number, and key and value again as slots of its table.
 */
export function entriesOf(graph: HeapGraph, node: number, isNew: (node: number) => boolean): Entries | undefined {
  if (graph.snapshot.nodeType[node] !== NodeType.object) return undefined
  const className = nodeName(graph, node)
  // What a promise gains are reactions, and the properties that AsyncLocalStorage gives it are none.
  if (className === 'Promise') return undefined
  if (className === 'Array') return countEdges(graph, node, EdgeType.element, isNew)
  const table = tableOf(graph, node)
  if (table) return countSlots(graph, table, isNew)
  // What is called by a number is an element.
  const [named, numbered] = [EdgeType.property, EdgeType.element].map((type) => countEdges(graph, node, type, isNew))
  const count = named!.count + numbered!.count
  return count > 0 ? { count, added: named!.added + numbered!.added } : undefined
}

function countSlots(
  { snapshot: { firstEdge, edges, edgeNameOrIndex, strings, nodeType } }: HeapGraph,
  { node, first, slots }: Table,
  isNew: (node: number) => boolean,
): Entries {
  let count = 0
  let added = 0
  let entry = -1
  let isAdded = false
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    const type = edgeType(edges[edge]!)
    if (type !== EdgeType.internal && type !== EdgeType.element) continue
    const target = edgeTarget(edges[edge]!)
    const slot = (type === EdgeType.element ? edgeNameOrIndex[edge]! : strings.digits(edgeNameOrIndex[edge]!)) - first
    // What has a name, or stands in front, is V8's own; so is what it leaves where an entry was deleted.
    if (!(slot >= 0) || slot % slots === slots - 1 || nodeType[target] === NodeType.hidden) continue
    const number = Math.floor(slot / slots)
    if (number !== entry) {
      entry = number
      count++
      isAdded = false
    }
    if (isAdded || !isNew(target)) continue
    isAdded = true
    added++
  }
  return { count, added }
}

function countEdges(
  { snapshot: { firstEdge, edges, edgeNameOrIndex, strings } }: HeapGraph,
  node: number,
  wanted: number,
  isNew: (node: number) => boolean,
): Entries {
  const prototype = strings.indexOf('__proto__')
  let count = 0
  let added = 0
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    const packed = edges[edge]!
    if (edgeType(packed) !== wanted) continue
    if (wanted === EdgeType.property && edgeNameOrIndex[edge] === prototype) continue
    count++
    if (isNew(edgeTarget(packed))) added++
  }
  return { count, added }
}

/**
 * From numbers of references to numbers of entries: by what both are in the last snapshot. V8's own references, of which
 * every object has a few, do not change.
 * @param references one for each snapshot
 */
export function inEntries(references: readonly number[], entries: Entries | undefined): number[] {
  const last = references.at(-1)!
  if (!entries || entries.count === 0 || last <= entries.count) return [...references]
  const each = Math.max(1, Math.floor(last / entries.count))
  const own = last - each * entries.count
  return references.map((count) => Math.max(0, Math.round((count - own) / each)))
}
