// `cross-thread-release`: one thread's buffers are released into another thread's pool, so that their owner has to allocate new
// ones all the time.

import { z } from 'zod'
import { type Culprit, packageOf } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName, property, referencesOf } from '../graph/look.ts'
import { nameOfStep } from '../graph/retaining-path.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { type Sources, sourcesOf } from '../source/app-modules.ts'
import { isMethodOf } from '../source/calls.ts'
import { isNamed } from '../source/expressions.ts'
import { nameOf } from '../source/reach.ts'
import { functionAround } from '../source/syntax-tree.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, Captures, EvidenceBy, HeapDetector, IsolateHeap } from './detector.ts'
import * as field from './evidence-fields.ts'
import { type Called, callsIn, lineIn, modulesNear, placeOfCall, scriptsOf, whereCalls } from './flows.ts'
import { lineOf } from './functions.ts'
import { plainName, thingsOf } from './surroundings.ts'

const evidence = () => [
  z.object({
    owner: field.name('thread that allocates the buffers and hands them over'),
    releasedBy: field.name('thread that releases them into its own pool'),
    freeList: field.name('what the program calls that pool'),
    buffers: field.count('buffers that came and are still there'),
    buffersPerSecond: field.perSecond('buffers that come'),
    bytesEach: field.bytes('size of a buffer'),
    buffersInOwnersFreeList: z
      .number()
      .int()
      .nullable()
      .describe("buffers in the owner's own pool; null where it has none of that name"),
    releasedAt: field.line('the line that puts a buffer into the pool'),
    allocatedAt: z
      .strictObject({
        url: z.string(),
        line: z.number().int(),
        text: z.string(),
        package: z.string().nullable(),
      })
      .nullable()
      .describe("the owner's line that allocates a buffer"),
    counts: field.counts(),
  }),
]

export const crossThreadRelease: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'cross-thread-release',
  patterns: ['cross-thread-release'],
  needs: 'heap',
  before: [
    // Both see the buffers; this one says whose they are.
    'buffer-slab-retention',
    'off-heap-growth',
  ],
  evidence,
  diagnose(candidate, captures) {
    const { of, suspect, path, name } = candidate
    const { graph } = of
    if (captures.isolates.length < 2 || !/^(Array|Set)$/.test(nodeName(graph, suspect.container))) return undefined
    const buffers = thingsOf(candidate, 200)
    const sizes = buffers.map((buffer) => bytesOf(graph, buffer))
    const bytesEach = sizes[0]
    if (bytesEach === undefined || bytesEach < LEAST_BYTES) return undefined
    if (sizes.filter((size) => size === bytesEach).length < 0.9 * sizes.length) return undefined
    const last = nameOfStep(path.findLast((step) => nameOfStep(step) !== undefined))
    if (last === undefined) return undefined
    const sources = sourcesOf(captures.readSource)
    const release = findRelease(candidate, last, sources)
    if (!FREE.test(plainName(last)) && !release?.isRelease) return undefined
    const owner = findOwner(candidate, last, captures)
    if (!owner) return undefined
    const { allocation } = owner
    return {
      title: `${of.isolate} releases the buffers of ${owner.isolate} into its own ${name}: ${formatCount(suspect.count)} of ${formatBytes(bytesEach)} more, ${suspect.perSecond.toFixed(1)} each second, while ${owner.isolate} makes new ones`,
      ...(release ? { culprit: release.place } : {}),
      cause: `${last} of ${owner.isolate}`,
      evidence: {
        owner: owner.isolate,
        releasedBy: of.isolate,
        freeList: name,
        buffers: suspect.count,
        buffersPerSecond: Math.round(suspect.perSecond * 10) / 10,
        bytesEach,
        buffersInOwnersFreeList: owner.free ?? null,
        releasedAt: release
          ? { url: release.place.url, line: release.place.line, text: lineIn(sources, release.place) }
          : null,
        allocatedAt: allocation
          ? {
              url: allocation.url,
              line: allocation.line,
              text: lineIn(sources, allocation),
              package: packageOf(allocation.url),
            }
          : null,
        counts: [...suspect.counts],
      },
      advice: `A transferred buffer belongs to the thread that has it. Post it home when it is done with, postMessage(buffer, [buffer]), and let ${owner.isolate} put it into its own pool${allocation ? ` (which now allocates anew, ${lineOf(allocation)})` : ''}; or share memory (SharedArrayBuffer), or let ${of.isolate} drop it.`,
    }
  },
}

/** What programs call a list of buffers that wait for their next use, and the function that puts them back. */
const FREE =
  /(free|pool|idle|spare|spares|available|recycled?|released?|returned|reusable|unused|buffers)(_?(list|buffers|pool|chunks|slabs|blocks|frames))?$/i
