// What grew between two or more snapshots: by class, and by the place in the program that holds it.

import { statSync } from 'node:fs'
import { LeakscopeError } from '../errors.ts'
import { describePath, type PathStep } from '../graph/describe.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { locationAt, type SourceLocation } from '../graph/locations.ts'
import { ROOT } from '../graph/roots.ts'
import { NodeType } from '../snapshot/meta.ts'
import { breathing, unlessAborted } from '../support/breathing.ts'
import { type SecondThread, startSecondThread } from '../support/second-thread.ts'
import type { ClassRow } from './classes.ts'
import { type Culprit, findCulprit, type ReadSource } from './culprit.ts'
import { type Identity, identify, idsAgree } from './identity.ts'
import { callHasDuplicates, extendLineage, type Lineage, startLineage } from './lineage.ts'
import { type OpenedSnapshot, type OpenOptions, openSnapshot, openWorth } from './open-snapshot.ts'
import { growthById, growthByPlace, type PlaceGrowth, type PlaceTotals, totalPlaces } from './place-growth.ts'
import { Places } from './places.ts'

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

export interface GrowthOptions extends OpenOptions {
  /** Clusters that are told with path and culprit; the biggest. Default 20. */
  readonly maxClusters?: number
  /** Compare snapshots of different processes by class and place instead of refusing to. */
  readonly acrossProcesses?: boolean
  /** Reads a source file by URL, for finding lines; without it, only what V8 says is known. */
  readonly readSource?: ReadSource
}

const V8_TYPES = new Set<number>([NodeType.code, NodeType.hidden, NodeType.objectShape])

/** What is kept of every snapshot; the heap itself is let go. */
interface Remembered {
  readonly totals: SnapshotTotals
  readonly identity: Identity
  readonly classes: Map<string, ClassRow>
}

/** Smaller heaps are opened side by side, each by one thread; a larger one by two, and there is an index to come back to. */
const SMALL_BYTES = 128e6
const WORTH_A_THREAD_BYTES = 8e6
const BY_ONE_THREAD = { thread: Number.POSITIVE_INFINITY, index: Number.POSITIVE_INFINITY }

/**
 * Compares snapshots in the order given, which is taken to be the order of time.
 *
 * Only one large heap is in memory at a time; of all others together, some 30 bytes a node are kept.
 * @param files two or more
 * @throws LeakscopeError as `readSnapshot` does, or `snapshot-mismatch` for snapshots of different processes
 */
export async function compareSnapshots(files: readonly string[], options: GrowthOptions = {}): Promise<Growth> {
  if (files.length < 2) throw new LeakscopeError('usage-invalid', 'a comparison needs two snapshots or more')
  const sizes = files.map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0)
  const aside = sizes.every((size) => size < SMALL_BYTES) && sizes.some((size) => size > WORTH_A_THREAD_BYTES)
  const second = aside ? startSecondThread() : undefined
  try {
    return (await compareById(files, options, second)) ?? (await compareByPlace(files, options))
  } finally {
    await second?.close()
  }
}

const openOptions = (
  { onProgress, signal, index = true }: GrowthOptions,
  part: number,
  parts: number,
): OpenOptions => ({
  index,
  onProgress: (fraction) => onProgress?.((part + fraction * 0.6) / parts),
  ...(signal && { signal }),
})

interface Followed {
  readonly series: readonly Remembered[]
  readonly lineage: Lineage
}

/** The history with one snapshot more; undefined where ids turn out not to mean the same objects. */
function follow(before: Followed | undefined, opened: OpenedSnapshot): Followed | undefined {
  const { snapshot, ownership } = opened.graph
  const { nodeId: ids } = snapshot
  const { shallowSize: sizes } = ownership
  if (!before) return { series: [remember(opened)], lineage: startLineage(ids, sizes) }
  if (!idsAgree(before.series.at(-1)!.identity, snapshot)) return undefined
  const lineage = extendLineage(before.lineage, ids, sizes)
  return lineage && { series: [...before.series, remember(opened)], lineage }
}

/** On the second thread: the history of small snapshots. */
export async function followAll(files: readonly string[]): Promise<Followed | undefined> {
  let followed: Followed | undefined
  for (const file of files) {
    followed = follow(followed, await openWorth(file, {}, BY_ONE_THREAD))
    if (!followed) return undefined
  }
  return followed
}

