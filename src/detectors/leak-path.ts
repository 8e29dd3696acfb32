// The retaining path with what is known of each step: which objects are as they should be, which are too many, and which
// reference may be to blame.

import { packageOf } from '../analysis/culprit.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { ReportLeakPathStep } from '../findings/report.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { referenceWords, thingWords, withWords } from '../graph/path-words.ts'
import { isIdentifier, type PathStep } from '../graph/retaining-path.ts'
import { isTimerLink, TIMER_LINKS } from '../node-internals/timers.ts'
import type { IsolateHeap } from './detector.ts'

/** Marks each step: an object that was there before the first snapshot and gained is not leaking; what came is. */
export function markPath(
  { graph, heap }: IsolateHeap,
  { holders, sample, container, kind }: Suspect,
  path: readonly PathStep[],
): ReportLeakPathStep[] {
  const held = new Set(holders)
  const { owner } = graph.ownership
  let passed = path.findLastIndex(({ ordinal }) => held.has(ordinal) || held.has(owner[ordinal]!))
  if (passed < 0) passed = path.findLastIndex(({ ordinal }) => heap.lineage?.born[ordinal] === 0)
  const first = path.findIndex(
    ({ ordinal }, i) => i > passed && (ordinal === sample || sameClass(graph, ordinal, sample)),
  )
  const from = first < 0 ? path.length - 1 : first
  return path.map((step, i) => {
    const { ordinal } = step
    const leaking =
      kind === 'grown' ? (i === path.length - 1 ? 'yes' : 'no') : i <= passed ? 'no' : i >= from ? 'yes' : 'unknown'
    return {
      ...withWords(step),
      leaking,
      reason:
        kind === 'grown' && leaking === 'yes'
          ? 'it grows'
          : reasonFor(leaking, i === passed || ordinal === container, i === from),
      suspect: i > passed && i <= from,
      package: packageOfNode(graph, ordinal),
    }
  })
}

function reasonFor(leaking: ReportLeakPathStep['leaking'], holds: boolean, isFirst: boolean): string {
  if (leaking === 'yes') return isFirst ? 'it came after the first snapshot, like all those that are too many' : ''
  if (leaking === 'no') return holds ? 'it was there before, and gains what leaks' : ''
  return 'it is new, and leads to what leaks'
}

const sameClass = (graph: HeapGraph, a: number, b: number): boolean =>
  graph.snapshot.nodeName[a] === graph.snapshot.nodeName[b] && graph.snapshot.nodeType[a] === graph.snapshot.nodeType[b]

function packageOfNode(graph: HeapGraph, node: number): string | null {
  const url = graph.moduleScopes.get(node) ?? graph.sourceLocation(node)?.url
  if (url === undefined) return null
  return url.startsWith('node:') ? 'node' : packageOf(url)
}

/** What identifies a leak: the suspect references and the two in front of them, without what differs from run to run. */
export function suspectReferences(
  graph: HeapGraph,
  steps: readonly ReportLeakPathStep[],
  path: readonly PathStep[],
): string[] {
  const last = steps.findLastIndex(({ suspect }) => suspect)
  const first = steps.findIndex(({ suspect }) => suspect)
  const from = Math.max(0, (first < 0 ? steps.length - 1 : first) - 2)
  return path.slice(from, (last < 0 ? steps.length - 1 : last) + 1).map(({ reference, thing, ordinal, times }) => {
    const url = graph.moduleScopes.get(ordinal)
    const node = url === undefined ? thingWords(thing) : `module ${url.replace(/[?#].*$/, '').replace(/^.*\//, '')}`
    // Keys differ from run to run, and so does the direction in which a list of timers is followed.
    const { kind, name } = reference
    const isKey = name !== undefined && (kind === 'entry' || (kind === 'property' && !isIdentifier(name)))
    const isSlot = kind === 'internal' && /^\d+$/.test(name ?? '')
    // A slot of V8's tables goes by the word that it had in the fingerprints of earlier versions.
    const plain = isSlot ? { kind: 'entry' as const, name: undefined } : isKey ? { ...reference, name: '' } : reference
    const edge = isTimerLink(reference) ? `.${TIMER_LINKS[0]}` : referenceWords(plain)
    return `${edge} ${node.replace(/^string .*$/s, 'string')}${times > 1 ? ' …' : ''}`
  })
}
