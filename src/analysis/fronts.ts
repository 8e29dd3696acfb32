// Chains that stay behind a front that is always new: calls each of which waits for the next one, stores each of which
// has the one before. No old object refers to what stays, so none of the entries leads there.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { referencesOf } from '../graph/look.ts'
import { registersOf } from '../graph/suspended.ts'
import { TIMER_LINKS } from '../node-internals/timers.ts'
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

/** Of one kind: ordinals, and what they hold. */
interface Heads {
  readonly heads: number[]
  bytes: number
}

/** What is always new, and all that is new and only it holds. */
export interface Front extends Entry {
  readonly reached: Uint32Array
}

/**
 * Objects of the last step that only something old (or nothing but V8 or Node) refers to, and that hold much which is
 * older than they are; those of one class that are held in the same place together.
 * @param isExplained by node ordinal: 1 for what is known to be growth already
 * @param outermost as {@link outermostNew} gives it
 */
export function findFronts(
  { opened: { graph, classes }, placed }: HeapSeries,
  { born, steps }: Lineage,
  newBytes: Float64Array,
  isExplained: Uint8Array,
  outermost: Uint32Array,
): Front[] {
  const { immediate } = graph.dominators
  const kinds = new Map<string, Heads>()
  for (let i = 0; i < outermost.length; i++) {
    const node = outermost[i]!
    if (born[node] !== steps || newBytes[node]! < LEAST_BYTES || isExplained[node] !== 0) continue
    if (isOfV8(graph.snapshot.nodeType[node]!)) continue
    const key = `${placed.of[immediate[node]!]} ${classes.of[node]}`
    addHead(kinds, key, node, newBytes)
  }
  const most = [...kinds.values()]
    .filter(({ bytes }) => bytes >= WORTH_BYTES)
    .flatMap((kind) => byFunction(graph, born, kind, newBytes))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, MOST)
  const below = belowEach(
    graph,
    most.map(({ heads }) => heads),
  )
  return most.flatMap(({ heads, bytes }, i) => {
    if (!holdsOlder(graph, born, below[i]!, steps)) return []
    const holders = new Map<number, number>()
    for (const head of heads) holders.set(immediate[head]!, (holders.get(immediate[head]!) ?? 0) + 1)
    const survivors = Array<number>(steps).fill(0)
    survivors[steps - 1] = heads.length
    const reached = below[i]!.filter((node) => born[node]! > 0)
    return [{ holders, targets: heads, survivors, bytes, reached }]
  })
}

function addHead<K>(kinds: Map<K, Heads>, key: K, head: number, newBytes: Float64Array): void {
  const kind = kinds.get(key) ?? { heads: [], bytes: 0 }
  kinds.set(key, kind)
  kind.heads.push(head)
  kind.bytes += newBytes[head]!
}

/** More heads than these are one kind. */
const MOST_HEADS = 1000

/** Calls of several functions may wait in one place, such as a list of timers: those of each function, if that is worth the look. */
function byFunction(graph: HeapGraph, born: Uint16Array, kind: Heads, newBytes: Float64Array): Heads[] {
  if (kind.heads.length === 1 || kind.heads.length > MOST_HEADS) return [kind]
  const functions = new Map<string | undefined, Heads>()
  for (const head of kind.heads) addHead(functions, waitingFunction(graph, born, head), head, newBytes)
  const worth = [...functions.values()].filter(({ bytes }) => bytes >= WORTH_BYTES)
  return worth.length > 1 ? worth : [kind]
}

/** Nodes that are followed from a head to a function that waits. */
const NEAR = 100
/** References from one timer to another. */
const NEIGHBOURS = new Set(TIMER_LINKS)

/** The place of the nearest function that waits for what is new. */
function waitingFunction(graph: HeapGraph, born: Uint16Array, head: number): string | undefined {
  const queue = [head]
  const seen = new Set(queue)
  for (let i = 0; i < queue.length && i < NEAR; i++) {
    const place = registersOf(graph, queue[i]!) === undefined ? undefined : graph.sourceLocation(queue[i]!)
    if (place) return `${place.url}:${place.line}:${place.column}`
    for (const { name, target } of referencesOf(graph, queue[i]!, NEAR)) {
      if (born[target] === 0 || seen.has(target) || NEIGHBOURS.has(name)) continue
      seen.add(target)
      queue.push(target)
    }
  }
  return undefined
}

/** What only the nodes of each list hold, themselves included. */
function belowEach({ dominators, snapshot }: HeapGraph, lists: readonly (readonly number[])[]): Uint32Array[] {
  if (lists.length === 0) return []
  const arena = arenaOf(dominators.order)
  const marks = arenaUint8(arena, snapshot.nodeCount)
  const list = arenaUint32(arena, snapshot.nodeCount)
  lists.forEach((nodes, i) => {
    for (const node of nodes) marks[node] = i + 1
  })
  const found = loopsFor(dominators.order, dominators.above, marks, list).listBelow(dominators, marks, list)
  const counts = new Uint32Array(lists.length)
  for (let at = 0; at < found; at++) counts[marks[list[at]!]! - 1]!++
  const below = Array.from(counts, (count) => new Uint32Array(count))
  for (let at = found - 1; at >= 0; at--) {
    const which = marks[list[at]!]! - 1
    below[which]![--counts[which]!] = list[at]!
  }
  return below
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
