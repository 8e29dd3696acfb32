// Chains that stay behind a front that is always new: calls each of which waits for the next one, stores each of which
// has the one before. No old object refers to what stays, so none of the entries leads there.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'
import type { HeapSeries } from './compare.ts'
import { type Entry, isOfV8 } from './entries.ts'
import type { Lineage } from './lineage.ts'

/** What fronts of one kind hold together, in bytes, and each: less is not worth the look. */
const WORTH_BYTES = 16_384
const LEAST_BYTES = 512
/** Of what a front holds, so much must be older than the front, in bytes. */
const OLDER = 0.25
/** Kinds of fronts that are looked at: those that hold most. */
const MOST = 12

/** What is always new, and all that is new and only it holds. */
export interface Front extends Entry {
  readonly reached: Uint32Array
}

/**
 * Objects of the last step that only something old (or nothing but V8 or Node) refers to, and that hold much which is
 * older than they are; those of one class that are held in the same place together.
 * @param isExplained by node ordinal: 1 for what is known to be growth already
 */
export function findFronts(
  { opened: { graph, classes }, placed }: HeapSeries,
  { born, steps }: Lineage,
  newBytes: Float64Array,
  isExplained: Uint8Array,
): Front[] {
  const { immediate } = graph.dominators
  const kinds = new Map<string, { heads: number[]; bytes: number }>()
  const room = new Room(graph)
  for (const node of room.heads(born)) {
    if (born[node] !== steps || newBytes[node]! < LEAST_BYTES || isExplained[node] !== 0) continue
    if (isOfV8(graph.snapshot.nodeType[node]!)) continue
    const key = `${placed.of[immediate[node]!]} ${classes.of[node]}`
    const kind = kinds.get(key) ?? { heads: [], bytes: 0 }
    kinds.set(key, kind)
    kind.heads.push(node)
    kind.bytes += newBytes[node]!
  }
  return [...kinds.values()]
    .filter(({ bytes }) => bytes >= WORTH_BYTES)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, MOST)
    .flatMap(({ heads, bytes }) => {
      const below = room.below(heads)
      if (!holdsOlder(graph, born, below, steps)) return []
      const holders = new Map<number, number>()
      for (const head of heads) holders.set(immediate[head]!, (holders.get(immediate[head]!) ?? 0) + 1)
      const survivors = Array<number>(steps).fill(0)
      survivors[steps - 1] = heads.length
      return [{ holders, targets: heads, survivors, bytes, reached: below.filter((node) => born[node]! > 0) }]
    })
}

/** Walks over the tree of dominators, in memory that is used again. */
class Room {
  readonly #dominators: HeapGraph['dominators']
  readonly #marks: Uint8Array
  readonly #list: Uint32Array

  constructor({ dominators, snapshot }: HeapGraph) {
    const arena = arenaOf(dominators.order)
    this.#dominators = dominators
    this.#marks = arenaUint8(arena, snapshot.nodeCount)
    this.#list = arenaUint32(arena, snapshot.nodeCount)
  }

  /** New nodes that no other new one has to itself. */
  heads(born: Uint16Array): number[] {
    const { order, above } = this.#dominators
    const all = arenaUint8(arenaOf(order), born.length).fill(1)
    const loops = loopsFor(order, above, born, all, this.#marks, this.#list)
    const found = loops.listInside(this.#dominators, born, all, this.#marks, this.#list)
    return Array.from(this.#list.subarray(0, found))
  }

  /** What only these hold, themselves included. */
  below(heads: readonly number[]): Uint32Array {
    const marks = this.#marks.fill(0)
    for (const head of heads) marks[head] = 1
    const loops = loopsFor(this.#dominators.order, this.#dominators.above, marks, this.#list)
    return this.#list.slice(0, loops.listBelow(this.#dominators, marks, this.#list))
  }
}

function holdsOlder({ ownership }: HeapGraph, born: Uint16Array, below: Uint32Array, step: number): boolean {
  let older = 0
  let all = 0
  for (const node of below) {
    const bytes = ownership.shallowSize[node]!
    all += bytes
    if (born[node]! < step) older += bytes
  }
  return older >= OLDER * all
}
