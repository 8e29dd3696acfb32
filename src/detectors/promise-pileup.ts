// `promise-pileup`: promises that are never settled, or too slowly, with the functions that wait for them.

import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import { ground } from '../findings/weights.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName, referencesOf } from '../graph/look.ts'
import { NOT_REACHED, pathTo } from '../graph/paths.ts'
import { pathAlong } from '../graph/retaining-path.ts'
import { suspendedName } from '../graph/suspended.ts'
import { GENERATOR_REQUEST, isAwaited, isPromise, REACTION, stuckAt, waiterOf } from '../node-internals/promises.ts'
import { settleable } from '../node-internals/settling.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget } from '../snapshot/snapshot.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import { isNewestFirst, recursion, recursionEvidence } from './async-recursion.ts'
import { findWait } from './awaits.ts'
import type { Candidate, Diagnosis, EvidenceBy, HeapDetector, Likelihood } from './detector.ts'
import * as field from './evidence-fields.ts'
import { findCallOn, modulesOf, whereGiven, wherePut } from './flows.ts'
import { functionsFrom, isWaiting, placeOf, shortPlace } from './functions.ts'
import { but } from './likelihood.ts'
import { isNew, nameUpTo, onlyGains, ownersOnWay, piledUp } from './piled-up.ts'
import { promiseIn } from './promises.ts'
import { reachedOf } from './surroundings.ts'

const keepsField = () =>
  z.record(z.string(), z.number()).describe('what is kept beside the promises: bytes by class, the most first')
const resolvers = (what: string) => z.boolean().describe(`whether anything is left in the heap that can settle ${what}`)

const reactionsEvidence = () =>
  z.object({
    kind: z.literal('reactions on one promise').describe('much waits for one old promise'),
    promise: field.nameOrNull('what the program calls the promise'),
    reactions: field.count('reactions that came and are still there'),
    resolversReachable: resolvers('the promise'),
    perSecond: field.perSecond('reactions that come'),
    bytesEach: field.bytes('what a reaction keeps alive'),
    keeps: keepsField(),
  })

const chainEvidence = () =>
  z.object({
    kind: z.literal('chain').describe('each promise waits for the one before'),
    promises: field.count('promises that came and are still there'),
    perSecond: field.perSecond('promises that come'),
    bytesEach: field.bytes('what a promise keeps alive'),
    keeps: keepsField(),
    resolversReachable: resolvers('the first of them'),
    stuckOn: z.string().nullable().optional().describe('what the program calls the promise that can never be settled'),
    appendedBy: z.string().optional().describe('text of the line that appends to the chain'),
  })

const unsettledEvidence = () =>
  z.object({
    kind: z.literal('never settled').describe('promises are kept in a container, and are not settled'),
    keptIn: field.name('what the program calls the container'),
    promises: field.count('promises that came and are still there'),
    perSecond: field.perSecond('promises that come'),
    resolversReachable: z
      .boolean()
      .nullable()
      .describe('whether anything is left in the heap that can settle them; null where that is so of some'),
    awaitedShare: z.number().describe('the part of them that something waits for, from 0 to 1'),
    awaitedAt: field.nameOrNull('file and line of the function that waits'),
    bytesEach: field.bytes('what a promise keeps alive'),
    keeps: keepsField(),
  })

const requestsEvidence = () =>
  z.object({
    kind: z.literal('requests of an async generator').describe('next() is called more often than it yields'),
    generator: field.name('what the program calls the generator'),
    function: field.nameOrNull('the generator function'),
    yieldsAt: field.nameOrNull('file and line of the generator function'),
    promises: field.count('calls that came and still wait'),
    perSecond: field.perSecond('calls that come, beyond those that are answered'),
    bytesEach: field.bytes('what a call keeps alive'),
  })

const evidence = () => [
  reactionsEvidence(),
  chainEvidence(),
  unsettledEvidence(),
  requestsEvidence(),
  recursionEvidence(),
]
type Found = Diagnosis<EvidenceBy<typeof evidence>> | undefined

