// `string-retention`: short strings that keep the long ones that they were cut from, and strings that grow by small additions.

import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal } from '../graph/look.ts'
import { stringText } from '../graph/retaining-path.ts'
import { NodeType } from '../snapshot/meta.ts'
import { retains } from '../snapshot/snapshot.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { calledBy, findPart } from '../source/calls.ts'
import { nameOf } from '../source/reach.ts'
import { functionAround } from '../source/syntax-tree.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, Diagnosis, EvidenceBy, HeapDetector } from './detector.ts'
import * as field from './evidence-fields.ts'
import { findLengthening, findPut, modulesOf, placed } from './flows.ts'
import { shortPlace } from './functions.ts'
import { despiteBound } from './likelihood.ts'
import { nameUpTo, ownersOnWay } from './piled-up.ts'
import { isKeptByNode, reachedOf } from './surroundings.ts'

const slicesEvidence = () =>
  z.object({
    kind: z.literal('slices').describe('short strings keep the long ones that they were cut from'),
    keptIn: field.name('what the program calls the container of the short strings'),
    slices: field.count('short strings that came and are still there'),
    parents: field.count('long strings that they were cut from'),
    parentBytes: field.bytes('size of all the long strings'),
    parentBytesPerSlice: field.bytes('what each short string keeps of that'),
    perSecond: field.perSecond('short strings that come'),
    longestParentStartsWith: field.name('first characters of the longest of the long strings'),
  })

const ropesEvidence = () =>
  z.object({
    kind: z.literal('ropes').describe('a string is only added to'),
    keptIn: field.name('what the program calls the string'),
    strings: field.count('strings that are added to'),
    pieces: field.count('additions that came'),
    piecesPerSecond: field.perSecond('additions that come'),
    bytesPerPiece: field.bytes('what each addition takes'),
    startsWith: field.name('first characters of the string'),
  })

const evidence = () => [slicesEvidence(), ropesEvidence()]
type Found = Diagnosis<EvidenceBy<typeof evidence>> | undefined

export const stringRetention: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'string-retention',
  patterns: ['string-retention'],
  needs: 'heap',
  before: [
    // The strings may be kept by functions, and may lie outside of the heap: why they are kept says more.
    'closure-retention',
    'off-heap-growth',
  ],
  inPackages: { isTakenOut: true },
  evidence,
  diagnose: (candidate, { readSource }) => slices(candidate, readSource) ?? rope(candidate, readSource),
}

/** This part of what came must be strings of the kind in question. */
const MOSTLY = 0.6
/** A string all of whose pieces are kept is in use: with so many bytes for each piece, most of it is not. */
const LEAST_BYTES_PER_SLICE = 400
/** A string that was put together once has fewer parts. */
const LEAST_PARTS = 200

function slices(candidate: Candidate, readSource: ReadSource): Found {
  const { suspect, of } = candidate
  const { graph } = of
  const { nodeType } = graph.snapshot
  // The program cannot copy what Node cuts and keeps itself.
  if (isKeptByNode(candidate)) return undefined
  /** By parent: how many slices. */
  const parents = new Map<number, number>()
  for (const node of reachedOf(candidate, (name) => name === '(sliced string)')) {
    const parent = nodeType[node] === NodeType.slicedString ? internal(graph, node, 'parent') : undefined
    if (parent !== undefined) parents.set(parent, (parents.get(parent) ?? 0) + 1)
  }
  if (parents.size === 0) return undefined
  const reached = new Set(suspect.reached)
  for (const parent of parents.keys()) if (!reached.has(parent)) parents.delete(parent)
  let parentBytes = 0
  let count = 0
  let longest = -1
  for (const [parent, pieces] of parents) {
    if (!isHeldBySlicesOnly(graph, parent)) continue
    parentBytes += graph.shallowSize(parent)
    count += pieces
    if (longest < 0 || graph.shallowSize(parent) > graph.shallowSize(longest)) longest = parent
  }
  if (count < 3 || parentBytes < MOSTLY * suspect.bytes || parentBytes / count < LEAST_BYTES_PER_SLICE) return undefined
  const name = nameUpTo(candidate, suspect.container) ?? candidate.name
  const bytesEach = Math.round(parentBytes / count)
  const perSecond = (suspect.perSecond * count) / suspect.count
  const { place: culprit, isCut } = whereCut(candidate, name, readSource)
  const at = culprit ? ` (${isCut ? 'cut' : 'put there'} at ${shortPlace(culprit)})` : ''
  return {
    title: `${formatCount(count)} pieces of strings in ${name} keep the ${formatBytes(parentBytes)} that they were cut from, ${formatBytes(parentBytes / parents.size)} each, ${perSecond.toFixed(1)} more each second`,
    culprit,
    likelihood: despiteBound(candidate.likelihood, candidate.suspect.bytes / Math.max(1, candidate.suspect.count)),
    evidence: {
      kind: 'slices',
      keptIn: name,
      slices: count,
      parents: parents.size,
      parentBytes,
      parentBytesPerSlice: bytesEach,
      perSecond: Math.round(perSecond * 10) / 10,
      longestParentStartsWith: stringText(graph, longest, 60),
    },
    advice: `Copy the piece before it goes into ${name}${at}, as in Buffer.from(piece).toString(): slice, substring, split and regular expressions return views that keep the whole string, and so do Node's readline, querystring and URL.`,
  }
}

