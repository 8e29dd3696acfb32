// `unbounded-timers`: timers that are set for each piece of work, hours ahead or to repeat, and are never cleared.

import { z } from 'zod'
import type { Culprit } from '../analysis/culprit.ts'
import { ground, remark } from '../findings/weights.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, isObject, nodeName } from '../graph/look.ts'
import { keepsContext } from '../node-internals/async-contexts.ts'
import { WITH_TIMERS } from '../node-internals/handles.ts'
import { isSignalTable } from '../node-internals/listeners.ts'
import { settledBy } from '../node-internals/promises.ts'
import {
  isSetTimer,
  isTimerList,
  isTimerNumberTable,
  isTimerTable,
  oldestOfList,
  type SetTimer,
  TIMER_LIST,
  timerAt,
} from '../node-internals/timers.ts'
import { type Sources, sourcesOf } from '../source/app-modules.ts'
import { calledBy } from '../source/calls.ts'
import { contains } from '../source/expressions.ts'
import { nodesIn, parentOf } from '../source/syntax-tree.ts'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'
import type { Candidate, Captures, Diagnosis, EvidenceBy, HeapDetector, Likelihood } from './detector.ts'
import * as field from './evidence-fields.ts'
import { type Called, callsIn, functionNear, placeOfCall, whereGiven } from './flows.ts'
import { functionsFrom, placeOf, shortPlace, unwrapped } from './functions.ts'
import { but } from './likelihood.ts'
import { mostCommon } from './piled-up.ts'
import { whereCalled } from './public-calls.ts'
import { reachedOf } from './surroundings.ts'

const common = () => ({
  timers: field.count('timers that came and are still set'),
  perSecond: field.perSecond('timers that come'),
  delayMs: z.number().nullable().describe('the longest delay, in milliseconds; null where it is not known'),
  firstFiresInMs: z
    .number()
    .nullable()
    .describe('until the first of them fires, in milliseconds; null where they repeat, or it is not known'),
  bytesEach: field.bytes('what a timer keeps alive'),
})

const ofProgramEvidence = () =>
  z.object({
    ...common(),
    shortestDelayMs: z.number().nullable().describe('the shortest delay, in milliseconds; null where it is not known'),
    repeats: z.boolean().describe('whether they are intervals, or set themselves again'),
    renews: z.boolean().describe('whether they set themselves again'),
    levelsOffAtTimers: z
      .number()
      .int()
      .nullable()
      .describe('how many there will be when as many fire as are set; null where they repeat'),
    keepsAsyncContext: z.boolean().describe('whether most of them keep a store of AsyncLocalStorage'),
    setFrom: z
      .array(
        z.strictObject({
          callback: z
            .string()
            .describe('URL, line and column of the callback; `sleep`, `signal`, or empty for one of Node'),
          timers: field.count('how many have that callback'),
        }),
      )
      .describe('the callbacks, most timers first'),
  })

const ofNodeEvidence = () =>
  z.object({ ...common(), timersOf: field.nameOrNull('class of the objects of Node that the timers are for') })

const evidence = () => [ofProgramEvidence(), ofNodeEvidence()]
type Evidence = EvidenceBy<typeof evidence>

