// What says that a collection is meant to hold no more than so much, or for no longer than so long: numbers in the heap
// beside it, what the source compares its size with, room that was made for it in advance.

import type { ReadSource } from '../analysis/culprit.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName, numberOf, referencesOf } from '../graph/look.ts'
import { ROOT } from '../graph/roots.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import type { IsolateHeap } from './detector.ts'
import { shortPlace } from './functions.ts'
import { constantIn, findLimit, findRemoval } from './source.ts'
import { escaped } from './statements.ts'

export interface Bound {
  readonly name: string
  readonly value: number
}

/** How a collection is held, and where its source is. */
export interface Collection {
  readonly of: IsolateHeap
  readonly suspect: Suspect
  readonly way: readonly number[]
  /** What it is called in the source; undefined where it has no name of its own. */
  readonly name: string | undefined
  readonly module: string | undefined
  readonly readSource: ReadSource
}

/** Names of numbers that say how much something may hold. */
const BOUND =
  /^[_#$]*(max|limit|capacity|cap|bound|size_?limit|(max|limit)_?(size|entries|items|keys|length|count|elements|records)|max_?queue(_?size)?|queue_?limit)$/i
/** Names of numbers that say how long something may stay, in milliseconds or seconds. */
const LIFETIME =
  /^[_#$]*(std)?(ttl|max_?age|lifetime|expires_?in|expiry|expiration|time_?to_?live)(_?ms|_?s|_?seconds|_?millis)?$/i
/** The same in the names of a module's constants. */
const LIFETIMES = /ttl|max_?age|lifetime|expir|window|retention/i
const LIMITS = /max|limit|capacity|bound/
/** A number that fits in no time is no bound that matters. */
const FAR = 50
const NEAR = 10_000
/** What is taken out as often as it may stay may be there twice as long. */
const LATE = 2.2
/** Of the slots of an array that has grown by itself, more than this part is in use. */
const IN_USE = 0.6
/** Bytes of an array and the head of its store, and of each slot. */
const ARRAY = { head: 48, slot: 8 }

/** How much it may hold at the most, if that is more than it holds. */
export function boundOf(it: Collection): Bound | undefined {
  const { of, suspect, way, name, module, readSource } = it
  const { graph } = of
  if (isNodes(it)) return undefined
  const size = sizeOf(graph, suspect)
  for (const node of beside(graph, suspect.container, way)) {
    const bound = numberNamed(graph, node, BOUND)
    if (bound && bound.value >= size && bound.value < 1e9) return bound
  }
  const fits = (bound: Bound | undefined): bound is Bound =>
    bound !== undefined && bound.value >= size && bound.value < Math.max(NEAR, FAR * size)
  const near = name === undefined ? undefined : boundNamedFor(graph, way, name)
  if (fits(near)) return near
  const slots = slotsFor(it, size)
  if (slots !== undefined) return { name: 'the room that was made for it', value: slots }
  const limit = name === undefined ? undefined : findLimit(readSource, module, name)
  const compared = limit && worthOf(it, limit.limit)
  const called = limit && (/^\d/.test(limit.limit) ? 'the limit' : limit.limit)
  const found = limit && compared !== undefined && { name: `${called} at ${shortPlace(limit)}`, value: compared }
  return found && fits(found) ? found : undefined
}

/** How long what is in it may stay, as the program has it, if it holds no more than what came in that time. */
export function lifetimeOf(it: Collection): Bound | undefined {
  const { of, suspect, way, name, module, readSource } = it
  const { graph, seconds } = of
  if (isNodes(it)) return undefined
  const came = suspect.survivors.at(-1)
  const span = seconds.at(-1)! - seconds[0]!
  const fits = (found: Bound | undefined): found is Bound => {
    if (!found || found.value <= 0) return false
    // Nobody keeps things for less than a second: such a number counts seconds.
    const lifetime = found.value < 1000 ? found.value : found.value / 1000
    if (came === undefined) return lifetime > span
    return suspect.counts.at(-1)! <= (LATE * lifetime * came) / (seconds.at(-1)! - seconds.at(-2)!)
  }
  for (const node of beside(graph, suspect.container, way)) {
    const lifetime = numberNamed(graph, node, LIFETIME)
    if (fits(lifetime)) return lifetime
  }
  // A constant may be about something else: only where things are taken out at all.
  if (name === undefined || !findRemoval(readSource, module, name)) return undefined
  for (const scope of scopesOf(it)) {
    for (const found of numbersIn(graph, scope)) if (LIFETIMES.test(found.name) && fits(found)) return found
  }
  return undefined
}

/** Node's own lists and handles have no bounds of the program's beside them. */
const isNodes = ({ of: { graph }, suspect: { container } }: Collection): boolean =>
  container === ROOT || nodeName(graph, container) === 'TimersList'

/** How much each holder has, as well as that can be told; a Map refers to keys as well as to values. */
function sizeOf(graph: HeapGraph, { counts, counted, holders, container }: Suspect): number {
  if (counted !== 'references') return counts.at(-1)!
  // Slots that are empty hold a reference as well.
  if (holders.length === 1 && nodeName(graph, container) === 'Array') return usedIn(graph, container)
  const each = counts.at(-1)! / Math.max(1, Math.min(1000, holders.length))
  return nodeName(graph, container) === 'Map' ? each / 2 : each
}

/** The container, the object whose property it is, and, for a private store of a library's, the one around that. */
function beside(graph: HeapGraph, container: number, way: readonly number[]): number[] {
  const at = way.indexOf(container)
  const { owner } = graph.ownership
  const above = (at < 0 ? way.slice(0, -1) : way.slice(0, at)).filter((node) => owner[node] === node).reverse()
  return [container, ...above.slice(0, 2).filter((node) => !graph.moduleScopes.has(node))]
}

function numberNamed(graph: HeapGraph, node: number, names: RegExp): Bound | undefined {
  for (const { name, type, target } of referencesOf(graph, node, 200)) {
    if (type !== EdgeType.property && type !== EdgeType.context) continue
    const plain = name.replace(/^<symbol (?:Symbol\()?(.*?)\)?>$/, '$1')
    if (names.test(plain)) {
      const value = numberOf(graph, target)
      if (value !== undefined) return { name: plain, value }
    } else if (/^[_#$]*(opts|options|config|settings)$/i.test(plain)) {
      for (const inner of referencesOf(graph, target, 100)) {
        const value = names.test(inner.name) ? numberOf(graph, inner.target) : undefined
        if (value !== undefined) return { name: `${plain}.${inner.name}`, value }
      }
    }
  }
  return undefined
}

/** Beside what a module or a function calls `sessions`, its `MAX_SESSIONS` or `sessionLimit`. */
function boundNamedFor(graph: HeapGraph, way: readonly number[], container: string): Bound | undefined {
  const fold = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '')
  const own = fold(container).replace(/s$/, '')
  if (own.length < 3) return undefined
  for (const scope of way.filter((node) => isScope(graph, node))) {
    for (const found of numbersIn(graph, scope)) {
      const folded = fold(found.name)
      if (folded.includes(own) && LIMITS.test(folded.replace(own, ''))) return found
    }
  }
  return undefined
}

const isScope = (graph: HeapGraph, node: number): boolean =>
  graph.moduleScopes.has(node) || nodeName(graph, node).startsWith('system / Context')

function* numbersIn(graph: HeapGraph, scope: number): Generator<Bound> {
  for (const { name, type, target } of referencesOf(graph, scope, 1000)) {
    const value = type === EdgeType.context ? numberOf(graph, target) : undefined
    if (value !== undefined) yield { name, value }
  }
}

/** The program's scopes on the way, and that of the module in which the collection is used. */
function scopesOf({ of: { graph }, way, module }: Collection): number[] {
  const ofModule = [...graph.moduleScopes].filter(([, url]) => url === module).map(([node]) => node)
  const isNodes = (node: number): boolean => graph.moduleScopes.get(node)?.startsWith('node:') ?? false
  return [...new Set([...way.filter((node) => isScope(graph, node) && !isNodes(node)), ...ofModule])]
}

/** What a number, or a name in the source such as `this.#limit` or `CAPACITY`, stands for. */
function worthOf(it: Collection, limit: string): number | undefined {
  if (/^\d/.test(limit)) return Number(limit.replaceAll('_', ''))
  const { of, suspect, way, module, readSource } = it
  const last = limit.split('.').at(-1)!
  const called = new RegExp(`^${escaped(last)}$`)
  for (const node of beside(of.graph, suspect.container, way)) {
    const found = numberNamed(of.graph, node, called)
    if (found) return found.value
  }
  for (const scope of scopesOf(it)) {
    for (const { name, value } of numbersIn(of.graph, scope)) if (name === last) return value
  }
  return module === undefined ? undefined : constantIn(readSource, module, last)
}

/**
 * The slots of an array that had them all from the beginning: the container, or what stands beside it for as many things,
 * as in caches that find their entries by number. An array that is pushed to has no more than a part to spare.
 */
function slotsFor({ of: { graph, heap }, suspect, way }: Collection, size: number): number | undefined {
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
    if (used >= 0.8 * size && used < IN_USE * slots) return slots
  }
  return undefined
}

/** How many elements of an array are something. */
function usedIn({ snapshot }: HeapGraph, list: number): number {
  const { nodeName: names, strings, firstEdge, edges } = snapshot
  const nothing = strings.indexOf('system / Oddball')
  let used = 0
  for (let edge = firstEdge[list]!; edge < firstEdge[list + 1]!; edge++) {
    const packed = edges[edge]!
    if (edgeType(packed) === EdgeType.element && names[edgeTarget(packed)] !== nothing) used++
  }
  return used
}
