// `buffer-slab-retention`: small views are kept, and each retains all of the large buffer that it was cut from.

import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import { ground, remark } from '../findings/weights.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, nodeName, property, referencesOf } from '../graph/look.ts'
import { nameOfStep } from '../graph/retaining-path.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { calledBy, destinationsOf, isMethodOf, namedBy } from '../source/calls.ts'
import { isNamed } from '../source/expressions.ts'
import { type CallNode, plain, type SyntaxTree } from '../source/syntax-tree.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, EvidenceBy, HeapDetector, IsolateHeap } from './detector.ts'
import * as field from './evidence-fields.ts'
import { lineIn, modulesNear, placed } from './flows.ts'
import { lineOf, textAt } from './functions.ts'
import { isNew, reachedOf } from './surroundings.ts'

const evidence = () => [
  z.object({
    keptIn: field.name('what the program calls the container of the views'),
    view: field.name('class of the views'),
    views: field.count('views that came and are still there'),
    buffers: field.count('buffers that they were cut from'),
    buffersPerSecond: field.perSecond('buffers that come'),
    bufferBytesEach: field.bytes('size of a buffer'),
    viewsPerBuffer: z.number().describe('views of each buffer, on average'),
    bufferBytes: field.bytes('size of all these buffers'),
    viewsAsked: z.number().int().optional().describe('views whose length the running process was asked for'),
    viewBytesEach: z.number().optional().describe('length of those views, in bytes'),
    fromPool: z.boolean().describe("whether the buffers are slabs of Node's pool for small buffers"),
    cutAt: z
      .strictObject({ url: z.string(), line: z.number().int(), text: z.string() })
      .nullable()
      .describe('the line that cuts the views'),
    counts: field.counts(),
  }),
]

export const bufferSlabRetention: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'buffer-slab-retention',
  patterns: ['buffer-slab-retention'],
  needs: 'heap',
  before: [
    // Both see the bytes; this one says that most of them are not used.
    'off-heap-growth',
  ],
  evidence,
  diagnose(candidate, { readSource }) {
    const { of, suspect, name } = candidate
    const { graph } = of
    const slabs = slabsOf(candidate)
    if (!slabs || slabs.bytes < 0.6 * suspect.bytes || slabs.count === 0) return undefined
    const bytesEach = slabs.bytes / slabs.count
    if (bytesEach < LARGE_BYTES) return undefined
    const viewsEach = slabs.views / slabs.count
    const shown = shownShare(candidate, slabs, viewsEach)
    if (shown && shown.share > MOST_SHOWN) return undefined
    const cut = findCut(candidate, slabs.view, readSource)
    // A pool's slab is shared by many views: where it has few, the others are gone and these keep the slab.
    const isPool = slabs.pooled > 0.8 * slabs.count && viewsEach <= 4
    if (!shown && !cut && !isPool) return undefined
    const perSecond = slabs.count / (of.seconds.at(-1)! - of.seconds[0]!)
    return {
      title: `${formatCount(slabs.views)} views kept in ${name} hold ${formatCount(slabs.count)} buffers of ${formatBytes(bytesEach)} each, ${perSecond.toFixed(1)} more each second${cut ? `, cut out at ${lineOf(cut)}` : ''}`,
      likelihood: {
        grounds: [
          ...candidate.likelihood.grounds,
          ground(
            shown ? 'shownViews' : 'fewViews',
            `nearly all of it is buffers that few views each keep${shown ? `, of which ${shown.views} that were asked show ${formatBytes(shown.bytesEach)} each` : ''}`,
          ),
          ...(cut ? [remark(`${lineOf(cut)} cuts views: ${textAt(cut)}`)] : []),
          ...(cut && !shown && !isPool ? [ground('cutNotAsked')] : []),
        ],
      },
      ...(cut ? { culprit: cut } : {}),
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
        cutAt: cut ? { url: cut.url, line: cut.line, text: lineIn(sourcesOf(readSource), cut) } : null,
        counts: [...suspect.counts],
      },
      advice: `subarray() and Buffer's slice() copy nothing: the part keeps the whole. Copy what ${name} is to keep, with Buffer.from(part) or Uint8Array.prototype.slice, so that the rest can go${cut ? ` (${lineOf(cut)})` : ''}.`,
    }
  },
}

/** Smaller buffers waste little. */
const LARGE_BYTES = 2048
const VIEWS = /^(Buffer|FastBuffer|DataView|(Ui|I)nt(8|16|32)Array|Uint8ClampedArray|Float(32|64)Array)$/

