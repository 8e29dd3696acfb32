// `listener-leak`: listeners, observers, handlers that are added for each piece of work and taken off by nobody.

import type { AnyNode } from 'acorn'
import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isFunction, isObject, nodeName, property, referencesOf } from '../graph/look.ts'
import { labelOfStep } from '../graph/retaining-path.ts'
import { isEventTarget, isTargetListener, listenerTable, maxListeners } from '../node-internals/listeners.ts'
import { settledBy } from '../node-internals/promises.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { calledBy } from '../source/calls.ts'
import { bindingOf, isFunctionNode, nodesIn, outermost, parentOf, plain } from '../source/syntax-tree.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, EvidenceBy, HeapDetector } from './detector.ts'
import * as field from './evidence-fields.ts'
import { type Called, mentions, modulesOf, whereGiven, whereUsed } from './flows.ts'
import { functionsFrom, placeOf, shortPlace, unwrapped } from './functions.ts'
import { elementsOf, mostCommon, nameUpTo, onlyGains, ownersOnWay, piledUp } from './piled-up.ts'
import { withArticle } from './surroundings.ts'

const evidence = () => [
  z.object({
    kind: z
      .enum(['emitter', 'event target', 'observers'])
      .describe('an EventEmitter, an EventTarget such as an AbortSignal, or a list of functions to call'),
    emitter: field.name('what the program calls what is listened to'),
    emitterClass: field.name('class of what is listened to'),
    events: z.array(z.string()).describe('some of the events that the listeners are for; empty for observers'),
    listenersAdded: field.count('listeners that came and are still there'),
    listenersBefore: z.number().int().nullable().describe('listeners that were there before; null where not known'),
    listenersNow: z.number().int().nullable().describe('listeners that are there now; null where not known'),
    perSecond: field.perSecond('listeners that come'),
    addedPerStep: field.stayedPerStep(),
    bytesEach: field.bytes('what each keeps alive'),
    maxListeners: z
      .number()
      .nullable()
      .describe('number above which Node warns; 0 for never, null where it is the default'),
  }),
]

export const listenerLeak: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'listener-leak',
  patterns: ['listener-leak'],
  needs: 'heap',
  before: [
    // A listener is a function, may settle a promise, and may stand in a list called `handlers` beside workers.
    'closure-retention',
    'promise-pileup',
    'task-queue-pileup',
    // Event targets keep listeners in fields of Node: here it is known what they are.
    'unknown-node-internals',
  ],
  inPackages: {
    methods:
      /^(on|once|add(Abort|Once|Event)?Listener|prepend(Once)?Listener|subscribe|use|tap|listen|watch|observe|hook|onAny|onceAny)$/,
    adds: (to) => `adds a listener${to === undefined ? '' : ` to ${to}`}`,
    instead: (given, { path }) =>
      path.some(({ thing }) => thing.name === 'AbortSignal')
        ? `give each call a signal of its own, of an AbortController that is dropped with it, instead of ${given}, which lives on`
        : undefined,
  },
  evidence,
  diagnose(candidate, { readSource }) {
    const { suspect, of } = candidate
    const place =
      inEmitter(candidate) ?? inEventTarget(candidate) ?? inChain(candidate) ?? inObservers(candidate, readSource)
    if (!place) return undefined
    const { graph } = of
    const count = place.count ?? suspect.count
    const perSecond = (suspect.perSecond * count) / suspect.count
    const { kind, emitter, name, events } = place
    const culprit = findAdder(candidate, readSource)
    const most = maxListeners(graph, emitter)
    const now = elementsOf(graph, suspect.container)
    const bytesEach = Math.round(suspect.bytes / count)
    const what = kind === 'observers' ? 'observers' : 'listeners'
    const forWhat =
      events.length === 0
        ? ''
        : events.length === 1
          ? ` for '${events[0]}'`
          : ` for ${formatCount(count)} events ('${events[0]}', …)`
    const at = culprit ? (culprit.package === null ? ` at ${shortPlace(culprit)}` : ` in ${culprit.package}`) : ''
    const warning =
      most === 0 || most === Number.POSITIVE_INFINITY
        ? ' setMaxListeners(0) hides the warning that Node would give.'
        : ''
    return {
      title: `${formatCount(count)} ${what}${forWhat} on ${name}, ${perSecond.toFixed(1)} more each second${
        onlyGains(candidate) ? ', none removed' : ''
      }`,
      culprit,
      evidence: {
        kind,
        emitter: name,
        emitterClass: nodeName(graph, emitter),
        events: events.slice(0, 5),
        listenersAdded: count,
        listenersBefore: now === undefined ? null : Math.max(0, now - count),
        listenersNow: now ?? null,
        perSecond: Math.round(perSecond * 10) / 10,
        addedPerStep: [...suspect.survivors],
        bytesEach,
        // Infinity is no number of JSON.
        maxListeners: Number.isFinite(most) ? most! : null,
      },
      advice: `Whoever adds a listener to ${name}${at} must take it off when the work that it is for is done: ${TAKES_OFF[kind]}. Each keeps ${formatBytes(bytesEach)}.${warning}`,
    }
  },
}

