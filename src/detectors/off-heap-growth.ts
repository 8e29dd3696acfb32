// `off-heap-growth`: what grows is memory outside the JavaScript heap, in big pieces: buffers, WebAssembly memories, objects of
// native code.

import type { AnyNode } from 'acorn'
import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import { ground } from '../findings/weights.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName } from '../graph/look.ts'
import { NATIVE_PREFIX } from '../node-internals/handles.ts'
import { NodeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { calledBy, findPart, isMethodOf } from '../source/calls.ts'
import { functionAround } from '../source/syntax-tree.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, Diagnosis, EvidenceBy, HeapDetector } from './detector.ts'
import * as field from './evidence-fields.ts'
import { type Called, findPut, modulesOf, placed, whereCalls } from './flows.ts'
import { but } from './likelihood.ts'
import { plural, reachedOf } from './surroundings.ts'

const common = () => ({
  keptIn: field.name('what the program calls the container'),
  kind: field.name('what a piece is: `ArrayBuffer`, `WebAssembly.Memory`, a class of Node, …'),
  offHeapBytesPerSecond: field.bytes('growth each second'),
  offHeapShare: z.number().describe('the part of what came that is outside of the JavaScript heap, from 0 to 1'),
})

const piecesEvidence = () =>
  z.object({
    ...common(),
    pieces: field.count('pieces that came and are still there'),
    piecesPerSecond: field.perSecond('pieces that come'),
    bytesEach: field.bytes('size of a piece'),
    offHeapBytes: field.bytes('size of all pieces that came'),
    counts: field.counts(),
  })

const onePieceEvidence = () =>
  z.object({
    ...common(),
    pieces: z.literal(1).describe('one piece, which is enlarged'),
    bytesBefore: field.bytes('its size in the first snapshot'),
    offHeapBytes: field.bytes('its size in the last snapshot'),
  })

const evidence = () => [piecesEvidence(), onePieceEvidence()]
type Found = Diagnosis<EvidenceBy<typeof evidence>> | undefined

export const offHeapGrowth: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'off-heap-growth',
  patterns: ['off-heap-growth'],
  needs: 'heap',
  evidence,
  diagnose: (candidate, { readSource }) =>
    candidate.suspect.kind === 'grown' ? grown(candidate, readSource) : added(candidate, readSource),
}

/** V8's and Node's names for memory outside of the heap. */
const OUTSIDE = /^(system \/ (JSArrayBufferData|ExternalStringData)|Node \/ .*)$/
/** `share` of a candidate must be outside of the heap, in pieces of at least `bytesEach`; one piece must grow by `grownBytes`. */
const LEAST = { share: 0.8, bytesEach: 4096, grownBytes: 262_144 }

/** More and more pieces. */
function added(candidate: Candidate, readSource: ReadSource): Found {
  const { of, suspect, name } = candidate
  const { graph } = of
  const pieces = reachedOf(candidate, (name) => OUTSIDE.test(name)).filter((node) => isOutside(graph, node))
  const bytes = pieces.reduce((sum, node) => sum + graph.shallowSize(node), 0)
  if (pieces.length === 0 || bytes < LEAST.share * suspect.bytes) return undefined
  // The big pieces have the bytes; small ones beside them do not count.
  const big = pieces.filter((node) => graph.shallowSize(node) >= LEAST.bytesEach)
  const bigBytes = big.reduce((sum, node) => sum + graph.shallowSize(node), 0)
  if (bigBytes < LEAST.share * suspect.bytes) return undefined
  const bytesEach = bigBytes / big.length
  const { words, kind } = kindOf(graph, big[0]!)
  const perSecond = (suspect.perSecond * big.length) / suspect.count
  return {
    title: `${formatCount(big.length)} more ${plural(big.length, words, words === WASM.words ? 'WebAssembly memories' : undefined)} of ${formatBytes(bytesEach)} each in ${name}, outside the JavaScript heap: ${formatBytes(suspect.bytesPerSecond)} more each second`,
    culprit: whereAllocated(candidate, readSource),
    evidence: {
      keptIn: name,
      kind,
      pieces: big.length,
      piecesPerSecond: round(perSecond),
      bytesEach: Math.round(bytesEach),
      offHeapBytes: bytes,
      offHeapBytesPerSecond: Math.round(suspect.bytesPerSecond),
      offHeapShare: round(bytes / suspect.bytes),
      counts: [...suspect.counts],
    },
    advice: `Take out of ${name} what is done with, or mark it as free again, on every way out (in finally), or give ${name} a bound in bytes; the heap's limit does not stop this, only the memory of the machine does.`,
  }
}

