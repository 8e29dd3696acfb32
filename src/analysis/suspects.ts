// What may be leaking: each way in which objects that stay are held by something that was there before.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName } from '../graph/look.ts'
import { ROOT } from '../graph/roots.ts'
import { isTimerList } from '../node-internals/timers.ts'
import { NodeType } from '../snapshot/meta.ts'
import type { Slices } from '../support/breathing.ts'
import { accumulation, linkOf } from './accumulation.ts'
import { entriesOf, inEntries } from './collection-entries.ts'
import type { HeapSeries } from './compare.ts'
import { contentsById, FEW_REFERENCES, referencesOf } from './contents.ts'
import { type Entry, findEntries, NATIVE_CONTEXT, outermostNew, Reach } from './entries.ts'
import { findFronts } from './fronts.ts'
import type { Lineage } from './lineage.ts'
import {
  embeddedSuspects,
  grownSuspects,
  numberSuspects,
  replacedSuspect,
  suspectsByPlace,
  swollenSuspects,
} from './other-suspects.ts'
import { renewed } from './renewal.ts'
import { judgeSeries } from './steadiness.ts'
import { LEAST, type Suspect } from './suspect.ts'

/** As many, in a thing all parts of which are of one step, may be a collection that is copied as a whole whenever it gains something. */
const MANY_AT_ONCE = 100

/** Of a tree's new nodes, so many must be more than there were. */
const MORE = 0.5
/** Of what a chain reaches, so much must be behind fronts for it to be told with them. */
const NEARLY_ALL = 0.9
/** With fewer new nodes it is no tree that grows: an array that is copied with one more holds arrays as well. */
const LEAST_OF_TREE = 10
/** Holders whose entries are counted one by one. */
const MOST_HOLDERS = 1000

/** @param seconds when each snapshot was taken */
export function* findSuspects(heap: HeapSeries, seconds: readonly number[]): Slices<Suspect[]> {
  const { lineage, newBytes } = heap
  return lineage && newBytes ? yield* suspectsById(heap, lineage, newBytes, seconds) : suspectsByPlace(heap, seconds)
}

function* suspectsById(
  heap: HeapSeries,
  lineage: Lineage,
  newBytes: Float64Array,
  seconds: readonly number[],
): Slices<Suspect[]> {
  const { graph } = heap.opened
  const outermost = outermostNew(graph, lineage)
  const entries = findEntries(heap, lineage, newBytes, outermost)
  yield undefined
  const reach = new Reach(graph, lineage)
  // Of the last, the heap is there.
  const lookUp = contentsById(heap.series.slice(0, -1).map(({ contents }) => contents))
  const references = (node: number) => referencesOf(graph.snapshot, graph.ownership.owner, node)
  const suspects: Suspect[] = []
  for (const found of entries) {
    const anew = renewed(graph, lineage, found, newBytes)
    const entry = anew ?? found
    const reached = reach.from(entry.targets)
    yield undefined
    const described = describeEntry(heap, lineage, entry, reached, newBytes, { lookUp, references, seconds })
    const suspect = described && anew ? { ...described, renewed: true as const } : described
    if (suspect && (suspect.bytes >= LEAST.bytes || suspect.count >= LEAST.count)) suspects.push(suspect)
  }
  yield undefined
  suspects.push(...listsOfLists(heap, suspects, seconds))
  const withFronts = addFronts(heap, lineage, newBytes, suspects, outermost, { lookUp, references, seconds })
  const grown = grownSuspects(heap, seconds)
  const known = new Set([...grown, ...withFronts].flatMap(({ holders }) => holders))
  const numbers = numberSuspects(heap, lineage, seconds, lookUp, references)
  const others = [
    ...grown,
    ...numbers.filter(({ sample }) => !known.has(sample)),
    ...swollenSuspects(heap, seconds, grown),
    ...embeddedSuspects(heap, lineage, seconds),
  ]
  return [...withFronts, ...others].sort((a, b) => b.bytes - a.bytes)
}

/**
 * A list of lists, as Node's queues are, gains in one that was there before until that is full, and then in others that
 * are new: looked at one by one, the first gains less and less, and the others came all at once.
 */
