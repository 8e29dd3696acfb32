// Opens a series of snapshots and finds what is new in the last: by V8's ids, or by place where ids mean nothing.

import { statSync } from 'node:fs'
import { LeakscopeError } from '../errors.ts'
import { breathing, unlessAborted } from '../support/breathing.ts'
import { setLazily } from '../support/lazily.ts'
import { type SecondThread, startSecondThread } from '../support/second-thread.ts'
import { knowEmbedded } from './embedded.ts'
import {
  BY_ONE_THREAD,
  callFollowAll,
  type Followed,
  follow,
  type Matching,
  type Remembered,
  remember,
  rememberOpen,
} from './following.ts'
import { idsAgree } from './identity.ts'
import { callHasDuplicates, type Lineage, standAlone } from './lineage.ts'
import { callLineageOfHeap, lineageOfHeap } from './lineage-of-heap.ts'
import { type OpenedSnapshot, type OpenOptions, openSnapshot, openWorth } from './open-snapshot.ts'
import {
  bytesOfNew,
  growthById,
  growthByPlace,
  type PlaceGrowth,
  type PlaceTotals,
  totalPlaces,
} from './place-growth.ts'
import { findHolders, type PlacedNodes, Places } from './places.ts'

export interface SeriesOptions extends OpenOptions {
  /** Compare snapshots of different processes by class and place instead of refusing to. */
  readonly acrossProcesses?: boolean
  /** What is known of all snapshots but the last, where they were read before; undefined if that cannot be used. */
  readonly followed?: Promise<Followed | undefined>
}

/** The last heap of a series, and what is remembered of those before. */
export interface HeapSeries {
  readonly opened: OpenedSnapshot
  readonly matching: Matching
  /** In order of time, the last one's too. */
  readonly series: readonly Remembered[]
  readonly growths: readonly PlaceGrowth[]
  readonly places: Places
  readonly placed: PlacedNodes
  /** Where objects were matched by id. */
  readonly lineage: Lineage | undefined
  /** There, as `bytesOfNew` gives it. */
  readonly newBytes: Float64Array | undefined
  /** When {@link HeapGraph.retainers} is ready, where another thread is at it. */
  readonly retainers?: Promise<void> | undefined
}

/** Smaller heaps are opened side by side, each by one thread; a larger one by two, and there is an index to come back to. */
const SMALL_BYTES = 128e6
const WORTH_A_THREAD_BYTES = 8e6
/**
 * Opens snapshots in the order given, which is taken to be the order of time, and finds what is new in the last; whoever
 * asks closes `opened`.
 *
 * Only one large heap is in memory at a time; of all others together, some 20 bytes a node are kept.
 * @param files two or more
 * @throws LeakscopeError as `readSnapshot` does, or `snapshot-mismatch` for snapshots of different processes
 */
export async function openSeries(files: readonly string[], options: SeriesOptions = {}): Promise<HeapSeries> {
  if (files.length < 2) throw new LeakscopeError('usage-invalid', 'a comparison needs two snapshots or more')
  const known = await options.followed
  const sizes = files.map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0)
  const aside = sizes.every((size) => size < SMALL_BYTES) && sizes.some((size) => size > WORTH_A_THREAD_BYTES)
  const second = aside && !known ? startSecondThread() : undefined
  let heap: HeapSeries | undefined
  try {
    heap = (await compareById(files, options, { known, second })) ?? (await compareByPlace(files, options))
  } finally {
    if (!heap) await second?.close()
  }
  const { opened } = heap
  // What it is still at may be wanted.
  const close = async () => {
    await Promise.all([opened.close(), second?.close()])
  }
  return { ...heap, opened: { ...opened, close } }
}

const openOptions = (
  { onProgress, signal, index = true }: SeriesOptions,
  part: number,
  parts: number,
): OpenOptions => ({
  index,
  onProgress: (fraction) => onProgress?.((part + fraction * 0.6) / parts),
  ...(signal && { signal }),
})

