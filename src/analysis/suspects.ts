// What may be leaking: each way in which objects that stay are held by something that was there before.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName, property } from '../graph/look.ts'
import { SHARED } from '../graph/ownership.ts'
import { ROOT } from '../graph/roots.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'
import type { Slices } from '../support/breathing.ts'
import { TupleInterner } from '../support/tuple-interner.ts'
import type { HeapSeries } from './compare.ts'
import { contentsById, FEW_REFERENCES, referenceCounts } from './contents.ts'
import { embeddedNodes } from './embedded.ts'
import { grewIn, type Lineage } from './lineage.ts'
import { judgeSeries, type Trend } from './steadiness.ts'

/** Objects that came and stayed, and how they are held. */
export interface Suspect {
  /** `grown`: one old object that takes more bytes itself. */
  readonly kind: 'added' | 'grown'
  /** Ordinals of what was there before and refers to what is new; the one that gained most first. */
  readonly holders: readonly number[]
  /** What the things pile up in: a holder, or a new object in between (an array that was made anew, the head of a list). */
  readonly container: number
  /** Stands for the new objects: one that has been there longest, and with most bytes. */
  readonly sample: number
  /** Of the class or, in a list, chain or tree, of the nodes that make it long. */
  readonly className: string
  /** How many came since the first snapshot and are still there. */
  readonly count: number
  /** How many of them came in each step; empty where objects were matched by place. */
  readonly survivors: readonly number[]
  /** How many there were in each snapshot, as well as that can be told. */
  readonly counts: readonly number[]
  /** What `counts` counts: references of the container, objects of the class, or objects at the place. */
  readonly counted: 'references' | 'class' | 'place'
  /** Bytes of all that is new and can be reached from them. */
  readonly bytes: number
  readonly trend: Trend
  /** Objects a second, and bytes. */
  readonly perSecond: number
  readonly bytesPerSecond: number
  /** What is new and reached from the holder: ordinals. */
  readonly reached: Uint32Array
}

/** Ways in that are looked at more closely: those with most bytes, and those with most objects. */
const MOST = 24
/** Fewer objects than this in all, or bytes, are none of anybody's business. */
const LEAST = { count: 3, bytes: 4096 }
/** Names of references that lead from a thing to its neighbours rather than to what belongs to it. */
const NEIGHBOURS = ['_idleNext', '_idlePrev', '__proto__', 'constructor', 'prototype']

/** Roots that hold what is being worked on at the moment of the snapshot. */
const MOMENTARY = ['(Stack roots)', '(Handle scope)', '(Relocatable)']

/** @param seconds when each snapshot was taken */
export function* findSuspects(heap: HeapSeries, seconds: readonly number[]): Slices<Suspect[]> {
  return heap.lineage ? yield* suspectsById(heap, heap.lineage, seconds) : suspectsByPlace(heap, seconds)
}

interface Entry {
  readonly holders: Map<number, number>
  readonly targets: number[]
  /** By step. */
  readonly survivors: number[]
  bytes: number
}

function* suspectsById(heap: HeapSeries, lineage: Lineage, seconds: readonly number[]): Slices<Suspect[]> {
  const { graph } = heap.opened
  const { born } = lineage
  const newBytes = bytesOfNew(graph, born)
  yield undefined
  const entries = findEntries(heap, lineage, newBytes)
  yield undefined
  const reach = new Reach(graph, lineage)
  const byBytes = [...entries].sort((a, b) => b.bytes - a.bytes).slice(0, MOST)
  const stayed = ({ survivors }: Entry) => survivors[0]!
  const byCount = [...entries].sort((a, b) => stayed(b) - stayed(a)).slice(0, MOST)
  const lookUp = contentsById(heap.series.map(({ contents }) => contents))
  const references = referenceCounts(graph.snapshot.firstEdge, graph.ownership.owner)
  const suspects: Suspect[] = []
  for (const entry of new Set([...byBytes, ...byCount])) {
    const reached = reach.from(entry.targets)
    yield undefined
    const suspect = describeEntry(heap, lineage, entry, reached, newBytes, { lookUp, references, seconds })
    if (suspect && (suspect.bytes >= LEAST.bytes || suspect.count >= LEAST.count)) suspects.push(suspect)
  }
  suspects.push(...grownSuspects(heap, seconds), ...embeddedSuspects(heap, lineage, seconds))
  return suspects.sort((a, b) => b.bytes - a.bytes)
}

