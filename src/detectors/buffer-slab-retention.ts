// `buffer-slab-retention`: small views are kept, and each keeps all of the large buffer that it was cut from.

import type { ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, nodeName, property } from '../graph/look.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Detector, Lead } from './detector.ts'
import { isProgram, lineAsCulprit, linesOf, type SourceLine } from './source.ts'
import { isNew, nameOfEdge } from './surroundings.ts'

/** How a view is cut out of a buffer; a copy made around it (`Buffer.from(…subarray(…))`) is none. */
const CUT =
  /\.(subarray|slice)\s*\(|new\s+(Uint8Array|Int8Array|DataView|\w+Array)\s*\(\s*[\w.]+\s*,|Buffer\.from\s*\(\s*[\w.]+\.buffer\s*,/
const COPIED =
  /(Buffer\.(from|copyBytesFrom)|Uint8Array\.from|new Uint8Array|structuredClone)\s*\(\s*[\w.]+\.(subarray|slice)\s*\(/
const MADE = /Buffer\.alloc\w*\s*\(|new (Shared)?ArrayBuffer\s*\(/
/** Buffers that are smaller than this waste little. */
const LARGE_BYTES = 2048
const VIEWS = /^(Buffer|FastBuffer|DataView|(Ui|I)nt(8|16|32)Array|Uint8ClampedArray|Float(32|64)Array)$/

export const bufferSlabRetention: Detector = {
  pattern: 'buffer-slab-retention',
  diagnose(lead, { readSource }) {
    const { of, suspect, name } = lead
    const { graph } = of
    const slabs = slabsOf(lead)
    if (!slabs || slabs.bytes < 0.6 * suspect.bytes || slabs.count === 0) return undefined
    const bytesEach = slabs.bytes / slabs.count
    if (bytesEach < LARGE_BYTES) return undefined
    const viewsEach = slabs.views / slabs.count
    const cut = findCut(lead, readSource)
    // A pool's slab is made to be shared by many: few views of it are what is left of them.
    const isPool = slabs.pooled > 0.8 * slabs.count && viewsEach <= 4
    if (!cut && !isPool) return undefined
    const perSecond = slabs.count / (of.seconds.at(-1)! - of.seconds[0]!)
    const { confidence } = lead.likelihood
    return {
      title: `${formatCount(slabs.views)} views kept in ${name} hold ${formatCount(slabs.count)} buffers of ${formatBytes(bytesEach)} each, ${perSecond.toFixed(1)} more each second${cut ? `, cut out at line ${cut.line}` : ''}`,
      likelihood: {
        confidence: Math.max(confidence, 0.8) * (cut && !isPool ? 0.95 : 1),
        reason: `${lead.likelihood.reason}; nearly all of it is buffers that one view each keeps${cut ? `, and line ${cut.line} cuts views: ${cut.text.trim().slice(0, 80)}` : ''}`,
      },
      ...(cut ? { culprit: lineAsCulprit(cut) } : {}),
      evidence: {
        keptIn: name,
        view: nodeName(graph, slabs.view),
        views: slabs.views,
        buffers: slabs.count,
        buffersPerSecond: Math.round(perSecond * 10) / 10,
        bufferBytesEach: Math.round(bytesEach),
        viewsPerBuffer: Math.round(viewsEach * 10) / 10,
        bufferBytes: slabs.bytes,
        fromPool: isPool,
        cutAt: cut ? { url: cut.url, line: cut.line, text: cut.text.trim().slice(0, 120) } : null,
        counts: [...suspect.counts],
      },
      advice: `subarray() and Buffer's slice() copy nothing: the part keeps the whole. Copy what ${name} is to keep, with Buffer.from(part) or Uint8Array.prototype.slice, so that the rest can go${cut ? ` (line ${cut.line})` : ''}.`,
    }
  },
}

interface Slabs {
  /** Ordinal of one of the views. */
  readonly view: number
  readonly views: number
  readonly count: number
  readonly bytes: number
  /** How many of them are slabs that Node cuts small buffers from. */
  readonly pooled: number
}

/** The buffers among what is new, with the views of them. */
function slabsOf({ of, suspect }: Lead): Slabs | undefined {
  const { graph } = of
  const { nodeName: names, strings } = graph.snapshot
  const viewNames = new Set<number>()
  const seen = new Map<number, number>()
  let [view, views, bytes, pooled] = [-1, 0, 0, 0]
  for (const node of suspect.reached) {
    const named = names[node]!
    if (!viewNames.has(named)) {
      if (!VIEWS.test(strings.get(named))) continue
      viewNames.add(named)
    }
    const buffer = property(graph, node, 'buffer') ?? internal(graph, node, 'buffer')
    const store = buffer === undefined ? undefined : internal(graph, buffer, 'backing_store')
    if (buffer === undefined || store === undefined || !isNew(of, buffer)) continue
    if (view < 0) view = node
    views++
    const known = seen.get(buffer)
    seen.set(buffer, (known ?? 0) + 1)
    if (known !== undefined) continue
    bytes += graph.snapshot.selfSize[store]!
    if (isUntransferable(graph, buffer)) pooled++
  }
  return seen.size === 0 ? undefined : { view, views, count: seen.size, bytes, pooled }
}

/** Node marks the slabs that it cuts small buffers from, as nobody may take them away. */
function isUntransferable(graph: HeapGraph, buffer: number): boolean {
  return property(graph, buffer, 'untransferable_object_private_symbol', 'node:untransferableObject') !== undefined
}

/**
 * The line of the program that cuts the views: where things are put into the container if that cuts, else one nearby or
 * the first of the module.
 */
function findCut({ of, path }: Lead, readSource: ReadSource): SourceLine | undefined {
  const { graph } = of
  const name = nameOfEdge(path.findLast(({ edge }) => nameOfEdge(edge) !== undefined)?.edge ?? '')
  const urls = new Set<string>()
  for (const { ordinal } of path.toReversed()) {
    const url = graph.moduleScopes.get(ordinal) ?? graph.sourceLocation(ordinal)?.url
    if (url !== undefined && isProgram(url)) urls.add(url)
  }
  for (const url of urls) {
    const source = readSource(url)
    if (source === undefined) continue
    const ofItself = new RegExp(`(?<![\\w$])${escaped(name ?? '')}\\s*\\.\\s*slice`)
    const cuts = linesOf(url, source, CUT).filter(
      ({ text }) => !COPIED.test(text) && !(name !== undefined && ofItself.test(text)),
    )
    const named = name === undefined ? [] : linesOf(url, source, new RegExp(`(?<![\\w$])${escaped(name)}(?![\\w$])`))
    const both = cuts.find(({ line }) => named.some((each) => each.line === line))
    const near = cuts.find(({ line }) => named.some((each) => Math.abs(each.line - line) <= 6))
    // Whole buffers that are made beside where they are kept are what is kept.
    const made = linesOf(url, source, MADE).some(({ line }) => named.some((each) => Math.abs(each.line - line) <= 1))
    const cut = both ?? (made ? undefined : near)
    if (cut) return cut
  }
  return undefined
}

const escaped = (name: string): string => name.replace(/[$#.]/g, '\\$&')