interface Place {
  readonly kind: 'emitter' | 'event target' | 'observers'
  /** What is listened to: its ordinal, and its name. */
  readonly emitter: number
  readonly name: string
  /** Names of the events; empty for observers, which are called for everything. */
  readonly events: readonly string[]
  /** How many listeners came, where the candidate counts other things as well. */
  readonly count?: number
}

/** Methods that add a listener. */
const ADDS =
  /(on|once|addListener|addOnceListener|prependListener|addEventListener|subscribe|use|tap|listen|watch|observe|onChange|autorun|reaction|register|addHandler|add|push|effect|hook)$/
/** How a listener is removed. */
const TAKES_OFF: Readonly<Record<Place['kind'], string>> = {
  emitter: 'off() with the same function, or once() where one event is enough',
  'event target': 'removeEventListener() in a finally, or { once: true } and a signal of its own',
  observers: 'what adding it returned (unsubscribe, eject, dispose), in a finally or on close',
}
/** What programs call lists of observers. */
const OBSERVERS =
  /(listener|observer|subscri(ber|ption)|handler|hook|interceptor|watcher|middleware)(s|entries|list|map|set)?_*$/i
/** Properties by which an observer has its function. */
const CALLED = [
  'next',
  '_next',
  'fn',
  'listener',
  'handler',
  'handle',
  'callback',
  'cb',
  'notify',
  'update',
  'fulfilled',
]

/** EventEmitters of Node, and of libraries that copy it: they keep functions by event in `_events`. */
function inEmitter(candidate: Candidate): Place | undefined {
  const { graph } = candidate.of
  const owners = ownersOnWay(candidate)
  for (let i = owners.length - 2; i > 0 && i >= owners.length - 3; i--) {
    const table = owners[i]!
    const emitter = owners[i - 1]!
    if (listenerTable(graph, emitter) !== table) continue
    const between = owners.slice(i + 1, -1)
    if (!between.every((node) => nodeName(graph, node) === 'Array') || !listens(graph, owners.at(-1)!)) return undefined
    const at = candidate.path.findIndex(({ ordinal }) => ordinal === table)
    const one = labelOfStep(candidate.path[at + 1])?.replace(/^~/, '')
    const many = candidate.suspect.container === table && candidate.suspect.count > 1
    const events = many ? newEvents(candidate, table) : one === undefined ? [] : [one]
    const name = nameUpTo(candidate, emitter) ?? withArticle(nodeName(graph, emitter))
    return { kind: 'emitter', emitter, name, events }
  }
  return undefined
}

/** Names of the events that the new listeners are for. */
function newEvents({ of: { graph }, suspect }: Candidate, table: number): string[] {
  const piled = new Set(suspect.reached.subarray(0, 2 * suspect.count))
  const events: string[] = []
  for (const { name, target, type } of referencesOf(graph, table, 100_000)) {
    if (type === EdgeType.property && piled.has(target)) events.push(name.replace(/^~/, ''))
    if (events.length === 20) break
  }
  return events
}

/** EventTargets of Node, such as AbortSignals: they keep a chain of Listeners for each event. */
function inEventTarget(candidate: Candidate): Place | undefined {
  const { graph } = candidate.of
  const { sample } = candidate.suspect
  if (!isTargetListener(graph, sample)) return undefined
  const owners = ownersOnWay(candidate)
  const at = owners.findIndex((node) => isEventTarget(graph, node))
  if (at < 0) return undefined
  const emitter = owners[at]!
  const table = candidate.path.findIndex(({ ordinal }) => ordinal === emitter) + 1
  const event = labelOfStep(candidate.path[table + 1])
  const name = nameUpTo(candidate, emitter) ?? `an ${nodeName(graph, emitter)}`
  return { kind: 'event target', emitter, name, events: event === undefined ? [] : [event] }
}

/** Event targets of others: for each event a chain of objects, each with a listener and the next object. */
function inChain(candidate: Candidate): Place | undefined {
  const { of, suspect, path } = candidate
  const { graph } = of
  const listens = (node: number): boolean => {
    const called = isObject(graph, node) ? property(graph, node, 'listener') : undefined
    return called !== undefined && isFunction(graph, called)
  }
  const at = path.findIndex(({ ordinal }) => listens(ordinal) && property(graph, ordinal, 'next') !== undefined)
  const event = labelOfStep(path[at])
  if (at < 1 || event === undefined || event === 'next') return undefined
  const count = suspect.reached.filter(listens).length
  if (count < 3) return undefined
  const [table, target] = [path[at - 1]!, path[at - 2]]
  const emitter = table.thing.collection === 'Map' && target ? target.ordinal : table.ordinal
  const name = nameUpTo(candidate, emitter) ?? withArticle(nodeName(graph, emitter))
  return { kind: 'event target', emitter, name, events: [event], count }
}

