// `task-queue-pileup`: work is handed over faster than it is done, to a thread's port or to a queue in front of workers.

import type { AnyNode } from 'acorn'
import { z } from 'zod'
import type { Culprit } from '../analysis/culprit.ts'
import { ground } from '../findings/weights.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isFunction, isObject, nodeName, numberOf, property } from '../graph/look.ts'
import { thingWords } from '../graph/path-words.ts'
import { nameOfStep, thingOf } from '../graph/retaining-path.ts'
import { isMessage, isOfMessages, isReceiver, POSTED_TO } from '../node-internals/threads.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { calledBy, handedTo, isInLoop } from '../source/calls.ts'
import { callsTo } from '../source/expressions.ts'
import { nameOf } from '../source/reach.ts'
import { functionAround, type SyntaxTree } from '../source/syntax-tree.ts'
import { formatCount } from '../support/format.ts'
import type { Candidate, Captures, Diagnosis, EvidenceBy, HeapDetector, IsolateHeap, Likelihood } from './detector.ts'
import { eventIteratorEvidence, inEventIterator } from './event-iterators.ts'
import * as field from './evidence-fields.ts'
import {
  callsIn,
  type Flow,
  findAnyCall,
  findCallOn,
  findSettingOf,
  modulesOf,
  placeOfCall,
  scriptsOf,
} from './flows.ts'
import { placeIn, shortPlace } from './functions.ts'
import { nameUpTo, onlyGains } from './piled-up.ts'
import { promiseIn } from './promises.ts'
import { countsOver, isNew, membersOf, type Place, placesOf, plainName, thingsOf } from './surroundings.ts'

const portEvidence = () =>
  z.object({
    kind: z.literal('port').describe('messages wait in the port of a thread'),
    receiver: field.name('thread in whose port they wait'),
    sender: field.nameOrNull('thread that posts them'),
    postedAt: field.place('the line that posts them'),
    postedTo: z.string().optional().describe('what the sender calls the port or worker'),
    readAt: field.place('the line that takes them'),
    waitingMessages: field.count('messages that wait'),
    perSecond: field.perSecond('messages that come, beyond those that are taken'),
    counts: field.counts(),
  })

const queueEvidence = () =>
  z.object({
    kind: z.literal('queue').describe('tasks wait in a list beside those that do them'),
    queue: field.name('what the program calls the list'),
    tasks: field.name('class of the tasks'),
    newlyWaiting: field.count('tasks that came and still wait'),
    perSecond: field.perSecond('tasks that come, beyond those that are done'),
    bytesEach: field.bytes('what a task keeps alive'),
    someAreDone: z.boolean().describe('whether tasks were seen to be taken out'),
    beside: z
      .record(z.string(), z.union([z.number(), z.string()]))
      .describe('numbers and objects beside the list, such as how many workers there are'),
    counts: field.counts(),
  })

const evidence = () => [portEvidence(), eventIteratorEvidence(), queueEvidence()]
type Found = Diagnosis<EvidenceBy<typeof evidence>> | undefined

export const taskQueuePileup: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'task-queue-pileup',
  patterns: ['task-queue-pileup'],
  needs: 'heap',
  before: [
    // A task is a function, and its caller waits for a promise: that it waits in a queue says more.
    'closure-retention',
    'promise-pileup',
    // A message is held by Node, and may have a buffer.
    'unknown-node-internals',
    'buffer-slab-retention',
    'off-heap-growth',
  ],
  evidence,
  diagnose: (candidate, captures) =>
    inPort(candidate, captures) ?? inEventIterator(candidate, captures.readSource) ?? inQueue(candidate),
}

/** What programs call a list of work that is still to be done. */
const QUEUE =
  /(queue|queued|backlog|waiting|waiters|pending|todo|tasks|jobs|mailbox|inbox|deferred|unprocessed)(head|tail|list|clients|items|s)?$/i
/** What programs call the workers of a queue: how many work, and how many may. */
const WORKING =
  /^(concurrency|max_?concurrency|parallel(ism)?|running|num_?running|active|active_?count|busy|idle|free|available(_?objects)?|all_?objects|resource_?loans|in_?process|processing|pending|running_?tasks|workers?|threads?|clients|connections|consumers|slots|pool_?size|max_?(workers|threads|jobs|running))$/i
