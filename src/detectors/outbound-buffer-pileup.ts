// `outbound-buffer-pileup`: data that was written waits for a reader that is too slow, in a stream's buffer or a client's queue.

import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isFunction, isObject, nodeName, numberAt, property, referencesOf } from '../graph/look.ts'
import { pathTo } from '../graph/paths.ts'
import { nameOfStep, type PathStep, retainingPath } from '../graph/retaining-path.ts'
import { peerAddress } from '../node-internals/handles.ts'
import { isListenerTable } from '../node-internals/listeners.ts'
import {
  chunkOf,
  chunksOfRequest,
  highWaterMark,
  isMessageToProcess,
  isWritableState,
  isWriteRequest,
  readableState,
  stateOfRequest,
  WRITABLE_STATE,
  WRITE_REQUEST,
  waitingIn,
  writableState,
  writeQueue,
} from '../node-internals/streams.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { isOwn } from '../source/origins.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, Diagnosis, EvidenceBy, HeapDetector, IsolateHeap } from './detector.ts'
import * as field from './evidence-fields.ts'
import { callsOn, findAnyCall, findCallOn, findKnownCall, modulesOf, whereCalls } from './flows.ts'
import { placeIn, placeOf, shortPlace } from './functions.ts'
import { nameUpTo } from './piled-up.ts'
import { inReadable, inWebStream, readableEvidence, webStreamEvidence } from './stream-queues.ts'
import {
  isNew,
  membersOf,
  numbersOf,
  type Place,
  placesOf,
  plainName,
  plural,
  thingsOf,
  withArticle,
} from './surroundings.ts'

const writableEvidence = () =>
  z.object({
    kind: z.literal('writable stream').describe("writes wait in streams of Node's kind"),
    streams: field.count('streams in which writes wait'),
    stream: field.name('class of the streams'),
    newWrites: field.count('writes that came and still wait'),
    newWritesPerSecond: field.perSecond('writes that come, beyond those that are done'),
    waitingBytes: z.number().optional().describe('what waits, in bytes; not there where the streams count objects'),
    highWaterMarkBytes: z.number().optional().describe('how much may wait before write() returns false, in bytes'),
    takenAt: field.place("the program's function that takes what is written, in a stream of its own"),
    readableSideIsFull: z.literal(true).optional().describe('nobody reads what comes out of a stream that transforms'),
    isBroadcast: z.boolean().describe('whether the same chunks wait in several streams'),
    receiversOfOneChunk: z.number().int().optional().describe('the most streams that one chunk waits in'),
    sharedShare: z.number().optional().describe('the part of the bytes that waits in several streams, from 0 to 1'),
    remote: z.array(z.string()).describe('address and port of the readers, where they are known'),
    counts: field.counts(),
  })

const channelEvidence = () =>
  z.object({
    kind: z.literal('channel to another process').describe('messages wait that send() has written'),
    newlyWaiting: field.count('messages that came and still wait'),
    perSecond: field.perSecond('messages that come, beyond those that are taken'),
    bytesEach: field.bytes('what a message keeps alive'),
    counts: field.counts(),
  })

const clientEvidence = () =>
  z.object({
    kind: z.literal('client queue').describe('messages wait in a list of a client, beside its stream, socket or file'),
    queue: field.name('what the program calls the list'),
    link: field.name('property that leads to the stream, socket or file'),
    newlyWaiting: field.count('messages that came and still wait'),
    perSecond: field.perSecond('messages that come, beyond those that are sent'),
    waitingForAnswers: z.boolean().describe('whether somebody waits for an answer to each'),
    beside: z.record(z.string(), z.number()).describe('numbers beside the list, such as its length and its bound'),
    counts: field.counts(),
    bytesEach: field.bytes('what a message keeps alive'),
  })

const evidence = () => [
  writableEvidence(),
  readableEvidence(),
  webStreamEvidence(),
  channelEvidence(),
  clientEvidence(),
]
type Found = Diagnosis<EvidenceBy<typeof evidence>> | undefined

