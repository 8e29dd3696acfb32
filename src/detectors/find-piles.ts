// What one snapshot can show: large containers of the kind that known leaks fill. It cannot show whether they grow.

import type { HeapSeries } from '../analysis/compare.ts'
import { referenceCounts } from '../analysis/contents.ts'
import { timerEntries } from '../analysis/entries.ts'
import { rememberOpen } from '../analysis/following.ts'
import type { OpenedSnapshot } from '../analysis/open-snapshot.ts'
import { Places } from '../analysis/places.ts'
import type { Suspect } from '../analysis/suspect.ts'
import { confidenceBy, judgedBy } from '../findings/confidence.ts'
import type { ReportFinding } from '../findings/report.ts'
import { ground, WEIGHTS } from '../findings/weights.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { isObject } from '../graph/look.ts'
import { ROOT } from '../graph/roots.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { ScriptSources } from '../support/script-sources.ts'
import { rememberingSources } from '../support/sources.ts'
import { candidateOf } from './candidates.ts'
import type { Captures, IsolateHeap } from './detector.ts'
import { firstDiagnosis, isGeneral } from './index.ts'
import { makeFinding } from './make-finding.ts'
import { held } from './piled-up.ts'

/** Every program has smaller ones. `share` is of the heap. */
const LEAST = { count: 300, share: 0.01, bytes: 200_000 }
/** The biggest piles are looked at; each is judged by some of its things. */
const MOST = { piles: 5, things: 100 }

/** @param opened with its paths worked out */
export function findPiles(isolate: string, opened: OpenedSnapshot, sources: ScriptSources): ReportFinding[] {
  const { graph } = opened
  const readSource = rememberingSources(sources.readScript)
  const placed = { of: new Uint32Array(0), holder: new Uint32Array(0), wanted: new Uint8Array(0) }
  const { nodeId: ids } = graph.snapshot
  const { shallowSize: sizes } = graph.ownership
  const series = [rememberOpen(opened)]
  // A pile is looked at as if it had grown from nothing: what it holds counts as new, and all else as old.
  const heapWith = (suspect: Suspect): IsolateHeap => {
    const born = new Uint16Array(ids.length)
    for (const node of suspect.reached) born[node] = 1
    const lineage = { steps: 1, ids, sizes, born, firstSizes: sizes, grew: [new Uint32Array(ids.length)] }
    const heap: HeapSeries = {
      ...{ opened, matching: 'id', series, growths: [], places: new Places(), placed, lineage },
      newBytes: undefined,
    }
    return { isolate, heap, graph, seconds: [0, 1], suspects: [suspect], growthBytes: suspect.bytes }
  }
  const reported = new Set<string>()
  return piles(opened).flatMap(({ suspect, count, bytes }): ReportFinding[] => {
    const of = heapWith(suspect)
    const captures: Captures = { isolates: [of], readSource }
    const candidate = candidateOf(of, suspect, readSource)
    if (confidenceBy(candidate.likelihood.grounds) < WEIGHTS.onePicture.weight) return []
    const first = firstDiagnosis(candidate, captures, { isWanted: (pattern) => !isGeneral(pattern) })
    if (!first) return []
    const { pattern, diagnosis } = first
    const finding = makeFinding(pattern, candidate, diagnosis, captures, sources)
    const cause = `${pattern} ${diagnosis.cause ?? finding.fingerprint}`
    if (reported.has(cause)) return []
    reported.add(cause)
    return [
      {
        ...finding,
        title: `${formatCount(count)} ${suspect.className} in ${candidate.name}, ${formatBytes(bytes)} with all that they hold`,
        ...judgedBy([
          ground(
            'onePicture',
            'there is one snapshot, which shows that there are many, and not whether they become more',
          ),
        ]),
        evidence: { count, retainedBytes: bytes },
        growth: { ...finding.growth, count, retainedBytes: bytes, perSecond: 0, bytesPerSecond: 0 },
      },
    ]
  })
}

/** Objects that hold many things directly, and Node's lists of timers. */
function piles({ graph, classes }: OpenedSnapshot): { suspect: Suspect; count: number; bytes: number }[] {
  const { nodeCount } = graph.snapshot
  const { owner } = graph.ownership
  const references = referenceCounts(graph.snapshot, owner)
  const least = Math.max(LEAST.bytes, LEAST.share * graph.retainedSize(ROOT))
  const found: { container: number; things: number[]; bytes: number }[] = []
  const list = arenaUint32(arenaOf(references), nodeCount)
  for (const node of list.subarray(0, loopsFor(references, list).listLargest(references, LEAST.count, list))) {
    if (node === ROOT || !isObject(graph, node) || graph.moduleScopes.has(node)) continue
    if (graph.retainedSize(node) < least) continue
    const things = thingsOf(graph, node)
    found.push({ container: node, things, bytes: sumOf(things, (each) => graph.retainedSize(each)) })
  }
  const all = new Uint16Array(nodeCount).fill(1)
  for (const { holders, targets } of timerEntries(graph, all, 1, new Float64Array(nodeCount))) {
    const bytes = sumOf(targets, (each) => graph.retainedSize(each))
    found.push({ container: [...holders.keys()][0]!, things: targets, bytes })
  }
  return found
    .filter(({ things, bytes }) => things.length >= LEAST.count && bytes >= least)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, MOST.piles)
    .map(({ container, things, bytes }) => {
      // Spread evenly: things at the front may be older, and of another kind, than those behind.
      const step = Math.ceil(things.length / MOST.things)
      const some = things.filter((_, i) => i % step === 0)
      const sample = some.reduce((best, node) => (graph.retainedSize(node) > graph.retainedSize(best) ? node : best))
      const suspect: Suspect = {
        ...{ kind: 'added', holders: [container], container, sample, count: some.length },
        bytes: sumOf(some, (each) => graph.retainedSize(each)),
        className: classes.names[classes.of[sample]!]!,
        ...{ survivors: [], counts: [0, some.length], counted: 'entries', trend: 'unknown' },
        ...{ perSecond: 0, bytesPerSecond: 0, reached: dominatedBy(graph, some) },
      }
      return { suspect, count: things.length, bytes }
    })
}

const sumOf = (nodes: readonly number[], of: (node: number) => number): number =>
  nodes.reduce((sum, node) => sum + of(node), 0)

/** What the node refers to, directly or by a store of its own. */
function thingsOf(graph: HeapGraph, node: number): number[] {
  const { owner } = graph.ownership
  const things = new Set<number>()
  for (const { target } of held(graph, node)) if (owner[target] === target) things.add(target)
  return [...things]
}

function dominatedBy({ dominators }: HeapGraph, nodes: readonly number[]): Uint32Array {
  const { order, above } = dominators
  const arena = arenaOf(order)
  const marks = arenaUint8(arena, order.length)
  const list = arenaUint32(arena, order.length)
  for (const node of nodes) marks[node] = 1
  return list.slice(0, loopsFor(order, above, marks, list).listBelow(dominators, marks, list))
}