/** A view that shows a larger part of its buffer wastes too little to be the leak. */
const MOST_SHOWN = 0.5
/** Views of one suspect that are asked for their length. */
const ASKED = 5

/** V8's ids of some views, whose length the process may be asked for: a snapshot does not have it. */
export function viewsToAsk(of: IsolateHeap): number[] {
  const { nodeId } = of.graph.snapshot
  return of.suspects
    .filter(({ trend }) => /^(steady|turning|unknown)$/.test(trend))
    .flatMap((suspect) => {
      const { sample = [] } = slabsOf({ of, suspect }) ?? {}
      return sample.map((view) => nodeId[view]!)
    })
}

/** What part of their buffers the views show, by those that were asked; undefined where none was. */
function shownShare(
  { of }: Candidate,
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
  /** Some views, each of another buffer. */
  readonly sample: readonly number[]
  readonly views: number
  readonly count: number
  readonly bytes: number
  /** How many of the buffers are slabs that Node cuts small buffers from. */
  readonly pooled: number
}

/** The buffers among what is new, with the views of them. */
function slabsOf({ of, suspect }: Pick<Candidate, 'of' | 'suspect'>): Slabs | undefined {
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
  // Spread evenly, as the first and the last may be unlike the others.
  const sample = firsts.filter((_, i) => i % Math.ceil(firsts.length / ASKED) === 0)
  return { view, sample, views, count: seen.size, bytes, pooled }
}

/** Node marks the slabs that it cuts small buffers from, so that they are not transferred to another thread. */
function isUntransferable(graph: HeapGraph, buffer: number): boolean {
  return property(graph, buffer, 'untransferable_object_private_symbol', 'node:untransferableObject') !== undefined
}

/** The statement of the program that cuts what goes into the container. */
function findCut(candidate: Candidate, view: number, readSource: ReadSource): Culprit | undefined {
  const container = nameOfStep(candidate.path.findLast((step) => nameOfStep(step) !== undefined))
  const field = nameOfField(candidate.of.graph, view)
  const sources = sourcesOf(readSource)
  for (const url of modulesNear(candidate)) {
    const tree = sources.tree(url)
    const cut = tree?.calls.find((call) => cuts(call) && isKept(tree, call, { container, field }))
    if (tree && cut) return placed(sources, tree, cut)
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

/** Whether a call cuts a view out of a buffer. */
function cuts(call: CallNode): boolean {
  const { name, names } = calledBy(call)
  if (call.type === 'CallExpression' && names.length > 1 && /^(subarray|slice)$/.test(name)) return true
  if (call.type === 'ImportExpression' || call.arguments.length < 2) return false
  const of = plain(call.arguments[0]!)
  if (call.type === 'NewExpression')
    return /^(DataView|\w+Array)$/.test(name) && (of.type === 'Identifier' || of.type === 'MemberExpression')
  return name === 'from' && names.at(-2) === 'Buffer' && namedBy(of).names.at(-1) === 'buffer'
}

/** Whether a call copies what it is given, such as a view: `Buffer.from(block.subarray(0, 40))`. */
function copies(call: CallNode): boolean {
  const { name, names } = calledBy(call)
  if (call.type === 'NewExpression') return name === 'Uint8Array' && call.arguments.length === 1
  return /^(Buffer\.from|Buffer\.copyBytesFrom|Uint8Array\.from|structuredClone)$/.test(names.slice(-2).join('.'))
}

const PUT = /^(push|unshift|set|add|append|enqueue|put|insert)$/

/**
 * Whether what is cut is kept: put into the container, or assigned to the property that holds the views. What is cut from
 * things in the container itself, to be handed out, is not.
 */
function isKept(tree: SyntaxTree, cut: CallNode, { container, field }: Kept): boolean {
  const known = (name: string | undefined): boolean => name !== undefined && (name === container || name === field)
  const of = cut.type === 'CallExpression' ? calledBy(cut).names.slice(0, -1) : []
  if (of.some(known)) return false
  for (const to of destinationsOf(tree, cut, (whole) => whole.type === 'ObjectExpression' || !copies(whole))) {
    if (to.type === 'Property') {
      if (field !== undefined && isNamed(to.key, field)) return true
    } else if (to.type === 'AssignmentExpression') {
      const { names } = namedBy(to.left)
      if (known(names.at(-1)) || (names.at(-1) === '*' && names.at(-2) === container)) return true
    } else {
      if (container !== undefined && PUT.test(calledBy(to).name) && isMethodOf(to, container)) return true
    }
  }
  return false
}

interface Kept {
  readonly container: string | undefined
  readonly field: string | undefined
}
