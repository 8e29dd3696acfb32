// The source line to blame for growth: the program's statement that makes, hands over or puts what is too many.

import type { HeapGraph } from '../graph/heap-graph.ts'
import type { SourceLocation } from '../graph/locations.ts'
import { pathTo } from '../graph/paths.ts'
import type { PathStep } from '../graph/retaining-path.ts'
import { type Sources, sourcesOf } from '../source/app-modules.ts'
import { isOwn } from '../source/origins.ts'
import { blockFrom, offsetOf, placeOf } from '../source/source-outline.ts'
import { packageOf, type ReadSource } from '../support/sources.ts'
import { type AllocationSite, type AllocationStack, type RankedSite, rankSites } from './allocations.ts'
import { handover, rankStatements, statementIn } from './blame.ts'
import { type Blamed, type Clues, gatherClues, type Via } from './clues.ts'
import { findInsertions } from './insertions.ts'
import type { Lineage } from './lineage.ts'
import { rankPackageCalls } from './package-calls.ts'
import type { NearFunction } from './surroundings.ts'

export { packageOf, type ReadSource, readLocalSource } from '../support/sources.ts'

/** A line of a script that ran, 1-based, and how it is tied to the growth. The report has the line of its source instead. */
export interface Culprit {
  readonly function: string | null
  readonly url: string
  readonly line: number
  readonly column: number
  /** npm package of the file, from its URL; null for the program's own. */
  readonly package: string | null
  /**
   * `allocation`: where the objects were allocated, by a profile; `callback`: where the function is handed over, or
   * stands, that the leaked object calls; `retainer`: where it is made or put, or the class that holds it.
   */
  readonly basis: 'allocation' | 'callback' | 'retainer'
}

/** Tells the place in the source of a place in a script, by its source map; both 1-based. */
export type MapPosition = (url: string, line: number, column: number) => SourceLocation | undefined

export interface BlameOptions {
  readonly readSource?: ReadSource | undefined
  /** Of the isolate, as `readAllocations` gives them. */
  readonly allocations?: readonly AllocationStack[] | undefined
  readonly mapPosition?: MapPosition | undefined
  /** The package that adds what leaks, and how the program comes to that. */
  readonly via?: Via | undefined
  /** Whether where a thing is put is the better answer, as for a collection, or where it is made, as for a handle. */
  readonly first?: 'put' | 'made'
}

/** Who is to blame, and what a profile says of it. */
export interface Verdict {
  readonly culprit: Culprit | undefined
  /** Whether the statement fits so well that it is more than the likeliest. */
  readonly isSure: boolean
  /** Where the profile has what may be the leak allocated, the likeliest first; empty without one. */
  readonly sites: readonly AllocationSite[]
}

/** Of the best, so much fit is as good as it. */
const AS_GOOD = 0.3
const MAX_SITES = 5
/** Functions that are further from what leaks have little to do with it. */
const NEAR = 8

/** @param path as `retainingPath` tells it, to `node` */
export function findCulprit(
  graph: HeapGraph,
  node: number,
  path: readonly PathStep[],
  readSource: ReadSource | undefined,
  lineage?: Lineage,
  mapPosition?: MapPosition,
): Culprit | undefined {
  const unknown = { count: 1, className: '', bytes: 0, survivors: [], reached: new Uint32Array(0) }
  const suspect = { ...unknown, sample: node, container: path.at(-2)?.ordinal ?? node }
  return culpritFor({ graph, suspect, path, way: pathTo(graph.paths, node), lineage }, { readSource, mapPosition })
}

/** The line of a script to blame for a leak; undefined where nothing of the program's, nor of a package's, is near. */
const culpritFor = (blamed: Blamed, options: BlameOptions): Culprit | undefined => blame(blamed, options).culprit

export function blame(blamed: Blamed, options: BlameOptions): Verdict {
  const { mapPosition } = options
  const clues = gatherClues(blamed, ({ url, line, column }) => mapPosition?.(url, line, column)?.url ?? url)
  return judgeClues({ ...clues, via: options.via }, options)
}

/**
 * The program's own lines first: where a function that leaks is handed over; where the program puts things into what is
 * its own; where a profile says that they are allocated; the likeliest call of what belongs to the library, or to Node,
 * that holds them. Where the sources cannot be had, functions and classes that V8 tells the place of.
 */
export function judgeClues(clues: Clues, options: BlameOptions): Verdict {
  const { readSource, mapPosition, allocations = [], first = 'put' } = options
  const sources = readSource && sourcesOf(readSource)
  const urlOf = ({ url, line, column }: SourceLocation): string => mapPosition?.(url, line, column)?.url ?? url
  // A bundle has packages in it.
  const isOwnPlace = (place: SourceLocation): boolean => isOwn(urlOf(place))

  const ranked = rankSites(allocations, clues, isOwnPlace)
  const found = clues.via
    ? callOfPackage(clues, clues.via, sources, ranked, isOwnPlace)
    : decide(fromHeap(clues, sources, first, isOwnPlace), ranked, clues, sources, first)
  if (!found) return { culprit: undefined, isSure: false, sites: [] }
  const { url, line, column } = found.place
  return {
    culprit: {
      function: found.name || null,
      ...{ url, line, column },
      package: packageOf(urlOf(found.place)),
      basis: found.basis,
    },
    isSure: found.score >= SURE,
    sites: ranked.slice(0, MAX_SITES).map(
      ({ function: name, url, line, column, bytes }): AllocationSite => ({
        function: name,
        url,
        line,
        column,
        bytes,
      }),
    ),
  }
}

