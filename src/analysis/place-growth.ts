// Growth place by place: which objects are new, counted where an old object holds them.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { SHARED } from '../graph/ownership.ts'
import { NodeType } from '../snapshot/meta.ts'
import { arenaFloat64, arenaOf, arenaUint8 } from '../support/arena.ts'
import { grewIn, type Lineage } from './lineage.ts'
import type { PlacedNodes, Places } from './places.ts'

/** By place, as far as places went then: what stood there. */
export interface PlaceTotals {
  readonly count: Float64Array
  /** Bytes of the nodes with all that they hold. */
  readonly bytes: Float64Array
  /** Bytes of the nodes themselves. */
  readonly shallow: Float64Array
  /** Ordinal of one of them. */
  readonly node: Uint32Array
}

/** Growth at one place. */
export interface PlaceGrowth {
  readonly kind: 'added' | 'grown'
  count: number
  bytes: number
  /** Stands for all of them: the ordinal of the one with the most bytes, and those. */
  node: number
  nodeBytes: number
  /** By step from one snapshot to the next: how many came and stayed, or became larger; by place, for `grown`, empty. */
  readonly perStep: number[]
}

/** By node ordinal: 1 where it is of interest in which place a node stands: it is new, has grown, or refers to new ones. */
export function askedOf({ snapshot, ownership }: HeapGraph, lineage: Lineage): Uint8Array {
  const { nodeCount, firstEdge, edges } = snapshot
  const { owner } = ownership
  const { sizes, born, firstSizes } = lineage
  const asked = arenaUint8(arenaOf(edges), nodeCount)
  loopsFor(firstEdge, edges, owner, sizes, born, firstSizes, asked).markAsked(snapshot, owner, lineage, asked)
  return asked
}

/** By node ordinal: bytes of the new nodes among those that it dominates, itself included. */
export function bytesOfNew({ dominators, ownership }: HeapGraph, { born }: Lineage): Float64Array {
  const { above, order } = dominators
  const { shallowSize } = ownership
  const bytes = arenaFloat64(arenaOf(order), born.length)
  loopsFor(order, above, shallowSize, born, bytes).addNewBytes(dominators, shallowSize, born, bytes)
  return bytes
}

/**
 * An object is **new** if the first snapshot does not have its id. Only those are counted that an old object holds:
 * what a new object brings along belongs to it, and its bytes to that object's.
 * @param newBytes as {@link bytesOfNew} gives it
 */
export function growthById(
  graph: HeapGraph,
  placed: PlacedNodes,
  places: Places,
  lineage: Lineage,
  newBytes: Float64Array,
): PlaceGrowth[] {
  const { nodeType } = graph.snapshot
  const { owner } = graph.ownership
  const { sizes, born, firstSizes, steps } = lineage
  const added = new Map<number, PlaceGrowth>()
  const grown = new Map<number, PlaceGrowth>()
  /** By place times steps plus step: new objects that a new object of another place holds. */
  const entered = new Uint32Array(places.size * steps)
  const list = graph.scratch.take()
  const found = loopsFor(nodeType, owner, sizes, born, firstSizes, list).listGrowth(nodeType, owner, lineage, list)
  for (const node of list.subarray(0, found)) {
    const place = placed.of[node]!
    if (born[node] === 0) {
      const bytes = sizes[node]! - firstSizes[node]!
      const { perStep } = count(grown, place, 'grown', node, bytes, steps)
      for (let step = 0; step < steps; step++) if (grewIn(lineage, step, node)) perStep[step]!++
    } else if (nodeType[node] !== NodeType.number) {
      // A number is numbered anew in each snapshot.
      const holder = placed.holder[node]!
      const outermost = born[holder] === 0
      if (!outermost) {
        // The parts of a concatenated string are no list, however deep they hang.
        if (nodeType[node] === NodeType.consString) continue
        if (placed.of[holder] !== place) {
          entered[place * steps + born[node]! - 1]!++
          continue
        }
      }
      // Of a list, those further back count too, though the first one retains them.
      const { perStep } = count(added, place, 'added', node, outermost ? newBytes[node]! : 0, steps)
      perStep[born[node]! - 1]!++
    }
  }
  graph.scratch.give(list)
  // A list whose first node is new: the others stand in a place of their own, but came with that one.
  for (const [place, growth] of added) {
    if (growth.nodeBytes > 0) continue
    added.delete(place)
    const first = added.get(places.parent(place))
    if (!first) continue
    growth.perStep.forEach((number, step) => {
      const all = number + entered[place * steps + step]!
      first.perStep[step]! += all
      first.count += all
    })
  }
  return tellByContents(added, grown, places)
}