/** By node ordinal: bytes of the new nodes among those that it dominates, itself included. */
function bytesOfNew(graph: HeapGraph, born: Uint16Array): Float64Array {
  const { immediate, order } = graph.dominators
  const { shallowSize } = graph.ownership
  const bytes = new Float64Array(born.length)
  for (let i = order.length - 1; i > 0; i--) {
    const node = order[i]!
    if (born[node]! > 0) bytes[node]! += shallowSize[node]!
    bytes[immediate[node]!]! += bytes[node]!
  }
  return bytes
}

const isOfV8 = (type: number): boolean =>
  type === NodeType.code ||
  type === NodeType.hidden ||
  type === NodeType.objectShape ||
  type === NodeType.number ||
  type === NodeType.synthetic

/** The references from old objects to new ones, those alike together: from the same place, by the same name. */
function findEntries({ opened, placed }: HeapSeries, { born, steps }: Lineage, newBytes: Float64Array): Entry[] {
  const { graph } = opened
  const { nodeCount, nodeType, firstEdge, edges, edgeNameOrIndex, strings } = graph.snapshot
  const names = graph.snapshot.nodeName
  const { owner } = graph.ownership
  const momentary = new Set(MOMENTARY.map((name) => strings.indexOf(name)))
  const embedded = embeddedNodes(graph)
  const groups = new TupleInterner(2)
  const entries: Entry[] = []
  /** By node ordinal: the group that it was last counted in, and one more. */
  const countedIn = new Uint32Array(nodeCount)
  for (let node = 0; node < nodeCount; node++) {
    const from = owner[node]! < SHARED ? owner[node]! : node
    const isV8s = nodeType[from] !== NodeType.synthetic ? isOfV8(nodeType[from]!) : momentary.has(names[from]!)
    // What Node holds by itself, such as open handles, has no other holder.
    const byNode = embedded[from] === 1
    if ((born[from]! > 0 && !byNode) || isV8s) continue
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const packed = edges[edge]!
      const target = edgeTarget(packed)
      if (born[target] === 0 || owner[target] === from || !retains(packed) || isOfV8(nodeType[target]!)) continue
      if (byNode && (nodeType[target] !== NodeType.object || embeddedIn(graph, from))) continue
      const type = edgeType(packed)
      const named = (type === EdgeType.property || type === EdgeType.context) && node === from
      const group = groups.intern(placed.of[from]!, named ? 1 + edgeNameOrIndex[edge]! : 0)
      let entry = entries[group]
      if (!entry) {
        entry = { holders: new Map(), targets: [], survivors: Array<number>(steps).fill(0), bytes: 0 }
        entries[group] = entry
      }
      if (countedIn[target] === group + 1) continue
      countedIn[target] = group + 1
      const holder = byNode ? ROOT : from
      entry.holders.set(holder, (entry.holders.get(holder) ?? 0) + 1)
      entry.targets.push(target)
      entry.survivors[born[target]! - 1]!++
      entry.bytes += newBytes[target]!
    }
  }
  entries.push(...timerEntries(graph, born, steps, newBytes))
  return entries
}

/** Whether a JavaScript object holds Node's: then what that refers to is that object's. */
function embeddedIn({ snapshot, dominators }: HeapGraph, node: number): boolean {
  return snapshot.nodeType[dominators.immediate[node]!] === NodeType.object
}

/** Lists of timers with fewer new ones than this are told together: the delay of each differs a little. */
const FEW_TIMERS = 50

