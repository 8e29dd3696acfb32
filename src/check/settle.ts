// What is left when a program has come to rest and all garbage has been collected.

import { readIsolateFacts } from '../capture/isolate-facts.ts'
import { pause } from '../capture/pause.ts'
import { LeakscopeError } from '../errors.ts'
import { readOsFacts } from '../target/os-facts.ts'
import type { InspectorSession, ProtocolClient } from '../target/session.ts'
import type { Workers, WorkerThread } from '../target/workers.ts'

/** Sizes in bytes; null where it cannot be had. */
export interface Reading {
  /** Of the main isolate, as are the two that follow. */
  readonly heapUsedBytes: number
  readonly externalBytes: number
  readonly arrayBuffersBytes: number
  /** Heap and external memory of all worker threads together; null where one does not answer, or nobody asks. */
  readonly workersBytes: number | null
  readonly rssBytes: number
  readonly handles: number | null
  readonly threads: number | null
  readonly files: number | null
}

/** How a program's memory is looked at. */
export interface Instruments {
  /** Lets what was under way end; finalizers and callbacks run meanwhile. */
  rest(signal: AbortSignal): Promise<void>
  /** A full collection. */
  collect(): Promise<void>
  read(): Promise<Reading>
}

/** What is left when all has settled. */
export type Meter = (signal: AbortSignal) => Promise<Reading>

/** Sockets that are closing, and what the engine puts off, come and go: the least of a few readings is what stays. */
const LEAST_COLLECTIONS = 3
const MOST_COLLECTIONS = 10
/** Another collection that frees less has nothing more to free. */
const STILL_BYTES = 4096

export const meterOf =
  ({ rest, collect, read }: Instruments): Meter =>
  async (signal) => {
    let least: Reading | undefined
    for (let i = 0; i < MOST_COLLECTIONS; i++) {
      await rest(signal)
      await collect()
      const reading = await read()
      const freed = least ? inUse(least) - inUse(reading) : 0
      if (!least || freed > 0) least = reading
      if (i + 1 >= LEAST_COLLECTIONS && freed < STILL_BYTES) break
    }
    return least!
  }

const REST_MS = 150
const COLLECT_MS = 120_000

/**
 * Of a program that is attached to.
 * @param pid on this machine; undefined when the process runs elsewhere
 */
export const attachedMeter = (session: InspectorSession, workers: Workers, pid: number | undefined): Meter =>
  meterOf({
    rest: (signal) => pause(REST_MS, session.closed, signal),
    async collect() {
      const theirs = workers.list().map((worker) => unlessSilent(worker, () => collectIn(worker, WORKER_MS)))
      await Promise.all([collectIn(session, COLLECT_MS), ...theirs])
    },
    read: () => readAttached(session, workers, pid),
  })

async function collectIn(isolate: ProtocolClient, timeoutMs: number): Promise<void> {
  // The inspector keeps what was logged, with all that hangs on it, for a console that may yet open.
  await isolate.send('Runtime.discardConsoleEntries', {}, { timeoutMs })
  await isolate.send('HeapProfiler.collectGarbage', {}, { timeoutMs })
}

/** A worker that says nothing for so long is not asked again. */
const WORKER_MS = 10_000

/** Undefined where the worker does not answer. */
async function unlessSilent<T>(worker: WorkerThread, ask: () => Promise<T>): Promise<T | undefined> {
  if (!worker.isOpen) return undefined
  try {
    return await ask()
  } catch (error) {
    if (error instanceof LeakscopeError) worker.giveUp(error)
    return undefined
  }
}

/** Heap and external memory of all workers; null where one that still runs does not say. */
async function readWorkers(workers: Workers): Promise<number | null> {
  const read = async (worker: WorkerThread) =>
    [worker, await unlessSilent(worker, () => readIsolateFacts(worker, false))] as const
  const answers = await Promise.all(workers.list().map(read))
  const running = new Set(workers.list())
  let bytes = 0
  for (const [worker, facts] of answers) {
    if (!running.has(worker)) continue
    if (!facts?.memoryUsage) return null
    bytes += facts.memoryUsage.heapUsed + facts.memoryUsage.external
  }
  return bytes
}

const inUse = ({ heapUsedBytes, externalBytes, workersBytes }: Reading): number =>
  heapUsedBytes + externalBytes + (workersBytes ?? 0)

async function readAttached(session: InspectorSession, workers: Workers, pid: number | undefined): Promise<Reading> {
  const { memoryUsage, activeResources } = await readIsolateFacts(session, true)
  if (!memoryUsage) throw new LeakscopeError('target-protocol', 'the program does not say how much memory it uses')
  const os = pid === undefined ? undefined : readOsFacts(pid)
  return {
    heapUsedBytes: memoryUsage.heapUsed,
    externalBytes: memoryUsage.external,
    arrayBuffersBytes: memoryUsage.arrayBuffers,
    workersBytes: await readWorkers(workers),
    rssBytes: os?.rssBytes ?? memoryUsage.rss,
    handles: sum(activeResources),
    threads: sum(os?.threads),
    files: sum(os?.files),
  }
}

const sum = (counts: Readonly<Record<string, number>> | null | undefined): number | null =>
  counts ? Object.values(counts).reduce((all, count) => all + count, 0) : null