export const outboundBufferPileup: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'outbound-buffer-pileup',
  patterns: ['outbound-buffer-pileup'],
  needs: 'heap',
  before: [
    // Both know Node's streams; this one says who writes and who reads.
    'node-handles',
    'node-internals',
    'unknown-node-internals',
    // What waits to be sent may have a queue called like one of tasks, callers that wait, and sockets.
    'task-queue-pileup',
    'promise-pileup',
    'handle-leak',
    'listener-leak',
    'thread-pool-saturation',
    // The chunks are views, buffers, texts and callbacks: that they wait says more.
    'buffer-slab-retention',
    'string-retention',
    'closure-retention',
    'off-heap-growth',
    // A list called `buffers` beside a socket is its queue, and no pool.
    'cross-thread-release',
  ],
  evidence,
  diagnose: (candidate, { readSource }) =>
    inStreams(candidate, readSource) ??
    inReadable(candidate, readSource) ??
    inWebStream(candidate, readSource) ??
    inChannel(candidate, readSource) ??
    inClient(candidate),
}

/** What programs call a list of what is still to be sent. */
const OUTBOUND =
  /^(out(going|bound|box|put)?|send|sending|unsent|write|writes|pending|un_?acked|un_?acknowledged|in_?flights?|buf|buff?ers?|buffered|bufs|chunks|command_?queue|offline_?queue|queue|queued|backlog)(_?(queue|buf|buffer|bufs|buffers|list|store|data|messages|packets|commands|frames|writes|bytes))?$/i
/** Numbers and flags of an object that sends: how much waits, how much may wait, whether it is sending. */
const SENDER =
  /^(len|length|hwm|high_?water_?mark|buffered_?amount|writing|writing_?buf|flushing|flush_?pending|sending|draining|need_?drain|needs_?drain|corked|disconnected|reconnecting|reconnect_?timeout|connected|blocked|output_?size|bytes_?written|status|ready)$/i
/** Properties of what waits to be sent. */
const PAYLOAD = /^(chunk|data|payload|buf|buffer|packet|message|msg|body|frame|cmd|command|args)$/i
const REPLY = /^(callback|cb|resolve|reject|promise|done|ack|on_?ack|on_?done|handler)$/i
/** Properties that do not lead to an object's own stream, socket or connection. */
const NO_LINK = /^(constructor|_?events|_?receiver|server|domain|parser|prototype|map|options|opts)$/

/** Of one queue, so many new elements are looked at. */
const MANY = 5000

/** A stream in which writes wait. */
interface Backlog {
  /** Ordinal of its WritableState. */
  readonly state: number
  /** Some of the new ones. */
  readonly elements: readonly number[]
  /** How many are new. */
  readonly count: number
}