/** One piece that is enlarged. */
function grown(candidate: Candidate, readSource: ReadSource): Found {
  const { of, suspect, name, likelihood } = candidate
  const { graph } = of
  const isReplaced = suspect.container !== suspect.sample
  if (!isOutside(graph, suspect.sample) || (!isReplaced && suspect.bytes < LEAST.grownBytes)) return undefined
  const { words, kind } = candidate.path.some(({ thing }) => thing.name === 'Memory')
    ? WASM
    : kindOf(graph, suspect.sample)
  const plain = name.replace(/\.buffer$/, '')
  const named = name.startsWith('a system / ') ? `a ${words}` : `${plain} (a ${words})`
  return {
    title: `${named} grew by ${formatBytes(suspect.bytes)} to ${formatBytes(graph.shallowSize(suspect.sample))}, ${formatBytes(suspect.bytesPerSecond)} more each second, outside the JavaScript heap`,
    likelihood: { ...likelihood, ...but(likelihood, ground('storeGrew')) },
    // A WebAssembly memory only ever grows in place, though pictures from outside see another buffer of it.
    culprit: isReplaced && kind !== WASM.kind ? undefined : whereGrown(candidate, readSource),
    evidence: {
      keptIn: plain,
      kind,
      pieces: 1,
      bytesBefore: graph.shallowSize(suspect.sample) - suspect.bytes,
      offHeapBytes: graph.shallowSize(suspect.sample),
      offHeapBytesPerSecond: Math.round(suspect.bytesPerSecond),
      offHeapShare: 1,
    },
    advice:
      kind === 'WebAssembly.Memory'
        ? `What is allocated in it has to be handed back (free(), delete(), destroy(), or the allocator's mark set back) on every way out: a WebAssembly memory never shrinks. A new instance now and then bounds what cannot be mended.`
        : isReplaced
          ? `Set a bound to it: each time, all of it is copied into a larger one. What is collected in pieces is better kept as a list that is written out and emptied.`
          : `Use again what is in it instead of making it bigger, and set a bound to it.`,
  }
}

const isOutside = (graph: HeapGraph, node: number): boolean =>
  graph.snapshot.nodeType[node] === NodeType.native && OUTSIDE.test(nodeName(graph, node))

const WASM = { words: 'WebAssembly memory', kind: 'WebAssembly.Memory' }

function kindOf(graph: HeapGraph, piece: number): { words: string; kind: string } {
  const name = nodeName(graph, piece)
  if (name.endsWith('ExternalStringData')) return { words: 'external string', kind: 'external string' }
  if (!name.endsWith('JSArrayBufferData')) return { words: `${name.replace(NATIVE_PREFIX, '')} object`, kind: name }
  const buffer = graph.immediateDominator(piece)
  const holder = nodeName(graph, buffer)
  if (nodeName(graph, graph.immediateDominator(buffer)) === 'Memory') return WASM
  return { words: 'buffer', kind: holder === 'SharedArrayBuffer' ? holder : 'ArrayBuffer' }
}

/** Whether an expression allocates memory outside of the heap. */
function allocates(node: AnyNode): boolean {
  if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return false
  const { name, names } = calledBy(node)
  return node.type === 'NewExpression'
    ? /^((Shared)?ArrayBuffer|(Uint|Int|Float|BigInt|BigUint)\d+(Clamped)?Array|DataView)$/.test(name)
    : names.at(-2) === 'Buffer' && /^(alloc\w*|from|concat)$/.test(name)
}

/** The statement that allocates what is put into the container: inside of the call that puts it there, or the last one before it. */
function whereAllocated(candidate: Candidate, readSource: ReadSource): Culprit | undefined {
  const put = findPut(candidate, readSource, candidate.name)
  if (!put) return undefined
  const { tree, node } = put
  const maker = functionAround(node)
  const before = (each: AnyNode) => each.start < node.start && functionAround(each) === maker && allocates(each)
  const made = findPart(tree, node, allocates) ?? (maker && tree.calls.findLast(before))
  return made && placed(sourcesOf(readSource), tree, made)
}

/** The statement that enlarges it: a call on its own name, else on any. */
function whereGrown(candidate: Candidate, readSource: ReadSource): Culprit | undefined {
  const own = candidate.name.replace(/^.*\./, '')
  const grows = ({ name }: Called): boolean => /^(grow|resize)$/.test(name)
  return whereCalls(
    sourcesOf(readSource),
    modulesOf(candidate),
    (call) => grows(call) && call.node !== undefined && isMethodOf(call.node, own),
    (call) => grows(call) && call.names.at(-2) === 'memory',
    ({ name, names }) => /alloc/.test(name) && /^(exports|instance|wasm)/.test(names.at(-2) ?? ''),
    ({ name, names }) => /^_?malloc$/.test(name) && names.length > 1,
    (call) => grows(call) && call.names.length > 1,
  )
}

const round = (number: number): number => Math.round(number * 100) / 100