export const unboundedTimers: HeapDetector<Evidence> = {
  name: 'unbounded-timers',
  patterns: ['unbounded-timers'],
  needs: 'heap',
  before: [
    // Node has other tables of the same timers: by their numbers, and of the signals that they abort.
    'node-internals',
    'node-listeners',
    'unknown-node-internals',
    // A sleep is a promise, and a callback a function.
    'promise-pileup',
    'closure-retention',
  ],
  inPackages: {
    methods: /^(set(Timeout|Interval|Immediate)|schedule\w*|sleep|delay|wait)$/,
    adds: () => 'sets a timer',
    // A path to Node's lists may lead by whatever has one of the timers.
    isHeldByNode: true,
  },
  evidence,
  diagnose(candidate, captures) {
    const { readSource } = captures
    const { suspect, of } = candidate
    const { graph } = of
    if (suspect.kind === 'grown' || !isSetTimer(graph, suspect.sample) || !isInTimers(candidate)) return undefined
    const timers = timersIn(candidate)
    const groups = groupsOf(timers)
    const [source, group] = groups[0]!
    if (source === '') return ofNode(candidate, group, timers.length, captures)
    if (handlesIn(candidate) >= HANDLES_PER_TIMER * timers.length) return undefined

    const { callback } = group[0]!
    const renews = suspect.renewed === true
    const repeats = group[0]!.repeats || renews
    const delays = group.map(({ delayMs }) => delayMs).filter((ms) => ms !== undefined)
    const [shortest, longest] = [Math.min(...delays), Math.max(...delays)]
    const delayMs = delays.length > 0 ? longest : undefined
    const count = Math.round((suspect.count * group.length) / timers.length)
    const perSecond = (suspect.perSecond * group.length) / timers.length
    const culprit =
      (source === 'signal' ? whereCalled(candidate, ['AbortSignal.timeout'], captures) : undefined) ??
      findSetter(candidate, group, sourcesOf(readSource))
    const at = culprit ? shortPlace(culprit) : undefined
    const firstInMs = repeats ? undefined : firesInMs(candidate, group)
    const own = placeOf(graph, callback)
    const clears = own?.package === null && removes(sourcesOf(readSource), own)
    const delay =
      delayMs === undefined
        ? ''
        : ` ${repeats && source !== 'sleep' ? 'every' : 'of'} ${shortest < 0.9 * longest ? `up to ${formatDuration(longest)}` : formatDuration(longest)}`
    const what =
      source === 'sleep'
        ? renews
          ? 'loops around a sleep'
          : 'sleeps'
        : renews
          ? 'timers that set themselves again'
          : repeats
            ? 'intervals'
            : 'pending timers'
    const bytesEach = Math.round(suspect.bytes / suspect.count)
    // Other lines that set a fair part of the timers.
    const others = groups
      .slice(1, 4)
      .filter(([place, { length }]) => place !== '' && length >= 0.1 * group.length)
      .map(
        ([place, { length }]) =>
          `${formatCount(Math.round((suspect.count * length) / timers.length))} by ${shortOf(place)}`,
      )
    const context = group.filter(({ node }) => keepsContext(graph, node)).length >= 0.5 * group.length
    return {
      title: `${formatCount(count)} ${what}${delay}${at ? ` set at ${at}` : ''}, ${perSecond.toFixed(1)} more each second${others.length > 0 ? ` (and ${others.join(', ')})` : ''}${
        firstInMs === undefined ? ', none cleared' : `; the first fires in ${formatDuration(firstInMs)}`
      }`,
      likelihood: judge(candidate, repeats ? undefined : delayMs, clears),
      culprit,
      evidence: {
        timers: count,
        perSecond: Math.round(perSecond * 10) / 10,
        delayMs: delayMs ?? null,
        shortestDelayMs: delays.length > 0 ? shortest : null,
        repeats,
        renews,
        firstFiresInMs: firstInMs ?? null,
        levelsOffAtTimers: repeats || delayMs === undefined ? null : Math.round((perSecond * delayMs) / 1000),
        bytesEach,
        keepsAsyncContext: context,
        setFrom: groups.slice(0, 5).map(([place, { length }]) => ({ callback: place, timers: length })),
      },
      advice: adviceFor({
        source,
        repeats,
        renews,
        at,
        delayMs,
        bytesEach,
        context,
        isPackages: placeOf(graph, callback)?.package != null,
      }),
      covers: (other) =>
        other.suspect.className === TIMER_LIST ||
        isOfTimerNumbers(other) ||
        (source === 'signal' && isOfSignals(other)),
    }
  },
}

interface Timer extends SetTimer {
  readonly node: number
  /** Where its callback stands; `sleep` where it resolves a promise, `signal` for `AbortSignal.timeout`, empty for Node's own. */
  readonly source: string
  /** For a timer of Node: class of the object whose method it calls, such as `ClientHttp2Session`. */
  readonly owner: string | undefined
}

/** With this many open handles for each timer, the timers belong to the handles: a connection has a few. */
const HANDLES_PER_TIMER = 0.2
/** Timers that never keep more bytes than this together, as they fire in time, matter little. */
const LITTLE_BYTES = 1e6
const SETS = /(setTimeout|setInterval|sleep|delay|wait|schedule|scheduleJob|setImmediate|timeout)$/

/** Whether they pile up in Node's lists of timers, and not in a collection of the program. */
export const isInTimers = ({ of: { graph }, suspect, path }: Candidate): boolean =>
  isTimerList(graph, suspect.container) || path.some(({ reference }) => isTimerTable(reference))