export const promisePileup: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'promise-pileup',
  patterns: ['promise-pileup'],
  needs: 'heap',
  before: [
    // What waits for a promise is a function with a scope; that it waits says more.
    'closure-retention',
    // Node keeps promises for a program, such as those of its async generators: here it is known what they wait for.
    'unknown-node-internals',
  ],
  inPackages: {
    methods: /^(then|catch|finally|race|any|all|allSettled)$/,
    ...{ isTakenOut: true, isMadeInside: true },
  },
  evidence,
  diagnose(candidate, { readSource }) {
    const { suspect, of } = candidate
    const { graph } = of
    const way = ownersOnWay(candidate)
    const promises = way.filter((node) => isPromise(graph, node))
    const fresh = promises.filter((node) => isNew(candidate, node))
    if (fresh.length >= CHAIN) {
      return isNewestFirst(candidate, fresh)
        ? recursion(candidate, way, fresh, readSource)
        : chain(candidate, readSource)
    }
    const old = promises.findLast((node) => !isNew(candidate, node) && suspect.holders.includes(node))
    const reacting = old === undefined ? 0 : newReactions(candidate)
    if (old !== undefined && reacting >= 3 * suspect.holders.length && isPromise(graph, suspect.container))
      return reactions(candidate, old, reacting, readSource)
    // Only the last of the old promises has a new reaction, and all new objects are reached by that.
    if (reacting === 1 && suspect.counted === 'class' && isPromise(graph, suspect.holders[0]!))
      return chain(candidate, readSource)
    if (suspect.kind === 'added' && hasRequests(graph, suspect.container)) return requests(candidate, readSource)
    if (suspect.counted !== 'class') return unsettled(candidate, readSource)
    return isPromise(graph, suspect.sample) && chainFrom(graph, suspect.sample) >= CHAIN
      ? chain(candidate, readSource)
      : undefined
  },
}

/** Where this part of the promises can never be settled, all are said to be so. */
const LOST = 0.95
/** A chain has so many promises, each of which waits for the next. */
const CHAIN = 8

/** How sure a finding is of promises that nothing in the heap can settle any more. */
function proven(likelihood: Likelihood, what: string): { likelihood: Likelihood } | undefined {
  if (likelihood.bounded) return undefined
  const why = `${what} can never be settled: neither resolve nor reject is left in the heap, nor anything else that could do it`
  return { likelihood: but(likelihood, ground('proven', why)) }
}

/** Much waits for one old promise: each `Promise.race` with it, and each `then`, leaves a reaction on it. */
function reactions(candidate: Candidate, promise: number, count: number, readSource: ReadSource): Found {
  const { suspect } = candidate
  const perSecond = (suspect.perSecond * count) / suspect.count
  const name = nameUpTo(candidate, promise)
  const others = suspect.holders.length - 1
  const it = name === undefined ? 'one promise' : `the promise ${name}`
  const all = others > 0 ? `${it}, and ${formatCount(others)} more like it` : it
  const culprit = whereAwaited(candidate, promise, name, readSource)
  const bytesEach = Math.round(suspect.bytes / count)
  const canSettle = settleable(candidate.of.graph)(promise)
  const settled = canSettle ? 'it has not been settled' : 'nothing can settle it any more'
  return {
    title: `${formatCount(count)} reactions wait on ${all}, ${perSecond.toFixed(1)} more each second: ${settled}`,
    ...(!canSettle && proven(candidate.likelihood, 'the promise')),
    culprit,
    evidence: {
      kind: 'reactions on one promise',
      promise: name ?? null,
      reactions: count,
      resolversReachable: canSettle,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach,
      keeps: keeps(candidate),
    },
    advice: `${canSettle ? '' : `Nobody has kept what would settle ${name ?? 'the promise'}. `}Do not race or await ${name ?? 'a promise that lives as long as the process'} again and again${
      culprit ? ` (${shortPlace(culprit)})` : ''
    }: each time leaves a reaction on it, with its result (${formatBytes(bytesEach)}). Look at a flag or an AbortSignal instead, or listen once and take the listener off.`,
  }
}

/** How many new reactions the promises have that gained some. */
function newReactions(candidate: Candidate): number {
  const { graph } = candidate.of
  const promises = new Set(candidate.suspect.holders.filter((node) => isPromise(graph, node)))
  const { nodeCount, nodeName: names, strings } = graph.snapshot
  const name = strings.indexOf(REACTION)
  const { owner } = graph.ownership
  let count = 0
  for (let node = 0; node < nodeCount && name >= 0; node++) {
    if (names[node] === name && promises.has(owner[node]!) && isNew(candidate, node)) count++
  }
  return count
}

/** How many promises wait for one another from this one on; counted up to CHAIN. */
function chainFrom(graph: HeapGraph, promise: number): number {
  let length = 0
  let at: number | undefined = promise
  while (at !== undefined && length++ < CHAIN) {
    at = waiterOf(graph, at)
  }
  return length
}