/** Node links timers of one duration to a list, in which each refers to its neighbours: here the list holds all of them. */
function timerEntries(graph: HeapGraph, born: Uint16Array, steps: number, newBytes: Float64Array): Entry[] {
  const { nodeCount, nodeType, strings } = graph.snapshot
  const names = graph.snapshot.nodeName
  const lists = new Set([strings.indexOf('TimersList')])
  const empty = (): Entry => ({ holders: new Map(), targets: [], survivors: Array<number>(steps).fill(0), bytes: 0 })
  const entries: Entry[] = []
  const others = empty()
  for (let list = 0; list < nodeCount && lists.size > 0; list++) {
    if (nodeType[list] !== NodeType.object || !lists.has(names[list]!)) continue
    const found: number[] = []
    const seen = new Set([list])
    for (let at = property(graph, list, '_idleNext'); at !== undefined && !seen.has(at); ) {
      seen.add(at)
      if (born[at]! > 0) found.push(at)
      at = property(graph, at, '_idleNext')
    }
    const entry = found.length < FEW_TIMERS ? others : empty()
    for (const timer of found) {
      entry.targets.push(timer)
      entry.survivors[born[timer]! - 1]!++
      entry.bytes += newBytes[timer]!
    }
    if (entry !== others) entries.push(entry)
    // Of few timers in each of many lists, all lists together are the holder: one of them stands for it.
    if (entry !== others || others.holders.size === 0) entry.holders.set(list, entry.targets.length)
  }
  return [...entries, others].filter(({ targets }) => targets.length >= LEAST.count)
}

/** Walks over what is new. */
class Reach {
  readonly #graph: HeapGraph
  readonly #born: Uint16Array
  readonly #stamp: Uint32Array
  readonly #neighbours: ReadonlySet<number>
  #round = 0

  constructor(graph: HeapGraph, { born }: Lineage) {
    this.#graph = graph
    this.#born = born
    this.#stamp = new Uint32Array(born.length)
    this.#neighbours = new Set(NEIGHBOURS.map((name) => graph.snapshot.strings.indexOf(name)))
  }

