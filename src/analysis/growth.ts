// What grew, told: by class, and by the place in the program that holds it.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { locationAt, type SourceLocation } from '../graph/locations.ts'
import { type PathStep, retainingPath } from '../graph/retaining-path.ts'
import { NodeType } from '../snapshot/meta.ts'
import type { ReadSource } from '../support/sources.ts'
import type { ClassRow } from './classes.ts'
import { type HeapSeries, openSeries, type SeriesOptions } from './compare.ts'
import { type Culprit, findCulprit, type MapPosition } from './culprit.ts'
import type { Matching, SnapshotTotals } from './following.ts'
import type { PlaceGrowth } from './place-growth.ts'

export interface ClassGrowth {
  readonly name: string
  /** Where the constructor stands, if V8 says. */
  readonly location: SourceLocation | undefined
  readonly countBefore: number
  readonly countAfter: number
  readonly shallowBytesBefore: number
  readonly shallowBytesAfter: number
  readonly retainedBytesBefore: number
  readonly retainedBytesAfter: number
}

/** New objects (or old ones that became larger) that the same part of the program holds in the same way. */
export interface GrowthCluster {
  /** `added`: objects that were not there before; `grown`: objects that were, and take more bytes themselves now. */
  readonly kind: 'added' | 'grown'
  readonly className: string
  readonly count: number
  /** Bytes of the new objects with everything new that only they hold; for `grown`, the bytes that were added. */
  readonly bytes: number
  /** Objects that came in each step and are still there, or became larger in it; empty when matched by place. */
  readonly countPerStep: readonly number[]
  /** From where the program keeps it to one of the objects. */
  readonly path: readonly PathStep[]
  readonly culprit: Culprit | undefined
}

export interface Growth {
  readonly snapshots: readonly SnapshotTotals[]
  readonly matching: Matching
  /** Classes with any difference; with three or more snapshots, only those that grew in each step. */
  readonly classes: readonly ClassGrowth[]
  /** Biggest first, what V8 made for itself last; with three or more snapshots, only those that grew in each step. */
  readonly clusters: readonly GrowthCluster[]
}

export interface GrowthOptions extends SeriesOptions {
  /** Clusters that are told with path and culprit; the biggest. Default 20. */
  readonly maxClusters?: number
  /** Reads a source file by URL, for finding lines; without it, only what V8 says is known. */
  readonly readSource?: ReadSource
  /** Tells what of a bundle is a package's; without it, all of it is the program's. */
  readonly mapPosition?: MapPosition
}

/** The class of numbers, which V8 writes as nodes for snapshots with numeric values only. */
const NUMBERS = '(number)'

const V8_TYPES = new Set<number>([NodeType.code, NodeType.hidden, NodeType.objectShape])

/**
 * Compares snapshots in the order given, which is taken to be the order of time.
 *
 * Only one large heap is in memory at a time; of all others together, some 20 bytes a node are kept.
 * @param files two or more
 * @throws LeakscopeError as `readSnapshot` does, or `snapshot-mismatch` for snapshots of different processes
 */
export async function compareSnapshots(files: readonly string[], options: GrowthOptions = {}): Promise<Growth> {
  const heap = await openSeries(files, options)
  try {
    return tellGrowth(heap, options)
  } finally {
    await heap.opened.close()
  }
}

export function tellGrowth({ opened, series, growths, matching, lineage }: HeapSeries, options: GrowthOptions): Growth {
  const { graph } = opened
  const { names, of } = opened.classes
  // Code and shapes that V8 makes while a program warms up come last: they follow from what runs, and hold nothing.
  const { nodeType } = graph.snapshot
  const isOfV8 = ({ node }: PlaceGrowth): number => Number(V8_TYPES.has(nodeType[node]!))
  const steady = growths
    .filter(({ perStep }) => perStep.length < 2 || perStep.every((count) => count > 0))
    .sort((a, b) => isOfV8(a) - isOfV8(b) || b.bytes - a.bytes || b.count - a.count)
  return {
    snapshots: series.map((each) => each.totals),
    matching,
    classes: compareClasses(
      graph,
      series.map((each) => each.classes),
    ),
    clusters: steady.slice(0, options.maxClusters ?? 20).map((growth): GrowthCluster => {
      const path = retainingPath(graph, growth.node)
      return {
        kind: growth.kind,
        className: names[of[growth.node]!]!,
        count: growth.count,
        bytes: growth.bytes,
        countPerStep: matching === 'id' ? growth.perStep : [],
        path,
        culprit: findCulprit(graph, growth.node, path, options.readSource, lineage, options.mapPosition),
      }
    }),
  }
}

/** What a class has gained from one snapshot to another: in number, or else in bytes. */
const gained = (a: ClassRow | undefined, b: ClassRow | undefined): number =>
  (b?.count ?? 0) - (a?.count ?? 0) || (b?.retainedBytes ?? 0) - (a?.retainedBytes ?? 0)

/** @param rows of one class, in each snapshot; undefined where it had nothing */
export const grewInEachStep = (rows: readonly (ClassRow | undefined)[]): boolean =>
  rows.every((row, i) => i === 0 || gained(rows[i - 1], row) > 0)

function compareClasses(graph: HeapGraph, series: readonly Map<string, ClassRow>[]): ClassGrowth[] {
  const first = series[0]!
  const last = series.at(-1)!
  const rows: ClassGrowth[] = []
  const tell = (key: string): void => {
    const before = first.get(key)
    const after = last.get(key)
    const keep = series.length === 2 ? gained(before, after) !== 0 : grewInEachStep(series.map((rows) => rows.get(key)))
    if (!keep || (after ?? before)!.name === NUMBERS) return
    rows.push({
      name: (after ?? before)!.name,
      location: after && after.location >= 0 ? locationAt(graph.snapshot, graph.scriptUrls, after.location) : undefined,
      countBefore: before?.count ?? 0,
      countAfter: after?.count ?? 0,
      shallowBytesBefore: before?.shallowBytes ?? 0,
      shallowBytesAfter: after?.shallowBytes ?? 0,
      retainedBytesBefore: before?.retainedBytes ?? 0,
      retainedBytesAfter: after?.retainedBytes ?? 0,
    })
  }
  for (const key of first.keys()) tell(key)
  for (const key of last.keys()) if (!first.has(key)) tell(key)
  return rows
}
