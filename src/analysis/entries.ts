// The references from what was there before to what is new.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import type { ReachColumns } from '../graph/loops.ts'
import { nodesNamed } from '../graph/named.ts'
import { SHARED } from '../graph/ownership.ts'
import { ROOT } from '../graph/roots.ts'
import { TIMER_LINKS, TIMER_LIST, timersOfList } from '../node-internals/timers.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'
import { TupleInterner } from '../support/tuple-interner.ts'
import type { HeapSeries } from './compare.ts'
import { markEmbedded } from './embedded.ts'
import type { Lineage } from './lineage.ts'
import { LEAST, type Suspect } from './suspect.ts'

/** Names of references that lead from a thing to its neighbours rather than to what belongs to it. */
const NEIGHBOURS = [...TIMER_LINKS, '__proto__', 'constructor', 'prototype']

/** Roots that hold what is being worked on at the moment of the snapshot. */
const MOMENTARY = ['(Stack roots)', '(Handle scope)', '(Relocatable)']
/** What the program has logged while an inspector was there: V8 keeps the last thousand messages for it. */
const LOGGED = 'DevTools console'
/** V8 keeps what waits for Atomics.notify(), among others, in tables of this. */
export const NATIVE_CONTEXT = 'system / NativeContext'

/** References from old objects to new ones that are alike. */
export interface Entry {
  readonly holders: Map<number, number>
  readonly targets: number[]
  /** By step. */
  readonly survivors: number[]
  bytes: number
  /** The topmost place of the tree that holders and targets are nodes of. */
  readonly tree?: number | undefined
}

export const isOfV8 = (type: number): boolean =>
  type === NodeType.code ||
  type === NodeType.hidden ||
  type === NodeType.objectShape ||
  type === NodeType.number ||
  type === NodeType.synthetic

/** Stands for the name of a reference from one node of a tree to another: no string has this number. */
const BRANCH = 0xffff_ffff

/** Marks of what counts as old: what Node keeps itself, and tables of a native context. */
const BY_NODE = 1
const OF_CONTEXT = 2

/** Kinds of such references that are looked at more closely: those with most bytes, and those with most objects. */
const MOST = 24

/** References as they are found, all of them: numbers only, since there can be millions, and of as many kinds. */
class References {
  #columns = new Uint32Array(3 * 1024)
  #length = 0