/** Undefined where ids turn out not to mean the same objects. */
async function compareById(
  files: readonly string[],
  options: GrowthOptions,
  second: SecondThread | undefined,
): Promise<Growth | undefined> {
  const { signal } = options
  const earlier = files.slice(0, -1)
  let followed: Followed | undefined
  let opened: OpenedSnapshot | undefined
  try {
    if (second) {
      const following = second.call<Followed | undefined>(import.meta.url, 'followAll', earlier)
      // If something else fails first, nobody waits for it.
      following.catch(() => {})
      opened = await openWorth(files.at(-1)!, openOptions(options, earlier.length, files.length), BY_ONE_THREAD)
      followed = await unlessAborted(following, signal)
      if (!followed) return undefined
    } else {
      for (const [i, file] of earlier.entries()) {
        opened = await openSnapshot(file, openOptions(options, i, files.length))
        followed = follow(followed, opened)
        if (!followed) return undefined
        await opened.close()
        await breath(signal)
      }
      opened = await openSnapshot(files.at(-1)!, openOptions(options, earlier.length, files.length))
    }
    const { graph, classes } = opened
    const paths = second ? graph.preparePaths(second) : opened.preparePaths(signal)
    const duplicates = callHasDuplicates(second, graph.snapshot.nodeId)
    for (const pending of [paths, duplicates]) pending.catch(() => {})
    const whole = follow(followed, opened)
    if (!whole) return undefined
    const places = new Places()
    const placed = await breathing(places.locate(graph, classes), signal)
    const growths = growthById(graph, placed, places, whole.lineage)
    await unlessAborted(paths, signal)
    return (await duplicates) ? undefined : finish(opened, whole.series, growths, 'id', options)
  } finally {
    await opened?.close()
  }
}

/** What is where in one snapshot is compared with what is where in another. */
async function compareByPlace(files: readonly string[], options: GrowthOptions): Promise<Growth> {
  const { signal } = options
  const series: Remembered[] = []
  const totals: PlaceTotals[] = []
  const places = new Places()
  let opened: OpenedSnapshot | undefined
  try {
    for (const [i, file] of files.entries()) {
      await opened?.close()
      opened = await openSnapshot(file, openOptions(options, i, files.length))
      series.push(remember(opened))
      const placed = await breathing(places.locate(opened.graph, opened.classes), signal)
      totals.push(totalPlaces(opened.graph, placed, places))
      await breath(signal)
    }
    if (!options.acrossProcesses) requireOneProcess(series)
    return finish(opened!, series, growthByPlace(places, totals), 'place', options)
  } finally {
    await opened?.close()
  }
}

/** For Ctrl-C and for the progress bar. */
async function breath(signal: AbortSignal | undefined): Promise<void> {
  await new Promise(setImmediate)
  signal?.throwIfAborted()
}

function remember({ graph, classRows }: OpenedSnapshot): Remembered {
  const { snapshot } = graph
  const { file, fileBytes, nodeCount, edgeCount } = snapshot
  const totalShallowBytes = graph.retainedSize(ROOT) + snapshot.extraNativeBytes
  return {
    totals: { file, fileBytes, nodeCount, edgeCount, totalShallowBytes },
    identity: identify(snapshot),
    classes: new Map(classRows.map((row) => [row.key, row])),
  }
}

function requireOneProcess(series: readonly Remembered[]): void {
  const last = series.at(-1)!
  for (const { identity, totals } of series) {
    const [pid, own] = [identity.pid, last.identity.pid]
    if (pid === undefined || own === undefined || pid === own) continue
    throw new LeakscopeError(
      'snapshot-mismatch',
      `${totals.file} is of process ${pid} and ${last.totals.file} of process ${own}: what grew in one cannot be read from the other`,
      { hint: 'Take both snapshots of one process, or compare by class and place with --across-processes.' },
    )
  }
}

function finish(
  { graph, classes: { names, of } }: OpenedSnapshot,
  series: readonly Remembered[],
  growths: readonly PlaceGrowth[],
  matching: Matching,
  options: GrowthOptions,
): Growth {
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
      const path = describePath(graph, growth.node)
      return {
        kind: growth.kind,
        className: names[of[growth.node]!]!,
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