/** The path to a chain's end, which the program holds; its front is only held by what it waits for. */
function pathToEnd({ suspect, of }: Candidate): number[] | undefined {
  const { graph } = of
  const end = suspect.reached.find((node) => {
    const holder = graph.paths.via[node]!
    if (!isPromise(graph, node) || holder >= NOT_REACHED || !isObject(graph, holder) || isPromise(graph, holder))
      return false
    return (
      of.heap.lineage?.born[holder] === 0 &&
      [...referencesOf(graph, holder, 1000)].some(
        ({ type, target }) => target === node && (type === EdgeType.property || type === EdgeType.context),
      )
    )
  })
  return end === undefined ? undefined : pathTo(graph.paths, end)
}

/** Each promise waits for the one before. */
function chain(candidate: Candidate, readSource: ReadSource): Found {
  const { suspect, of } = candidate
  const { graph } = of
  let count = 0
  for (const node of reachedOf(candidate, (name) => name === 'Promise')) if (isPromise(graph, node)) count++
  if (count < Math.max(CHAIN, 0.3 * suspect.count)) return undefined
  const perSecond = (suspect.perSecond * count) / suspect.count
  const places = functionsFrom(candidate, [suspect.sample])
  const links = places.map((place) =>
    whereGiven(sourcesOf(readSource), place, ({ name }) => /^(then|finally)$/.test(name)),
  )
  const culprit = links.find((each, i) => each !== places[i]) ?? places[0]
  const bytesEach = Math.round(suspect.bytes / count)
  // The candidate's path leads to the promise that settles next, which may be held elsewhere than the chain's end.
  const front = ownersOnWay(candidate).find((node) => isPromise(graph, node))
  const canSettle = front === undefined || settleable(graph)(front)
  const stuckOn = canSettle ? undefined : nameOfStuck(graph, front)
  const appendedBy = culprit && readSource(culprit.url)?.split('\n')[culprit.line - 1]?.trim().slice(0, 160)
  return {
    title: `A chain of promises grew by ${formatCount(count)}, ${perSecond.toFixed(1)} more each second: ${canSettle ? 'what they wait for comes more slowly' : 'what they wait for can never come'}`,
    ...(!canSettle && proven(candidate.likelihood, 'what they wait for')),
    culprit,
    way: pathToEnd(candidate),
    evidence: {
      kind: 'chain',
      promises: count,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach,
      keeps: keeps(candidate),
      resolversReachable: canSettle,
      ...(canSettle ? {} : { stuckOn: stuckOn ?? null }),
      ...(appendedBy ? { appendedBy } : {}),
    },
    advice: !canSettle
      ? `Nothing that is appended${culprit ? ` at ${shortPlace(culprit)}` : ''} will ever be done, as the first of them waits for ${stuckOn ?? 'a promise'}, for which nobody has kept resolve and reject: settle it on every way out, by a timeout at the least. Each link keeps ${formatBytes(bytesEach)}.`
      : `More is appended to the chain${culprit ? ` at ${shortPlace(culprit)}` : ''} than it gets done, and each link keeps ${formatBytes(bytesEach)}: do one piece of work for all who wait, put a bound on how many may wait, or make callers wait before they add more.`,
  }
}

/** The name of the promise that a chain waits for, where it is a variable or a property of the program. */
function nameOfStuck(graph: HeapGraph, front: number): string | undefined {
  const stuck = stuckAt(graph, front)
  const path = pathAlong(graph, pathTo(graph.paths, stuck))
  return path.at(-1)?.ordinal === stuck ? nameUpTo({ path }, stuck) : undefined
}

