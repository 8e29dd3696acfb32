// Bounds and lifetimes of a collection: what the source proves with the numbers of the heap, the room that was made for it in
// advance, or, where there is no source, a number beside it.

import { entriesOf } from '../analysis/collection-entries.ts'
import type { ReadSource } from '../analysis/culprit.ts'
import { storagePathOf, treesFor } from '../analysis/storage-path.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName, numberOf, ODDBALLS, referencesOf, targetsOf } from '../graph/look.ts'
import { ROOT } from '../graph/roots.ts'
import { collectionOf } from '../graph/tables.ts'
import { isTimerList } from '../node-internals/timers.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { findUpkeep, type Limit, type Upkeep } from '../source/limits.ts'
import { findStorage, type Operation } from '../source/storage.ts'
import type { SyntaxTree } from '../source/syntax-tree.ts'
import type { IsolateHeap } from './detector.ts'
import { placeMark } from './shown.ts'
import { plainName } from './surroundings.ts'

/** A collection that gained, with the path that holds it. */
export interface Collection {
  readonly of: IsolateHeap
  readonly suspect: Suspect
  readonly way: readonly number[]
  readonly readSource: ReadSource
}

export interface Bound {
  readonly name: string
  /** How many, or milliseconds; undefined where the source has a bound whose number cannot be worked out. */
  readonly value: number | undefined
  /** False where the code that keeps to it was not seen. */
  readonly isProven: boolean
  /** How many things are in the collection is not known: of their class there are more than it may hold. */
  readonly isUnclear?: true
}

/** What keeps a collection small, as far as it is known. */
export interface Keeping {
  /** A bound that it has not reached yet. */
  readonly bound?: Bound | undefined
  /** How long things may stay in it; it holds no more than what came in that time. */
  readonly lifetime?: Bound | undefined
  /** A bound that it has exceeded. */
  readonly passed?: Bound | undefined
  /** The first statement that takes things out while the program works. */
  readonly removal?: Operation | undefined
  /** A statement that would take things out, but runs only when the program ends, or is called by nothing that was seen. */
  readonly idle?: Upkeep['idle'][number] | undefined
  /** Whether the source has a statement that puts things in. */
  readonly isFilled?: boolean
}

