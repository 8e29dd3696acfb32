// `cross-thread-release`: one thread's buffers are released into another thread's pool, so that their owner makes new ones for ever.

import { packageOf } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName, property, referencesOf } from '../graph/look.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Captures, Detector, IsolateHeap, Lead } from './detector.ts'
import { lineOf } from './functions.ts'
import { findDoing, isProgram, lineAsCulprit, linesOf, type SourceLine } from './source.ts'
import { escaped } from './statements.ts'
import { nameOfEdge, plainName, thingsOf } from './surroundings.ts'

/** What a program calls buffers that wait for their next use, and giving them back. */
const FREE =
  /(free|pool|idle|spare|spares|available|recycled?|released?|returned|reusable|unused|buffers)(_?(list|buffers|pool|chunks|slabs|blocks|frames))?$/i
const RELEASE = /\b\w*(release|recycle|free|give_?back|put_?back|return_?buffer|reclaim|dispose)\w*\s*\(/i
const ALLOCATION =
  /new ArrayBuffer\s*\(|Buffer\.alloc(Unsafe(Slow)?)?\s*\(|new (Uint8Array|Float32Array|Int32Array|Float64Array|Uint8ClampedArray)\s*\(/
const TRANSFER = /postMessage\s*\([^)]*,\s*(\[|\{\s*transfer)|transferList|\.move\s*\(/
/** Buffers of a pool are of one size, and worth the trouble. */
const LEAST_BYTES = 512

export const crossThreadRelease: Detector = {
  pattern: 'cross-thread-release',
  diagnose(lead, captures) {
    const { of, suspect, path, name } = lead
    const { graph } = of
    if (captures.isolates.length < 2 || !/^(Array|Set)$/.test(nodeName(graph, suspect.container))) return undefined
    const buffers = thingsOf(lead, 200)
    const sizes = buffers.map((buffer) => bytesOf(graph, buffer))
    const bytesEach = sizes[0]
    if (bytesEach === undefined || bytesEach < LEAST_BYTES) return undefined
    if (sizes.filter((size) => size === bytesEach).length < 0.9 * sizes.length) return undefined
    const last = nameOfEdge(path.findLast(({ edge }) => nameOfEdge(edge) !== undefined)?.edge ?? '')
    if (last === undefined) return undefined
    const release = findRelease(lead, last, captures.readSource)
    if (!FREE.test(plainName(last)) && !release?.isRelease) return undefined
    const owner = findOwner(lead, last, captures)
    if (!owner) return undefined
    const { allocation } = owner
    return {
      title: `${of.isolate} releases the buffers of ${owner.isolate} into its own ${name}: ${formatCount(suspect.count)} of ${formatBytes(bytesEach)} more, ${suspect.perSecond.toFixed(1)} each second, while ${owner.isolate} makes new ones`,
      ...(release ? { culprit: lineAsCulprit(release.line) } : {}),
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
          ? { url: release.line.url, line: release.line.line, text: release.line.text.trim().slice(0, 120) }
          : null,
        allocatedAt: allocation
          ? {
              url: allocation.url,
              line: allocation.line,
              text: allocation.text.trim().slice(0, 120),
              package: packageOf(allocation.url),
            }
          : null,
        counts: [...suspect.counts],
      },
      advice: `A transferred buffer belongs to the thread that has it. Post it home when it is done with, postMessage(buffer, [buffer]), and let ${owner.isolate} put it into its own pool${allocation ? ` (which now allocates anew, ${lineOf(allocation)})` : ''}; or share memory (SharedArrayBuffer), or let ${of.isolate} drop it.`,
    }
  },
}

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

/** Where the free list is put to. */
function findRelease(
  { of, path }: Lead,
  name: string,
  readSource: Captures['readSource'],
): { line: SourceLine; isRelease: boolean } | undefined {
  const urls = new Set<string>()
  for (const { ordinal } of path.toReversed()) {
    const url = of.graph.moduleScopes.get(ordinal) ?? of.graph.sourceLocation(ordinal)?.url
    if (url !== undefined && isProgram(url)) urls.add(url)
  }
  const put = new RegExp(`(?<![\\w$])${escaped(name)}\\s*\\.\\s*(push|unshift|add)\\s*\\(`)
  for (const url of urls) {
    const source = readSource(url)
    const line = source === undefined ? undefined : linesOf(url, source, put)[0]
    if (source === undefined || !line) continue
    const before = source
      .split('\n')
      .slice(Math.max(0, line.line - 6), line.line)
      .join('\n')
    return { line, isRelease: RELEASE.test(before) }
  }
  return undefined
}

/** The thread that hands its buffers over: it transfers, it allocates, and its own free list gains nothing. */
function findOwner(
  lead: Lead,
  name: string,
  { isolates, readSource }: Captures,
): { isolate: string; free: number | undefined; allocation: SourceLine | undefined } | undefined {
  for (const other of isolates) {
    if (other === lead.of || gains(other)) continue
    const free = lengthOf(other, name)
    if (free !== undefined && free > 0.2 * lead.suspect.count) continue
    const transfer = findDoing(other.graph, readSource, [TRANSFER])
    const allocation = findDoing(other.graph, readSource, [ALLOCATION])
    // Where no source can be read, an empty pool of the same name must do.
    if (transfer && allocation ? true : free !== undefined && !hasSources(other, readSource)) {
      return { isolate: other.isolate, free, allocation }
    }
  }
  return undefined
}

/** Whether buffers pile up there too. */
const gains = ({ suspects }: IsolateHeap): boolean =>
  suspects.some(({ className, trend }) => /^(ArrayBuffer|Buffer|\w+Array)$/.test(className) && trend === 'steady')

const hasSources = ({ graph }: IsolateHeap, readSource: Captures['readSource']): boolean =>
  [...new Set(graph.moduleScopes.values())].some((url) => isProgram(url) && readSource(url) !== undefined)

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