function listsOfLists(heap: HeapSeries, suspects: readonly Suspect[], seconds: readonly number[]): Suspect[] {
  const links = suspects.map(({ container }) => linkOf(heap.opened, container))
  const span = seconds.at(-1)! - seconds[0]!
  return suspects.flatMap((old, i): Suspect[] => {
    if (old.counted !== 'entries' || old.holders.length !== 1 || links[i] === undefined) return []
    const others = suspects.filter((other, at) => {
      return other.counted === 'class' && links[at] === links[i] && other.className === old.className
    })
    if (others.length === 0) return []
    const rest = others.reduce((most, other) => (other.bytes > most.bytes ? other : most))
    const survivors = old.survivors.map((count, step) => count + rest.survivors[step]!)
    const [count, bytes] = [old.count + rest.count, old.bytes + rest.bytes]
    return [
      {
        ...old,
        ...{ count, survivors, counts: rest.counts, counted: 'class', bytes },
        trend: judgeSeries({ counts: rest.counts, survivors, seconds }),
        ...{ perSecond: count / span, bytesPerSecond: bytes / span },
        reached: Uint32Array.from([...old.reached, ...rest.reached]),
      },
    ]
  })
}

/** Adds what stays behind what is always new, as far as it is no part of what is known; several fronts are told as one. */
function addFronts(
  heap: HeapSeries,
  lineage: Lineage,
  newBytes: Float64Array,
  known: readonly Suspect[],
  outermost: Uint32Array,
  counting: Counting,
): Suspect[] {
  const mark = (marks: Uint8Array, suspects: readonly Suspect[]): Uint8Array => {
    for (const { reached } of suspects) for (let i = 0; i < reached.length; i++) marks[reached[i]!] = 1
    return marks
  }
  const growing = known.filter(({ trend }) => GROWS.has(trend))
  const chains = growing.filter(({ counted, isTree }) => counted === 'class' && !isTree)
  const marks = () => new Uint8Array(lineage.born.length)
  const isChain = mark(marks(), chains)
  const isExplained = mark(
    marks(),
    growing.filter((suspect) => !chains.includes(suspect)),
  )
  const fronts = findFronts(heap, lineage, newBytes, isExplained, outermost)
    .filter(({ targets }) => targets.length > 1 || isChain[targets[0]!] === 0)
    .map((front) => describeChain(heap, lineage, front, front.reached, newBytes, counting))
    .filter((suspect) => suspect !== undefined)
    .filter(({ bytes, trend }) => bytes >= LEAST.bytes && GROWS.has(trend))
  const inFront = mark(marks(), fronts)
  const isPart = (suspect: Suspect): boolean =>
    chains.includes(suspect) &&
    fronts.some(({ className, bytes }) => className === suspect.className && bytes >= suspect.bytes) &&
    suspect.reached.reduce((sum, node) => sum + inFront[node]!, 0) >= NEARLY_ALL * suspect.reached.length
  // What is copied into a larger one again and again is told by what it gains.
  const isCopied = ({ kind, sample }: Suspect): boolean => kind === 'grown' && inFront[sample] === 1
  return [...known.filter((suspect) => !isPart(suspect) && !isCopied(suspect)), ...fronts]
}

const GROWS = new Set<Suspect['trend']>(['steady', 'turning', 'unknown'])

interface Counting {
  readonly lookUp: (id: number) => (number | undefined)[]
  readonly references: (node: number) => number
  readonly seconds: readonly number[]
}

function describeEntry(
  heap: HeapSeries,
  lineage: Lineage,
  entry: Entry,
  reached: Uint32Array,
  newBytes: Float64Array,
  counting: Counting,
): Suspect | undefined {
  const { holders, targets, tree } = entry
  if (tree !== undefined) {
    const described = describeTree(heap, lineage, entry, tree, reached, newBytes, counting)
    if (described.count >= LEAST_OF_TREE) return described
  }
  const gathers = targets.length >= 2 * holders.size && targets.length >= LEAST.count
  const describe = gathers ? describeGathered : describeChain
  return describe(heap, lineage, entry, reached, newBytes, counting)
}

/** What a tree has gained, wherever in it. */
function describeTree(
  heap: HeapSeries,
  lineage: Lineage,
  { holders, targets }: Entry,
  tree: number,
  reached: Uint32Array,
  newBytes: Float64Array,
  { seconds }: Counting,
): Suspect {
  const { graph, classes } = heap.opened
  const { born, steps } = lineage
  const bytes = bytesOf(graph, reached)
  const byGain = mostFirst(holders)
  const span = seconds.at(-1)! - seconds[0]!
  const sample = oldest(heap, lineage, targets, newBytes)
  const { of } = heap.placed
  const perStep = Array<number>(steps).fill(0)
  let count = 0
  for (const node of reached) {
    if (classes.of[node] !== classes.of[sample] || heap.places.treeOf(of[node]!) !== tree) continue
    perStep[born[node]! - 1]!++
    count++
  }
  const ofClass = classCounts(heap, sample)
  // Other things may be of the class, but what a tree of constant size exchanges does not make it more.
  const isMore = ofClass.at(-1)! - ofClass[0]! >= MORE * count
  let sum = Math.max(0, ofClass.at(-1)! - count)
  const counts = isMore ? [sum, ...perStep.map((number) => (sum += number))] : ofClass
  return {
    kind: 'added',
    holders: byGain,
    container: topOf(heap, byGain[0]!, tree),
    sample,
    className: classes.names[classes.of[sample]!]!,
    count,
    survivors: perStep,
    counts,
    counted: 'class',
    bytes,
    trend: judgeSeries({ counts, survivors: perStep, seconds, isExact: isMore }),
    perSecond: count / span,
    bytesPerSecond: bytes / span,
    reached,
    isTree: true,
  }
}

