// Suspects of which less is known: old objects that became larger, what Node keeps for old ones, and files whose ids mean nothing.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { elementCount } from '../graph/retaining-path.ts'
import { collectionOf } from '../graph/tables.ts'
import { NodeType } from '../snapshot/meta.ts'
import { entriesOf, inEntries } from './collection-entries.ts'
import type { HeapSeries } from './compare.ts'
import { FEW_REFERENCES, referencesOf } from './contents.ts'
import { embeddedNodes } from './embedded.ts'
import { isOfV8 } from './entries.ts'
import { grewIn, type Lineage } from './lineage.ts'
import { judgeSeries } from './steadiness.ts'
import { LEAST, type Suspect } from './suspect.ts'

/** Places that are looked at. */
const MOST_PLACES = 48

/** Bytes that an entry takes in a collection's store, and how much of what the store gained new ones must explain. */
const SLOT_BYTES = { Array: 8, Map: 28, Set: 20 }
const EXPLAINED = 0.25

/** Whether a collection takes more bytes for the new objects in it, by which it is told: a store has room for twice as many. */
function isFilledWithNew(graph: HeapGraph, { born }: Lineage, node: number, bytes: number): boolean {
  const kind = collectionOf(graph, node)
  const entries = kind && entriesOf(graph, node, (each) => born[each]! > 0)
  return entries !== undefined && entries.added * SLOT_BYTES[kind!] >= EXPLAINED * bytes
}

/** Old objects that take more bytes themselves, and are told by nothing that they hold: a buffer, a memory, a text, an array of numbers. */
export function grownSuspects(heap: HeapSeries, seconds: readonly number[]): Suspect[] {
  const { lineage, growths, opened } = heap
  const { graph, classes } = opened
  const span = seconds.at(-1)! - seconds[0]!
  return growths
    .filter(
      ({ kind, bytes, node }) =>
        kind === 'grown' &&
        bytes >= LEAST.bytes &&
        !isOfV8(graph.snapshot.nodeType[node]!) &&
        !(lineage && isFilledWithNew(graph, lineage, node, bytes)),
    )
    .map((growth): Suspect => {
      const { node, bytes, count } = growth
      const steps = seconds.slice(1).map((_, step) => Number(lineage !== undefined && grewIn(lineage, step, node)))
      const before = graph.shallowSize(node) - bytes
      return {
        kind: 'grown',
        holders: [node],
        container: node,
        sample: node,
        className: classes.names[classes.of[node]!]!,
        count,
        survivors: steps,
        counts: [before, ...steps.map((_, i) => before + (bytes * (i + 1)) / steps.length)],
        counted: 'bytes',
        bytes,
        trend: trendOf(steps, graph.snapshot.nodeType[node] === NodeType.object),
        perSecond: count / span,
        bytesPerSecond: bytes / span,
        reached: new Uint32Array(0),
      }
    })
}

/** What has a store, such as an array of numbers, gets a larger one now and then, as it fills the one that it has. */
function trendOf(steps: readonly number[], hasStore: boolean): Suspect['trend'] {
  if (steps.length < 2) return 'unknown'
  if (steps.every((grew) => grew === 1)) return 'steady'
  return hasStore ? 'unknown' : 'swinging'
}