/** Writes that wait in Node's own streams. */
function inStreams(candidate: Candidate, readSource: ReadSource): Found {
  const { of, suspect } = candidate
  const { graph, seconds } = of
  const inQueue = candidate.path.some(({ ordinal }) => isWritableState(graph, ordinal) && !isNew(of, ordinal))
  // Data that the system has been given, and has not taken yet, is held by the request to write it.
  if (!inQueue && !candidate.path.some(({ ordinal }) => isWriteRequest(graph, ordinal))) return undefined
  const backlogs = findBacklogs(candidate)
  if (backlogs.length === 0) return undefined
  const path = inQueue ? candidate.path : retainingPath(graph, backlogs[0]!.state)
  const at = path.findLastIndex(({ ordinal }) => isWritableState(graph, ordinal))
  if (at < 1) return undefined
  const waiting = backlogs.reduce((sum, { count }) => sum + count, 0)
  const perSecond = waiting / (seconds.at(-1)! - seconds[0]!)
  const { shared, most } = sharedChunks(graph, backlogs)
  const kind = path[at - 1]!.thing.name
  const states = [...new Set(backlogs.map(({ state }) => state))]
  // An objectMode stream counts objects, not bytes.
  const isObjects = backlogs[0]!.elements.every((element) => {
    const chunk = chunkOf(graph, element)
    return !isText(graph, chunk) && !isBytes(graph, chunk)
  })
  const bytes = isObjects ? undefined : sum(states.map((state) => waitingIn(graph, state)))
  const bounds = states.map((state) => highWaterMark(graph, state)).filter((bound) => bound !== undefined)
  // A stream that is held by a named property is no entry of a collection.
  const isOne = states.length === 1 && isField(path[at - 1]!)
  const where = isOne ? '' : collectionAbove(of, path, at)
  const stream = path[at - 1]!.ordinal
  const called = where ? undefined : nameUpTo(candidate, stream)
  const streams =
    states.length === 1 && called !== undefined
      ? `${called} (${withArticle(kind)})`
      : `${formatCount(states.length)} ${plural(states.length, kind)}`
  const writer = writingLine(candidate, path, at, readSource)
  const taker = takerOf(graph, stream)
  const isFull = isReadableFull(graph, stream)
  const isBroadcast = most > 1 && shared > 0.5
  const amount = bytes === undefined ? `${formatCount(waiting)} writes wait` : `${formatBytes(bytes)} wait`
  const said = isBroadcast ? `, the same in up to ${formatCount(most)} of them: a broadcast to slow readers` : ''
  return {
    title: `${amount} to be sent in ${streams}${where && ` of ${where}`}, ${perSecond.toFixed(1)} writes more each second${said}`,
    cause: `${of.isolate} ${kind} ${where}`,
    culprit: writer,
    ...(inQueue ? {} : { way: pathToWrites(of, backlogs[0]!) }),
    evidence: {
      kind: 'writable stream',
      streams: states.length,
      stream: kind,
      newWrites: waiting,
      newWritesPerSecond: round(perSecond),
      ...(bytes === undefined ? {} : { waitingBytes: bytes }),
      ...(bounds.length > 0 ? { highWaterMarkBytes: Math.max(...bounds) } : {}),
      takenAt: placeIn(taker),
      ...(isFull && { readableSideIsFull: true as const }),
      isBroadcast,
      ...(isBroadcast ? { receiversOfOneChunk: most, sharedShare: round(shared) } : {}),
      remote: states.map((state) => remoteOf(graph, path, state)).filter((peer) => peer !== undefined),
      counts: [...suspect.counts],
    },
    advice: `Heed what write() returns${writer ? ` (${shortPlace(writer)})` : ''}: when it is false, write nothing more to that ${kind} until 'drain' (skip or drop messages meanwhile), and destroy ${withArticle(kind)} that stays behind${where && `, taking it out of ${where}`}; where the data can wait, use pipeline().${taker ? ` What is written is taken one by one at ${shortPlace(taker)}: see whether that calls back, and how fast.` : ''}${isFull ? ` Its readable side is full: nobody reads what comes out of the ${kind}, or too slowly.` : ''}`,
  }
}

/** The program's line that writes to the stream, by the names on the path; else one that writes to any that may be it. */
function writingLine(
  candidate: Candidate,
  path: Candidate['path'],
  at: number,
  readSource: ReadSource,
): Culprit | undefined {
  const all = path.slice(1, at + 1).flatMap((step) => nameOfStep(step) ?? [])
  // Names of the program are tried before those of libraries, which begin with a _.
  const names = [...all.filter((name) => name.startsWith('_')), ...all.filter((name) => !name.startsWith('_'))]
  const flow = { sources: sourcesOf(readSource), urls: modulesOf(candidate) }
  const known = findKnownCall(
    { ...flow, calls: callsOn(candidate, path[at - 1]!.ordinal, readSource) },
    /^(write|send)$/,
  )
  if (known) return known
  for (const name of names.toReversed()) {
    const found = findCallOn({ ...flow, name }, /^(write|send)$/)
    if (found) return found
  }
  return whereCalls(
    flow.sources,
    flow.urls,
    ({ name, names }) =>
      names.length > 1 && /^(send|write|publish)$/.test(name) && ![names[0]!, names.at(-2)!].some(isNoStream),
  )
}