/** Undefined where ids turn out not to mean the same objects. */
async function compareById(
  files: readonly string[],
  options: SeriesOptions,
  { known, second: aside }: { known: Followed | undefined; second: SecondThread | undefined },
): Promise<HeapSeries | undefined> {
  const { signal } = options
  const earlier = files.slice(0, -1)
  let second = aside
  let followed = known
  let opened: OpenedSnapshot | undefined
  let found: HeapSeries | undefined
  try {
    if (known) {
      const last = await openWorth(files.at(-1)!, openOptions(options, 0, 1))
      opened = last
      second = last.second
    } else if (second) {
      const following = callFollowAll(second, earlier)
      // If something else fails first, nobody waits for it.
      following.catch(() => {})
      opened = await openWorth(files.at(-1)!, openOptions(options, earlier.length, files.length), BY_ONE_THREAD)
      followed = await unlessAborted(following, signal)
      if (!followed) return undefined
    } else {
      for (const [i, file] of earlier.entries()) {
        opened = await openSnapshot(file, openOptions(options, i, files.length))
        const next = follow(followed, opened)
        if (!next) return undefined
        followed = { ...next, lineage: standAlone(next.lineage) }
        await opened.close()
        opened = undefined
        await breath(signal)
      }
      opened = await openSnapshot(files.at(-1)!, openOptions(options, earlier.length, files.length))
    }
    const { graph, classes } = opened
    if (!idsAgree(followed!.series.at(-1)!.identity, graph.snapshot)) return undefined
    // What the second thread can do while this one looks at places.
    const working = second && callLineageOfHeap(second, followed!.lineage, graph)
    const duplicates = callHasDuplicates(second, graph.snapshot.nodeId)
    const paths = second ? graph.preparePaths(second) : opened.preparePaths(signal)
    const retainers = second && graph.prepareRetainers(second)
    for (const pending of [working, paths, duplicates, retainers]) pending?.catch(() => {})
    let holder = second && findHolders(graph)
    const worked = working ? await unlessAborted(working, signal) : lineageOfHeap(followed!.lineage, graph)
    if (!worked) return undefined
    holder ??= findHolders(graph)
    const { lineage, asked, immediate, embedded } = worked
    if (second) {
      setLazily(graph.dominators, 'immediate', () => immediate)
      knowEmbedded(graph, embedded)
    }
    const places = new Places()
    const placed = await breathing(places.locate(graph, classes, holder, asked), signal)
    const newBytes = bytesOfNew(graph, lineage)
    const growths = growthById(graph, placed, places, lineage, newBytes)
    await unlessAborted(paths, signal)
    if (await duplicates) return undefined
    const series = [...followed!.series, rememberOpen(opened)]
    found = { opened, matching: 'id', series, growths, places, placed, lineage, newBytes, retainers }
    return found
  } finally {
    if (!found) await opened?.close()
  }
}

/** What is where in one snapshot is compared with what is where in another. */
async function compareByPlace(files: readonly string[], options: SeriesOptions): Promise<HeapSeries> {
  const { signal } = options
  const series: Remembered[] = []
  const totals: PlaceTotals[] = []
  const places = new Places()
  let opened: OpenedSnapshot | undefined
  let placed: PlacedNodes | undefined
  let found: HeapSeries | undefined
  try {
    for (const [i, file] of files.entries()) {
      await opened?.close()
      opened = await openSnapshot(file, openOptions(options, i, files.length))
      series.push(remember(opened))
      placed = await breathing(places.locate(opened.graph, opened.classes), signal)
      totals.push(totalPlaces(opened.graph, placed, places))
      await breath(signal)
    }
    if (!options.acrossProcesses) requireOneProcess(series)
    const growths = growthByPlace(places, totals)
    found = {
      opened: opened!,
      matching: 'place',
      series,
      growths,
      places,
      placed: placed!,
      lineage: undefined,
      newBytes: undefined,
    }
    return found
  } finally {
    if (!found) await opened?.close()
  }
}

/** For Ctrl-C and for the progress bar. */
async function breath(signal: AbortSignal | undefined): Promise<void> {
  await new Promise(setImmediate)
  signal?.throwIfAborted()
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