/** So much of a gain that is not known from the first snapshot on must show in the number of all objects of the class. */
const BACKED = 0.5

/** What several holders, or one, have gained: entries of a collection. */
function describeGathered(
  heap: HeapSeries,
  lineage: Lineage,
  { holders, targets, survivors }: Entry,
  reached: Uint32Array,
  newBytes: Float64Array,
  { lookUp, references, seconds }: Counting,
): Suspect {
  const { graph, classes } = heap.opened
  const { nodeId } = graph.snapshot
  const { born } = lineage
  const bytes = bytesOf(graph, reached)
  const byGain = mostFirst(holders)
  const span = seconds.at(-1)! - seconds[0]!
  const sample = oldest(heap, lineage, targets, newBytes)
  const holder = byGain[0]!
  const byClass = holder === ROOT || isTimerList(graph, holder) || nodeName(graph, holder).startsWith(NATIVE_CONTEXT)
  const counts = byClass ? classCounts(heap, sample) : Array<number>(seconds.length).fill(0)
  const looked = byClass ? [] : byGain.slice(0, MOST_HOLDERS)
  let added = 0
  let isGuessed = false
  for (const each of looked) {
    const entries = entriesOf(graph, each, (node) => born[node]! > 0)
    added += entries?.added ?? Number.POSITIVE_INFINITY
    const known = lookUp(nodeId[each]!)
    isGuessed ||= known[0] === undefined
    inEntries(filledUp([...known, references(each)]), entries).forEach((count, at) => {
      counts[at]! += count
    })
  }
  // What is thought to have had few entries at first may have had them out of sight: then there are no more of their class.
  if (isGuessed) {
    const ofClass = classCounts(heap, sample)
    const [gain, ofAll] = [counts.at(-1)! - counts[0]!, ofClass.at(-1)! - ofClass[0]!]
    if (ofAll < BACKED * gain)
      counts.forEach((_, at) => {
        counts[at] = Math.max(0, Math.round(counts.at(-1)! - Math.max(0, ofClass.at(-1)! - ofClass[at]!)))
      })
  }
  // Keys came as well as values.
  const isCounted = looked.length > 0 && looked.length === byGain.length && added > 0
  const count = isCounted ? Math.min(targets.length, added) : targets.length
  const stayed = survivors.map((number) => Math.round((number * count) / targets.length))
  return {
    kind: 'added',
    holders: byGain,
    container: holder,
    sample,
    className: classes.names[classes.of[sample]!]!,
    count,
    survivors: stayed,
    counts,
    counted: byClass ? 'class' : 'entries',
    bytes,
    trend: judgeSeries({ counts, survivors: stayed, seconds, isExact: !byClass && holders.size <= MOST_HOLDERS }),
    perSecond: count / span,
    bytesPerSecond: bytes / span,
    reached,
  }
}

/** A pointer that was moved on: what it leads to is new, and may hold all the rest. */
function describeChain(
  heap: HeapSeries,
  lineage: Lineage,
  { holders, targets }: Entry,
  reached: Uint32Array,
  newBytes: Float64Array,
  { seconds }: Counting,
): Suspect | undefined {
  const { graph, classes } = heap.opened
  const { born, steps } = lineage
  const byGain = mostFirst(holders)
  const list = inside(heap, holders, targets, reached, newBytes)
  const { container, parts } = list ?? accumulation({ graph, classes, born, newBytes }, targets)
  if (parts.length < LEAST.count) {
    const one = targets.length === 1 && holders.size === 1 && steps > 1
    return one ? replacedSuspect(heap, byGain[0]!, targets[0]!, reached, seconds) : undefined
  }
  const sample = oldest(heap, lineage, parts, newBytes)
  const number = classes.of[sample]!
  const perStep = Array<number>(steps).fill(0)
  let count = 0
  for (const node of list ? parts : reached) {
    if (classes.of[node] !== number) continue
    perStep[born[node]! - 1]!++
    count++
  }
  // A thing that was made anew in one go, such as a connection, has only taken the place of the one before.
  const atOnce = steps > 1 && parts.every((node) => born[node] === born[sample])
  if (atOnce && count < MANY_AT_ONCE) return undefined
  const bytes = bytesOf(graph, reached)
  const span = seconds.at(-1)! - seconds[0]!
  const ofClass = classCounts(heap, sample)
  const trendOfClass = judgeSeries({ counts: ofClass, survivors: perStep, seconds })
  const tellsLittle = count < MOSTLY_HERE * ofClass.at(-1)! && !GROWS.has(trendOfClass)
  const heaviest = tellsLittle ? judgeHeaviest(heap, lineage, reached, bytes, seconds) : undefined
  const { counts, trend } = heaviest ?? { counts: ofClass, trend: trendOfClass }
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
    trend,
    perSecond: count / span,
    bytesPerSecond: bytes / span,
    reached,
  }
}

