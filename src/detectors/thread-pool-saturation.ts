// `thread-pool-saturation`: requests wait for the threads of libuv's pool, and more come than those get done.

import type { AnyNode } from 'acorn'
import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import { remark } from '../findings/weights.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName, referencesOf } from '../graph/look.ts'
import { isPoolRequest, poolWork } from '../node-internals/pool-requests.ts'
import { NodeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { contains } from '../source/expressions.ts'
import { nameOf } from '../source/reach.ts'
import { nodesIn, parentOf } from '../source/syntax-tree.ts'
import { formatCount } from '../support/format.ts'
import type { EvidenceBy, HeapDetector, IsolateHeap } from './detector.ts'
import * as field from './evidence-fields.ts'
import { type Called, callsIn, functionNear, placed, placeOfCall, whereGiven } from './flows.ts'
import { isWaiting, placeOf, shortPlace } from './functions.ts'
import { but } from './likelihood.ts'
import { isNew, plural } from './surroundings.ts'

const evidence = () => [
  z.object({
    waiting: field.count('requests that wait for the pool, or that it works at'),
    perSecond: field.perSecond('requests that come, beyond those that are answered'),
    counts: z.array(z.number()).describe('requests in each snapshot'),
    kinds: z.record(z.string(), z.number()).describe('requests by kind: `file system`, `dns.lookup`, `crypto`'),
    submittedBy: z
      .array(
        z.strictObject({
          at: field.name('file and line of the function'),
          requests: field.count('its requests'),
          new: field.count('those of them that came after the first snapshot'),
        }),
      )
      .describe("the program's functions that made the requests, most first"),
    stuckSinceFirstLook: z
      .strictObject({ at: field.name('file and line that made them'), requests: field.count('how many they are') })
      .nullable()
      .describe('old requests that take all threads of the pool; null where there are none'),
    bytesEach: field.bytes('what a request keeps alive'),
  }),
]

export const threadPoolSaturation: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'thread-pool-saturation',
  patterns: ['thread-pool-saturation'],
  needs: 'heap',
  before: [
    // Callers wait for their requests, which only Node holds: what the requests wait for says more.
    'closure-retention',
    'promise-pileup',
    'task-queue-pileup',
    'unknown-node-internals',
    // Some requests are for files that are open meanwhile.
    'handle-leak',
  ],
  evidence,
  diagnose(candidate, { readSource }) {
    const { of, suspect, way, likelihood } = candidate
    const { graph } = of
    if (!way.some((node) => isNew(of, node) && isPoolRequest(graph, node))) return undefined
    const requests = requestsOf(of)
    const counts = countsOf(of, requests)
    const gains = counts.slice(1).map((count, step) => count - counts[step]!)
    const more = counts.at(-1)! - counts[0]!
    if (more < LEAST.more || requests.length < LEAST.waiting || gains.some((gain) => gain <= 0)) return undefined
    const perSecond = more / (of.seconds.at(-1)! - of.seconds[0]!)
    const makers = makersOf(of, requests)
    const submitter = makers.reduce<Maker | undefined>(
      (best, each) => (each.fresh > (best?.fresh ?? 0) ? each : best),
      undefined,
    )
    // Old requests whose makers made no more since, as they still wait for these.
    const waiting = makers.filter((each) => each !== submitter && each.fresh === 0)
    const areTaken = waiting.reduce((sum, { old }) => sum + old, 0) >= POOL
    const stuck = areTaken ? waiting[0] : undefined
    const blocks = stuck && statementOf(readSource, stuck)
    const submits = submitter && statementOf(readSource, submitter)
    const kinds = countKinds(graph, requests)
    const who = submits ? `, most by ${submits.function ?? 'a function'} (${shortPlace(submits)})` : ''
    return {
      title: `${formatCount(requests.length)} requests wait for libuv's thread pool, ${perSecond.toFixed(1)} more each second than it answers${who}`,
      culprit: blocks ?? submits,
      likelihood: but(
        likelihood,
        remark(`requests that the pool has not answered: ${counts.map((count) => formatCount(count)).join(', ')}`),
      ),
      cause: of.isolate,
      evidence: {
        waiting: requests.length,
        perSecond: Math.round(perSecond * 10) / 10,
        counts,
        kinds,
        submittedBy: makers
          .slice(0, 5)
          .map(({ place, fresh, old }) => ({ at: shortPlace(place), requests: fresh + old, new: fresh })),
        stuckSinceFirstLook: stuck ? { at: shortPlace(blocks!), requests: stuck.old } : null,
        bytesEach: Math.round(suspect.bytes / Math.max(1, suspect.count)),
      },
      advice: blocks
        ? `The threads (four, unless UV_THREADPOOL_SIZE says otherwise) are taken: ${formatCount(stuck!.old)} ${plural(stuck!.old, 'request')} of ${blocks.function ?? 'the function'} at ${shortPlace(blocks)} ${plural(stuck!.old, 'has', 'have')} not come back since the first look. Do not let the pool wait for what may never come: a pipe or a device is read with net.Socket or tty, and what may hang on a network drive belongs in a process of its own; what waits behind it goes on by itself then.`
        : `More is asked of the pool's threads (four, unless UV_THREADPOOL_SIZE says otherwise) than they do: bound how much is under way at once${submits ? ` at ${shortPlace(submits)}` : ''}, make each piece smaller, and for ${busiest(kinds)} work that is really needed give the process a larger UV_THREADPOOL_SIZE, or worker threads.`,
    }
  },
}

/** The pool has four threads unless UV_THREADPOOL_SIZE says otherwise: so many requests are under way, and do not wait. */
const POOL = 4
const LEAST = { more: 8, waiting: 2 * POOL }
/** To find who made the requests: requests that are looked at, and nodes that are followed from each. */
const MOST = { requests: 600, nodes: 600 }