/** Names of what a request is answered by, or a log is written to. */
const isNoStream = (name: string): boolean => /^(res|response|reply|console|process|log|logger)$/.test(name)

/** Whether a stream's readable side, if it has one, holds as much as it may. */
function isReadableFull(graph: HeapGraph, stream: number): boolean {
  const state = readableState(graph, stream)
  const length = state === undefined ? undefined : waitingIn(graph, state)
  const bound = state === undefined ? undefined : highWaterMark(graph, state)
  return length !== undefined && bound !== undefined && bound > 0 && length >= bound
}

/** The function that takes what is written, where the stream's class is of the program. */
function takerOf(graph: HeapGraph, stream: number): Culprit | undefined {
  const prototype = property(graph, stream, '__proto__')
  for (const name of ['_write', '_transform', '_writev']) {
    const own = property(graph, stream, name)
    const taker = own ?? (prototype === undefined ? undefined : property(graph, prototype, name))
    const place = taker === undefined || !isFunction(graph, taker) ? undefined : placeOf(graph, taker)
    if (place) return place
  }
  return undefined
}

/** The path by what the program keeps the stream in, instead of by the request that the system has. */
function pathToWrites({ graph }: IsolateHeap, { state, elements }: Backlog): number[] {
  const queue = writeQueue(graph, state)
  return [...pathTo(graph.paths, state), ...(queue === undefined ? [] : [queue, elements[0]!])]
}

/** All streams in which new writes wait, the fullest first; a candidate is about some of them. */
function findBacklogs({ of, suspect }: Candidate): Backlog[] {
  const { graph } = of
  const { nodeCount, nodeType, strings } = graph.snapshot
  const names = graph.snapshot.nodeName
  const named = strings.indexOf(WRITABLE_STATE)
  const writes = strings.indexOf(WRITE_REQUEST)
  const backlogs: Backlog[] = []
  const reached = new Set(suspect.reached)
  const look = (state: number, queue: number | undefined): void => {
    if (queue === undefined) return
    const elements: number[] = []
    let count = 0
    let own = 0
    // The oldest writes stand in front.
    for (const { type, target } of referencesOf(graph, queue, Number.POSITIVE_INFINITY)) {
      if (type !== EdgeType.element || !isNew(of, target) || !isObject(graph, target)) continue
      count++
      if (elements.length === MANY) continue
      elements.push(target)
      if (reached.has(target) || reached.has(chunkOf(graph, target))) own++
    }
    if (elements.length > 2 && own > 0) backlogs.push({ state, elements, count })
  }
  for (let node = 0; node < nodeCount; node++) {
    if (nodeType[node] !== NodeType.object) continue
    if (names[node] === named) look(node, writeQueue(graph, node))
    else if (names[node] === writes) {
      const state = stateOfRequest(graph, node)
      if (state !== undefined) look(state, chunksOfRequest(graph, node))
    }
  }
  if (backlogs.length === 0) {
    for (const holder of suspect.holders.slice(0, 100)) {
      const state = graph.immediateDominator(holder)
      look(state, writeQueue(graph, state))
    }
  }
  const fullest = Math.max(0, ...backlogs.map(({ elements }) => elements.length))
  return backlogs
    .filter(({ elements }) => elements.length >= 0.05 * fullest)
    .sort((a, b) => b.elements.length - a.elements.length)
}

/** The part of the waiting bytes that waits in several streams, and the most streams that one chunk waits in. */
function sharedChunks(graph: HeapGraph, backlogs: readonly Backlog[]): { shared: number; most: number } {
  const streams = new Map<number, Set<number>>()
  for (const { state, elements } of backlogs) {
    for (const element of elements) {
      const chunk = chunkOf(graph, element)
      if (graph.shallowSize(chunk) === 0) continue
      const seen = streams.get(chunk)
      if (seen) seen.add(state)
      else streams.set(chunk, new Set([state]))
    }
  }
  let shared = 0
  let all = 0
  let most = 0
  for (const [chunk, { size }] of streams) {
    const bytes = graph.retainedSize(chunk)
    all += bytes
    if (size > 1) shared += bytes
    most = Math.max(most, size)
  }
  return { shared: all === 0 ? 0 : shared / all, most }
}

