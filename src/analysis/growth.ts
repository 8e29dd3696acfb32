// What grew between two or more snapshots: by class, and by the place in the program that holds it.

import { LeakscopeError } from '../errors.ts'
import { describePath, type PathStep } from '../graph/describe.ts'
import { HeapGraph } from '../graph/heap-graph.ts'
import { locationAt, type SourceLocation } from '../graph/locations.ts'
import { ROOT } from '../graph/roots.ts'
import { NodeType } from '../snapshot/meta.ts'
import { type ReadOptions, readSnapshot } from '../snapshot/read.ts'
import { type ClassRow, classRows } from './classes.ts'
import { type Culprit, findCulprit, type ReadSource } from './culprit.ts'
import { collectIds, idsAgree } from './identity.ts'
import { type Earlier, growthById, growthByPlace, type PlaceGrowth, totalPlaces } from './place-growth.ts'
import { type PlacedNodes, Places } from './places.ts'

/** How objects of one snapshot were found in another. */
export type Matching =
  /** By V8's object ids: which objects are new is known one by one. */
  | 'id'
  /** By class and place, because the ids do not mean the same objects: how many are new is known, not which. */
  | 'place'

export interface SnapshotTotals {
  readonly file: string
  readonly fileBytes: number
  readonly nodeCount: number
  readonly edgeCount: number
  readonly totalShallowBytes: number
}

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

export interface GrowthOptions extends ReadOptions {
  /** Clusters that are told with path and culprit; the biggest. Default 20. */
  readonly maxClusters?: number
  /** Compare snapshots of different processes by class and place instead of refusing to. */
  readonly acrossProcesses?: boolean
  /** Reads a source file by URL, for finding lines; without it, only what V8 says is known. */
  readonly readSource?: ReadSource
}

const V8_TYPES = new Set<number>([NodeType.code, NodeType.hidden, NodeType.objectShape])

/** What is kept of every snapshot but the last; the heap itself is let go. */
interface Remembered extends Earlier {
  readonly totals: SnapshotTotals
  readonly classes: Map<string, ClassRow>
}

/**
 * Compares snapshots in the order given, which is taken to be the order of time.
 *
 * Only one heap is in memory at a time; of the others some 20 bytes a node are kept.
 * @param files two or more
 * @throws LeakscopeError as `readSnapshot` does, or `snapshot-mismatch` for snapshots of different processes
 */
export async function compareSnapshots(files: readonly string[], options: GrowthOptions = {}): Promise<Growth> {
  const { onProgress, signal, acrossProcesses = false } = options
  if (files.length < 2) throw new LeakscopeError('usage-invalid', 'a comparison needs two snapshots or more')
  const places = new Places()
  const remembered: Remembered[] = []
  for (const [i, file] of files.entries()) {
    const snapshot = await readSnapshot(file, {
      onProgress: (fraction) => onProgress?.((i + fraction * 0.6) / files.length),
      ...(signal && { signal }),
    })
    onProgress?.((i + 0.6) / files.length)
    const graph = new HeapGraph(snapshot)
    const totals: SnapshotTotals = {
      file,
      fileBytes: snapshot.fileBytes,
      nodeCount: snapshot.nodeCount,
      edgeCount: snapshot.edgeCount,
      totalShallowBytes: graph.retainedSize(ROOT) + snapshot.extraNativeBytes,
    }
    const placed = places.locate(graph)
    const classes = new Map(classRows(graph, placed.classes).map((row) => [row.key, row]))
    if (i < files.length - 1) {
      remembered.push({
        totals,
        classes,
        ids: collectIds(snapshot),
        shallowSize: graph.ownership.shallowSize,
        places: totalPlaces(graph, placed, places),
      })
      // A breath for Ctrl-C and for the progress bar.
      await new Promise(setImmediate)
      signal?.throwIfAborted()
      continue
    }
    return finish(graph, totals, placed, places, classes, remembered, acrossProcesses, options)
  }
  throw new Error('unreachable: the last snapshot ends the comparison')
}

function finish(
  graph: HeapGraph,
  totals: SnapshotTotals,
  placed: PlacedNodes,
  places: Places,
  classes: Map<string, ClassRow>,
  remembered: readonly Remembered[],
  acrossProcesses: boolean,
  options: GrowthOptions,
): Growth {
  const { snapshot } = graph
  const own = collectIds(snapshot)
  const matching = remembered.every(({ ids }) => idsAgree(ids, snapshot, own.table)) ? 'id' : 'place'
  for (const { ids, totals: other } of remembered) {
    if (matching === 'id' || acrossProcesses || ids.pid === undefined || own.pid === undefined) continue
    if (ids.pid === own.pid) continue
    throw new LeakscopeError(
      'snapshot-mismatch',
      `${other.file} is of process ${ids.pid} and ${totals.file} of process ${own.pid}: what grew in one cannot be read from the other`,
      { hint: 'Take both snapshots of one process, or compare by class and place with --across-processes.' },
    )
  }
  const growths =
    matching === 'id'
      ? growthById(graph, placed, places, remembered)
      : growthByPlace(totalPlaces(graph, placed, places), places, remembered)
  // Code and shapes that V8 makes while a program warms up come last: they follow from what runs, and hold nothing.
  const { nodeType } = snapshot
  const isOfV8 = ({ node }: PlaceGrowth): number => Number(V8_TYPES.has(nodeType[node]!))
  const steady = growths
    .filter(({ perStep }) => perStep.length < 2 || perStep.every((count) => count > 0))
    .sort((a, b) => isOfV8(a) - isOfV8(b) || b.bytes - a.bytes || b.count - a.count)
  return {
    snapshots: [...remembered.map((each) => each.totals), totals],
    matching,
    classes: compareClasses(graph, [...remembered.map((each) => each.classes), classes]),
    clusters: steady.slice(0, options.maxClusters ?? 20).map((growth): GrowthCluster => {
      const path = describePath(graph, growth.node)
      return {
        kind: growth.kind,
        className: placed.classes.names[placed.classes.of[growth.node]!]!,
        count: growth.count,
        bytes: growth.bytes,
        countPerStep: matching === 'id' ? growth.perStep : [],
        path,
        culprit: findCulprit(graph, growth.node, path, options.readSource),
      }
    }),
  }
}

function compareClasses(graph: HeapGraph, series: readonly Map<string, ClassRow>[]): ClassGrowth[] {
  const first = series[0]!
  const last = series.at(-1)!
  const rows: ClassGrowth[] = []
  for (const key of new Set([...first.keys(), ...last.keys()])) {
    const before = first.get(key)
    const after = last.get(key)
    const steps = series.slice(1).map((classes, i) => [series[i]!.get(key), classes.get(key)] as const)
    const changed = ([a, b]: readonly [ClassRow | undefined, ClassRow | undefined]) =>
      (b?.count ?? 0) - (a?.count ?? 0) || (b?.retainedBytes ?? 0) - (a?.retainedBytes ?? 0)
    const keep = steps.length === 1 ? changed(steps[0]!) !== 0 : steps.every((step) => changed(step) > 0)
    if (!keep) continue
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
  return rows
}