interface Guess {
  readonly name: string
  readonly place: SourceLocation
  readonly basis: Culprit['basis']
  /** How likely; above `SURE`, a profile cannot tell better. */
  readonly score: number
}

/** Where the program's own names lead: a statement that puts things, a function that leaks itself. */
const CERTAIN = 100
/** V8's profiles name the outermost of functions that were compiled as one, so a statement that fits well is more to go by. */
const SURE = 8
/** Of the best score, so much is as good. */
const TIED = 0.9

/** The likeliest first, and those that are about as likely. */
function fromHeap(
  clues: Clues,
  sources: Sources | undefined,
  first: 'put' | 'made',
  isOwnPlace: (place: SourceLocation) => boolean,
): Guess[] {
  const callback = clues.callback && ofFunction(clues.callback, sources, CERTAIN)
  // Functions that the program keeps in a collection of its own are added where they are put.
  if (callback && clues.storage === undefined) return [callback]
  if (sources) {
    const puts = findInsertions(sources, clues).flatMap(({ url, offset, sure }): Guess[] => {
      const outline = sources.outline(url)
      const place = outline && { url, ...placeOf(outline, offset) }
      return place && isOwnPlace(place) ? [{ name: '', place, basis: 'retainer', score: sure ? CERTAIN : 0 }] : []
    })
    if (puts[0]?.score === CERTAIN && first === 'put') return puts
    if (callback) return [callback]
    const calls = rankStatements(sources, clues, first).flatMap(({ module, call, score }): Guess[] => {
      const place = { url: module.url, ...placeOf(module.outline, call.at) }
      // A library that is only set up keeps what others allocate.
      const certain = call.block === undefined ? CERTAIN : score
      return isOwnPlace(place) ? [{ name: '', place, basis: 'retainer', score: certain }] : []
    })
    if (calls[0]) return calls.filter(({ score }) => score >= TIED * calls[0]!.score)
    if (puts[0]) return puts.slice(0, 1)
  }
  if (callback) return [callback]
  const near = clues.functions.find(({ kind, distance }) => kind !== 'shared' && distance <= NEAR)
  // Without sources, the function itself is nearer to the mark than where that begins in which it was made.
  if (near) return [ofFunction(near, sources, near.kind === 'callback' && !sources ? CERTAIN : 0)]
  const step = clues.steps.find(({ location }) => isOwnPlace(location)) ?? clues.steps[0]
  return step ? [{ name: step.name, place: step.location, basis: 'retainer', score: 0 }] : []
}

/** The program's call that leads to what a package adds; undefined where there is none, or one is as likely as another. */
function callOfPackage(
  clues: Clues,
  via: Via,
  sources: Sources | undefined,
  ranked: readonly RankedSite[],
  isOwnPlace: (place: SourceLocation) => boolean,
): Guess | undefined {
  const calls = (sources ? rankPackageCalls(sources, clues, via) : [])
    .map(({ module, call, score, isTold }) => ({
      ...{ place: { url: module.url, ...placeOf(module.outline, call.at) }, name: '', score },
      ...{ basis: 'retainer' as const, isTold },
    }))
    .filter(({ place }) => isOwnPlace(place))
  const tied = calls.filter(({ score }) => score >= TIED * calls[0]!.score)
  const good = ranked.filter(({ fit }) => fit >= AS_GOOD * ranked[0]!.fit)
  return (
    tied.find(({ place }) => good.some((site) => passes(site, place, sources))) ??
    (tied.length === 1 || tied[0]?.isTold ? tied[0] : undefined)
  )
}

/** Where a function is handed over, or else where it begins. */
function ofFunction({ name, location, kind }: NearFunction, sources: Sources | undefined, score: number): Guess {
  const basis = kind === 'callback' ? 'callback' : 'retainer'
  const module = kind === 'callback' ? sources?.module(location.url) : undefined
  const block = module && blockFrom(module.outline, offsetOf(module.outline, location.line, location.column))
  const call = block && handover(module, block)
  const place = call ? { url: location.url, ...placeOf(module.outline, call.at) } : location
  return { name, place, basis, score }
}

/**
 * Of guesses that are as good, the one in a function that a stack which fits well has passed; where none is, and none is
 * sure, the statement in the function that the best stack has innermost.
 */
function decide(
  guesses: readonly Guess[],
  ranked: readonly RankedSite[],
  clues: Clues,
  sources: Sources | undefined,
  first: 'put' | 'made',
): Guess | undefined {
  const best = ranked[0]
  if (!best) return guesses[0]
  const good = ranked.filter(({ fit }) => fit >= AS_GOOD * best.fit)
  const passed = guesses.find(({ place }) => good.some((site) => passes(site, place, sources)))
  if (passed) return { ...passed, basis: 'allocation' }
  if (guesses[0] && guesses[0].score >= SURE) return guesses[0]
  const module = sources?.module(best.url)
  const block = module && blockFrom(module.outline, offsetOf(module.outline, best.line, best.column))
  const statement = block && statementIn(module, block, clues, first)
  const place = statement ? { url: best.url, ...placeOf(module!.outline, statement.call.at) } : best
  return { name: best.function ?? '', place, basis: 'allocation', score: 0 }
}

/** Whether one of the functions on a stack is around a place. */
function passes({ frames }: RankedSite, place: SourceLocation, sources: Sources | undefined): boolean {
  const outline = sources?.outline(place.url)
  if (!outline) return false
  const offset = offsetOf(outline, place.line, place.column)
  return frames.some((frame) => {
    if (frame.url !== place.url) return false
    const block = blockFrom(outline, offsetOf(outline, frame.line, frame.column))
    return block !== undefined && block.start <= offset && offset < block.end
  })
}
