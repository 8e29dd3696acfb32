// Things that are made anew all the time and keep others that are not: timers that set themselves again, states that are
// copied with each change.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { type Entry, isOfV8 } from './entries.ts'
import type { Lineage } from './lineage.ts'
import { LEAST } from './suspect.ts'

/** So many of them must be of the last step. */
const NEARLY_ALL = 0.9
/** What holds less is not worth the look. */
const WORTH_BYTES = 16_384

/**
 * The entry with its things as old as what they alone hold, and without those that hold something from before the first
 * snapshot. Undefined where they are not made anew, or hold nothing that is older.
 */
export function renewed(
  graph: HeapGraph,
  { born, steps }: Lineage,
  entry: Entry,
  newBytes: Float64Array,
): Entry | undefined {
  const { targets, survivors: made } = entry
  if (steps < 2 || targets.length < LEAST.count || made[steps - 1]! < NEARLY_ALL * targets.length) return undefined
  if (targets.reduce((bytes, node) => bytes + newBytes[node]!, 0) < WORTH_BYTES) return undefined
  const ages = agesOf(graph, born, targets)
  const survivors = Array<number>(steps).fill(0)
  for (const age of ages) if (age > 0) survivors[age - 1]!++
  const older = survivors.slice(0, -1).reduce((sum, count) => sum + count, 0)
  const madeEarlier = targets.length - made[steps - 1]!
  if (older <= madeEarlier || older < LEAST.count) return undefined
  return { ...entry, targets: targets.filter((_, i) => ages[i]! > 0), survivors }
}

/** By target: the step in which the oldest object came that only it holds; 0 for one from before the first snapshot. */
function agesOf({ snapshot, dominators }: HeapGraph, born: Uint16Array, targets: readonly number[]): Uint16Array {
  const { order, above } = dominators
  const ages = Uint16Array.from(targets, (node) => born[node]!)
  /** By ordinal, and by place in `order`: the index of the target, and one more. */
  const isTarget = new Uint32Array(born.length)
  const heldBy = new Uint32Array(order.length)
  targets.forEach((node, i) => {
    isTarget[node] = i + 1
  })
  for (let place = 1; place < order.length; place++) {
    const node = order[place]!
    const by = isTarget[node]! || heldBy[above[place]!]!
    heldBy[place] = by
    if (by > 0 && born[node]! < ages[by - 1]! && !isOfV8(snapshot.nodeType[node]!)) ages[by - 1] = born[node]!
  }
  return ages
}
