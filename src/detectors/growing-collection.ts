// `growing-collection`: a Map, Set, array, dictionary or list that gains and never loses. It is asked last of all detectors.

import { z } from 'zod'
import { entriesOf } from '../analysis/collection-entries.ts'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import { ground } from '../findings/weights.ts'
import { isObject, nodeName } from '../graph/look.ts'
import { nameOfStep } from '../graph/retaining-path.ts'
import { collectionOf } from '../graph/tables.ts'
import { NodeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { isOwn } from '../source/origins.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import { keepingOf } from './bounds.ts'
import type { Candidate, Diagnosis, EvidenceBy, HeapDetector } from './detector.ts'
import * as field from './evidence-fields.ts'
import { findUnknownHolder } from './find-holder.ts'
import { findLinking, modulesOf } from './flows.ts'
import { but } from './likelihood.ts'
import { nameUpTo } from './piled-up.ts'
import { hasGained, plural } from './surroundings.ts'

const container = () => field.name('kind of the container: `Map`, `Array`, `list`, a class, …')
const ofNumbersFields = () => ({
  container: container(),
  things: z.literal('numbers').describe('plain numbers, which are no objects of the heap'),
})

const ofObjectsEvidence = () =>
  z.object({
    container: container(),
    things: field.name('class of what came'),
    gained: field.count('things that came and are still there'),
    perSecond: field.perSecond('things that come'),
    bytesEach: field.bytes('what each keeps alive'),
    counts: field.counts(),
    countsOf: field.countsOf(),
    stayedPerStep: field.stayedPerStep(),
  })

const ofNumbersEvidence = () =>
  z.object({
    container: container(),
    things: z
      .enum(['numbers', 'references'])
      .describe('plain numbers, which are no objects of the heap; or references to objects that were there before'),
    gained: field.count(
      'numbers that came and are still there; estimated from the size of the store unless `countsOf` is entries',
    ),
    perSecond: field.perSecond('numbers that come'),
    counts: field.counts(),
    countsOf: field.countsOf(),
  })

/** Of a collection whose growth only a look at the living process shows; before that look, nothing is counted. */
const seenAliveEvidence = () =>
  z.object({
    ...ofNumbersFields(),
    bytesEach: z.number().optional().describe('what each takes of the store, in bytes'),
    isSeenAliveOnly: z.literal(true).optional().describe('the living process has not been looked at yet'),
    gained: z.number().int().optional().describe('numbers that came while the living process was looked at'),
    perSecond: z.number().optional().describe('numbers that come each second'),
  })

const ofPropertiesEvidence = () =>
  z.object({
    container: container(),
    things: z.literal('properties').describe('properties of objects'),
    gained: field.count('properties that came, estimated from the size of their store'),
    perSecond: field.perSecond('properties that come'),
    storeBytes: z.array(z.number()).describe('size of the store in each snapshot, in bytes'),
  })

const evidence = () => [ofNumbersEvidence(), seenAliveEvidence(), ofPropertiesEvidence(), ofObjectsEvidence()]
type Evidence = EvidenceBy<typeof evidence>

export const growingCollection: HeapDetector<Evidence> = {
  name: 'growing-collection',
  patterns: ['growing-collection'],
  needs: 'heap',
  isGeneral: true,
  inPackages: { isTakenOut: true },
  evidence,
  diagnose(candidate, { readSource }) {
    const { suspect, name, likelihood } = candidate
    const { survivors, counts, bytes, count, perSecond } = suspect
    if (suspect.kind === 'grown') return isNodesOwn(candidate) ? undefined : ofNumbers(candidate)
    if (isFew(candidate)) return undefined
    const link = linkIn(candidate)
    const container = link === undefined ? containerOf(candidate) : 'list'
    const what = thingsIn(suspect.className, count)
    const bytesEach = Math.round(bytes / Math.max(1, count))
    const loses = likelihood.takenOut || suspect.trend === 'turning'
    return {
      title: `${name} gained ${formatCount(count)} ${what}, ${perSecond.toFixed(1)} more each second${loses ? ' than go' : ', and loses none'}`,
      culprit: link === undefined ? undefined : whereLinked(candidate, link, readSource),
      evidence: {
        container,
        things: suspect.className,
        gained: count,
        perSecond: Math.round(perSecond * 10) / 10,
        bytesEach,
        counts: [...counts],
        countsOf: suspect.counted,
        stayedPerStep: [...survivors],
      },
      advice: `${adviceFor(container).replaceAll('{}', name)} Each takes ${formatBytes(bytesEach)}.`,
    }
  },
}

/**
 * A pool that gets its last members looks the same: so few objects, and small ones, are not reported. Where objects were
 * matched by place, those that are now held by another path look like new ones.
 */
const isFew = (candidate: Candidate): boolean => {
  const { count, counted, bytesPerSecond } = candidate.suspect
  return count < (counted === 'place' ? 100 : 20) && bytesPerSecond < 8000 && entriesIn(candidate) < MANY
}

/** So many entries are not few, however few collections have them. */
const MANY = 100

/** How many entries the collections have that came; 0 where no collections came. */
function entriesIn({ of: { graph, heap }, suspect: { className, reached } }: Candidate): number {
  const { of, names } = heap.opened.classes
  let entries = 0
  for (const node of reached) {
    if (names[of[node]!] === className && collectionOf(graph, node))
      entries += entriesOf(graph, node, () => false)?.count ?? 0
    if (entries >= MANY) break
  }
  return entries
}

const isNodesOwn = ({ of: { graph }, suspect, way }: Candidate): boolean =>
  findUnknownHolder({ graph, suspect, way }) !== undefined

/** The property by which the nodes of a list or chain refer to the next one. */
function linkIn({ path }: Candidate): string | undefined {
  const last = path.at(-1)
  return last !== undefined && last.times > 1 ? nameOfStep(last) : undefined
}

/** The line that makes a node of a chain, where Node keeps the chain's end for the program, as AsyncLocalStorage does. */
function whereLinked(candidate: Candidate, link: string, readSource: ReadSource): Culprit | undefined {
  const { path, of } = candidate
  const { graph } = of
  const isPrograms = path.some(({ ordinal }) => {
    const url = graph.moduleScopes.get(ordinal) ?? graph.sourceLocation(ordinal)?.url
    return url !== undefined && isOwn(url)
  })
  return isPrograms ? undefined : findLinking({ sources: sourcesOf(readSource), urls: modulesOf(candidate) }, link)
}

/** Bytes that a small integer or double takes in the store of each kind of collection. */
const SLOT: Readonly<Record<string, number>> = { Array: 8, Map: 24, Set: 16 }

/** Small integers and doubles are part of the store, and no objects: only the size of the store shows them. */
function ofNumbers(candidate: Candidate): Diagnosis<Evidence> | undefined {
  const { suspect, of } = candidate
  const { bytes, bytesPerSecond, counts, sample } = suspect
  const name = nameUpTo(candidate, sample) ?? candidate.name
  const container = collectionOf(of.graph, sample) ?? nodeName(of.graph, sample)
  const slot = isObject(of.graph, sample) ? SLOT[container] : undefined
  if (slot === undefined) return ofProperties(candidate)
  const isCounted = suspect.counted === 'entries'
  const count = isCounted ? suspect.count : Math.round(bytes / slot)
  // What came may be references to objects that were there before: of those there is an end.
  const { nodeType } = of.graph.snapshot
  const held = entriesOf(of.graph, sample, (each) => nodeType[each] === NodeType.number)
  const isOfOthers = !isCounted && held !== undefined && held.count - held.added > count / 2
  return {
    ...(isOfOthers ? lessSureOfNumbers(candidate) : lessSureOfLeaps(candidate)),
    title: isOfOthers
      ? `${name} grew by ${formatBytes(bytes)}, some ${formatCount(count)} entries, ${formatBytes(bytesPerSecond)} more each second: references to objects that were there before, or plain numbers`
      : `${name} holds ${formatBytes(bytes)} more of plain numbers, ${isCounted ? '' : 'some '}${formatCount(count)}, ${formatBytes(bytesPerSecond)} more each second`,
    evidence: {
      container,
      things: isOfOthers ? 'references' : 'numbers',
      gained: count,
      perSecond: Math.round(isCounted ? suspect.perSecond : bytesPerSecond / slot),
      counts: [...counts],
      countsOf: suspect.counted,
    },
    advice: `${adviceFor(container).replaceAll('{}', name)}${isOfOthers ? '' : ` ${OF_NUMBERS}`}`,
  }
}

/**
 * The diagnosis of a collection of plain numbers whose growth only the living process can show, and that is still to be
 * looked at. Undefined unless the source puts things in, and takes none out.
 */
export function diagnoseUnseen(candidate: Candidate, readSource: ReadSource): Diagnosis<Evidence> | undefined {
  const { isFilled, bound, lifetime, removal } = keepingOf({ ...candidate, readSource })
  if (!isFilled || bound || lifetime || removal || isNodesOwn(candidate)) return undefined
  const { graph } = candidate.of
  const container = collectionOf(graph, candidate.suspect.sample) ?? nodeName(graph, candidate.suspect.sample)
  const name = nameUpTo(candidate, candidate.suspect.sample) ?? candidate.name
  return {
    title: name,
    evidence: { container, things: 'numbers', bytesEach: SLOT[container]!, isSeenAliveOnly: true },
    advice: `${adviceFor(container).replaceAll('{}', name)} ${OF_NUMBERS}`,
  }
}

const OF_NUMBERS = 'Numbers that are only added up need a sum, a count or a histogram.'

const lessSureOfNumbers = ({ likelihood }: Candidate): Pick<Diagnosis, 'likelihood'> => ({
  likelihood: but(
    likelihood,
    ground('refersToOld', 'but it refers to many things that were there before, and what came may be more of these'),
  ),
})

function lessSureOfLeaps({ suspect, likelihood }: Candidate): Pick<Diagnosis, 'likelihood'> {
  if (suspect.trend !== 'unknown' || likelihood.bounded) return {}
  return {
    likelihood: {
      grounds: [
        ground('leaps', 'its store became larger, but not in every interval, as the store of one that fills up does'),
      ],
    },
  }
}

/** Bytes that a property takes in V8's table: key, value and attributes. */
const PROPERTY = 24

/** An object that is used as a dictionary of numbers, or gets one more property for each piece of work. */
function ofProperties(candidate: Candidate): Diagnosis<Evidence> | undefined {
  const { suspect, name, of } = candidate
  const { bytes, bytesPerSecond, className, count, counts, sample } = suspect
  const { graph } = of
  // Properties of Node's own objects are not set by the program, and V8 empties the table of a WeakMap now and then.
  const isNodes = graph.sourceLocation(sample)?.url.startsWith('node:')
  if (!isObject(graph, sample) || isNodes || /^Weak/.test(nodeName(graph, sample)) || hasGained(candidate))
    return undefined
  const isOne = count === 1
  const what = isOne ? (nameUpTo(candidate, sample) ?? name) : `${className} objects`
  return {
    ...lessSureOfLeaps(candidate),
    title: `${what} ${isOne ? 'takes' : 'take'} ${formatBytes(bytes)} more for ${isOne ? 'its' : 'their'} own properties, some ${formatCount(Math.round(bytes / PROPERTY))}, ${formatBytes(bytesPerSecond)} more each second`,
    evidence: {
      container: className,
      things: 'properties',
      gained: Math.round(bytes / PROPERTY),
      perSecond: Math.round(bytesPerSecond / PROPERTY),
      storeBytes: [...counts],
    },
    advice: adviceFor('Object').replaceAll('{}', what),
  }
}

/** How each kind of collection is kept small. */
const ADVICE: Readonly<Record<string, string>> & { list: string } = {
  Map: 'Delete from {} what is done with (on close, in finally), or give it a bound or a lifetime (an LRU); a WeakMap will do if its keys are objects that live elsewhere.',
  Set: 'Delete from {} what is done with (on close, in finally), or give it a bound; a WeakSet will do if it only says what an object is.',
  Array:
    'Take out of {} what is done with, or give it a bound (a ring), or use a Map by key, from which things can be deleted.',
  Object:
    'Delete from {} the keys that are done with, or make it a Map with a bound or a lifetime; keys that clients choose have no end.',
  FinalizationRegistry:
    'What register() is given as held value stays in {} until the object is collected or unregister() is called with its token: register objects that end with the work, or call unregister(token) when it is done.',
  list: 'Give {} a bound or a lifetime, or take out of it what is done with; in a linked list, cut off what nobody will read.',
}

/** The kind of collection, as far as it has a name. */
function containerOf({ of: { graph }, suspect: { container } }: Candidate): string {
  const name = collectionOf(graph, container) ?? nodeName(graph, container)
  return isObject(graph, container) || Object.hasOwn(ADVICE, name) ? name : 'collection'
}

/** A class may have any name, `constructor` too, so own keys only. */
const adviceFor = (container: string): string => (Object.hasOwn(ADVICE, container) ? ADVICE[container]! : ADVICE.list)

/** The class in plain words, where it is one of V8's: `3 objects`, `1 string`. */
function thingsIn(className: string, count: number): string {
  const plain = /^(Object|Function)$/.test(className) ? className.toLowerCase() : /^\((.+)\)$/.exec(className)?.[1]
  return plain === undefined ? className : plural(count, plain)
}