/** Properties of a task that is to be run, or that somebody waits for. */
const TASK = /^(run|fn|task|job|callback|cb|resolve|reject|done|promise|deferred|execute|handler|worked|release|work)$/i

/** Messages that wait in the port of a busy thread. */
function inPort(candidate: Candidate, { isolates, readSource }: Captures): Found {
  const { suspect, of, path } = candidate
  if (!path.some(({ thing }) => isOfMessages(thing.name))) return undefined
  const messages = isMessage(suspect.className)
  const senders = isolates.filter((each) => each !== of)
  const posting = messages ? findPosting(senders, of.isolate, readSource) : undefined
  const port = path.find(({ thing }) => isReceiver(thing.name))
  const name = port && nameUpTo(candidate, port.ordinal)
  const flow: Flow = { sources: sourcesOf(readSource), urls: modulesOf(candidate), name }
  // Both ends may be in one thread.
  const writer = posting ? posting.place : messages ? findAnyCall(flow, /^postMessage$/) : undefined
  const reader =
    name === undefined
      ? undefined
      : (findCallOn(flow, /^(on|once|addEventListener)$/, 'message') ?? findSettingOf(flow, /^onmessage$/))
  const waiting = Math.round(suspect.counts.at(-1)!)
  const said = writer ? `, posted at ${shortPlace(writer)}` : ''
  const where = name === undefined ? `a port of ${of.isolate}` : `${name} of ${of.isolate}`
  return {
    title: `${formatCount(waiting)} messages wait in ${where}, ${suspect.perSecond.toFixed(1)} more each second than it takes${said}`,
    likelihood: steadily(candidate, senders.length === 0),
    culprit: writer,
    cause: `port of ${of.isolate}`,
    evidence: {
      kind: 'port',
      receiver: of.isolate,
      sender: posting?.isolate ?? (writer ? of.isolate : null),
      postedAt: placeIn(writer),
      ...(posting?.to && { postedTo: posting.to }),
      readAt: placeIn(reader),
      waitingMessages: waiting,
      perSecond: Math.round(suspect.perSecond * 10) / 10,
      counts: [...suspect.counts],
    },
    advice: `postMessage() never waits${writer ? ` (${shortPlace(writer)})` : ''}. ${
      reader ? `What takes the messages stands at ${shortPlace(reader)}. ` : ''
    }Let ${of.isolate} answer each message (or each tenth) and have the sender post only so many as were answered (credits), keep what is beyond that in a bounded queue, or refuse it; or give the work to more threads.`,
  }
}

/** Fewer messages wait in any busy thread at some moment. */
const FEW_MESSAGES = 250

/** Messages that came while the thread was stopped wait in proportion to that time: a pile must grow by more than this factor. */
const AS_MANY = 1.5

/**
 * Few messages that happen to wait in the last snapshot are no pile. Nor are messages of other threads that came while this
 * thread was stopped for its snapshots.
 */
function steadily({ suspect: { counts }, likelihood, of: { pausedMs } }: Candidate, isOwn: boolean): Likelihood {
  const rates = counts.map((count, i) => count / Math.max(1, pausedMs?.[i] ?? 0))
  const isMoreThanBefore = rates.some((rate, i) => rates.some((later, j) => j > i && later > AS_MANY * rate))
  if (pausedMs && !isOwn && !isMoreThanBefore) {
    const stood = pausedMs.map((ms) => (ms / 1000).toFixed(1)).join(', ')
    const reason = `they came while the thread stood still for its snapshots (for ${stood} s): no more wait for each second of that than before`
    return { grounds: [ground('heldUp', reason)] }
  }
  if (counts.at(-1)! < FEW_MESSAGES) return { grounds: [ground('chance', 'few messages wait, as in any busy thread')] }
  const gains = counts.slice(1).map((count, step) => count - counts[step]!)
  const average = gains.reduce((sum, gain) => sum + gain, 0) / gains.length
  return gains.length > 1 && gains.some((gain) => gain < 0.4 * average)
    ? { grounds: [ground('chance', 'most of the messages came in one step: they may be taken in the next')] }
    : likelihood
}