/**
 * Without ids, a place is said to have grown by what it has more than its share: if a holder is there twice as often as
 * before, twice as many of what it holds are no news.
 */
export function growthByPlace(places: Places, totals: readonly PlaceTotals[]): PlaceGrowth[] {
  const before = totals[0]!
  const after = totals.at(-1)!
  const series = totals.map(({ count }) => count)
  const added = new Map<number, PlaceGrowth>()
  const grown = new Map<number, PlaceGrowth>()
  for (let place = 1; place < places.size; place++) {
    const now = after.count[place]!
    if (now === 0) continue
    const was = before.count[place] ?? 0
    const parent = places.parent(place)
    const parentWas = parent === 0 ? 1 : (before.count[parent] ?? 0)
    const parentNow = parent === 0 ? 1 : after.count[parent]!
    const expected = parentWas > 0 ? (was * parentNow) / parentWas : now
    const excess = now - expected
    const node = after.node[place]!
    if (now > was && excess >= 1) {
      added.set(place, {
        kind: 'added',
        count: Math.round(excess),
        bytes: Math.round((after.bytes[place]! / now) * excess),
        node,
        nodeBytes: 0,
        perStep: series.slice(1).map((counts, step) => (counts[place] ?? 0) - (series[step]![place] ?? 0)),
      })
    } else if (was > 0) {
      const bytes = Math.round(after.shallow[place]! - (before.shallow[place]! * now) / was)
      if (bytes > 0) grown.set(place, { kind: 'grown', count: now, bytes, node, nodeBytes: 0, perStep: [] })
    }
  }
  return tellByContents(added, grown, places)
}

function count(
  growths: Map<number, PlaceGrowth>,
  place: number,
  kind: PlaceGrowth['kind'],
  node: number,
  bytes: number,
  steps: number,
): PlaceGrowth {
  let growth = growths.get(place)
  if (!growth) {
    growth = { kind, count: 0, bytes: 0, node, nodeBytes: -1, perStep: Array<number>(steps).fill(0) }
    growths.set(place, growth)
  }
  growth.count++
  growth.bytes += bytes
  if (bytes > growth.nodeBytes) {
    growth.node = node
    growth.nodeBytes = bytes
  }
  return growth
}

/** An array that became larger because something was put into it is told by what was put into it. */
function tellByContents(
  added: Map<number, PlaceGrowth>,
  grown: Map<number, PlaceGrowth>,
  places: Places,
): PlaceGrowth[] {
  const contents = new Map<number, PlaceGrowth>()
  for (const [place, growth] of added) {
    const parent = places.parent(place)
    if ((contents.get(parent)?.bytes ?? -1) < growth.bytes) contents.set(parent, growth)
  }
  for (const [place, { bytes }] of grown) {
    const growth = contents.get(place)
    if (!growth) continue
    growth.bytes += bytes
    grown.delete(place)
  }
  return [...added.values(), ...grown.values()]
}

export function totalPlaces(graph: HeapGraph, placed: PlacedNodes, places: Places): PlaceTotals {
  const { nodeCount, nodeType } = graph.snapshot
  const { owner, shallowSize } = graph.ownership
  const totals = {
    count: new Float64Array(places.size),
    bytes: new Float64Array(places.size),
    shallow: new Float64Array(places.size),
    node: new Uint32Array(places.size),
  }
  for (let node = 1; node < nodeCount; node++) {
    const own = owner[node]!
    if ((own !== node && own < SHARED) || nodeType[node] === NodeType.synthetic) continue
    const place = placed.of[node]!
    totals.count[place]!++
    totals.shallow[place]! += shallowSize[node]!
    totals.node[place] = node
    // Of a list, each node retains those behind it; its bytes are those of the first.
    if (placed.of[placed.holder[node]!] !== place) totals.bytes[place]! += graph.retainedSize(node)
  }
  return totals
}