const isField = ({ reference: { kind, name = '' } }: PathStep): boolean =>
  kind === 'property' && /^[\p{ID_Start}$][\p{ID_Continue}$]*$/u.test(name)

/** What the program calls the collection that holds the streams; empty where there is none. */
function collectionAbove(of: Candidate['of'], path: Candidate['path'], at: number): string {
  for (let i = at - 1; i > 0; i--) {
    const name = nameOfStep(path[i])
    const isCollection = /^(Array|Object)$/.test(path[i]!.thing.name) || path[i]!.thing.collection != null
    if (name !== undefined && isCollection && !isListenerTable(name) && !isNew(of, path[i]!.ordinal)) return name
  }
  return ''
}

function remoteOf(graph: HeapGraph, path: Candidate['path'], state: number): string | undefined {
  const stream = path.find(({ ordinal }) => writableState(graph, ordinal) === state)?.ordinal
  const peer = stream === undefined ? undefined : peerAddress(graph, stream)
  return peer?.port === undefined ? undefined : `${peer.address}:${peer.port}`
}

/** Messages to another process, by send(): each is a request to write, which only Node holds. */
function inChannel(candidate: Candidate, readSource: ReadSource): Found {
  const { suspect, of } = candidate
  const { graph } = of
  if (!isWriteRequest(graph, suspect.sample)) return undefined
  if (!isMessageToProcess(graph, suspect.sample)) return undefined
  const writer = findAnyCall({ sources: sourcesOf(readSource), urls: modulesOf(candidate) }, /^send$/)
  const { count, perSecond } = suspect
  return {
    title: `${formatCount(count)} messages more wait in the channel to another process, ${perSecond.toFixed(1)} more each second than it takes`,
    cause: `${of.isolate} channel`,
    culprit: writer,
    evidence: {
      kind: 'channel to another process',
      newlyWaiting: count,
      perSecond: round(perSecond),
      bytesEach: Math.round(suspect.bytes / Math.max(1, count)),
      counts: [...suspect.counts],
    },
    advice: `send()${writer ? ` (${shortPlace(writer)})` : ''} never waits: heed what it returns, which is false when much is under way, or wait for its callback, before sending more; and see what keeps the other process from reading (it may be busy, or stopped).`,
  }
}

/** The queue of a client, of a log's destination and the like: a list beside a stream, socket or file. */
function inClient(candidate: Candidate): Found {
  const { of, suspect, likelihood } = candidate
  const { graph } = of
  const place = placesOf(candidate).find(({ name, host }) => OUTBOUND.test(plainName(name)) && linkOf(graph, host))
  if (!place) return undefined
  const link = linkOf(graph, place.host)!
  const things = thingsOf(candidate, 20)
  const replies = things.some((thing) => hasMember(graph, thing, REPLY))
  const payload = things.some(
    (thing) => isText(graph, thing) || isBytes(graph, thing) || hasMember(graph, thing, PAYLOAD),
  )
  const sends = [...membersOf(graph, place.host)].filter(({ name }) => SENDER.test(plainName(name)))
  if (!payload && !replies) return undefined
  // Requests that the program finds by an id when their answers come have been sent: here the answers do not come.
  if (replies && isKeyed(graph, place.node) && isOwn(graph.sourceLocation(place.host)?.url ?? 'node:')) return undefined
  if (!replies && sends.length === 0 && !likelihood.takenOut) return undefined
  const owner = ownerName(candidate, place)
  const numbers = numbersOf(
    graph,
    place.host,
    /^(len|length|hwm|high_?water_?mark|max_?length|outputSize|buffered_?amount)$/i,
  )
  const what = isText(graph, suspect.sample) ? 'texts' : replies ? 'requests' : 'messages'
  return {
    title: `${formatCount(suspect.count)} ${what} more wait in ${owner}.${place.name} for ${link.words}, ${suspect.perSecond.toFixed(1)} more each second than it takes`,
    cause: `${of.isolate} ${graph.snapshot.nodeId[place.host]}`,
    evidence: {
      kind: 'client queue',
      queue: `${owner}.${place.name}`,
      link: link.name,
      newlyWaiting: suspect.count,
      perSecond: round(suspect.perSecond),
      waitingForAnswers: replies,
      beside: numbers,
      counts: [...suspect.counts],
      bytesEach: Math.round(suspect.bytes / Math.max(1, suspect.count)),
    },
    advice: `What ${owner} sends is taken too slowly, or not at all. Count what is under way and wait or refuse beyond a limit, set a timeout that drops a connection which stands still, and use the limit that it has for ${place.name}, if it has one.`,
  }
}