/** The statement in another thread's sources that most likely posts again and again, to a port that it keeps. */
function findPosting(
  senders: readonly IsolateHeap[],
  receiver: string,
  readSource: Captures['readSource'],
): { readonly isolate: string; readonly place: Culprit; readonly to: string } | undefined {
  const sources = sourcesOf(readSource)
  let best: { score: number; isolate: string; place: Culprit; to: string } | undefined
  for (const { isolate, graph } of senders) {
    const ports = namesOfPorts(graph)
    for (const url of scriptsOf(graph)) {
      for (const call of callsIn(sources, url)) {
        if (call.name !== 'postMessage') continue
        const to = call.names.at(-2) ?? ''
        const toParent = to === 'parentPort' || (to === '' && call.root === 'global')
        if (toParent !== (receiver === 'main')) continue
        const score = (call.tree && call.node ? often(call.tree, call.node) : 0) + (ports.has(to) ? 2 : 0)
        if (!best || score > best.score) best = { score, isolate, place: placeOfCall(sources, url, call), to }
      }
    }
  }
  return best
}

/** Functions that are looked at: those around a call, those around calls of them, and so on. */
const MOST_AROUND = 12

/** How much evidence there is that a call is made again and again: timers, loops, listeners, and names of functions. */
function often(tree: SyntaxTree, call: AnyNode): number {
  const signs = new Set<string>()
  const waiting: AnyNode[] = [call]
  for (let at = waiting.shift(), looked = 0; at && looked < MOST_AROUND; at = waiting.shift(), looked++) {
    const maker = functionAround(at)
    if (isInLoop(at, maker)) signs.add('loop')
    if (!maker) continue
    if (/emit|enqueue|submit|dispatch/.test(nameOf(maker) ?? '')) signs.add('name')
    handedTo(tree, maker, (each) => {
      const { name } = calledBy(each)
      if (/^set(Interval|Immediate|Timeout)$/.test(name)) signs.add('timer')
      if (name === 'on') signs.add('listener')
      return false
    })
    waiting.push(...callsTo(maker, tree))
  }
  return signs.size
}

/** The names of properties and variables that hold workers and ports. */
function namesOfPorts(graph: HeapGraph): Set<string> {
  const { nodeCount, nodeType, edges, firstEdge, edgeNameOrIndex, strings } = graph.snapshot
  const kinds = new Set(POSTED_TO.map((name) => strings.indexOf(name)))
  const names = new Set<string>()
  for (let edge = 0; edge < firstEdge[nodeCount]!; edge++) {
    const target = edgeTarget(edges[edge]!)
    if (nodeType[target] !== NodeType.object || !kinds.has(graph.snapshot.nodeName[target]!)) continue
    const type = edgeType(edges[edge]!)
    if (type === EdgeType.property || type === EdgeType.context) names.add(strings.get(edgeNameOrIndex[edge]!))
  }
  return names
}

