// `buffer-slab-retention`: small views are kept, and each keeps all of the large buffer that it was cut from.

import type { ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, nodeName, property, referencesOf } from '../graph/look.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Detector, IsolateHeap, Lead } from './detector.ts'
import { lineOf, textAt } from './functions.ts'
import { isProgram, lineAsCulprit, linesOf, type SourceLine } from './source.ts'
import { escaped } from './statements.ts'
import { isNew, nameOfEdge, reachedOf } from './surroundings.ts'

/** How a view is cut out of a buffer; a copy made around it (`Buffer.from(…subarray(…))`) is none. */
const CUT =
  /\.(subarray|slice)\s*\(|new\s+(Uint8Array|Int8Array|DataView|\w+Array)\s*\(\s*[\w.]+\s*,|Buffer\.from\s*\(\s*[\w.]+\.buffer\s*,/
const COPIED =
  /(Buffer\.(from|copyBytesFrom)|Uint8Array\.from|new Uint8Array|structuredClone)\s*\(\s*[\w.]+\.(subarray|slice)\s*\(/
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
    const shown = shownShare(lead, slabs, viewsEach)
    if (shown && shown.share > MOST_SHOWN) return undefined
    const cut = findCut(lead, slabs.view, readSource)
    // A pool's slab is made to be shared by many: few views of it are what is left of them.
    const isPool = slabs.pooled > 0.8 * slabs.count && viewsEach <= 4
    if (!shown && !cut && !isPool) return undefined
    const perSecond = slabs.count / (of.seconds.at(-1)! - of.seconds[0]!)
    const { confidence } = lead.likelihood
    return {
      title: `${formatCount(slabs.views)} views kept in ${name} hold ${formatCount(slabs.count)} buffers of ${formatBytes(bytesEach)} each, ${perSecond.toFixed(1)} more each second${cut ? `, cut out at ${lineOf(cut)}` : ''}`,
      likelihood: {
        confidence: shown ? Math.max(confidence, 0.9) : Math.max(confidence, 0.8) * (cut && !isPool ? 0.95 : 1),
        reason: `${lead.likelihood.reason}; nearly all of it is buffers that few views each keep${shown ? `, of which ${shown.views} that were asked show ${formatBytes(shown.bytesEach)} each` : ''}${cut ? `, and ${lineOf(cut)} cuts views: ${textAt(cut)}` : ''}`,
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
        ...(shown ? { viewsAsked: shown.views, viewBytesEach: shown.bytesEach } : {}),
        fromPool: isPool,
        cutAt: cut ? { url: cut.url, line: cut.line, text: cut.text.trim().slice(0, 120) } : null,
        counts: [...suspect.counts],
      },
      advice: `subarray() and Buffer's slice() copy nothing: the part keeps the whole. Copy what ${name} is to keep, with Buffer.from(part) or Uint8Array.prototype.slice, so that the rest can go${cut ? ` (${lineOf(cut)})` : ''}.`,
    }
  },
}

/** A view that shows more of its buffer wastes too little to be the leak. */
const MOST_SHOWN = 0.5
/** Of one suspect, so many views are asked for their length. */
const ASKED = 5

/** V8's ids of some views, of which the process may be asked how much they show: a snapshot does not tell. */
export function viewsToAsk(of: IsolateHeap): number[] {
  const { nodeId } = of.graph.snapshot
  return of.suspects
    .filter(({ trend }) => /^(steady|turning|unknown)$/.test(trend))
    .flatMap((suspect) => {
      const { sample = [] } = slabsOf({ of, suspect }) ?? {}
      return sample.map((view) => nodeId[view]!)
    })
}

/** How much of their buffers the views show that the process was asked of; undefined where it was not asked. */
function shownShare(
  { of }: Lead,
  { sample }: Slabs,
  viewsEach: number,
): { views: number; share: number; bytesEach: number } | undefined {
  const views = sample
    .map((view) => of.live?.get(of.graph.snapshot.nodeId[view]!))
    .filter((view) => view !== undefined && view.bufferByteLength > 0)
    .map((view) => ({ bytes: view!.byteLength, share: (viewsEach * view!.byteLength) / view!.bufferByteLength }))
  if (views.length === 0) return undefined
  const middle = <T>(items: readonly T[]): T => items[items.length >> 1]!
  return {
    views: views.length,
    share: middle(views.map(({ share }) => share).sort((a, b) => a - b)),
    bytesEach: middle(views.map(({ bytes }) => bytes).sort((a, b) => a - b)),
  }
}

interface Slabs {
  /** Ordinal of one of the views. */
  readonly view: number
  /** Of some views of different buffers. */
  readonly sample: readonly number[]
  readonly views: number
  readonly count: number
  readonly bytes: number
  /** How many of them are slabs that Node cuts small buffers from. */
  readonly pooled: number
}

/** The buffers among what is new, with the views of them. */
function slabsOf({ of, suspect }: Pick<Lead, 'of' | 'suspect'>): Slabs | undefined {
  const { graph } = of
  const { nodeType } = graph.snapshot
  const seen = new Map<number, number>()
  const firsts: number[] = []
  let [view, views, bytes, pooled] = [-1, 0, 0, 0]
  for (const node of reachedOf({ of, suspect }, (name) => VIEWS.test(name))) {
    if (nodeType[node] !== NodeType.object) continue
    const buffer = property(graph, node, 'buffer') ?? internal(graph, node, 'buffer')
    const store = buffer === undefined ? undefined : internal(graph, buffer, 'backing_store')
    if (buffer === undefined || store === undefined || !isNew(of, buffer)) continue
    if (view < 0) view = node
    views++
    const known = seen.get(buffer)
    seen.set(buffer, (known ?? 0) + 1)
    if (known !== undefined) continue
    firsts.push(node)
    bytes += graph.snapshot.selfSize[store]!
    if (isUntransferable(graph, buffer)) pooled++
  }
  if (seen.size === 0) return undefined
  // From the beginning to the end, as the first and the last may be unlike the others.
  const sample = firsts.filter((_, i) => i % Math.ceil(firsts.length / ASKED) === 0)
  return { view, sample, views, count: seen.size, bytes, pooled }
}

/** Node marks the slabs that it cuts small buffers from, as nobody may take them away. */
function isUntransferable(graph: HeapGraph, buffer: number): boolean {
  return property(graph, buffer, 'untransferable_object_private_symbol', 'node:untransferableObject') !== undefined
}

/** The line of the program that cuts what goes into the container. */
function findCut({ of, path }: Lead, view: number, readSource: ReadSource): SourceLine | undefined {
  const { graph } = of
  const container = nameOfEdge(path.findLast(({ edge }) => nameOfEdge(edge) !== undefined)?.edge ?? '')
  const field = nameOfField(graph, view)
  const urls = new Set<string>()
  for (const { ordinal } of path.toReversed()) {
    const url = graph.moduleScopes.get(ordinal) ?? graph.sourceLocation(ordinal)?.url
    if (url !== undefined && isProgram(url)) urls.add(url)
  }
  for (const url of urls) {
    const source = readSource(url)
    const cuts = source === undefined ? [] : linesOf(url, source, CUT).filter(({ text }) => !COPIED.test(text))
    const lines = source?.split('\n') ?? []
    const cut = cuts.find((each) => isKept(each, lines, container, field))
    if (cut) return cut
  }
  return undefined
}

/** The property by which an object keeps a view, if it does. */
function nameOfField(graph: HeapGraph, view: number): string | undefined {
  for (const { name, type, target } of referencesOf(graph, graph.immediateDominator(view), 100)) {
    if (target === view && type === EdgeType.property) return name
  }
  return undefined
}

/** From a cut, in lines, to where its result is put. */
const NEAR = 12

/**
 * Whether what a line cuts is kept: put into the container right there, or by the name that it is given, or by those
 * who call the function that returns it; or it becomes the property that is known to hold the views. What is cut out
 * of the container's own things, to be handed out, is not.
 */
function isKept({ text, line }: SourceLine, lines: readonly string[], container = '', field = ''): boolean {
  const at = CUT.exec(text)!.index
  const [before, from] = [text.slice(0, at), /[\w$.#]*$/.exec(text.slice(0, at))![0]]
  if ([container, field].some((name) => name !== '' && from.split('.').includes(name))) return false
  const it = `(?<![\\w$#])${escaped(container)}(?![\\w$])`
  const put = new RegExp(`${it}\\s*\\??\\.\\s*${PUT}\\s*\\(|${it}\\s*(\\[[^\\]]*\\])?\\s*(\\?\\?|\\|\\|)?=(?![=>])`)
  const puts = (what: string): boolean => container !== '' && put.test(what)
  if (puts(before)) return true
  if (field !== '' && new RegExp(`(?<![\\w$#])${escaped(field)}\\s*[:=](?![=>])[^,;]*$`).test(before)) {
    // A variable of that name is the property where the object is made of it.
    return !/\b(const|let|var)\s/.test(before) || later(lines, line, (what) => shorthand(what, field))
  }
  const variable = /(?:^|[\s;{(])(?:const|let|var)?\s*([\w$]+)\s*=\s*[^=]*$/.exec(before)?.[1]
  if (variable !== undefined) {
    const named = new RegExp(`(?<![\\w$.])${escaped(variable)}(?![\\w$])`)
    return later(lines, line, (what) => {
      const found = put.exec(what)
      return container !== '' && found !== null && named.test(what.slice(found.index + found[0].length))
    })
  }
  if (!/\breturn\b|=>/.test(before)) return false
  const name = functionAbove(lines, line)
  const called = new RegExp(`(?<![\\w$])${escaped(name ?? '')}\\s*\\(`)
  return name !== undefined && lines.some((what) => puts(what) && called.test(what.slice(put.exec(what)!.index)))
}

const PUT = '(push|unshift|set|add|append|enqueue|put|insert)'

const later = (lines: readonly string[], line: number, is: (what: string) => boolean): boolean =>
  lines.slice(line, line + NEAR).some(is)

const shorthand = (text: string, name: string): boolean =>
  new RegExp(`[{,]\\s*${escaped(name)}\\s*[,}]|(?<![\\w$.])${escaped(name)}\\s*:\\s*${escaped(name)}(?![\\w$])`).test(
    text,
  )

/** The name of the function that a line stands in, as far as lines tell. */
function functionAbove(lines: readonly string[], line: number): string | undefined {
  for (let i = line - 1; i >= Math.max(0, line - NEAR); i--) {
    const found =
      /\bfunction\s+([\w$]+)\s*\(|(?:const|let|var)\s+([\w$]+)\s*=\s*(?:async\s*)?(?:function\b|\([^)]*\)\s*=>|[\w$]+\s*=>)|^\s+(?:static\s+)?(?:async\s+)?(#?[\w$]+)\s*\([^)]*\)\s*\{/.exec(
        lines[i]!,
      )
    const name = found?.[1] ?? found?.[2] ?? found?.[3]
    if (name !== undefined && !/^(if|for|while|switch|catch|with)$/.test(name)) return name
  }
  return undefined
}
