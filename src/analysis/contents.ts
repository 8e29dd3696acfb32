// How much every large object refers to, remembered from snapshot to snapshot: a collection that gains entries shows by that.

import { IdTable } from '../graph/id-table.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { NodeType } from '../snapshot/meta.ts'
import { edgeTarget, type Snapshot } from '../snapshot/snapshot.ts'
import { arenaOf, arenaUint32 } from '../support/arena.ts'
import { uint32ToGive } from '../support/shared.ts'

/** Of objects that refer to fewer others, nothing is remembered. */
export const FEW_REFERENCES = 12

/** By position: an object's V8 id, and how many references it and its backing stores have. */
export interface Contents {
  readonly ids: Uint32Array
  readonly counts: Uint32Array
}

type Columns = Pick<Snapshot, 'nodeId' | 'nodeType' | 'nodeName' | 'firstEdge' | 'edges' | 'strings'>

/** O(nodes): all references count, also those that never change. */
export function countContents(snapshot: Columns, owner: Uint32Array): Contents {
  const count = referenceCounts(snapshot, owner)
  const list = arenaUint32(arenaOf(count), count.length)
  const nodes = list.subarray(0, loopsFor(count, list).listLargest(count, FEW_REFERENCES, list))
  const contents = { ids: uint32ToGive(nodes.length), counts: uint32ToGive(nodes.length) }
  for (let i = 0; i < nodes.length; i++) {
    contents.ids[i] = snapshot.nodeId[nodes[i]!]!
    contents.counts[i] = count[nodes[i]!]!
  }
  return contents
}

/** By node ordinal: how many references it and its backing stores have. */
export function referenceCounts(snapshot: Columns, owner: Uint32Array): Uint32Array {
  const count = arenaUint32(arenaOf(owner), owner.length)
  loopsFor(snapshot.firstEdge, owner, count).countReferences(snapshot.firstEdge, owner, count)
  leaveOutHoles(snapshot, owner, count)
  return count
}

/** The same of one node. */
export function referencesOf(snapshot: Columns, owner: Uint32Array, node: number): number {
  const { nodeType, nodeName, firstEdge, edges, strings } = snapshot
  const hole = snapshot.nodeType[node] === NodeType.object ? strings.indexOf(HOLE) : -1
  const parts = [node]
  const seen = new Set(parts)
  let [count, holes] = [0, 0]
  for (const part of parts) {
    for (let edge = firstEdge[part]!; edge < firstEdge[part + 1]!; edge++) {
      const target = edgeTarget(edges[edge]!)
      count++
      if (part !== node && nodeName[target] === hole && nodeType[target] === NodeType.hidden) holes++
      if (owner[target] !== node || seen.has(target)) continue
      seen.add(target)
      parts.push(target)
    }
  }
  return count < FEW_REFERENCES ? count : count - holes
}

const HOLE = 'system / Hole'

/** V8 of Node 22 and 24 writes a reference for each slot of a Map or Set whose entry was deleted. */
function leaveOutHoles(snapshot: Columns, owner: Uint32Array, count: Uint32Array): void {
  const { nodeType, nodeName, firstEdge, edges, strings } = snapshot
  const hole = strings.indexOf(HOLE)
  if (hole < 0) return
  for (let node = 0; node < owner.length; node++) {
    if (nodeType[node] !== NodeType.object || count[node]! < FEW_REFERENCES) continue
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const table = edgeTarget(edges[edge]!)
      if (owner[table] !== node || table === node) continue
      for (let slot = firstEdge[table]!; slot < firstEdge[table + 1]!; slot++) {
        const target = edgeTarget(edges[slot]!)
        if (nodeName[target] === hole && nodeType[target] === NodeType.hidden) count[node]!--
      }
    }
  }
}

/** Looks up, for each snapshot in order, how many references the object with an id had; undefined for few or none. */
export function contentsById(series: readonly Contents[]): (id: number) => (number | undefined)[] {
  const tables = series.map(({ ids }) => new IdTable(ids))
  return (id) =>
    tables.map((table, i) => {
      const at = table.position(id)
      return at < 0 ? undefined : series[i]!.counts[at]
    })
}
