// Heap snapshots of worker threads, each within limits of its own: a worker may never answer, or never come to it.

import { LeakscopeError } from '../errors.ts'
import type { InspectorSession } from '../target/session.ts'
import { attachWorkers, type WorkerThread } from '../target/workers.ts'
import { captureHeapSnapshot, type HeapSnapshotFile, type HeapSnapshotOptions } from './heap-snapshot.ts'

export interface WorkerLimits {
  /** How long it may say nothing at all while its snapshot is under way; V8 first collects garbage in silence. */
  readonly silentMs?: number
}

const SILENT_MS = 120_000
const WATCH_MS = 250

/** Calls `work` with the worker of that thread id, and lets go of it afterwards. */
export async function withWorker<T>(
  session: InspectorSession,
  threadId: number,
  work: (worker: WorkerThread) => Promise<T>,
): Promise<T> {
  const workers = await attachWorkers(session)
  try {
    const all = workers.list()
    const worker = all.find((it) => it.threadId === threadId)
    if (worker) return await work(worker)
    const there = all.map((it) => it.threadId).join(', ')
    throw new LeakscopeError('target-not-found', `the process has no worker ${threadId}`, {
      hint: there === '' ? 'It has no workers at all.' : `Its workers are ${there}.`,
    })
  } finally {
    await workers.leave()
  }
}

/** Writes a snapshot of the worker's heap to `path`. A worker that fails is let go of for the rest of the visit. */
export async function captureWorker(
  worker: WorkerThread,
  path: string,
  { silentMs = SILENT_MS, ...options }: HeapSnapshotOptions & WorkerLimits = {},
): Promise<HeapSnapshotFile> {
  const startedMs = performance.now()
  const watch = setInterval(() => {
    if (performance.now() - Math.max(startedMs, worker.heardAtMs) < silentMs) return
    worker.giveUp(
      new LeakscopeError('target-timeout', `it sent nothing for ${Math.round(silentMs / 1000)} s during its snapshot`),
    )
  }, WATCH_MS)
  try {
    return await captureHeapSnapshot(worker, path, options)
  } catch (error) {
    // Or it would take the snapshot whenever it comes to it, for nobody.
    worker.giveUp(new LeakscopeError('target-timeout', `worker ${worker.threadId} was given up`, { cause: error }))
    throw error
  } finally {
    clearInterval(watch)
  }
}
