// Functions that leaked objects refer to: of whom they are, and where they stand in the source.

import { type Culprit, packageOf } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, isFunction, nodeName, property } from '../graph/look.ts'
import { registersOf } from '../graph/suspended.ts'
import { TIMER_LINKS } from '../node-internals/timers.ts'
import { NodeType } from '../snapshot/meta.ts'
import { edgeTarget, retains } from '../snapshot/snapshot.ts'
import type { Candidate } from './detector.ts'
import { isNew } from './piled-up.ts'
import { placeMark } from './shown.ts'

/** The function that a bound one calls, or that `once` has wrapped; the function itself if it is neither. */
export function unwrapped(graph: HeapGraph, node: number): number {
  let at = node
  for (let depth = 0; depth < 4; depth++) {
    const wrapped = property(graph, at, 'listener')
    const next = wrapped !== undefined && isFunction(graph, wrapped) ? wrapped : internal(graph, at, 'bound_function')
    if (next === undefined) break
    at = next
  }
  return at
}

/** The place of a function, or of an instance's class, as a culprit; undefined where V8 has none, or it is in Node. */
export function placeOf(graph: HeapGraph, node: number, basis: Culprit['basis'] = 'callback'): Culprit | undefined {
  const location = graph.sourceLocation(node)
  if (!location || location.url.startsWith('node:')) return undefined
  const name = graph.snapshot.nodeType[node] === NodeType.closure ? nodeName(graph, node) : ''
  return { function: name || null, ...location, package: packageOf(location.url), basis }
}

/** Properties that lead from a node of a list to the next. */
const NEIGHBOURS = [...TIMER_LINKS, 'next', 'previous', 'prev']
const MOST_LOOKED_AT = 3000

/**
 * The functions that new objects lead to, the nearest first, `most` at most: of the program if there are any, else of
 * packages. Plain functions go before suspended ones, or, with `waiting`, behind them; classes come last.
 */
export function functionsFrom(
  candidate: Candidate,
  from: readonly number[],
  { most = 12, waiting = false }: { most?: number; waiting?: boolean } = {},
): Culprit[] {
  const { graph } = candidate.of
  const { firstEdge, edges, edgeNameOrIndex, nodeType, strings } = graph.snapshot
  const names = graph.snapshot.nodeName
  const neighbours = new Set(NEIGHBOURS.map((name) => strings.indexOf(name)))
  const seen = new Set(from)
  const queue = [...from]
  const found: { place: Culprit; rank: number }[] = []
  for (let i = 0; i < queue.length && i < MOST_LOOKED_AT; i++) {
    const node = queue[i]!
    const isClosure = nodeType[node] === NodeType.closure
    if (isClosure || nodeType[node] === NodeType.object) {
      const place = placeOf(graph, node, isClosure ? 'callback' : 'retainer')
      const kind = isClosure ? Number(waiting) : isWaiting(graph, node) ? Number(!waiting) : 2
      if (place) found.push({ place, rank: kind + (place.package === null ? 0 : 3) })
    }
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const target = edgeTarget(edges[edge]!)
      if (seen.has(target) || !retains(edges[edge]!)) continue
      if (neighbours.has(edgeNameOrIndex[edge]!) && names[target] === names[node]) continue
      if (nodeType[target] === NodeType.code || nodeType[target] === NodeType.objectShape) continue
      // The function that a bound one calls is old, and says more than anything new.
      if (!isNew(candidate, target) && strings.get(edgeNameOrIndex[edge]!) !== 'bound_function') continue
      seen.add(target)
      queue.push(target)
    }
  }
  const best = Math.min(...found.map(({ rank }) => rank))
  const places = found.filter(({ rank }) => rank === best).map(({ place }) => place)
  return places.filter((place, i) => places.findIndex((other) => samePlace(other, place)) === i).slice(0, most)
}

const samePlace = (a: Culprit, b: Culprit): boolean => a.url === b.url && a.line === b.line && a.column === b.column

/** Whether it is an async function or a generator that is suspended. */
export const isWaiting = (graph: HeapGraph, node: number): boolean =>
  /Generator$|^AsyncFunction/.test(nodeName(graph, node)) || registersOf(graph, node) !== undefined

/** Stands for `leaky.mjs:14` in a text; `withPlaces` puts that in, as it is in the source. */
export const shortPlace = (place: Pick<Culprit, 'url' | 'line'> & { readonly column?: number }): string =>
  placeMark(place, 'place')
/** Stands for the text of the line. */
export const textAt = (place: Pick<Culprit, 'url' | 'line'> & { readonly column?: number }): string =>
  placeMark(place, 'text')
/** Stands for `line 14`. */
export const lineOf = (place: Pick<Culprit, 'url' | 'line'> & { readonly column?: number }): string =>
  placeMark(place, 'line')

/** A place as evidence; `evidenceShown` makes it one in the source. */
export const placeIn = (place: Culprit | undefined): Pick<Culprit, 'url' | 'line' | 'column'> | null =>
  place ? { url: place.url, line: place.line, column: place.column } : null