interface Link {
  readonly name: string
  readonly words: string
}

/** How many references a stream is looked for along, such as session → transport → WebSocket → socket. */
const FAR = 3

/** The stream, socket, connection or file that an object refers to. */
function linkOf(graph: HeapGraph, host: number): Link | undefined {
  const fd = numberAt(graph, host, 'fd')
  return fd !== undefined && fd >= 0 ? { name: 'fd', words: `file descriptor ${fd}` } : streamBeside(graph, host, FAR)
}

function streamBeside(graph: HeapGraph, host: number, far: number): Link | undefined {
  const near = [...membersOf(graph, host, 100)].filter(
    ({ name, target }) => !NO_LINK.test(name) && isObject(graph, target),
  )
  const link = near.find(({ target }) => isStream(graph, target))
  if (link) return { name: link.name, words: `its ${nodeName(graph, link.target)}` }
  for (const { name, target } of far > 1 ? near : []) {
    if (!/(conn|connection|connector|client|transport|stream|socket|link|channel)$/i.test(name)) continue
    const inner = streamBeside(graph, target, far - 1)
    if (inner) return { ...inner, name: `${name}.${inner.name}` }
  }
  return undefined
}

/** Streams of Node, and objects made like them, that can be written to; answers to requests are no connection that stays. */
const isStream = (graph: HeapGraph, node: number): boolean =>
  writableState(graph, node) !== undefined && !/^(ServerResponse|IncomingMessage)$/.test(nodeName(graph, node))

/** Whether things are found there by a key. */
const isKeyed = (graph: HeapGraph, node: number): boolean => /^(Map|Object)$/.test(nodeName(graph, node))

const hasMember = (graph: HeapGraph, node: number, names: RegExp): boolean => {
  if (!isObject(graph, node)) return false
  for (const { name, target } of membersOf(graph, node, 60)) {
    if (
      names.test(plainName(name)) &&
      (isFunction(graph, target) || isObject(graph, target) || isText(graph, target))
    ) {
      return true
    }
  }
  return false
}

const TEXTS = new Set<number>([NodeType.string, NodeType.consString, NodeType.slicedString])
const isText = ({ snapshot }: HeapGraph, node: number): boolean => TEXTS.has(snapshot.nodeType[node]!)
const isBytes = (graph: HeapGraph, node: number): boolean =>
  /^(Buffer|Uint8Array|ArrayBuffer)$/.test(nodeName(graph, node))

/** A key in a table, such as a session's id, is no name. */
const IS_KEY = /^(?=.*\d)(?=.*[a-z])[\w-]{12,}$/i

/** What the program calls the owner of a queue. */
function ownerName({ of, path }: Candidate, { host }: Place): string {
  const at = path.findIndex(({ ordinal }) => ordinal === host)
  const name = nameOfStep(path[at])
  return name === undefined || IS_KEY.test(name) ? nodeName(of.graph, host) : name
}

function sum(numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((number) => number !== undefined)
  return known.length === 0 ? undefined : known.reduce((total, number) => total + number, 0)
}

const round = (number: number): number => Math.round(number * 100) / 100