const RELEASE = /release|recycle|free|give_?back|put_?back|return_?buffer|reclaim|dispose/i
const isAllocation = ({ name, names, isNew }: Called): boolean =>
  isNew
    ? /^(ArrayBuffer|Uint8Array|Float32Array|Int32Array|Float64Array|Uint8ClampedArray)$/.test(name)
    : names.at(-2) === 'Buffer' && /^alloc/.test(name)
/** Nobody keeps a pool of smaller buffers. */
const LEAST_BYTES = 512

/** Bytes of an ArrayBuffer, or of what a view is of; undefined for anything else. */
function bytesOf(graph: HeapGraph, node: number): number | undefined {
  const buffer = nodeName(graph, node) === 'ArrayBuffer' ? node : property(graph, node, 'buffer')
  const from = buffer ?? node
  for (const { name, type, target } of referencesOf(graph, from, 50)) {
    if (type !== EdgeType.internal) continue
    if (name === 'backing_store') return graph.snapshot.selfSize[target]!
    if (name === 'buffer' && buffer === undefined) return bytesOf(graph, target)
  }
  return undefined
}

/** The statement that puts into the free list; `isRelease`: its function, or one that it calls, is called like a release. */
function findRelease(
  candidate: Candidate,
  name: string,
  sources: Sources,
): { place: Culprit; isRelease: boolean } | undefined {
  for (const url of modulesNear(candidate)) {
    const calls = callsIn(sources, url)
    const put = calls.find((each) => /^(push|unshift|add)$/.test(each.name) && each.node && isMethodOf(each.node, name))
    if (!put) continue
    const around = put.node && functionAround(put.node)
    const beside = calls.filter(({ node }) => node && around && node !== put.node && functionAround(node) === around)
    const named = [(around && nameOf(around)) ?? '', ...beside.map((each) => each.name)]
    return { place: placeOfCall(sources, url, put), isRelease: named.some((each) => RELEASE.test(each)) }
  }
  return undefined
}

/** `postMessage(buffer, [buffer])`, or with a list of what is transferred. */
function isTransfer({ name, names, node }: Called): boolean {
  const second = node && node.type !== 'ImportExpression' ? node.arguments[1] : undefined
  if (second?.type !== 'ObjectExpression')
    return name === 'postMessage' ? !!second : name === 'move' && names.length > 1
  return second.properties.some(
    (each) => each.type === 'Property' && (isNamed(each.key, 'transfer') || isNamed(each.key, 'transferList')),
  )
}

/** The thread that hands its buffers over: it transfers and allocates, and its own free list gains nothing. */
function findOwner(
  candidate: Candidate,
  name: string,
  { isolates, readSource }: Captures,
): { isolate: string; free: number | undefined; allocation: Culprit | undefined } | undefined {
  const sources = sourcesOf(readSource)
  for (const other of isolates) {
    if (other === candidate.of || gains(other)) continue
    const free = lengthOf(other, name)
    if (free !== undefined && free > 0.2 * candidate.suspect.count) continue
    const scripts = scriptsOf(other.graph)
    const transfer = whereCalls(sources, scripts, isTransfer)
    const allocation = whereCalls(sources, scripts, isAllocation)
    // Where no source can be read, an empty pool of the same name is evidence enough.
    if (transfer && allocation ? true : free !== undefined && !hasSources(other, readSource)) {
      return { isolate: other.isolate, free, allocation }
    }
  }
  return undefined
}

/** Whether buffers pile up in that thread too. */
const gains = ({ suspects }: IsolateHeap): boolean =>
  suspects.some(({ className, trend }) => /^(ArrayBuffer|Buffer|\w+Array)$/.test(className) && trend === 'steady')

const hasSources = ({ graph }: IsolateHeap, readSource: Captures['readSource']): boolean =>
  scriptsOf(graph).some((url) => readSource(url) !== undefined)

/** How many elements the array of that name has; the longest, if there are several; undefined if there is none. */
function lengthOf({ graph }: IsolateHeap, name: string): number | undefined {
  const { nodeCount, firstEdge, edges, edgeNameOrIndex, strings } = graph.snapshot
  const named = strings.indexOf(name)
  let most: number | undefined
  for (let edge = 0; named >= 0 && edge < firstEdge[nodeCount]!; edge++) {
    if (edgeNameOrIndex[edge] !== named) continue
    const type = edgeType(edges[edge]!)
    const target = edgeTarget(edges[edge]!)
    if ((type !== EdgeType.property && type !== EdgeType.context) || !/^(Array|Set)$/.test(nodeName(graph, target)))
      continue
    let length = 0
    for (const each of referencesOf(graph, target))
      if (nodeName(graph, each.target) === 'ArrayBuffer' || each.type === EdgeType.element) length++
    most = Math.max(most ?? 0, length)
  }
  return most
}
