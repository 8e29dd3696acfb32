// Suspects of which less is known: old objects that became larger, what Node keeps for old ones, and files whose ids mean nothing.

import { nodeName } from '../graph/look.ts'
import { NodeType } from '../snapshot/meta.ts'
import type { HeapSeries } from './compare.ts'
import { embeddedNodes } from './embedded.ts'
import { isOfV8 } from './entries.ts'
import { grewIn, type Lineage } from './lineage.ts'
import { judgeSeries } from './steadiness.ts'
import { LEAST, type Suspect } from './suspect.ts'

/** Places that are looked at. */
const MOST_PLACES = 48

/** Old objects that take more bytes themselves, and are no collection: a buffer, a memory, a text. */
export function grownSuspects(heap: HeapSeries, seconds: readonly number[]): Suspect[] {
  const { lineage, growths, opened } = heap
  const { graph, classes } = opened
  const span = seconds.at(-1)! - seconds[0]!
  return growths
    .filter(
      ({ kind, bytes, node }) => kind === 'grown' && bytes >= LEAST.bytes && !isOfV8(graph.snapshot.nodeType[node]!),
    )
    .map((growth): Suspect => {
      const { node, bytes, count } = growth
      const steps = seconds.slice(1).map((_, step) => Number(lineage !== undefined && grewIn(lineage, step, node)))
      const before = graph.shallowSize(node) - bytes
      return {
        kind: 'grown',
        holders: [node],
        container: node,
        sample: node,
        className: classes.names[classes.of[node]!]!,
        count,
        survivors: steps,
        counts: [before, ...steps.map((_, i) => before + (bytes * (i + 1)) / steps.length)],
        counted: 'bytes',
        bytes,
        trend: trendOf(steps, COLLECTION.test(nodeName(graph, node))),
        perSecond: count / span,
        bytesPerSecond: bytes / span,
        reached: new Uint32Array(0),
      }
    })
}

const COLLECTION = /^(Array|Map|Set)$/

/** A collection of numbers gets a larger store now and then, as it fills the one that it has. */
function trendOf(steps: readonly number[], isCollection: boolean): Suspect['trend'] {
  if (steps.length < 2) return 'unknown'
  if (steps.every((grew) => grew === 1)) return 'steady'
  return isCollection ? 'unknown' : 'swinging'
}

/** What Node keeps for objects that are old, such as the messages that wait in a port: of them only the number is known. */
export function embeddedSuspects(
  { opened, series }: HeapSeries,
  { born }: Lineage,
  seconds: readonly number[],
): Suspect[] {
  const { graph, classes } = opened
  const span = seconds.at(-1)! - seconds[0]!
  const ofClass = new Map<number, number[]>()
  for (const node of embeddedNodes(graph)) {
    if (born[node]! > 0 || graph.snapshot.nodeType[node] !== NodeType.native) continue
    const nodes = ofClass.get(classes.of[node]!)
    if (nodes) nodes.push(node)
    else ofClass.set(classes.of[node]!, [node])
  }
  return [...ofClass].flatMap(([number, nodes]): Suspect[] => {
    const rows = series.map((each) => each.classes.get(classes.keys[number]!))
    const counts = rows.map((row) => row?.count ?? 0)
    const bytes = (rows.at(-1)?.shallowBytes ?? 0) - (rows[0]?.shallowBytes ?? 0)
    const count = counts.at(-1)! - counts[0]!
    if (count < LEAST.count || bytes < LEAST.bytes || nodes.length < 0.8 * counts.at(-1)!) return []
    const sample = nodes.reduce((best, node) => (graph.retainedSize(node) > graph.retainedSize(best) ? node : best))
    return [
      {
        kind: 'added',
        holders: [graph.immediateDominator(sample)],
        container: graph.immediateDominator(sample),
        sample,
        className: classes.names[number]!,
        count,
        survivors: [],
        counts,
        counted: 'class',
        bytes,
        trend: judgeSeries({ counts, survivors: [], seconds }),
        perSecond: count / span,
        bytesPerSecond: bytes / span,
        reached: Uint32Array.from(nodes),
      },
    ]
  })
}

/** Without ids nothing is known of single objects: what a place has gained must do. */
export function suspectsByPlace({ opened, growths, placed }: HeapSeries, seconds: readonly number[]): Suspect[] {
  const { graph, classes } = opened
  const { nodeType } = graph.snapshot
  const span = seconds.at(-1)! - seconds[0]!
  return growths
    .filter(({ node, count, bytes }) => !isOfV8(nodeType[node]!) && (count >= LEAST.count || bytes >= LEAST.bytes))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, MOST_PLACES)
    .map(({ kind, node, count, bytes, perStep }): Suspect => {
      const holder = placed.holder[node]!
      const counts = [0]
      for (const more of perStep) counts.push(counts.at(-1)! + more)
      return {
        kind,
        holders: [kind === 'grown' ? node : holder],
        container: kind === 'grown' ? node : holder,
        sample: node,
        className: classes.names[classes.of[node]!]!,
        count,
        survivors: [],
        counts,
        counted: 'place',
        bytes,
        trend: kind === 'grown' ? 'unknown' : judgeSeries({ counts, survivors: [], seconds }),
        perSecond: span > 0 ? count / span : 0,
        bytesPerSecond: span > 0 ? bytes / span : 0,
        reached: new Uint32Array(0),
      }
    })
}