  add(kind: number, holder: number, target: number): void {
    const at = 3 * this.#length++
    if (at === this.#columns.length) this.#columns = grown(this.#columns)
    this.#columns[at] = kind
    this.#columns[at + 1] = holder
    this.#columns[at + 2] = target
  }
  forEach(action: (kind: number, holder: number, target: number) => void): void {
    const columns = this.#columns
    for (let at = 0; at < 3 * this.#length; at += 3) action(columns[at]!, columns[at + 1]!, columns[at + 2]!)
  }
}

/**
 * The references from old objects to new ones, those alike together: from the same place, by the same name. Of all,
 * those that bring in most.
 */
export function findEntries(
  { opened, placed, places }: HeapSeries,
  lineage: Lineage,
  newBytes: Float64Array,
  outermost: Uint32Array,
): Entry[] {
  const { graph } = opened
  const { born, steps } = lineage
  const { nodeCount, nodeType, firstEdge, edges, edgeNameOrIndex, strings } = graph.snapshot
  const names = graph.snapshot.nodeName
  const { owner } = graph.ownership
  const momentary = new Set(MOMENTARY.map((name) => strings.indexOf(name)))
  const tables = tablesOfContexts(graph)
  const old = markEmbedded(graph)
  for (const table of tables.keys()) old[table] = OF_CONTEXT
  const kinds = new TupleInterner(2)
  const found = new References()
  /** By kind: the topmost place of a tree, for references between its nodes. */
  const trees = new Map<number, number>()
  /** By kind: bytes that they bring in, and how many new objects that have been there longest. */
  const bytes: number[] = []
  const stayed: number[] = []
  /** By node ordinal: the kind that it was last counted in, and one more. */
  const countedIn = new Uint32Array(nodeCount)
  // Of what refers to new ones, somebody was to ask.
  const { wanted } = placed
  const list = arenaUint32(arenaOf(edges), nodeCount)
  const entrances = loopsFor(firstEdge, edges, owner, wanted, born, old, list).listEntrances(
    { firstEdge, edges, owner, wanted, born, old },
    list,
  )
  for (const node of list.subarray(0, entrances)) {
    const context = tables.get(node)
    const isTable = context !== undefined
    const from = context ?? (owner[node]! < SHARED ? owner[node]! : node)
    const isRoot = nodeType[from] === NodeType.synthetic
    const isV8s = isRoot ? momentary.has(names[from]!) : isOfV8(nodeType[from]!) && !isTable
    // What Node holds by itself, such as open handles, has no other holder.
    const byNode = old[from] === BY_NODE
    if ((born[from]! > 0 && !byNode) || isV8s) continue
    const place = placed.of[from]!
    const tree = places.treeOf(place)
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const packed = edges[edge]!
      const target = edgeTarget(packed)
      if (born[target] === 0 || owner[target] === from || !retains(packed) || isOfV8(nodeType[target]!)) continue
      if ((byNode || isTable) && nodeType[target] !== NodeType.object) continue
      if (byNode && embeddedIn(graph, from)) continue
      const type = edgeType(packed)
      if (isRoot && type === EdgeType.internal && strings.get(edgeNameOrIndex[edge]!).endsWith(LOGGED)) continue
      const named = (type === EdgeType.property || type === EdgeType.context) && node === from
      const isBranch = tree !== undefined && places.treeOf(placed.of[target]!) === tree
      const kind = isBranch ? kinds.intern(tree, BRANCH) : kinds.intern(place, named ? 1 + edgeNameOrIndex[edge]! : 0)
      if (isBranch) trees.set(kind, tree)
      if (kind === bytes.length) {
        bytes.push(0)
        stayed.push(0)
      }
      if (countedIn[target] === kind + 1) continue
      countedIn[target] = kind + 1
      found.add(kind, byNode ? ROOT : from, target)
      bytes[kind]! += newBytes[target]!
      if (born[target] === 1) stayed[kind]!++
    }
  }
  const timers = timerEntries(graph, born, steps, newBytes)
  addInsides(graph, outermost, newBytes, { found, bytes, timers })
  for (const { bytes: own, survivors } of timers) {
    bytes.push(own)
    stayed.push(survivors[0]!)
  }
  return tellMost(lineage, { found, bytes, stayed, timers, trees })
}

/** By ordinal of a table of a native context: the context, which is there as long as the program. */
function tablesOfContexts({ snapshot }: HeapGraph): Map<number, number> {
  const { nodeType, firstEdge, edges, strings } = snapshot
  const tables = new Map<number, number>()
  for (const context of nodesNamed(snapshot, strings.startingWith(NATIVE_CONTEXT))) {
    for (let edge = firstEdge[context]!; edge < firstEdge[context + 1]!; edge++) {
      const packed = edges[edge]!
      if (nodeType[edgeTarget(packed)] === NodeType.array && edgeType(packed) === EdgeType.internal)
        tables.set(edgeTarget(packed), context)
    }
  }
  return tables
}

interface Found {
  readonly found: References
  /** By kind; in the end, behind those, of the timers. */
  readonly bytes: number[]
  readonly timers: readonly Entry[]
}

/** New nodes that no other new one has to itself: ordinals. */
export function outermostNew({ dominators, snapshot }: HeapGraph, { born }: Lineage): Uint32Array {
  const arena = arenaOf(dominators.order)
  const list = arenaUint32(arena, snapshot.nodeCount)
  const loops = loopsFor(dominators.order, dominators.above, born, list)
  return list.subarray(0, loops.listOutermost(dominators, born, list))
}

/**
 * What is new and no other's counts to what holds it, though that does not refer to it: the inside of a list which it
 * refers to the two ends of.
 */
function addInsides(
  { dominators, snapshot }: HeapGraph,
  outermost: Uint32Array,
  newBytes: Float64Array,
  { found, bytes, timers }: Found,
): void {
  const { immediate } = dominators
  const isTarget = new Uint8Array(snapshot.nodeCount)
  const isHolder = new Uint8Array(snapshot.nodeCount)
  found.forEach((_, holder, target) => {
    isTarget[target] = 1
    isHolder[holder] = 1
  })
  for (const { targets, holders } of timers) {
    for (const target of targets) isTarget[target] = 1
    for (const holder of holders.keys()) isHolder[holder] = 1
  }
  const inside = new Map<number, number>()
  for (let i = 0; i < outermost.length; i++) {
    const node = outermost[i]!
    const holder = immediate[node]!
    if (isHolder[holder] === 1 && isTarget[node] === 0) inside.set(holder, (inside.get(holder) ?? 0) + newBytes[node]!)
  }
  const counted = new TupleInterner(2)
  found.forEach((kind, holder) => {
    const own = inside.get(holder)
    if (own === undefined) return
    const before = counted.size
    counted.intern(kind, holder)
    if (counted.size > before) bytes[kind]! += own
  })
  for (const timer of timers) for (const holder of timer.holders.keys()) timer.bytes += inside.get(holder) ?? 0
}

function tellMost(
  { born, steps }: Lineage,
  {
    found,
    bytes,
    stayed,
    timers,
    trees,
  }: Found & { readonly stayed: readonly number[]; readonly trees: ReadonlyMap<number, number> },
): Entry[] {
  const most = (by: readonly number[]): number[] =>
    Array.from(by.keys())
      .sort((a, b) => by[b]! - by[a]!)
      .slice(0, MOST)
  const kinds = bytes.length - timers.length
  const entries = new Map<number, Entry>()
  for (const kind of [...most(bytes), ...most(stayed)]) {
    entries.set(kind, timers[kind - kinds] ?? { ...noEntry(steps), bytes: bytes[kind]!, tree: trees.get(kind) })
  }
  found.forEach((kind, holder, target) => {
    const entry = entries.get(kind)
    if (!entry) return
    entry.holders.set(holder, (entry.holders.get(holder) ?? 0) + 1)
    entry.targets.push(target)
    entry.survivors[born[target]! - 1]!++
  })
  return [...entries.values()]
}

const noEntry = (steps: number): Entry => ({
  holders: new Map(),
  targets: [],
  survivors: Array<number>(steps).fill(0),
  bytes: 0,
})

/** Whether a JavaScript object holds Node's: then what that refers to is that object's. */
function embeddedIn({ snapshot, dominators }: HeapGraph, node: number): boolean {
  return snapshot.nodeType[dominators.immediate[node]!] === NodeType.object
}

/** Lists of timers with fewer new ones than this are told together: the delay of each differs a little. */
const FEW_TIMERS = 50

/** Node links timers of one duration to a list, in which each refers to its neighbours: here the list holds all of them. */
export function timerEntries(graph: HeapGraph, born: Uint16Array, steps: number, newBytes: Float64Array): Entry[] {
  const { nodeType, strings } = graph.snapshot
  const entries: Entry[] = []
  const others = noEntry(steps)
  for (const list of nodesNamed(graph.snapshot, [strings.indexOf(TIMER_LIST)])) {
    if (nodeType[list] !== NodeType.object) continue
    const found: number[] = []
    for (const timer of timersOfList(graph, list)) if (born[timer]! > 0) found.push(timer)
    const entry = found.length < FEW_TIMERS ? others : noEntry(steps)
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
export class Reach {
  readonly #columns: ReachColumns
  readonly #marks: Uint8Array
  readonly #queue: Uint32Array

  constructor({ snapshot }: HeapGraph, { born }: Lineage) {
    const { nodeCount, firstEdge, edges, edgeNameOrIndex, strings } = snapshot
    const arena = arenaOf(edges)
    const neighbours = arenaUint8(arena, strings.count)
    for (const name of NEIGHBOURS) if (strings.indexOf(name) >= 0) neighbours[strings.indexOf(name)] = 1
    this.#columns = { firstEdge, edges, edgeNameOrIndex, born, neighbours }
    this.#marks = arenaUint8(arena, nodeCount)
    this.#queue = arenaUint32(arena, nodeCount)
  }

  /** All new nodes that can be reached from these without passing an old one; these first. */
  from(targets: readonly number[]): Uint32Array {
    const { firstEdge, edges, edgeNameOrIndex, born, neighbours } = this.#columns
    const [marks, queue] = [this.#marks, this.#queue]
    let length = 0
    for (const node of targets) {
      if (marks[node] === 1 || born[node] === 0) continue
      marks[node] = 1
      queue[length++] = node
    }
    const loops = loopsFor(firstEdge, edges, edgeNameOrIndex, born, neighbours, marks, queue)
    length = loops.reachNew(this.#columns, marks, queue, length)
    const reached = arenaUint32(arenaOf(edges), length)
    reached.set(queue.subarray(0, length))
    for (let i = 0; i < length; i++) marks[reached[i]!] = 0
    return reached
  }
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

function grown(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length)
  larger.set(array)
  return larger
}