/** Lists of functions, or of objects with one: their name says so, or the source calls each of them in a loop. */
function inObservers(candidate: Candidate, readSource: ReadSource): Place | undefined {
  const { suspect, of, path } = candidate
  const { graph } = of
  // What is taken out again is a queue.
  if (!onlyGains(candidate)) return undefined
  const owners = ownersOnWay(candidate)
  const list = owners.at(-2)
  if (list === undefined || list !== suspect.container || !listens(graph, suspect.sample)) return undefined
  const label = labelOfStep(path.find(({ ordinal }) => ordinal === list))
  if (label === undefined) return undefined
  const emitter = owners.at(-3)
  // `observers.loaded`, `handlers['message']`: those of one event.
  const above = path.find(({ ordinal }) => ordinal === emitter)
  const isOfEvent = OBSERVERS.test(labelOfStep(above) ?? '')
  if (!OBSERVERS.test(label) && !isOfEvent && !callsEach(candidate, label, readSource)) return undefined
  const isModule = emitter === undefined || graph.moduleScopes.has(emitter)
  const name = (isModule ? undefined : nameUpTo(candidate, emitter)) ?? label.replace(/#/g, '')
  return { kind: 'observers', emitter: emitter ?? list, name, events: isOfEvent ? [label] : [] }
}

/** Whether it is a function that is called when something happens, or an object that has one. */
function listens(graph: HeapGraph, node: number): boolean {
  if (isFunction(graph, node)) return settledBy(graph, node) === undefined
  if (!isObject(graph, node)) return false
  if (/(Subscriber|Observer|Listener|Subscription|Reaction|ComputedValue|Effect)$/.test(nodeName(graph, node)))
    return true
  const called = property(graph, node, ...CALLED)
  return called !== undefined && isFunction(graph, called) && settledBy(graph, called) === undefined
}

/** Whether the program goes through a list to call each in it, or a method of each. */
function callsEach(candidate: Candidate, label: string, readSource: ReadSource): boolean {
  const sources = sourcesOf(readSource)
  return modulesOf(candidate)
    .slice(0, 10)
    .some((url) => {
      const tree = sources.tree(url)
      if (!tree) return false
      const it = { sources, urls: [url], name: label }
      return [...nodesIn(tree.program)].some((node) => {
        if (node.type === 'ForOfStatement') return mentions(node.right, it) && isCalled(node.left, false)
        if (node.type !== 'CallExpression' || calledBy(node).name !== 'forEach' || !mentions(node.callee, it))
          return false
        const callback = node.arguments[0] && plain(node.arguments[0])
        const first = callback && isFunctionNode(callback) ? callback.params[0] : undefined
        return first !== undefined && isCalled(first, true)
      })
    })
}

/** Whether a variable that a pattern declares is called, or, with `orMethod`, a method of it. */
const isCalled = (pattern: AnyNode, orMethod: boolean): boolean =>
  [...nodesIn(pattern)].some(
    (node) =>
      node.type === 'Identifier' &&
      bindingOf(node)?.references.some((use) => {
        const around = parentOf(outermost(use))
        if (orMethod && around?.type === 'MemberExpression') return around.object === outermost(use)
        return around?.type === 'CallExpression' && around.callee === outermost(use)
      }),
  )

/** Where the listener is added: where its function is given, or where a function of the program is that it leads to. */
function findAdder(candidate: Candidate, readSource: ReadSource): Culprit | undefined {
  const { graph } = candidate.of
  const sources = sourcesOf(readSource)
  const adds = ({ name }: Called): boolean => ADDS.test(name)
  const piled = piledUp(candidate, 200)
  const places = piled.map((node) => placeOf(graph, functionOf(graph, node)))
  const place = mostCommon(places, (each) => each && `${each.url}:${each.line}:${each.column}`)
  if (place?.package === null) return whereGiven(sources, place, adds)
  // Of a package: `packages.ts` finds the call of the program that leads there.
  if (place) return place
  const functions = functionsFrom(candidate, [candidate.suspect.sample])
  const own = functions.filter((each) => each.package === null)
  const adding = own.map((each) => whereGiven(sources, each, adds)).find((each, i) => each !== own[i])
  if (adding) return adding
  const name = functions[0]?.package
  return own[0] ?? (name == null ? undefined : whereUsed(sources, modulesOf(candidate), name))
}

function functionOf(graph: HeapGraph, node: number): number {
  if (isFunction(graph, node)) return unwrapped(graph, node)
  const called = property(graph, node, 'callback', ...CALLED)
  return called !== undefined && isFunction(graph, called) ? unwrapped(graph, called) : node
}