/** Tasks that wait in a list, beside the workers that do them. */
function inQueue(candidate: Candidate): Found {
  const { of, suspect, path, likelihood } = candidate
  const { graph } = of
  const places = placesOf(candidate).filter(({ name }) => QUEUE.test(plainName(name)))
  const place = places.find(({ host }) => workersBeside(graph, host)) ?? places[0]
  if (!place) return undefined
  const beside = workersBeside(graph, place.host)
  const consumed = suspect.trend === 'turning' || likelihood.takenOut
  const isList = nodeName(graph, place.node) !== 'Map'
  const things = thingsOf(candidate, 20)
  // Tasks that are found by their id when an answer comes, and are never taken out, wait for no worker but for an answer.
  if (!isList && onlyGains(candidate) && things.every((thing) => promiseIn(graph, thing) !== undefined))
    return undefined
  const tasks =
    things.some((thing) => isTask(graph, thing) || linksTask(graph, thing)) ||
    path.slice(-4).some(({ ordinal }) => isNew(of, ordinal) && isTask(graph, ordinal))
  const clear = isList && /queue|backlog|wait|tasks|jobs|inbox|mailbox/i.test(place.name)
  if (!(beside ? tasks || consumed : clear && consumed)) return undefined
  const item = itemOf(candidate, place)
  const perSecond = item.count / (of.seconds.at(-1)! - of.seconds[0]!)
  const queue = `${ownerOf(candidate, place)}.${place.name}`
  return {
    title: `${formatCount(item.count)} tasks more wait in ${queue}, ${perSecond.toFixed(1)} more each second than are done`,
    cause: `${of.isolate} ${graph.snapshot.nodeId[place.host]} ${place.name}`,
    evidence: {
      kind: 'queue',
      queue,
      tasks: item.name,
      newlyWaiting: item.count,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach: Math.round(suspect.bytes / Math.max(1, item.count)),
      someAreDone: consumed === true,
      beside: beside ?? {},
      counts: [...suspect.counts],
    },
    advice: `More is put into ${queue} than its workers do. Give it a bound (${queue} has perhaps an option for that: maxQueue, maxSize, highWaterMark) and refuse or make callers wait beyond it; then look why a task takes so long, or whether one never ends and keeps its worker.`,
  }
}

/** The class of the tasks, and how many came: of the first new object on the path that is no part of a list or a promise. */
function itemOf({ of, suspect, path }: Candidate, { node }: Place): { name: string; count: number } {
  const { classes } = of.heap.opened
  const from = path.findIndex(({ ordinal }) => ordinal === node)
  for (const { ordinal } of path.slice(from + 1, -1)) {
    const number = classes.of[ordinal]!
    const name = classes.names[number]!
    if (!isNew(of, ordinal) || !isObject(of.graph, ordinal) || /^(Object|Array|Map|Set|Promise|system .*)$/.test(name))
      continue
    const counts = countsOver(of, ordinal)
    const reached = suspect.reached.reduce((sum, each) => (classes.of[each] === number ? sum + 1 : sum), 0)
    const count = reached > 0.1 * suspect.count ? reached : counts.at(-1)! - counts[0]!
    if (count > 0.1 * suspect.count) return { name, count }
  }
  return { name: suspect.className, count: suspect.count }
}

function ownerOf({ of, path }: Candidate, { host }: Place): string {
  const at = path.findIndex(({ ordinal }) => ordinal === host)
  const names = path.slice(0, at + 1).flatMap((step) => nameOfStep(step) ?? [])
  return names.at(-1) ?? nodeName(of.graph, host)
}

/** Whether it is a task: a function to run, or an object with one, or with a promise. */
function isTask(graph: HeapGraph, node: number): boolean {
  if (isFunction(graph, node)) return true
  if (!isObject(graph, node)) return false
  for (const { name, target } of membersOf(graph, node, 40)) {
    if (!TASK.test(plainName(name))) continue
    if (isFunction(graph, target) || nodeName(graph, target) === 'Promise' || /Handler$/.test(nodeName(graph, target)))
      return true
  }
  return false
}

/** Whether it is the node of a linked list that refers to a task. */
function linksTask(graph: HeapGraph, node: number): boolean {
  if (!isObject(graph, node) || property(graph, node, 'next', '_next', 'prev', '_prev') === undefined) return false
  return [...membersOf(graph, node, 10)].some(
    ({ name, target }) => !/^_?(next|prev)$/.test(name) && isTask(graph, target),
  )
}

/** The workers, connections or slots beside a queue, and how many of them are busy; undefined where there are none. */
function workersBeside(graph: HeapGraph, host: number): Record<string, number | string> | undefined {
  const found: Record<string, number | string> = {}
  for (const { name, target } of membersOf(graph, host)) {
    const plain = plainName(name)
    if (!WORKING.test(plain) || isFunction(graph, target)) continue
    const number = numberOf(graph, target)
    if (number !== undefined) found[plain] = number
    else if (isObject(graph, target)) found[plain] = thingWords(thingOf(graph, target))
  }
  return Object.keys(found).length > 0 ? found : undefined
}
