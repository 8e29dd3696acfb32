// A series of snapshots up to the last: what is remembered of each, and what has become of its objects. All that a second thread needs for that.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { ROOT } from '../graph/roots.ts'
import { setLazily } from '../support/lazily.ts'
import type { SecondThread } from '../support/second-thread.ts'
import type { ClassRow } from './classes.ts'
import { type Contents, countContents } from './contents.ts'
import { type Identity, identify, idsAgree } from './identity.ts'
import { extendLineage, type Lineage, standAlone, startLineage } from './lineage.ts'
import { type OpenedSnapshot, openWorth } from './open-snapshot.ts'

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

/** What is kept of every snapshot; the heap itself is let go. */
export interface Remembered {
  readonly totals: SnapshotTotals
  readonly identity: Identity
  readonly classes: Map<string, ClassRow>
  readonly contents: Contents
}

/** For who opens a snapshot by one thread, and leaves no index. */
export const BY_ONE_THREAD = { thread: Number.POSITIVE_INFINITY, index: Number.POSITIVE_INFINITY }

export interface Followed {
  readonly series: readonly Remembered[]
  readonly lineage: Lineage
}

/** The history with one snapshot more; undefined where ids turn out not to mean the same objects. */
export function follow(before: Followed | undefined, opened: OpenedSnapshot): Followed | undefined {
  const { snapshot, ownership } = opened.graph
  const { nodeId: ids } = snapshot
  const { shallowSize: sizes } = ownership
  if (!before) return { series: [remember(opened)], lineage: startLineage(ids, sizes) }
  if (!idsAgree(before.series.at(-1)!.identity, snapshot)) return undefined
  const lineage = extendLineage(before.lineage, ids, sizes)
  return lineage && { series: [...before.series, remember(opened)], lineage }
}

/** {@link followAll} on the second thread. */
export const callFollowAll = (second: SecondThread, files: readonly string[]): Promise<Followed | undefined> =>
  second.call(import.meta.url, 'followAll', files)

/** The history of small snapshots. */
export async function followAll(files: readonly string[]): Promise<Followed | undefined> {
  let followed: Followed | undefined
  for (const file of files) {
    followed = follow(followed, await openWorth(file, {}, BY_ONE_THREAD))
    if (!followed) return undefined
  }
  return followed
}

/** On a thread that follows several series as their snapshots come: by isolate, the history so far. */
const histories = new Map<string, Followed | undefined>()

/** Goes on with the next snapshot of a series, and lets its heap go. */
export async function followNext(isolate: string, file: string): Promise<void> {
  const before = histories.get(isolate)
  if (histories.has(isolate) && !before) return
  histories.delete(isolate)
  const opened = await openWorth(file, {}, BY_ONE_THREAD)
  const next = follow(before, opened)
  histories.set(isolate, next && { ...next, lineage: standAlone(next.lineage) })
  await opened.close()
}

export const historyOf = (isolate: string): Followed | undefined => histories.get(isolate)

/** {@link followNext} and {@link historyOf} on another thread. */
export const callFollowNext = (thread: SecondThread, isolate: string, file: string): Promise<void> =>
  thread.call(import.meta.url, 'followNext', isolate, file)
export const callHistoryOf = (thread: SecondThread, isolate: string): Promise<Followed | undefined> =>
  thread.call(import.meta.url, 'historyOf', isolate)

/** All that is to be known once the heap is let go. */
export function remember(opened: OpenedSnapshot): Remembered {
  const { snapshot, ownership } = opened.graph
  const contents = countContents(snapshot, ownership.owner)
  return { ...tellTotals(opened), identity: identify(snapshot), contents }
}

/** The same as long as the heap is there; what takes time only when it is asked for. */
export function rememberOpen(opened: OpenedSnapshot): Remembered {
  const { snapshot, ownership } = opened.graph
  const known = tellTotals(opened) as Remembered
  setLazily(known, 'identity', () => identify(snapshot))
  setLazily(known, 'contents', () => countContents(snapshot, ownership.owner))
  return known
}

const tellTotals = ({ graph, classRows }: OpenedSnapshot): Pick<Remembered, 'totals' | 'classes'> => ({
  totals: totalsOf(graph),
  classes: new Map(classRows.map((row) => [row.key, row])),
})

export function totalsOf(graph: HeapGraph): SnapshotTotals {
  const { file, fileBytes, nodeCount, edgeCount, extraNativeBytes } = graph.snapshot
  return { file, fileBytes, nodeCount, edgeCount, totalShallowBytes: graph.retainedSize(ROOT) + extraNativeBytes }
}