/** Whether only pieces of a string, or V8's flattened copy of it, retain it. */
function isHeldBySlicesOnly(graph: HeapGraph, parent: number): boolean {
  const { nodeType, edges } = graph.snapshot
  const keepers = (node: number) => graph.retainers(node).filter(({ edge }) => retains(edges[edge]!))
  return keepers(parent).every(
    ({ node }) =>
      nodeType[node] === NodeType.slicedString ||
      (nodeType[node] === NodeType.consString &&
        keepers(node).every((each) => nodeType[each.node] === NodeType.slicedString)),
  )
}

/** The statement that cuts: in the call that puts the piece there, or in a function that is called there; else that call. */
function whereCut(
  candidate: Candidate,
  name: string,
  readSource: ReadSource,
): { readonly place: Culprit | undefined; readonly isCut: boolean } {
  const put = findPut(candidate, readSource, name)
  if (!put) return { place: undefined, isCut: false }
  const { tree, node } = put
  const sources = sourcesOf(readSource)
  const cut = findPart(tree, node, (each) => each.type === 'CallExpression' && CUTS.test(calledBy(each).name))
  if (!cut) return { place: placed(sources, tree, node), isCut: false }
  const maker = functionAround(cut)
  const called = maker && maker !== functionAround(node) ? nameOf(maker) : undefined
  return { place: { ...placed(sources, tree, cut), function: called ?? null }, isCut: true }
}

const CUTS = /^(slice|substring|substr|split|match|matchAll|exec|trim|trimStart|trimEnd)$/

/** A string that was added to again and again is a tree of its pieces until it is read. */
function rope(candidate: Candidate, readSource: ReadSource): Found {
  const { suspect, of } = candidate
  const { graph } = of
  const { nodeType } = graph.snapshot
  const way = ownersOnWay(candidate)
  const at = way.findIndex((node) => nodeType[node] === NodeType.consString)
  // An array of short strings that were put together is not that.
  if (at < 0 || nodeType[suspect.container] !== NodeType.consString) return undefined
  let parts = 0
  let bytes = 0
  for (const node of suspect.reached) {
    const type = nodeType[node]
    if (type !== NodeType.consString && type !== NodeType.string && type !== NodeType.slicedString) continue
    if (type === NodeType.consString) parts++
    bytes += graph.shallowSize(node)
  }
  if (parts < LEAST_PARTS || bytes < MOSTLY * suspect.bytes) return undefined
  const texts = suspect.holders.length
  const name = nameUpTo(candidate, way[at]!) ?? candidate.name
  const culprit = findLengthening({ sources: sourcesOf(readSource), urls: modulesOf(candidate), name })
  const perSecond = (suspect.perSecond * parts) / suspect.count
  return {
    title: `${name} is added to without end: ${formatCount(parts)} pieces more in ${formatCount(texts)} string${texts === 1 ? '' : 's'}, ${perSecond.toFixed(0)} more each second`,
    culprit,
    evidence: {
      kind: 'ropes',
      keptIn: name,
      strings: texts,
      pieces: parts,
      piecesPerSecond: Math.round(perSecond * 10) / 10,
      bytesPerPiece: Math.round(bytes / parts),
      startsWith: stringText(graph, way[at]!, 60),
    },
    advice: `Write ${name} out and begin anew when it has reached some length${culprit ? `, instead of only adding to it at ${shortPlace(culprit)}` : ''}: until somebody reads it, each += leaves an object of 32 bytes beside the text.`,
  }
}