/** Promises, or functions that would settle them, that are kept in a container and never settled. */
function unsettled(candidate: Candidate, readSource: ReadSource): Found {
  const { suspect, of } = candidate
  const { graph } = of
  const name = nameUpTo(candidate, suspect.container) ?? candidate.name
  // What is taken out again is a queue.
  if (!onlyGains(candidate)) return undefined
  const piled = piledUp(candidate, 200)
  const promises = piled.map((node) => promiseIn(graph, node))
  const asked = promises.filter((promise) => promise !== undefined && isAwaited(graph, promise))
  const waiting = asked.length
  if (waiting < 0.8 * piled.length) return undefined
  const lost = asked.filter((promise) => !settleable(graph)(promise!)).length
  const isLost = lost >= LOST * asked.length
  const awaits = functionsFrom(candidate, [promises.find((promise) => promise !== undefined)!])[0]
  const { count, perSecond } = suspect
  const bytesEach = Math.round(suspect.bytes / count)
  const culprit = wherePut(candidate, readSource, name) ?? awaits
  return {
    title: `${formatCount(count)} promises in ${name} ${isLost ? 'can never be' : 'were never'} settled, ${perSecond.toFixed(1)} more each second`,
    ...(isLost && proven(candidate.likelihood, 'they')),
    culprit,
    evidence: {
      kind: 'never settled',
      keptIn: name,
      promises: count,
      perSecond: Math.round(perSecond * 10) / 10,
      resolversReachable: lost === 0 ? true : isLost ? false : null,
      awaitedShare: Math.round((100 * waiting) / piled.length) / 100,
      awaitedAt: awaits ? shortPlace(awaits) : null,
      bytesEach,
      keeps: keeps(candidate),
    },
    advice: isLost
      ? `Whoever makes these promises lets go of resolve and reject without calling them: call one of the two on every way out${awaits ? ` (they are awaited at ${shortPlace(awaits)})` : ''}, and take what was given up out of ${name}: each keeps ${formatBytes(bytesEach)} of the function that awaits it.`
      : `Reject what waits in ${name} after a while (a timer that is cleared when the answer comes) and when the connection is lost, and take it out: each keeps ${formatBytes(bytesEach)} of the function that awaits it.`,
  }
}

/** Whether an async generator has calls of next() that wait: V8 keeps them in a list. */
function hasRequests(graph: HeapGraph, node: number): boolean {
  const { firstEdge, edges } = graph.snapshot
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    if (nodeName(graph, edgeTarget(edges[edge]!)) === GENERATOR_REQUEST) return isWaiting(graph, node)
  }
  return false
}

/** next() is called more often than an async generator yields. */
function requests(candidate: Candidate, readSource: ReadSource): Found {
  const { suspect, of } = candidate
  const { graph } = of
  const { count, perSecond } = suspect
  const name = nameUpTo(candidate, suspect.container) ?? 'an async generator'
  const called = suspendedName(graph, suspect.container)
  const flow = { sources: sourcesOf(readSource), urls: modulesOf(candidate), name }
  const culprit = findCallOn(flow, /^(next|return|throw)$/)
  const place = placeOf(graph, suspect.container)
  const bytesEach = Math.round(suspect.bytes / count)
  return {
    title: `${formatCount(count)} calls of next() wait in ${name}, ${perSecond.toFixed(1)} more each second than ${called ? `${called}()` : 'it'} yields`,
    culprit,
    evidence: {
      kind: 'requests of an async generator',
      generator: name,
      function: called || null,
      yieldsAt: place ? shortPlace(place) : null,
      promises: count,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach,
    },
    advice: `Await each next()${culprit ? ` (${shortPlace(culprit)})` : ''} before the one after it, as for await does, or begin a generator for each of several consumers: an async generator does one thing after the other, and keeps a promise for each call that waits.`,
    covers: (other) => other.suspect.container === suspect.container,
  }
}

/** Classes of what V8 makes for promises and functions. */
const MACHINERY =
  /^(Promise|Function|Generator|AsyncGenerator|Context|system \/.*|\(.*\)|smi number|heap number|native_bind|)$/

/** Bytes by class of what is kept beside the promises and what V8 makes for them; the four largest. */
function keeps({ suspect, of }: Candidate): Record<string, number> {
  const { classes } = of.heap.opened
  const bytes = new Map<string, number>()
  for (const node of suspect.reached) {
    const name = classes.names[classes.of[node]!]!
    if (!MACHINERY.test(name)) bytes.set(name, (bytes.get(name) ?? 0) + of.graph.shallowSize(node))
  }
  return Object.fromEntries([...bytes].sort((a, b) => b[1] - a[1]).slice(0, 4))
}

/**
 * The statement that waits for a promise: in a suspended function on the path to it, in a function that the new objects
 * lead to, or, where the promise has a name, anywhere in the program.
 */
function whereAwaited(
  candidate: Candidate,
  promise: number,
  name: string | undefined,
  readSource: ReadSource,
): Culprit | undefined {
  const { of, way, suspect } = candidate
  const frames = way
    .slice(0, way.indexOf(promise))
    .filter((node) => isWaiting(of.graph, node))
    .flatMap((node) => placeOf(of.graph, node) ?? [])
  const functions = functionsFrom(candidate, [suspect.sample])
  const places = [...frames.toReversed(), ...functions]
  const urls = [...new Set([...places.map(({ url }) => url), ...modulesOf(candidate)])]
  return findWait(sourcesOf(readSource), places, urls, name) ?? functions[0] ?? frames.at(-1)
}