function timersIn({ suspect, of: { graph } }: Candidate): Timer[] {
  const timers: Timer[] = []
  for (const node of suspect.reached.length > 0 ? suspect.reached : [suspect.sample]) {
    const timer = isSetTimer(graph, node) ? timerAt(graph, node) : undefined
    if (!timer) continue
    const callback = unwrapped(graph, timer.callback)
    const self = internal(graph, timer.callback, 'bound_this')
    const owner = self !== undefined && isObject(graph, self) ? nodeName(graph, self) : undefined
    timers.push({ ...timer, node, callback, source: sourceOf(graph, callback), owner })
    if (timers.length === 5000) break
  }
  return timers
}

function sourceOf(graph: HeapGraph, callback: number): string {
  const location = graph.sourceLocation(callback)
  if (!location) return settledBy(graph, callback) === undefined ? '' : 'sleep'
  if (location.url.includes('abort_controller')) return 'signal'
  return location.url.startsWith('node:') ? '' : `${location.url}:${location.line}:${location.column}`
}

/** `chat.mjs:65` of a place with its whole URL, line and column. */
const shortOf = (place: string): string => place.replace(/^.*\//, '').replace(/:\d+$/, '')

/** Timers with a callback of Node: they are set by objects with a setTimeout() method, such as sockets and HTTP/2 sessions. */
function ofNode(candidate: Candidate, group: readonly Timer[], all: number, captures: Captures): Diagnosis<Evidence> {
  const { suspect, likelihood } = candidate
  const owner = mostCommon(group, (timer) => timer.owner)?.owner
  const delays = group.map(({ delayMs }) => delayMs).filter((ms) => ms !== undefined)
  const delayMs = delays.length > 0 ? Math.max(...delays) : undefined
  const count = Math.round((suspect.count * group.length) / all)
  const perSecond = (suspect.perSecond * group.length) / all
  const isOpen = handlesIn(candidate) >= HANDLES_PER_TIMER * all
  const culprit = isOpen ? undefined : whereCalled(candidate, ['*.setTimeout'], captures)
  const at = culprit && `${culprit.package === null ? '' : `${culprit.package}, `}${shortPlace(culprit)}`
  const whose = owner === undefined ? "of Node's own" : `of ${owner} objects`
  const firstInMs = firesInMs(candidate, group)
  const bytesEach = Math.round(suspect.bytes / suspect.count)
  const until = delayMs === undefined ? '' : `, until it fires after ${formatDuration(delayMs)}`
  return {
    title: `${formatCount(count)} pending timers${delayMs === undefined ? '' : ` of ${formatDuration(delayMs)}`} ${whose}${at ? `, set by setTimeout() at ${at}` : ''}, ${perSecond.toFixed(1)} more each second${firstInMs === undefined ? '' : `; the first fires in ${formatDuration(firstInMs)}`}`,
    likelihood: isOpen
      ? but(likelihood, ground('openConnections', 'but they are the timers of connections that are open'))
      : judge(candidate, delayMs, false),
    culprit,
    evidence: {
      timers: count,
      perSecond: Math.round(perSecond * 10) / 10,
      delayMs: delayMs ?? null,
      timersOf: owner ?? null,
      firstFiresInMs: firstInMs ?? null,
      bytesEach,
    },
    advice: `Clear the timer when what it is for is closed${at ? `: setTimeout(0) on the ${owner ?? 'object'} (${at})` : ''}, destroy() it, or make fewer of them and use each again. A timer of Node's own keeps the ${owner ?? 'object'} that it is set for and all its listeners, ${formatBytes(bytesEach)}${until}, also when that has been closed.`,
    covers: (other) => other.suspect.className === TIMER_LIST || isOfTimerNumbers(other),
  }
}

const isOfTimerNumbers = ({ path }: Candidate): boolean => path.some(({ reference }) => isTimerNumberTable(reference))
const isOfSignals = ({ path }: Candidate): boolean => path.some(({ reference }) => isSignalTable(reference))

function groupsOf(timers: readonly Timer[]): [string, Timer[]][] {
  const groups = new Map<string, Timer[]>()
  for (const timer of timers) {
    const group = groups.get(timer.source)
    if (group) group.push(timer)
    else groups.set(timer.source, [timer])
  }
  return [...groups].sort((a, b) => b[1].length - a[1].length)
}

export const handlesIn = (candidate: Candidate): number =>
  reachedOf(candidate, (name) => WITH_TIMERS.has(name)).filter((node) => isObject(candidate.of.graph, node)).length

/** Whether a function removes something from a collection. */
function removes(sources: Sources, place: Culprit): boolean {
  const node = functionNear(sources, place)?.node
  return (
    node !== undefined &&
    [...nodesIn(node)].some((each) =>
      each.type === 'CallExpression'
        ? /^(delete|remove|destroy|splice)$/.test(calledBy(each).name)
        : each.type === 'UnaryExpression' && each.operator === 'delete',
    )
  )
}

function findSetter(candidate: Candidate, group: readonly Timer[], sources: Sources): Culprit | undefined {
  const own = placeOf(candidate.of.graph, group[0]!.callback)
  const sets = ({ name }: Called): boolean => SETS.test(name)
  if (own?.package === null) return whereGiven(sources, own, sets)
  // Of a package: `packages.ts` finds the call of the program that leads there.
  if (own) return own
  const sleeps = group[0]!.source === 'sleep'
  const from = functionsFrom(
    candidate,
    group.slice(0, 1).map(({ node }) => node),
    { waiting: sleeps },
  )
  const place: Culprit | undefined = from.find((each) => each.package === null) ?? from[0]
  const waiter = sleeps && place?.package === null ? functionNear(sources, place)?.node : undefined
  const sleep =
    waiter &&
    callsIn(sources, place!.url).find(
      (call) =>
        call.node && contains(waiter, call.node) && parentOf(call.node)?.type === 'AwaitExpression' && sets(call),
    )
  if (sleep) return { ...placeOfCall(sources, place!.url, sleep), function: place!.function }
  return place && whereGiven(sources, place, (call) => call.isNew || sets(call))
}

/** How long until the first one fires, counted from when the last one was set: that was about when the snapshot was taken. */
function firesInMs({ of: { graph }, suspect }: Candidate, timers: readonly Timer[]): number | undefined {
  const now = Math.max(...timers.map(({ setAtMs }) => setAtMs ?? 0))
  const due = timers.map(({ setAtMs, delayMs }) => (setAtMs ?? Number.NaN) + (delayMs ?? Number.NaN))
  // Those that were set before the first snapshot fire earlier; a list begins with the oldest.
  const first = isTimerList(graph, suspect.container) ? oldestOfList(graph, suspect.container) : undefined
  const oldest = first === undefined ? undefined : timerAt(graph, first)
  if (oldest && sourceOf(graph, unwrapped(graph, oldest.callback)) === timers[0]!.source)
    due.push((oldest.setAtMs ?? Number.NaN) + (oldest.delayMs ?? Number.NaN))
  const known = due.filter((ms) => !Number.isNaN(ms))
  return known.length === 0 ? undefined : Math.max(0, Math.min(...known) - now)
}

function judge({ likelihood, suspect }: Candidate, delayMs: number | undefined, clears: boolean): Likelihood {
  const grounds = [...likelihood.grounds]
  if (delayMs !== undefined) {
    const bytes = (suspect.bytesPerSecond * delayMs) / 1000
    const level = `levels off at ${formatBytes(bytes)}, when timers fire as fast as they are set`
    grounds.push(bytes < LITTLE_BYTES ? ground('levelsOffLow', level) : remark(level))
  }
  if (clears) grounds.push(ground('clears', 'the callback removes something, so they may be expiry timers'))
  return { grounds }
}

interface Timers {
  readonly source: string
  readonly repeats: boolean
  readonly renews: boolean
  readonly at: string | undefined
  readonly delayMs: number | undefined
  readonly bytesEach: number
  readonly context: boolean
  readonly isPackages: boolean
}

function adviceFor({ source, repeats, renews, at, delayMs, bytesEach, context, isPackages }: Timers): string {
  const where = at ? ` at ${at}` : ''
  const until = delayMs === undefined || repeats ? '' : ` until it fires after ${formatDuration(delayMs)}`
  const keeps = `; each keeps ${formatBytes(bytesEach)}${until}${context ? ', the async context that it was set in included' : ''}.`
  if (renews) {
    return source === 'sleep'
      ? `End the loop around the sleep${where} when what it is for is gone${keeps}`
      : `Do not set the timer${where} again when what it is for is gone, and clear the one that waits (clearTimeout)${keeps}`
  }
  if (source === 'sleep') {
    return `Give the sleep${where} an AbortSignal ({ signal }) and abort it as soon as nobody waits for it any more${keeps}`
  }
  if (source === 'signal') {
    return `Share one AbortSignal.timeout(), or use an AbortController and a timer that is cleared when the work is done${keeps}`
  }
  if (repeats) {
    return `Stop the interval${where} (clearInterval) when what it is for is gone, or have one interval for all${keeps}`
  }
  if (isPackages) return `Stop or cancel what sets a timer${where} when it is done with, or use one for all${keeps}`
  return `Keep what setTimeout${where} returns and clear it in a finally, when the work that it waits for is done${keeps} unref() is no cure.`
}