/** Names of numbers that say how much something may hold. */
const BOUND =
  /^[_#$]*(max|limit|capacity|cap|bound|size_?limit|(max|limit)_?(size|entries|items|keys|length|count|elements|records)|max_?queue(_?size)?|queue_?limit)$/i
/** Names of numbers that say how long something may stay, in milliseconds or seconds. */
const LIFETIME =
  /^[_#$]*(std)?(ttl|max_?age|lifetime|expires_?in|expiry|expiration|time_?to_?live)(_?ms|_?s|_?seconds|_?millis)?$/i
const IN_SECONDS = /^[_#$]*std|(_s|_?seconds)$/i
/** A bound of more than FAR times what is in it, and more than NEAR, may be reached in hours, or never. */
const FAR = 50
const NEAR = 10_000
/** Where old things are taken out once in a lifetime, they may stay for twice as long. */
const LATE = 2.2
/** A collection that keeps to a bound may exceed it by so much for a moment, while something is being put in. */
const OVER = { share: 1.05, count: 3 }
/**
 * In an array that has grown by itself, more than this share of the slots is in use, apart from so many: `NewElementsCapacity`
 * in https://github.com/v8/v8/blob/main/src/objects/js-objects.h
 */
const IN_USE = { share: 0.6, besides: 16 }
/** Bytes that an entry takes in a store, with the store's spare room. */
const ENTRY_BYTES = { Array: 12, Map: 37, Set: 27 }
/** Bytes of an array and the head of its store, and of each slot. */
const ARRAY = { head: 48, slot: 8 }

export function keepingOf(it: Collection): Keeping {
  const { of, suspect, way, readSource } = it
  const { graph } = of
  if (isNodes(it)) return {}
  const counted = sizeOf(it)
  const size = counted ?? suspect.counts.at(-1)!
  const room = roomFor(it, size)
  const path = storagePathOf(graph, way, suspect.container)
  const trees = path && treesFor(graph, readSource, way)
  const storage = path && trees && findStorage(trees, path)
  if (!storage || storage.operations.length === 0)
    return room
      ? { bound: room }
      : path?.home === undefined || readSource(path.home) === undefined
        ? besideIt(it, size)
        : {}
  const { limits, removals, idle } = findUpkeep(trees, storage, path.depth, numberCalled(it))
  const bounds = limits.filter(({ kind }) => kind === 'size')
  const known = bounds.filter(({ value }) => value !== undefined)
  const reached = (limit: Limit): boolean => size <= limit.value! * OVER.share + OVER.count
  const near = known.find((limit) => reached(limit) && limit.value! < Math.max(NEAR, FAR * size))
  const lifetimes = limits.filter(({ kind }) => kind === 'lifetime')
  const within = lifetimes.find(({ value }) => value !== undefined && isWithin(it, value))
  const asBound = (limit: Limit | undefined): Bound | undefined =>
    limit && { name: nameOf(limit), value: limit.value, isProven: true }
  const unknownSize = known.length === 0 ? bounds[0] : undefined
  const beyond = near ? undefined : known.find((limit) => !reached(limit))
  // Those that came are within the bound, and where the others are is not known.
  const isUnclear = counted === undefined && beyond !== undefined && suspect.count <= beyond.value!
  const unclear = isUnclear ? { ...asBound(beyond)!, value: undefined, isUnclear } : undefined
  const unknownTime = lifetimes.find(({ value }) => value === undefined)
  return {
    bound: asBound(near) ?? room ?? asBound(unknownSize) ?? unclear,
    lifetime: asBound(within) ?? (within || lifetimes.length > 1 ? undefined : asBound(unknownTime)),
    passed: isUnclear ? undefined : asBound(beyond),
    removal: removals[0],
    idle: removals[0] ? undefined : idle[0],
    isFilled: storage.operations.some(({ kind }) => kind === 'insert'),
  }
}

const nameOf = ({ text, tree, at, value }: Limit): string =>
  `${/^[\d_.e]+$/.test(text) && value !== undefined ? 'the limit' : text} at ${placeIn(tree, at)}`

/** Stands for `leaky.mjs:14` in a text; `withPlaces` puts that in. */
export const placeIn = ({ url, source }: SyntaxTree, at: number): string =>
  placeMark({ url, line: lineOf(source, at), column: at - source.lastIndexOf('\n', at - 1) }, 'place')

export function lineOf(source: string, at: number): number {
  let line = 1
  for (let end = source.indexOf('\n'); end >= 0 && end < at; end = source.indexOf('\n', end + 1)) line++
  return line
}

/** Whether it holds no more than what came in so many milliseconds. */
function isWithin({ of: { seconds }, suspect }: Collection, ms: number): boolean {
  const lifetime = ms / 1000
  const came = suspect.survivors.at(-1)
  if (came === undefined) return lifetime > seconds.at(-1)! - seconds[0]!
  const latest = Math.max(0.001, seconds.at(-1)! - seconds.at(-2)!)
  return suspect.counts.at(-1)! <= (LATE * lifetime * came) / latest
}

/** Where the source cannot be had: a number that is called like a bound, beside what it may be the bound of. */
function besideIt(it: Collection, size: number): Keeping {
  const { of, suspect, way } = it
  for (const node of beside(of.graph, suspect.container, way)) {
    // Numbers of Node, such as the expiry of a list of timers, mean something else.
    if (of.graph.sourceLocation(node)?.url.startsWith('node:')) continue
    const limit = numberNamed(of.graph, node, BOUND)
    if (limit && limit.value >= size && limit.value < Math.max(NEAR, FAR * size))
      return { bound: { ...limit, isProven: false } }
    const time = numberNamed(of.graph, node, LIFETIME)
    if (!time || time.value <= 0) continue
    // Without a unit in its name, a small number is in seconds.
    const ms = IN_SECONDS.test(time.name) || time.value < 1000 ? 1000 * time.value : time.value
    if (isWithin(it, ms)) return { lifetime: { ...time, value: ms, isProven: false } }
  }
  return {}
}

/** Whether the container is one of Node, which has no bounds of the program beside it. */
const isNodes = ({ of: { graph }, suspect: { container } }: Collection): boolean =>
  container === ROOT || isTimerList(graph, container)

/** This share of what came must be held by the container directly, for its references to be counted. */
const MOSTLY = 0.9
const MOST_REFERENCES = 200_000

/** How many things each holder has; undefined where only the objects of their class can be counted, which are elsewhere, too. */
function sizeOf({ of, suspect }: Collection): number | undefined {
  const { counts, counted, holders, count } = suspect
  const last = counts.at(-1)!
  if (counted === 'entries') return last / Math.max(1, Math.min(1000, holders.length))
  if (counted === 'bytes') {
    const kind = collectionOf(of.graph, suspect.sample)
    const entries = kind === undefined ? 0 : (entriesOf(of.graph, suspect.sample, () => false)?.count ?? 0)
    const byStore = last / ENTRY_BYTES[kind ?? 'Array']
    // Small numbers are no nodes: of a collection of them, only the bytes tell.
    return entries >= byStore / 2 ? entries : byStore
  }
  const { of: classOf } = of.heap.opened.classes
  const wanted = classOf[suspect.sample]
  const direct = new Set<number>()
  for (const target of targetsOf(of.graph, suspect.container, MOST_REFERENCES)) {
    if (classOf[target] === wanted) direct.add(target)
  }
  return direct.size >= MOSTLY * count ? direct.size : undefined
}

/** The container, the object whose property it is, and the object around that, for a private store of a library. */
function beside(graph: HeapGraph, container: number, way: readonly number[]): number[] {
  const at = way.indexOf(container)
  const { owner } = graph.ownership
  const above = (at < 0 ? way.slice(0, -1) : way.slice(0, at)).filter((node) => owner[node] === node).reverse()
  return [container, ...above.slice(0, 2).filter((node) => !graph.moduleScopes.has(node))]
}

const OPTIONS = /^[_#$]*(opts|options|config|settings)$/i

interface Named {
  readonly name: string
  readonly value: number
}

function numberNamed(graph: HeapGraph, node: number, names: RegExp): Named | undefined {
  for (const { name, type, target } of referencesOf(graph, node, 200)) {
    if (type !== EdgeType.property && type !== EdgeType.context) continue
    const plain = name.replace(/^<symbol (?:Symbol\()?(.*?)\)?>$/, '$1')
    if (names.test(plain)) {
      const value = numberOf(graph, target)
      if (value !== undefined) return { name: plain, value }
    } else if (OPTIONS.test(plain)) {
      for (const inner of referencesOf(graph, target, 100)) {
        const value = names.test(inner.name) ? numberOf(graph, inner.target) : undefined
        if (value !== undefined) return { name: `${plain}.${inner.name}`, value }
      }
    }
  }
  return undefined
}

/** Finds the value of a number that the source names: in objects on the path, their options, and the scopes on the path. */
function numberCalled({ of: { graph }, suspect, way }: Collection): (name: string) => number | undefined {
  const known = new Map<string, number | undefined>()
  const look = (wanted: string): number | undefined => {
    const plain = plainName(wanted)
    for (const node of beside(graph, suspect.container, way)) {
      const found = numberNamed(graph, node, new RegExp(`^[_#$]*${plain.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`))
      if (found) return found.value
    }
    for (const scope of way) {
      if (!graph.moduleScopes.has(scope) && !nodeName(graph, scope).startsWith('system / Context')) continue
      if (graph.moduleScopes.get(scope)?.startsWith('node:')) continue
      for (const { name, type, target } of referencesOf(graph, scope, 1000)) {
        const value = type === EdgeType.context && name === wanted ? numberOf(graph, target) : undefined
        if (value !== undefined) return value
      }
    }
    return undefined
  }
  return (name) => {
    if (!known.has(name)) known.set(name, look(name))
    return known.get(name)
  }
}

/**
 * The room of an array that was made with all its slots: the container, or an array beside it with an element for each
 * thing, as in caches that find their entries by number. An array that is pushed to has fewer spare slots.
 */
function roomFor({ of: { graph, heap }, suspect, way }: Collection, size: number): Bound | undefined {
  const { lineage } = heap
  if (!lineage) return undefined
  const lists = beside(graph, suspect.container, way).flatMap((node) => [
    node,
    ...Array.from(referencesOf(graph, node, 200), ({ target }) => target),
  ])
  for (const list of new Set(lists)) {
    if (!isObject(graph, list) || nodeName(graph, list) !== 'Array' || lineage.born[list] !== 0) continue
    if (lineage.sizes[list] !== lineage.firstSizes[list]) continue
    const slots = Math.floor((graph.shallowSize(list) - ARRAY.head) / ARRAY.slot)
    if (slots < size || slots > FAR * Math.max(NEAR, size)) continue
    const used = usedIn(graph, list)
    if (used >= 0.8 * size && used < IN_USE.share * (slots - IN_USE.besides))
      return { name: 'the room that was made for it', value: slots, isProven: true }
  }
  return undefined
}

/** How many elements of an array are neither `undefined`, `null` nor a hole. */
function usedIn({ snapshot }: HeapGraph, list: number): number {
  const { nodeName: names, nodeType, strings, firstEdge, edges } = snapshot
  const nothing = new Set(ODDBALLS.map((name) => strings.indexOf(name)))
  let used = 0
  for (let edge = firstEdge[list]!; edge < firstEdge[list + 1]!; edge++) {
    const packed = edges[edge]!
    if (edgeType(packed) !== EdgeType.element) continue
    const target = edgeTarget(packed)
    if (nodeType[target] !== NodeType.hidden || !nothing.has(names[target]!)) used++
  }
  return used
}