const busiest = (kinds: Readonly<Record<string, number>>): string =>
  Object.entries(kinds).sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'such'

function requestsOf({ graph }: IsolateHeap): number[] {
  const { nodeCount, nodeName: names, strings } = graph.snapshot
  const known = new Map<number, boolean>()
  const requests: number[] = []
  for (let node = 0; node < nodeCount; node++) {
    const name = names[node]!
    if (!known.has(name)) known.set(name, poolWork(strings.get(name)) !== undefined)
    if (known.get(name) && isPoolRequest(graph, node)) requests.push(node)
  }
  return requests
}

/** How many there were in each snapshot. */
function countsOf({ heap }: IsolateHeap, requests: readonly number[]): number[] {
  const { classes } = heap.opened
  const keys = [...new Set(requests.map((node) => classes.keys[classes.of[node]!]!))]
  return heap.series.map((each) => keys.reduce((sum, key) => sum + (each.classes.get(key)?.count ?? 0), 0))
}

function countKinds(graph: HeapGraph, requests: readonly number[]): Record<string, number> {
  const kinds: Record<string, number> = {}
  for (const node of requests) {
    const kind = poolWork(nodeName(graph, node))!
    kinds[kind] = (kinds[kind] ?? 0) + 1
  }
  return kinds
}

/** A function of the program that made requests, and how many. */
interface Maker {
  readonly place: Culprit
  /** Requests that came after the first snapshot, and those from before. */
  fresh: number
  old: number
}

/** The functions that made the requests, the one with most first. */
function makersOf(of: IsolateHeap, requests: readonly number[]): Maker[] {
  const makers = new Map<string, Maker>()
  // The old ones first: those that are stuck are old.
  const old = requests.filter((node) => !isNew(of, node)).slice(0, MOST.requests)
  const fresh = requests.filter((node) => isNew(of, node)).slice(0, MOST.requests)
  for (const node of [...old, ...fresh]) {
    const place = makerOf(of.graph, node)
    if (!place) continue
    const key = `${place.url}:${place.line}:${place.column}`
    const maker = makers.get(key) ?? { place, fresh: 0, old: 0 }
    makers.set(key, maker)
    if (isNew(of, node)) maker.fresh++
    else maker.old++
  }
  return [...makers.values()].sort((a, b) => b.fresh + b.old - a.fresh - a.old)
}

/** References that lead away from what waits for a request. */
const ELSEWHERE = new Set([
  '__proto__',
  'constructor',
  'prototype',
  'map',
  'previous',
  'shared',
  'feedback_cell',
  'code',
])

/** The nearest function that waits for a request, or that the request calls: of the program, else of a package. */
function makerOf(graph: HeapGraph, request: number): Culprit | undefined {
  const { nodeType } = graph.snapshot
  const seen = new Set([request])
  const queue = [request]
  let ofPackage: Culprit | undefined
  for (let i = 0; i < queue.length && i < MOST.nodes; i++) {
    const node = queue[i]!
    const isClosure = nodeType[node] === NodeType.closure
    if (i > 0 && (isClosure || isWaiting(graph, node))) {
      const place = placeOf(graph, node, isClosure ? 'callback' : 'retainer')
      if (place?.package === null) return place
      ofPackage ??= place
    }
    if (graph.moduleScopes.has(node)) continue
    for (const { name, target } of referencesOf(graph, node, 50)) {
      const type = nodeType[target]
      if (seen.has(target) || ELSEWHERE.has(name) || type === NodeType.code || type === NodeType.objectShape) continue
      if (graph.moduleScopes.has(target) || /^(system \/ NativeContext|global.*)$/.test(nodeName(graph, target)))
        continue
      seen.add(target)
      queue.push(target)
    }
  }
  return ofPackage
}

/** Functions whose work is done by the pool. */
const SUBMITS =
  /^(readFile|writeFile|appendFile|copyFile|open|openAsBlob|read|readv|write|writev|l?stat|statfs|access|opendir|readdir|mkdir|mkdtemp|rm|rmdir|unlink|rename|realpath|readlink|symlink|truncate|utimes|fsync|cp|createReadStream|createWriteStream|pbkdf2|scrypt|hkdf|randomBytes|randomFill|randomInt|generateKey\\w*|generatePrime|checkPrime|sign|verify|hash|compare|digest|lookup|lookupService)$/

/** The statement that makes the request; where the source does not show it, where its function stands or is handed over. */
function statementOf(readSource: ReadSource, { place }: Maker): Culprit {
  const sources = sourcesOf(readSource)
  const submits = ({ name }: Called): boolean => SUBMITS.test(name)
  if (place.basis === 'callback') return whereGiven(sources, place, submits)
  const { tree, node: maker } = functionNear(sources, place) ?? {}
  if (!tree || !maker) return place
  const asks = callsIn(sources, place.url).filter((call) => call.node && contains(maker, call.node) && submits(call))
  const call = asks.find(({ node }) => isAwaited(node!, maker)) ?? asks[0]
  const waits = call ? undefined : [...nodesIn(maker)].find(({ type }) => type === 'AwaitExpression')
  const found = call ? placeOfCall(sources, place.url, call) : waits ? placed(sources, tree, waits) : place
  return { ...found, function: place.function ?? nameOf(maker) ?? null, basis: 'retainer' }
}

/** Whether a call's result, or what is made of it, is awaited: `await Promise.all(names.map((name) => stat(name)))`. */
function isAwaited(call: AnyNode, end: AnyNode): boolean {
  for (let at = parentOf(call); at && at !== end; at = parentOf(at)) if (at.type === 'AwaitExpression') return true
  return false
}
