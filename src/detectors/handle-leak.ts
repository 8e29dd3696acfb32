// `handle-leak`: sockets, watchers, child processes, compression streams and the like are opened, and not closed.

import { z } from 'zod'
import { type Culprit, packageOf } from '../analysis/culprit.ts'
import { byNumber, ground } from '../findings/weights.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName } from '../graph/look.ts'
import { ROOT } from '../graph/roots.ts'
import {
  COMES_WITH,
  commandOf,
  HANDLES,
  hostOf,
  isAccepted,
  isNativeMemory,
  nativeSide,
  ownerOf,
  peerAddress,
} from '../node-internals/handles.ts'
import { listenerTable } from '../node-internals/listeners.ts'
import { NodeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { isOwn } from '../source/origins.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, Captures, Diagnosis, EvidenceBy, HeapDetector, Likelihood } from './detector.ts'
import * as field from './evidence-fields.ts'
import { isInsideOfNode } from './find-holder.ts'
import { type Called, scriptsOf, whereCalls } from './flows.ts'
import { shortPlace } from './functions.ts'
import { but } from './likelihood.ts'
import { whereCalled } from './public-calls.ts'
import { countClasses, countsOver, isNew, ratesOf, thingsOf } from './surroundings.ts'
import { handlesIn, isInTimers } from './unbounded-timers.ts'

const evidence = () => [
  z.object({
    handle: field.name('class of the handle, as the heap has it'),
    kind: field.name('what it is: `socket`, `file watcher`, …'),
    opened: field.count('how many were opened and are still open'),
    perSecond: field.perSecond('how many are opened'),
    keptIn: field.nameOrNull('what the program calls the container that holds them; null where only Node holds them'),
    eachFromItsOwn: field.nameOrNull(
      'class of the client or pool that each comes from, where there should be one for all',
    ),
    ofPackage: field.nameOrNull('npm package of that class; `node` or `program` where it is of none'),
    pool: field.nameOrNull('class of the pool that opens one more because all that it has are taken'),
    peers: z
      .array(z.string())
      .describe('addresses that they are connected to, or commands that were started; most first'),
    openedAt: z
      .strictObject({ url: z.string(), line: z.number().int() })
      .nullable()
      .describe('the line that opens them'),
    nativeBytesEach: z.number().optional().describe('what each takes outside of the JavaScript heap, in bytes'),
    counts: field.counts(),
    stayedPerStep: field.stayedPerStep(),
  }),
]
type Evidence = EvidenceBy<typeof evidence>

export const handleLeak: HeapDetector<Evidence> = {
  name: 'handle-leak',
  patterns: ['handle-leak'],
  needs: 'heap',
  before: [
    // A socket has timeouts and listeners of its own, and callers that wait for its answers.
    'unbounded-timers',
    'listener-leak',
    'promise-pileup',
    // Compression streams have memory outside of the heap.
    'off-heap-growth',
    // Only Node holds an open handle: here it is known what that is, and how it is closed.
    'unknown-node-internals',
  ],
  evidence,
  diagnose: (candidate, captures) =>
    openHandles(candidate, captures) ?? heldHandles(candidate, captures) ?? watchers(candidate, captures),
}

interface Kind {
  /** V8's name of Node's handle, or of the object that a program has of it. */
  readonly names: RegExp
  /** The handle that it comes with, where another object says what the handle is for. */
  readonly of?: RegExp
  readonly one: string
  readonly many: string
  /** How it is opened, as `find-call.ts` reads calls. */
  readonly calls: readonly string[]
  /** The same, by names of functions and classes that libraries use. */
  readonly opening?: (call: Called) => boolean
  readonly closing: string
}

const PROCESSES = ['spawn', 'fork', 'exec', 'execFile'].map((verb) => `child_process.${verb}`)
const SOCKETS = [
  ...['net.connect', 'net.createConnection', 'tls.connect', 'new net.Socket', 'new tls.TLSSocket', 'http2.connect'],
  ...['http.request', 'http.get', 'https.request', 'https.get', 'fetch', 'new WebSocket', 'new EventSource'],
]
const COMPRESSIONS = ['Gzip', 'Gunzip', 'Deflate', 'DeflateRaw', 'Inflate', 'InflateRaw', 'Unzip', 'Brotli', 'Zstd']

/** The first kind of which there are enough is reported; what comes with a handle of another kind stands before that kind. */
const KINDS: readonly Kind[] = [
  {
    ...{ names: HANDLES.childProcess, of: COMES_WITH.childProcess, one: 'child process', many: 'child processes' },
    calls: PROCESSES,
    closing: 'end the stdin of each, or kill() it, when it is done with',
  },
  {
    ...{ names: HANDLES.http2Session, of: COMES_WITH.http2Session },
    ...{ one: 'HTTP/2 session', many: 'HTTP/2 sessions' },
    calls: ['http2.connect'],
    closing: 'call close() on each when its requests are done, or keep one session for each server and use it again',
  },
  {
    ...{ names: HANDLES.http2Stream, one: 'HTTP/2 stream', many: 'HTTP/2 streams' },
    calls: ['http2.request', '*.request'],
    closing: 'call end() or close() on each, on the side that answers as well, and give requests a timeout',
  },
  {
    ...{ names: HANDLES.server, of: COMES_WITH.server, one: 'server', many: 'servers' },
    calls: ['http.createServer', 'net.createServer', 'https.createServer', 'tls.createServer', 'http2.createServer'],
    closing: 'call close() on each when it is done with, or listen once and tell requests apart by their path',
  },
  {
    ...{ names: HANDLES.socket, one: 'socket', many: 'sockets' },
    calls: SOCKETS,
    opening: ({ name, isNew }) =>
      isNew ? /^(TLS)?Socket$/.test(name) : /^(connect|createConnection|request|get|fetch)$/.test(name),
    closing: 'close each when it is done with (destroy() or close(), in finally), or share one that stays',
  },
  {
    ...{ names: HANDLES.statWatcher, one: 'file watcher', many: 'file watchers' },
    calls: ['fs.watchFile'],
    closing: 'call unwatchFile() with the same file and listener when nobody wants to know any more',
  },
  {
    ...{ names: HANDLES.fileWatcher, one: 'file watcher', many: 'file watchers' },
    calls: ['fs.watch'],
    opening: ({ name }) => name === 'watch',
    closing: 'call close() on each when nobody wants to know any more, or share one for all',
  },
  {
    names: HANDLES.compression,
    ...{ one: 'compression stream', many: 'compression streams' },
    calls: [
      ...COMPRESSIONS.map((name) => `zlib.create${name}`),
      ...['zlib.createBrotliCompress', 'zlib.createBrotliDecompress', 'zlib.createZstdCompress'],
      ...['zlib.createZstdDecompress', 'new CompressionStream', 'new DecompressionStream'],
    ],
    closing: 'end or destroy() each when its reader has gone',
  },
  {
    ...{ names: HANDLES.pipe, one: 'pipe', many: 'pipes' },
    calls: [...PROCESSES, 'net.connect', 'net.createConnection'],
    closing: 'end or destroy each, or kill() the process at its other end',
  },
  {
    ...{ names: HANDLES.udpSocket, one: 'UDP socket', many: 'UDP sockets' },
    calls: ['dgram.createSocket'],
    closing: 'call close() on each, or share one',
  },
  {
    ...{ names: HANDLES.file, one: 'open file', many: 'open files' },
    calls: ['fs.open'],
    opening: ({ name }) => name === 'open',
    closing: 'close each in finally',
  },
  {
    ...{
      names: HANDLES.broadcastChannel,
      of: COMES_WITH.broadcastChannel,
      one: 'broadcast channel',
      many: 'broadcast channels',
    },
    calls: ['new BroadcastChannel'],
    closing: 'call close() on each when it is done with, or keep one for each name',
  },
  {
    ...{ names: HANDLES.messagePort, one: 'message port', many: 'message ports' },
    calls: ['new MessageChannel'],
    closing: 'call close() on each when it is done with',
  },
]
/** Classes that sockets and the like belong to, and of which a program should have one for all. */
const OWNER =
  /(Agent|Pool|Client|Transport|Transporter|Dispatcher|Session|Mail|Mailer|Producer|Consumer|Redis|Sequelize|Browser)$/
/** Objects that watch a file, several of which may share one handle. */
const WATCHER = /Watcher$/

/** Fewer than these may be chance: in all, and in each step. */
const LEAST = { count: 6, step: 2 }

/** Handles that only Node holds, for as long as they are open. */
function openHandles(candidate: Candidate, captures: Captures): Diagnosis<Evidence> | undefined {
  const { suspect, of } = candidate
  const { graph } = of
  if (!isHeldByNode(candidate) || nativeSide(graph, suspect.sample) === undefined) return undefined
  const kind = kindOf(candidate, nodeName(graph, suspect.sample), thingsOf(candidate, 1000).length)
  if (isWaitingFor(candidate)) return undefined
  return (
    kind &&
    diagnoseKind(
      candidate,
      captures,
      kind,
      { count: suspect.count, node: suspect.sample, isHeld: false },
      steadily(candidate),
    )
  )
}

/** Whether it is held by Node's list of open handles, and by nothing of the program. */
const isHeldByNode = ({ of: { graph }, suspect: { container } }: Candidate): boolean => isNodes(graph, container)

const isNodes = ({ snapshot }: HeapGraph, container: number): boolean =>
  container === ROOT || snapshot.nodeType[container] === NodeType.synthetic

/** Whether it is of a class of the program. */
function isOfProgram(graph: HeapGraph, node: number): boolean {
  const url = graph.sourceLocation(node)?.url
  return url !== undefined && isOwn(url)
}

/** The handles are those of a class if objects of it came with at least this part of them. */
const WITH = 0.25

/** The kind of what the handles are for, such as a child process, which has three pipes; else the kind of the handles. */
function kindOf(candidate: Candidate, own: string, handles: number): Kind | undefined {
  const classes = countClasses(candidate).filter(
    ({ count, one }) => count >= WITH * handles && isNodesOwn(candidate, one),
  )
  return (
    KINDS.find(({ names, of }) => of?.test(own) && classes.some(({ name }) => names.test(name))) ??
    KINDS.find(({ names }) => names.test(own))
  )
}

/** Whether it is of a class of Node, as far as V8 says: programs and packages have classes called Server or Session, too. */
function isNodesOwn({ of: { graph } }: Candidate, node: number): boolean {
  const url = graph.sourceLocation(node)?.url
  return url === undefined || url.startsWith('node:')
}

/** Objects that the program keeps, each with an open handle. */
function heldHandles(candidate: Candidate, captures: Captures): Diagnosis<Evidence> | undefined {
  const { suspect, of } = candidate
  const { graph } = of
  if (isHeldByNode(candidate)) return undefined
  let best: { kind: Kind; count: number; node: number } | undefined
  for (const { name, count, one } of countClasses(candidate)) {
    const kind = KINDS.find(({ names }) => names.test(name))
    if (!kind || count < 0.6 * suspect.count || count > 1.6 * suspect.count) continue
    if (nativeSide(graph, one) === undefined) continue
    if (!best || count > best.count) best = { kind, count, node: one }
  }
  // A connection of a client is held because its request waits for something else.
  if (!best || isAccepted(graph, best.node)) return undefined
  const kind = kindOf(candidate, nodeName(graph, best.node), best.count) ?? best.kind
  return diagnoseKind(candidate, captures, kind, { ...best, isHeld: true }, fewer(candidate, best.count))
}

/** Watchers that share one handle for each path: the watchers of a library become more, and the handles do not. */
function watchers(candidate: Candidate, captures: Captures): Diagnosis<Evidence> | undefined {
  const { suspect, of } = candidate
  const { graph } = of
  for (const { name, count, one } of countClasses(candidate)) {
    if (!WATCHER.test(name) || !isObject(graph, one) || listenerTable(graph, one) === undefined) continue
    if (count < LEAST.count || count * 10 < suspect.count) continue
    const counts = countsOver(of, one)
    if (counts.slice(1).some((each, step) => each <= counts[step]!)) return undefined
    const kind = KINDS.find(({ one: said }) => said === 'file watcher')!
    return diagnoseKind(candidate, captures, kind, { count, node: one, isHeld: false }, fewer(candidate, count))
  }
  return undefined
}

function diagnoseKind(
  candidate: Candidate,
  captures: Captures,
  kind: Kind,
  { count, node, isHeld: isHeldByAny }: { count: number; node: number; isHeld: boolean },
  likelihood: Likelihood,
): Diagnosis<Evidence> {
  const { suspect, of, name } = candidate
  const { graph, seconds } = of
  const perSecond = count / (seconds.at(-1)! - seconds[0]!)
  // A program cannot take anything out of a container of Node.
  const isHeld = isHeldByAny && !isInsideOfNode({ graph, suspect, way: candidate.way })
  const things = countOf(candidate, kind) || count
  const owner = ownersOf(candidate, kind.one === 'child process' ? things : count)
  const rate = (perSecond * things) / count
  const pooled = pooledIn(candidate, count)
  const said = pooled
    ? `, each for ${article(pooled.name)} more in ${article(pooled.pool)}`
    : owner
      ? `, each from ${article(owner.name)} of its own`
      : isHeld
        ? `, kept in ${name}`
        : ''
  const child = kind.one === 'child process'
  const peers = tally((child ? childrenOf(candidate) : thingsOf(candidate)).map((thing) => peerOf(graph, thing)))
  const to = peers[0] ? ` (${peers.length > 1 ? 'most: ' : ''}${peers[0]})` : ''
  const opened = whereOpened(candidate, kind, owner?.name, captures)
  const at = opened && shortPlace(opened)
  const native = nativeBytes(candidate)
  return {
    title: `${formatCount(things)} more ${things === 1 ? kind.one : kind.many} ${child ? 'started and not ended' : 'opened and not closed'}, ${rate.toFixed(1)} each second${said}${to}`,
    likelihood,
    // The other end of a channel is in another thread, and piles up there as well.
    ...(kind.one === 'message port' && !isHeld && { cause: kind.many }),
    ...(kind.one.startsWith('HTTP/2 ') && { cause: kind.many }),
    covers: (other) => isOfKind(other, kind),
    ...(opened && (!isHeld || isOfProgram(graph, suspect.sample)) ? { culprit: opened } : {}),
    evidence: {
      handle: nodeName(graph, node),
      kind: kind.one,
      opened: things,
      perSecond: Math.round(rate * 10) / 10,
      keptIn: isHeld ? name : null,
      eachFromItsOwn: owner?.name ?? null,
      ofPackage: owner?.from ?? null,
      pool: pooled?.pool ?? null,
      peers: peers.slice(0, 5),
      openedAt: opened ? { url: opened.url, line: opened.line } : null,
      ...(native > 0 ? { nativeBytesEach: Math.round(native / Math.max(1, things)) } : {}),
      counts: [...suspect.counts],
      stayedPerStep: [...suspect.survivors],
    },
    advice: pooled
      ? `The ${pooled.pool} opens one more while all that it has are taken: see that each comes back (read every response to its end, or cancel its body; release in a finally), and set it a limit.`
      : owner
        ? `Make one ${owner.name} at start-up and use it for all (it can keep connections alive and bound them), or close it when done: ${at ?? 'the program'} makes one each time.`
        : `${sentence(kind.closing)}${isHeld ? `, and take it out of ${name}` : ''}${at ? ` (${at} ${child ? 'starts' : 'opens'} them)` : ''}.${native > 0 ? ` Each takes ${formatBytes(native / Math.max(1, things))} outside the JavaScript heap.` : ''}`,
  }
}

/** How many objects that the handles are for have come. Where a process has both ends of sessions, the clients are counted. */
function countOf(candidate: Candidate, { names, of }: Kind): number {
  if (!of) return 0
  const rows = countClasses(candidate).filter(
    ({ name, one }) => names.test(name) && isObject(candidate.of.graph, one) && isNodesOwn(candidate, one),
  )
  return (rows.find(({ name }) => name.startsWith('Client')) ?? rows[0])?.count ?? 0
}

/** A candidate is about a kind if at least this part of its objects is of that kind. */
const MOSTLY = 0.3

/** Whether another candidate is about the same handles, or about the timers that Node has set for them. */
function isOfKind(other: Candidate, { names, of }: Kind): boolean {
  if (isInTimers(other)) return handlesIn(other) >= MOSTLY * other.suspect.count
  if (!of) return false
  const { count } = other.suspect
  return countClasses(other).some(
    (row) => names.test(row.name) && row.count >= MOSTLY * count && isNodesOwn(other, row.one),
  )
}

/** The statement that opens them: it makes the client that each belongs to, calls Node, or calls a library. */
function whereOpened(
  candidate: Candidate,
  kind: Kind,
  owner: string | undefined,
  captures: Captures,
): Culprit | undefined {
  const { graph } = candidate.of
  const sources = sourcesOf(captures.readSource)
  const maker =
    owner &&
    whereCalls(
      sources,
      scriptsOf(graph),
      ({ name, isNew }) => name === (isNew ? owner : `create${owner}`),
      ({ name }) => /^create(Transport|Client|Pool|Connection|Agent|Session|Producer|Consumer)/.test(name),
    )
  if (maker) return maker
  const called = whereCalled(candidate, kind.calls, captures)
  if (called?.package === null || !kind.opening) return called
  return whereCalls(sources, scriptsOf(graph), kind.opening) ?? called
}

/** A busy service has now more and now fewer handles: a few that came, or that came all at once, may be chance. */
function steadily(candidate: Candidate): Likelihood {
  const { suspect, of } = candidate
  const rates = ratesOf(suspect.counts, of.seconds)
  const average = (suspect.counts.at(-1)! - suspect.counts[0]!) / (of.seconds.at(-1)! - of.seconds[0]!)
  const silent = (reason: string): Likelihood => ({ grounds: [ground('chance', reason)] })
  if (rates.length > 1 && rates.some((rate) => rate < 0.5 * average)) {
    return silent('they did not come evenly, as they do where they come and go')
  }
  if (suspect.survivors.some((count) => count < LEAST.step)) return silent('too few stayed to tell from chance')
  const accepted = thingsOf(candidate, 100).filter((handle) => isAccepted(of.graph, handle)).length
  const isOfClients = accepted > 0.8 * Math.min(100, suspect.count)
  const likelihood = fewer(candidate, suspect.count, isOfClients ? FEW.ofClients : FEW.own)
  // A server does not decide how many clients it has: on a slow machine there are more at a time.
  return isOfClients
    ? but(likelihood, ground('clients', 'they are connections of clients, who may be more now'))
    : likelihood
}

/** With so many, chance and a leak are equally likely. */
const FEW = { own: 3, ofClients: 20 }

/** The fewer came, the likelier it is chance. */
function fewer({ likelihood }: Candidate, count: number, few = FEW.own): Likelihood {
  if (count < LEAST.count) return { grounds: [ground('chance', 'too few came to tell from chance')] }
  return but(likelihood, byNumber(count, few))
}

/** Whether they are connections of clients, and the program keeps as many objects that those clients wait for. */
function isWaitingFor(candidate: Candidate): boolean {
  const { suspect, of } = candidate
  const handles = thingsOf(candidate, 100)
  if (handles.filter((handle) => isAccepted(of.graph, handle)).length < 0.8 * handles.length) return false
  return of.suspects.some(({ trend, container, count, reached }) => {
    if ((trend !== 'steady' && trend !== 'turning') || isNodes(of.graph, container)) return false
    if (count < 0.6 * suspect.count || count > 1.6 * suspect.count) return false
    const inside = new Set(reached)
    return handles.filter((handle) => inside.has(handle)).length >= 0.8 * handles.length
  })
}

const childrenOf = ({ of: { graph }, suspect }: Candidate): number[] =>
  [...suspect.reached].filter((node) => nodeName(graph, node) === 'ChildProcess' && isObject(graph, node))

/** The class of which one came for each handle, where one for all would do. */
function ownersOf(candidate: Candidate, handles: number): { name: string; from: string } | undefined {
  const { graph } = candidate.of
  const fitting = countClasses(candidate).filter(
    ({ name, count, one }) =>
      OWNER.test(name) &&
      !/Http2Session$/.test(name) &&
      isObject(graph, one) &&
      isNew(candidate.of, one) &&
      count >= 0.7 * handles &&
      count <= 1.4 * handles,
  )
  const rows = fitting.flatMap(({ name, one }) => {
    const url = graph.sourceLocation(one)?.url
    // Node makes the pools of fetch(), whatever the program does.
    return url === undefined || url.includes('/deps/undici/')
      ? []
      : [{ name, from: url.startsWith('node:') ? 'node' : (packageOf(url) ?? 'program') }]
  })
  const rank = ({ name }: { name: string }): number =>
    /Agent$/.test(name) ? 0 : /(Transporter?|Mail|Pool)$/.test(name) ? 1 : 2
  return rows.sort((a, b) => rank(a) - rank(b))[0]
}

const POOL = /(Pool|Agent|Cluster)$/
/** This part of the handles must come with a connection of the pool: the others may be the other ends, in the same process. */
const POOLED = 0.3

/** The class of the connections that came, and of the old pool that holds them. */
function pooledIn(candidate: Candidate, handles: number): { name: string; pool: string } | undefined {
  for (const { name, count, one } of countClasses(candidate)) {
    if (!OWNER.test(name) || POOL.test(name) || count < POOLED * handles || !isNew(candidate.of, one)) continue
    const pool = poolOf(candidate, one)
    if (pool !== undefined) return { name, pool }
  }
  return undefined
}

function poolOf({ of }: Candidate, node: number): string | undefined {
  const { graph, heap } = of
  if (heap.lineage === undefined) return undefined
  const isList = (at: number): boolean => !isObject(graph, at) || /^(Array|Set|Map)$/.test(nodeName(graph, at))
  let level = [node]
  for (let far = 0; far < 4; far++) {
    level = level.flatMap((at) => graph.retainers(at).map(({ node: holder }) => holder)).slice(0, 200)
    const pool = level.find((at) => isObject(graph, at) && !isNew(of, at) && POOL.test(nodeName(graph, at)))
    if (pool !== undefined) return nodeName(graph, pool)
    level = level.filter(isList)
  }
  return undefined
}

/** The address that a handle is connected to, or the command that it has started. */
function peerOf(graph: HeapGraph, thing: number): string | undefined {
  const owner = ownerOf(graph, thing) ?? thing
  const command = commandOf(graph, owner)
  if (command !== undefined) return command
  const peer = peerAddress(graph, owner)
  return peer ? `${peer.address}:${peer.port ?? '?'}` : hostOf(graph, owner)
}

function tally(words: readonly (string | undefined)[]): string[] {
  const counts = new Map<string, number>()
  for (const word of words) if (word !== undefined) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1]).map(([word]) => word)
}

/** Bytes that native libraries, such as zlib, have allocated for what came. */
function nativeBytes({ of, suspect }: Candidate): number {
  const { graph } = of
  let bytes = 0
  for (const node of suspect.reached) {
    if (isNativeMemory(graph, node)) bytes += graph.shallowSize(node)
  }
  return bytes
}

const article = (name: string): string => `${/^([AEIO]|[FHLMNRSX][A-Z])/.test(name) ? 'an' : 'a'} ${name}`
const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
