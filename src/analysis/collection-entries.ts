// How many entries a collection has: each once, however many references V8 writes for it.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName } from '../graph/look.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'

export interface Entries {
  readonly count: number
  /** How many of them have something in them that `isNew` says is new. */
  readonly added: number
}

/**
 * The entries of an Array, Map, Set or object, as far as they hold anything but small numbers; undefined for what is no
 * collection.
 *
 * V8 writes each element of an Array twice: as an element of the Array, and as a slot of its store. Of a Map, it writes
 * the slots of the key and of the value, which stand side by side, unless they hold small integers. Of an object with
 * many properties, it writes the property, and key and value again as slots of its table.
 */
export function entriesOf(graph: HeapGraph, node: number, isNew: (node: number) => boolean): Entries | undefined {
  const { snapshot, ownership } = graph
  const { firstEdge, edges, edgeNameOrIndex, strings, nodeType } = snapshot
  if (nodeType[node] !== NodeType.object) return undefined
  const className = nodeName(graph, node)
  // What a promise gains are reactions, and the properties that AsyncLocalStorage gives it are none.
  if (className === 'Promise') return undefined
  if (className === 'Array') return countEdges(graph, node, EdgeType.element, isNew)
  if (!/^(Map|Set)$/.test(className)) {
    const found = countEdges(graph, node, EdgeType.property, isNew)
    return found.count > 0 ? found : undefined
  }
  let count = 0
  let added = 0
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    const table = edgeTarget(edges[edge]!)
    if (ownership.owner[table] !== node || table === node) continue
    let before = -2
    let wasNew = false
    for (let slot = firstEdge[table]!; slot < firstEdge[table + 1]!; slot++) {
      const type = edgeType(edges[slot]!)
      if (type !== EdgeType.internal && type !== EdgeType.element) continue
      const index = type === EdgeType.element ? edgeNameOrIndex[slot]! : strings.digits(edgeNameOrIndex[slot]!)
      // Slots are numbered; what has a name is V8's own.
      if (Number.isNaN(index) || nodeType[edgeTarget(edges[slot]!)] === NodeType.hidden) continue
      const isValue = index === before + 1
      const isAdded = isNew(edgeTarget(edges[slot]!))
      if (!isValue) count++
      if (isAdded && !(isValue && wasNew)) added++
      wasNew = isAdded
      before = isValue ? -2 : index
    }
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