/** A class of which fewer than this part is here is one of all kinds of things. */
const MOSTLY_HERE = 0.5
/** So much of the bytes must be of one class for its number to stand for all. */
const HEAVY = 0.6

/**
 * How many there are of the class that most of the bytes are of, where they became more: plain objects come and go
 * everywhere, so that their number tells nothing of those that wrap the chunks which pile up.
 */
function judgeHeaviest(
  heap: HeapSeries,
  { born, steps }: Lineage,
  reached: Uint32Array,
  bytes: number,
  seconds: readonly number[],
): Pick<Suspect, 'counts' | 'trend'> | undefined {
  const { graph, classes } = heap.opened
  const { shallowSize } = graph.ownership
  const byClass = new Map<number, number>()
  for (const node of reached) {
    const number = classes.of[node]!
    byClass.set(number, (byClass.get(number) ?? 0) + shallowSize[node]!)
  }
  const [number, most] = [...byClass].reduce((best, row) => (row[1] > best[1] ? row : best))
  if (most < HEAVY * bytes) return undefined
  const survivors = Array<number>(steps).fill(0)
  let one = -1
  for (const node of reached) {
    if (classes.of[node] !== number) continue
    one = node
    survivors[born[node]! - 1]!++
  }
  const counts = classCounts(heap, one)
  const trend = judgeSeries({ counts, survivors, seconds })
  return GROWS.has(trend) ? { counts, trend } : undefined
}

/** The topmost node of a tree that a node of it hangs on. */
function topOf({ placed, places }: HeapSeries, node: number, tree: number): number {
  let at = node
  for (
    let above = placed.holder[at]!;
    places.treeOf(placed.of[above]!) === tree && above !== at;
    above = placed.holder[at]!
  )
    at = above
  return at
}

function bytesOf({ ownership: { shallowSize } }: HeapGraph, nodes: Uint32Array): number {
  let bytes = 0
  for (let i = 0; i < nodes.length; i++) bytes += shallowSize[nodes[i]!]!
  return bytes
}

const mostFirst = (holders: ReadonlyMap<number, number>): number[] =>
  [...holders].sort((a, b) => b[1] - a[1]).map(([holder]) => holder)

/** Of those of the class that weighs most, the one that has been there longest, and with most bytes. */
function oldest(heap: HeapSeries, { born }: Lineage, nodes: readonly number[], newBytes: Float64Array): number {
  const { classes } = heap.opened
  const ofClass = weightiestClass(heap, nodes, newBytes)
  const among = nodes.filter((node) => classes.of[node] === ofClass)
  return among.reduce((best, node) =>
    born[node]! < born[best]! || (born[node] === born[best] && newBytes[node]! > newBytes[best]!) ? node : best,
  )
}

/** The links of a list that the holder has both ends of, where they are what is heavy: none of them dominates the others. */
function inside(
  heap: HeapSeries,
  holders: ReadonlyMap<number, number>,
  targets: readonly number[],
  reached: Uint32Array,
  newBytes: Float64Array,
): { container: number; parts: number[] } | undefined {
  const { graph } = heap.opened
  const ends = new Set(targets)
  const parts: number[] = []
  for (const node of reached) if (holders.has(graph.immediateDominator(node)) && !ends.has(node)) parts.push(node)
  const sum = (nodes: Iterable<number>): number => {
    let bytes = 0
    for (const node of nodes) bytes += newBytes[node]!
    return bytes
  }
  return parts.length >= LEAST.count && sum(parts) > sum(ends)
    ? { container: graph.immediateDominator(parts[0]!), parts }
    : undefined
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