  /** All new nodes that can be reached from these without passing an old one; these first. */
  from(targets: readonly number[]): Uint32Array {
    const { firstEdge, edges, edgeNameOrIndex } = this.#graph.snapshot
    const round = ++this.#round
    let reached = new Uint32Array(Math.max(1024, 2 * targets.length))
    let length = 0
    const add = (node: number): void => {
      if (this.#stamp[node] === round || this.#born[node] === 0) return
      this.#stamp[node] = round
      if (length === reached.length) {
        const larger = new Uint32Array(2 * length)
        larger.set(reached)
        reached = larger
      }
      reached[length++] = node
    }
    for (const node of targets) add(node)
    for (let i = 0; i < length; i++) {
      const node = reached[i]!
      for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
        const packed = edges[edge]!
        if (!retains(packed)) continue
        if (edgeType(packed) === EdgeType.property && this.#neighbours.has(edgeNameOrIndex[edge]!)) continue
        add(edgeTarget(packed))
      }
    }
    return reached.slice(0, length)
  }
}

interface Counting {
  readonly lookUp: (id: number) => (number | undefined)[]
  readonly references: Uint32Array
  readonly seconds: readonly number[]
}

function describeEntry(
  heap: HeapSeries,
  { born, steps }: Lineage,
  { holders, targets, survivors }: Entry,
  reached: Uint32Array,
  newBytes: Float64Array,
  { lookUp, references, seconds }: Counting,
): Suspect | undefined {
  const { graph, classes } = heap.opened
  const { nodeId } = graph.snapshot
  const { shallowSize } = graph.ownership
  let bytes = 0
  for (const node of reached) bytes += shallowSize[node]!

  const byGain = [...holders].sort((a, b) => b[1] - a[1]).map(([holder]) => holder)
  const gathers = targets.length >= 2 * holders.size && targets.length >= LEAST.count
  const oldest = (nodes: readonly number[]): number => {
    const ofClass = weightiestClass(heap, nodes, newBytes)
    const among = nodes.filter((node) => classes.of[node] === ofClass)
    return among.reduce((best, node) =>
      born[node]! < born[best]! || (born[node] === born[best] && newBytes[node]! > newBytes[best]!) ? node : best,
    )
  }
  const span = seconds.at(-1)! - seconds[0]!
  if (gathers) {
    const sample = oldest(targets)
    const holder = byGain[0]!
    const byClass = holder === ROOT || nodeName(graph, holder) === 'TimersList'
    const counts = byClass ? classCounts(heap, sample) : Array<number>(seconds.length).fill(0)
    for (const each of byClass ? [] : byGain.slice(0, 1000)) {
      const row = filledUp([...lookUp(nodeId[each]!).slice(0, -1), references[each]!])
      row.forEach((count, at) => {
        counts[at]! += count
      })
    }
    return {
      kind: 'added',
      holders: byGain,
      container: holder,
      sample,
      className: classes.names[classes.of[sample]!]!,
      count: targets.length,
      survivors,
      counts,
      counted: byClass ? 'class' : 'references',
      bytes,
      trend: judgeSeries({ counts, survivors, seconds }),
      perSecond: targets.length / span,
      bytesPerSecond: bytes / span,
      reached,
    }
  }
  // A pointer that was moved on: what it leads to is new, and may hold all the rest.
  const { container, parts } = accumulation(heap, born, targets, newBytes)
  if (parts.length < LEAST.count) return undefined
  const sample = oldest(parts)
  const number = classes.of[sample]!
  const perStep = Array<number>(steps).fill(0)
  let count = 0
  for (const node of reached) {
    if (classes.of[node] !== number) continue
    perStep[born[node]! - 1]!++
    count++
  }
  const counts = classCounts(heap, sample)
  return {
    kind: 'added',
    holders: byGain,
    container,
    sample,
    className: classes.names[number]!,
    count,
    survivors: perStep,
    counts,
    counted: 'class',
    bytes,
    trend: judgeSeries({ counts, survivors: perStep, seconds }),
    perSecond: count / span,
    bytesPerSecond: bytes / span,
    reached,
  }
}

/** How many objects of its class there were in each snapshot. */
function classCounts({ opened: { classes }, series }: HeapSeries, node: number): number[] {
  const key = classes.keys[classes.of[node]!]!
  return series.map((each) => each.classes.get(key)?.count ?? 0)
}

/**
 * Small numbers that nobody remembers were some; in between, an object whose table was being walked over for a moment
 * seemed to have none.
 */
function filledUp(row: readonly (number | undefined)[]): number[] {
  const filled: number[] = []
  row.forEach((count, at) => {
    filled.push(count ?? (at === 0 ? Math.min(FEW_REFERENCES / 2, row.at(-1)!) : filled[at - 1]!))
  })
  for (let at = 1; at < row.length - 1; at++) {
    if (row[at] === undefined && row[at - 1] !== undefined) filled[at] = (filled[at - 1]! + filled[at + 1]!) / 2
  }
  return filled
}

/** The class that most of the bytes are of, and that of objects rather than of the keys that they are found by. */
function weightiestClass({ opened }: HeapSeries, nodes: readonly number[], newBytes: Float64Array): number {
  const { graph, classes } = opened
  const weight = new Map<number, number>()
  for (const node of nodes) {
    const bytes = graph.shallowSize(node) + newBytes[node]!
    const isText = TEXTS.has(graph.snapshot.nodeType[node]!)
    weight.set(classes.of[node]!, (weight.get(classes.of[node]!) ?? 0) + (isText ? bytes / 8 : bytes))
  }
  return [...weight].reduce((best, row) => (row[1] > best[1] ? row : best))[0]
}

const TEXTS = new Set<number>([NodeType.string, NodeType.consString, NodeType.slicedString, NodeType.symbol])

/**
 * Where the way from `targets` down splits up: the first node whose new bytes are in many hands, or that is one of a
 * chain of its own kind (as in MAT's "accumulation point").
 */
function accumulation(
  heap: HeapSeries,
  born: Uint16Array,
  targets: readonly number[],
  newBytes: Float64Array,
): { container: number; parts: number[] } {
  const { graph, classes } = heap.opened
  const { firstEdge, edges } = graph.snapshot
  const { owner } = graph.ownership
  let at = targets.reduce((best, node) => (newBytes[node]! > newBytes[best]! ? node : best))
  const chain: number[] = []
  for (let depth = 0; depth < 10_000; depth++) {
    const parts = new Set<number>()
    const stores = [at]
    for (let store = stores.pop(); store !== undefined; store = stores.pop()) {
      for (let edge = firstEdge[store]!; edge < firstEdge[store + 1]!; edge++) {
        const packed = edges[edge]!
        const target = edgeTarget(packed)
        if (!retains(packed) || target === at) continue
        if (owner[target] === at) stores.push(target)
        else if (born[target]! > 0 && graph.immediateDominator(target) === (owner[store] === at ? store : at)) {
          parts.add(target)
        }
      }
    }
    chain.push(at)
    const heaviest = [...parts].reduce(
      (best, node) => (newBytes[node]! > newBytes[best]! ? node : best),
      [...parts][0]!,
    )
    if (parts.size === 0 || newBytes[heaviest]! < 0.6 * newBytes[at]!) {
      const alike = chain.filter((node) => classes.of[node] === classes.of[chain[chain.length >> 1]!])
      if (alike.length > Math.max(8, parts.size)) return { container: alike[0]!, parts: alike }
      return { container: at, parts: [...parts] }
    }
    at = heaviest
  }
  return { container: chain[0]!, parts: chain.filter((node) => classes.of[node] === classes.of[chain[5000]!]) }
}

/** Old objects that take more bytes themselves, and are no collection: a buffer, a memory, a text. */
function grownSuspects(heap: HeapSeries, seconds: readonly number[]): Suspect[] {
  const { lineage, growths, opened } = heap
  const { graph, classes } = opened
  const span = seconds.at(-1)! - seconds[0]!
  return growths
    .filter(
      ({ kind, bytes, node }) => kind === 'grown' && bytes >= LEAST.bytes && !isOfV8(graph.snapshot.nodeType[node]!),
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
        counted: 'references',
        bytes,
        trend: steps.length < 2 ? 'unknown' : steps.every((grew) => grew === 1) ? 'steady' : 'swinging',
        perSecond: count / span,
        bytesPerSecond: bytes / span,
        reached: new Uint32Array(0),
      }
    })
}

