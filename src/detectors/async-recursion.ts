// Async functions that call themselves, and await or return that call: no call ends before the last one does, which never comes.

import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { referencesOf } from '../graph/look.ts'
import { suspendedName } from '../graph/suspended.ts'
import { isPromise } from '../node-internals/promises.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import { findOwnCall } from './awaits.ts'
import type { Candidate, Diagnosis } from './detector.ts'
import * as field from './evidence-fields.ts'
import { functionsFrom, isWaiting, placeIn, placeOf, shortPlace } from './functions.ts'
import { isNew, mostCommon } from './piled-up.ts'
import { reachedOf } from './surroundings.ts'

/** Functions on the path that are looked at. */
const MOST = 200

/**
 * Whether the promises of a chain are older the further they are from its front: each waits for one that was made after
 * it. In a queue each waits for one that was made before it; only what its front is doing at the moment is new.
 */
export function isNewestFirst({ of, suspect }: Candidate, promises: readonly number[]): boolean {
  const { born, steps } = of.heap.lineage ?? {}
  const [first, last] = [promises[0], promises.at(-1)]
  if (!born || first === undefined || last === undefined || born[first]! < born[last]!) return false
  // With one step, all that is new is of the same age.
  if (born[first] === born[last] && steps !== 1) return false
  return endsOld(of.graph, born, suspect.sample) ?? born[first]! > born[last]!
}

/** Nodes that are followed from a promise to what waits for it. */
const FAR = 100_000

/** Whether the last that waits for this promise is older than the first snapshot; undefined where that is too far. */
function endsOld(graph: HeapGraph, born: Uint16Array, from: number): boolean | undefined {
  const queue = [from]
  const seen = new Set(queue)
  for (let i = 0; i < queue.length; i++) {
    if (i === FAR) return undefined
    for (const { target } of referencesOf(graph, queue[i]!, 20)) {
      if (seen.has(target)) continue
      seen.add(target)
      if (born[target]! > 0) queue.push(target)
      else if (isPromise(graph, target) || isWaiting(graph, target)) return true
    }
  }
  return false
}

export const recursionEvidence = () =>
  z.object({
    kind: z.literal('async recursion').describe('an async function awaits or returns a call of itself'),
    function: field.nameOrNull('the function'),
    calls: field.count('calls that came and are not over'),
    promises: field.count('promises that came with them'),
    perSecond: field.perSecond('calls that come'),
    bytesEach: field.bytes('what a call keeps alive'),
    callsItselfAt: field.place('the line that calls the function again'),
    package: field.nameOrNull('npm package of the function; null for the program'),
  })

/**
 * @param way ordinals of the path, without stores
 * @param promises the new promises on it
 */
export function recursion(
  candidate: Candidate,
  way: readonly number[],
  promises: readonly number[],
  readSource: ReadSource,
): Diagnosis<z.infer<ReturnType<typeof recursionEvidence>>> {
  const { suspect, of } = candidate
  const { graph } = of
  const inReach = reachedOf(candidate, (name) => name === 'Promise').filter((node) => isPromise(graph, node)).length
  const waiting = way.filter((node) => isNew(candidate, node) && isWaiting(graph, node)).slice(0, MOST)
  const frames = waiting.flatMap((node) => {
    const place = placeOf(graph, node)
    return place ? [{ ...place, function: suspendedName(graph, node) ?? null, node }] : []
  })
  const common = mostCommon(frames, keyOf)
  const callback = common ? undefined : functionsFrom(candidate, [promises[0]!], { waiting: true })[0]
  const caller: Culprit | undefined = common ?? callback
  // A call may have several promises: its own, and the one that it awaits.
  const calls = common ? callsOf(candidate, common) : 0
  const count = calls >= 0.2 * inReach ? calls : inReach
  const perSecond = (suspect.perSecond * count) / Math.max(1, suspect.count)
  const name = caller?.function ?? ''
  const culprit =
    caller && (waitsAt(candidate, frames, caller) ?? findOwnCall(sourcesOf(readSource), caller, name) ?? caller)
  const bytesEach = Math.round(suspect.bytes / Math.max(1, count))
  const called = name === '' ? 'an async function' : `${name}()`
  const at = culprit ? ` (${shortPlace(culprit)})` : ''
  const inPackage = culprit?.package ?? undefined
  return {
    title: `${formatCount(count)} calls of ${called} are not over, ${perSecond.toFixed(1)} more each second: each waits for the promise of the next one${at}`,
    culprit,
    // Calls of another function may wait behind the same list of timers.
    tellsApart: name,
    evidence: {
      kind: 'async recursion',
      function: name || null,
      calls: count,
      promises: inReach,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach,
      callsItselfAt: placeIn(culprit),
      package: inPackage ?? null,
    },
    advice: `${
      inPackage === undefined
        ? `Make ${called} a loop, for (;;) { … await … }, in place of the call${at} whose promise it returns or awaits; or make that call without return and await, and catch what it throws.`
        : `This is in ${inPackage}${at}, whose ${called} returns or awaits a call of itself: look for a version of ${inPackage} in which that is a loop. Until then, it ends when the work that it tries again succeeds, or is given up.`
    } As it is, no call ends before the last one, and each keeps ${formatBytes(bytesEach)}.`,
  }
}

const keyOf = ({ url, line, column }: Culprit): string => `${url}:${line}:${column}`

function callsOf(candidate: Candidate, place: Culprit): number {
  const { graph } = candidate.of
  let count = 0
  for (const node of candidate.suspect.reached) {
    if (!isWaiting(graph, node)) continue
    const own = placeOf(graph, node)
    if (own && keyOf(own) === keyOf(place)) count++
  }
  return count
}

/** Where the running process said that calls wait for the next one; the first call waits for something else. */
function waitsAt(
  { of }: Candidate,
  frames: readonly (Culprit & { readonly node: number })[],
  caller: Culprit,
): Culprit | undefined {
  for (const { node, ...frame } of frames.slice(1)) {
    const seen = keyOf(frame) === keyOf(caller) ? of.frames?.get(of.graph.snapshot.nodeId[node]!) : undefined
    if (seen) return { ...frame, line: seen.line, column: seen.column }
  }
  return undefined
}
