// Which nodes have certain names, types or ids: millions are looked through for a few.

import { peek, type Snapshot } from '../snapshot/snapshot.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'
import { loopsFor } from './kernel-loops.ts'

/** Ordinals of the nodes that have one of these names, ascending. */
export function nodesNamed({ nodeName, strings }: Snapshot, names: Iterable<number>): Uint32Array {
  const arena = arenaOf(nodeName)
  const marks = arenaUint8(arena, strings.count)
  let some = false
  for (const name of names) {
    if (name < 0) continue
    marks[name] = 1
    some = true
  }
  const list = arenaUint32(arena, some ? nodeName.length : 0)
  return some ? list.subarray(0, loopsFor(nodeName, marks, list).listNamed(nodeName, marks, list)) : list
}

/** The same for types. */
export function nodesOfTypes({ nodeType }: Snapshot, types: readonly number[]): Uint32Array {
  const list = arenaUint32(arenaOf(nodeType), nodeType.length)
  return list.subarray(0, loopsFor(nodeType, list).listTyped(nodeType, bitsOf(types), list))
}

/** A bit for each type. */
export const bitsOf = (types: readonly number[]): number => types.reduce((bits, type) => bits | (1 << type), 0)

/** Nodes whose ids are looked at at once. */
const BLOCK = 1 << 16

/** Ordinals of the nodes that have one of these ids, and which, in order. */
export function nodesWithIds(
  snapshot: Snapshot,
  ids: ReadonlySet<number> | ReadonlyMap<number, unknown>,
): [node: number, id: number][] {
  const { nodeCount } = snapshot
  // All are found before one is handed out: what was peeked at is gone with the next peek.
  const nodes: [number, number][] = []
  const arena = arenaOf(snapshot.edges)
  // Most can be told by the last bits of their id.
  const sieve = arenaUint8(arena, 1 << 16)
  for (const id of ids.keys()) sieve[id & 0xffff] = 1
  const list = arenaUint32(arena, BLOCK)
  for (let from = 0; from < nodeCount; from += BLOCK) {
    const block = peek(snapshot, 'nodeId', from, Math.min(nodeCount, from + BLOCK))
    const found = loopsFor(block, sieve, list).likely(block, sieve, list)
    for (let i = 0; i < found; i++) {
      const id = block[list[i]!]!
      if (ids.has(id)) nodes.push([from + list[i]!, id])
    }
  }
  return nodes
}