/** What Node keeps for objects that are old, such as the messages that wait in a port: of them only the number is known. */
function embeddedSuspects({ opened, series }: HeapSeries, { born }: Lineage, seconds: readonly number[]): Suspect[] {
  const { graph, classes } = opened
  const span = seconds.at(-1)! - seconds[0]!
  const embedded = embeddedNodes(graph)
  const ofClass = new Map<number, number[]>()
  for (let node = 0; node < embedded.length; node++) {
    if (embedded[node] === 0 || born[node]! > 0 || graph.snapshot.nodeType[node] !== NodeType.native) continue
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
function suspectsByPlace({ opened, growths, placed }: HeapSeries, seconds: readonly number[]): Suspect[] {
  const { graph, classes } = opened
  const { nodeType } = graph.snapshot
  const span = seconds.at(-1)! - seconds[0]!
  return growths
    .filter(({ node, count, bytes }) => !isOfV8(nodeType[node]!) && (count >= LEAST.count || bytes >= LEAST.bytes))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 2 * MOST)
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

/**
 * The way from what was there before to the sample, through what is new: ordinals, a holder first. The sample alone
 * where there is none.
 */
export function wayIn(graph: HeapGraph, lineage: Lineage | undefined, { holders, sample }: Suspect): number[] {
  const { firstEdge, edges } = graph.snapshot
  const { owner } = graph.ownership
  const via = new Map<number, number>()
  const queue = holders.slice(0, 1000)
  for (const holder of queue) via.set(holder, -1)
  for (let i = 0; i < queue.length && queue.length < 1_000_000; i++) {
    const node = queue[i]!
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const packed = edges[edge]!
      const target = edgeTarget(packed)
      if (via.has(target) || !retains(packed)) continue
      const own = owner[target] !== target && owner[target]! < SHARED && via.has(owner[target]!)
      if (target !== sample && !own && (lineage === undefined || lineage.born[target] === 0)) continue
      via.set(target, node)
      if (target === sample) {
        const way = [target]
        for (let at = node; at >= 0; at = via.get(at)!) way.push(at)
        return way.reverse()
      }
      queue.push(target)
    }
  }
  return [sample]
}
