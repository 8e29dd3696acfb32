// What is left when a program has come to rest and all garbage has been collected.

import { readIsolateFacts } from '../capture/isolate-facts.ts'
import { pause } from '../capture/pause.ts'
import { LeakscopeError } from '../errors.ts'
import { readOsFacts } from '../target/os-facts.ts'
import type { InspectorSession } from '../target/session.ts'

/** Sizes in bytes; null where it cannot be had. */
export interface Reading {
  /** Of the main isolate, as are the two that follow. */
  readonly heapUsedBytes: number
  readonly externalBytes: number
  readonly arrayBuffersBytes: number
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
export const attachedMeter = (session: InspectorSession, pid: number | undefined): Meter =>
  meterOf({
    rest: (signal) => pause(REST_MS, session.closed, signal),
    async collect() {
      // The inspector keeps what was logged, with all that hangs on it, for a console that may yet open.
      await session.send('Runtime.discardConsoleEntries', {}, { timeoutMs: COLLECT_MS })
      await session.send('HeapProfiler.collectGarbage', {}, { timeoutMs: COLLECT_MS })
    },
    read: () => readAttached(session, pid),
  })

const inUse = ({ heapUsedBytes, externalBytes }: Reading): number => heapUsedBytes + externalBytes

async function readAttached(session: InspectorSession, pid: number | undefined): Promise<Reading> {
  const { memoryUsage, activeResources } = await readIsolateFacts(session, true)
  if (!memoryUsage) throw new LeakscopeError('target-protocol', 'the program does not say how much memory it uses')
  const os = pid === undefined ? undefined : readOsFacts(pid)
  return {
    heapUsedBytes: memoryUsage.heapUsed,
    externalBytes: memoryUsage.external,
    arrayBuffersBytes: memoryUsage.arrayBuffers,
    rssBytes: os?.rssBytes ?? memoryUsage.rss,
    handles: sum(activeResources),
    threads: sum(os?.threads),
    files: sum(os?.files),
  }
}

const sum = (counts: Readonly<Record<string, number>> | null | undefined): number | null =>
  counts ? Object.values(counts).reduce((all, count) => all + count, 0) : null