/** Objects of a class are larger than they were, on an average, by so much: whatever came and went meanwhile. */
const SWOLLEN = 1.3
/** Of that, so much is known of single objects. */
const SINGLY = 0.5
/** Classes of which everything is, and collections, which are known one by one. */
const COMMON = /^(Object|Array|Map|Set|Function|WeakMap|WeakSet|Promise|Generator|system \/ .*|\(.*)$/

/**
 * Classes whose objects get larger and larger, as by a property more for each piece of work: the objects themselves may
 * be exchanged all the time.
 */
export function swollenSuspects(
  { opened, series, lineage }: HeapSeries,
  seconds: readonly number[],
  grown: readonly Suspect[],
): Suspect[] {
  const { graph, classes } = opened
  const { nodeType } = graph.snapshot
  const span = seconds.at(-1)! - seconds[0]!
  if (seconds.length < 3 || lineage === undefined) return []
  const known = (className: string): number =>
    grown.reduce((sum, each) => sum + (each.className === className ? each.bytes : 0), 0)
  return classes.keys.flatMap((key, number): Suspect[] => {
    const className = classes.names[number]!
    const rows = series.map((each) => each.classes.get(key))
    const [first, last] = [rows[0], rows.at(-1)]
    if (!first || !last || COMMON.test(className)) return []
    const bytes = last.shallowBytes - (first.shallowBytes * last.count) / first.count
    if (
      bytes < LEAST.bytes ||
      known(className) >= SINGLY * bytes ||
      last.shallowBytes / last.count < (SWOLLEN * first.shallowBytes) / first.count
    )
      return []
    const counts = rows.map((row) => row?.shallowBytes ?? 0)
    let sample = -1
    for (let node = 0; node < classes.of.length; node++) {
      if (classes.of[node] !== number || nodeType[node] !== NodeType.object) continue
      if (sample < 0 || graph.shallowSize(node) > graph.shallowSize(sample)) sample = node
    }
    // What extends a collection is one.
    if (sample < 0 || collectionOf(graph, sample) || elementCount(graph, sample) > 0) return []
    return [
      {
        kind: 'grown',
        holders: [sample],
        container: sample,
        sample,
        className,
        count: last.count,
        survivors: [],
        counts,
        counted: 'bytes',
        bytes: Math.round(bytes),
        trend: judgeSeries({ counts, survivors: [], seconds }),
        perSecond: last.count / span,
        bytesPerSecond: bytes / span,
        reached: new Uint32Array(0),
      },
    ]
  })
}

/** Bytes that a thing must be larger than the one before, and by which the class may have changed otherwise. */
const REPLACED = { bytes: 8192, share: 0.95, others: 0.02 }

/**
 * What is made anew again and again, each time larger, in the place of the one before: a buffer that is concatenated, an
 * array of numbers that is copied. The one before is gone, so that its class tells how large that was.
 * @param holder what refers to it, and `target` what it refers to
 * @param reached what came with it
 */
export function replacedSuspect(
  { opened, series }: HeapSeries,
  holder: number,
  target: number,
  reached: Uint32Array,
  seconds: readonly number[],
): Suspect | undefined {
  const { graph, classes } = opened
  const { shallowSize } = graph.ownership
  const big = reached.reduce((best, node) => (shallowSize[node]! > shallowSize[best]! ? node : best), target)
  const rows = series.map((each) => each.classes.get(classes.keys[classes.of[big]!]!))
  const counts = rows.map((row) => row?.shallowBytes ?? 0)
  const bytes = counts.at(-1)! - counts[0]!
  const size = graph.shallowSize(big)
  const all = rows.at(-1)?.count ?? 0
  // As many as before, and more bytes: one has become larger.
  const isOne = Math.abs(all - (rows[0]?.count ?? 0)) <= 2 + REPLACED.others * all
  if (!isOne || bytes < REPLACED.bytes || size < REPLACED.share * bytes) return undefined
  const span = seconds.at(-1)! - seconds[0]!
  return {
    kind: 'grown',
    holders: [holder],
    container: target,
    sample: big,
    className: classes.names[classes.of[big]!]!,
    count: 1,
    survivors: [],
    counts: counts.map((count) => count - counts.at(-1)! + size),
    counted: 'bytes',
    bytes,
    trend: judgeSeries({ counts, survivors: [], seconds }),
    perSecond: 1 / span,
    bytesPerSecond: bytes / span,
    reached: new Uint32Array(0),
  }
}

/** Smaller ones have not gained enough, even where a slot takes four bytes. */
const LEAST_SLOTS_BYTES = 4 * LEAST.numbers

const collectionsOf = new WeakMap<HeapSeries['opened'], number[]>()

/** Arrays, Maps and Sets, and what extends the latter two, that were there before the first snapshot and are not small: ordinals. */
function oldCollections(opened: HeapSeries['opened'], born: Lineage['born']): number[] {
  const known = collectionsOf.get(opened)
  if (known) return known
  const { graph } = opened
  const { nodeCount, nodeType } = graph.snapshot
  const { shallowSize } = graph.ownership
  const found: number[] = []
  for (let node = 0; node < nodeCount; node++) {
    if (shallowSize[node]! < LEAST_SLOTS_BYTES || born[node] !== 0 || nodeType[node] !== NodeType.object) continue
    if (collectionOf(graph, node)) found.push(node)
  }
  collectionsOf.set(opened, found)
  return found
}

/** Old collections that have more entries, none of which is an object: numbers, which V8 tells of as long as they are no small integers. */
export function numberSuspects(
  { opened }: HeapSeries,
  { born }: Lineage,
  seconds: readonly number[],
  lookUp: (id: number) => readonly (number | undefined)[],
  references: (node: number) => number,
): Suspect[] {
  const { graph, classes } = opened
  const { nodeId, nodeType } = graph.snapshot
  const span = seconds.at(-1)! - seconds[0]!
  const suspects: Suspect[] = []
  for (const node of oldCollections(opened, born)) {
    const before = lookUp(nodeId[node]!)
    if (before.includes(undefined)) continue
    // Entries are counted where there are more references each time.
    const all = [...(before as number[]), references(node)]
    if (all.some((count, i) => i > 0 && count <= all[i - 1]!)) continue
    const entries = entriesOf(graph, node, (each) => nodeType[each] === NodeType.number)
    const counts = inEntries(all, entries)
    const count = counts.at(-1)! - counts[0]!
    if (!entries || count < LEAST.numbers || entries.added < count) continue
    if (counts.some((each, i) => i > 0 && each <= counts[i - 1]!)) continue
    const bytes = count * NUMBER_BYTES
    suspects.push({
      kind: 'grown',
      holders: [node],
      container: node,
      sample: node,
      className: classes.names[classes.of[node]!]!,
      count,
      survivors: [],
      counts,
      counted: 'entries',
      bytes,
      trend: judgeSeries({ counts, survivors: [], seconds }),
      perSecond: count / span,
      bytesPerSecond: bytes / span,
      reached: new Uint32Array(0),
    })
  }
  return suspects
}

/** Smaller stores than this are looked at no further, in bytes; and so many are, the largest first. */
const QUIET = { bytes: 512, most: 24 }

/**
 * Old collections of plain numbers. V8 keeps small integers and doubles in the collection's store, so that one more shows
 * in no snapshot as long as the store has room: only the living collection tells its size.
 */
export function quietCollections({ opened, lineage }: HeapSeries): Suspect[] {
  const { graph, classes } = opened
  if (lineage === undefined) return []
  const large = oldCollections(opened, lineage.born).filter((node) => graph.shallowSize(node) >= QUIET.bytes)
  return large
    .filter((node) => referencesOf(graph.snapshot, graph.ownership.owner, node) < FEW_REFERENCES)
    .sort((a, b) => graph.shallowSize(b) - graph.shallowSize(a))
    .slice(0, QUIET.most)
    .map((node) => ({
      kind: 'grown',
      holders: [node],
      container: node,
      sample: node,
      className: classes.names[classes.of[node]!]!,
      count: 0,
      survivors: [],
      counts: [],
      counted: 'entries',
      bytes: 0,
      trend: 'unknown',
      perSecond: 0,
      bytesPerSecond: 0,
      reached: new Uint32Array(0),
    }))
}

/** Bytes of a number on the heap with the slot that refers to it. */
const NUMBER_BYTES = 24

/** What Node keeps for objects that are old, such as the messages that wait in a port: of them only the number is known. */
export function embeddedSuspects(
  { opened, series }: HeapSeries,
  { born }: Lineage,
  seconds: readonly number[],
): Suspect[] {
  const { graph, classes } = opened
  const span = seconds.at(-1)! - seconds[0]!
  const ofClass = new Map<number, number[]>()
  for (const node of embeddedNodes(graph)) {
    if (born[node]! > 0 || graph.snapshot.nodeType[node] !== NodeType.native) continue
    const nodes = ofClass.get(classes.of[node]!)
    if (nodes) nodes.push(node)
    else ofClass.set(classes.of[node]!, [node])
  }
  return [...ofClass].flatMap(([number, nodes]): Suspect[] => {
    const rows = series.map((each) => each.classes.get(classes.keys[number]!))
    const counts = rows.map((row) => row?.count ?? 0)
    const bytes = (rows.at(-1)?.shallowBytes ?? 0) - (rows[0]?.shallowBytes ?? 0)
    const count = counts.at(-1)! - counts[0]!
    if (count < LEAST.count || bytes < LEAST.bytes || nodes.length < 0.8 * counts.at(-1)!) return []
    const sample = nodes.reduce((best, node) => (graph.retainedSize(node) > graph.retainedSize(best) ? node : best))
    return [
      {
        kind: 'added',
        holders: [graph.immediateDominator(sample)],
        container: graph.immediateDominator(sample),
        sample,
        className: classes.names[number]!,
        count,
        survivors: [],
        counts,
        counted: 'class',
        bytes,
        trend: judgeSeries({ counts, survivors: [], seconds }),
        perSecond: count / span,
        bytesPerSecond: bytes / span,
        reached: Uint32Array.from(nodes),
      },
    ]
  })
}

/** Without ids nothing is known of single objects: what a place has gained must do. */
export function suspectsByPlace({ opened, growths, placed }: HeapSeries, seconds: readonly number[]): Suspect[] {
  const { graph, classes } = opened
  const { nodeType } = graph.snapshot
  const span = seconds.at(-1)! - seconds[0]!
  return growths
    .filter(({ node, count, bytes }) => !isOfV8(nodeType[node]!) && (count >= LEAST.count || bytes >= LEAST.bytes))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, MOST_PLACES)
    .map(({ kind, node, count, bytes, perStep }): Suspect => {
      const holder = placed.holder[node]!
      const counts = [0]
      for (const more of perStep) counts.push(counts.at(-1)! + more)
      return {
        kind,
        holders: [kind === 'grown' ? node : holder],
        container: kind === 'grown' ? node : holder,
        sample: node,
        className: classes.names[classes.of[node]!]!,
        count,
        survivors: [],
        counts,
        counted: 'place',
        bytes,
        trend: kind === 'grown' ? 'unknown' : judgeSeries({ counts, survivors: [], seconds }),
        perSecond: span > 0 ? count / span : 0,
        bytesPerSecond: span > 0 ? bytes / span : 0,
        reached: new Uint32Array(0),
      }
    })
}
