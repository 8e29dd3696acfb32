// What a process says of itself for next to nothing, now and then over some seconds: memory, open resources, its event loop.

import { readOsFacts } from '../target/os-facts.ts'
import type { InspectorSession } from '../target/session.ts'
import { readIsolateFacts } from './isolate-facts.ts'
import { pause } from './pause.ts'

/** Null where it could not be had. Sizes in bytes. */
export interface Vitals {
  /** ISO 8601. */
  readonly at: string
  readonly rssBytes: number | null
  readonly heapUsedBytes: number | null
  readonly externalBytes: number | null
  readonly arrayBuffersBytes: number | null
  /** Share of the time since the sample before, from 0 to 1, in which the event loop was busy; null in the first. */
  readonly eventLoopUtilization: number | null
  /** Of how many cores the process had the time since the sample before, on average; null in the first. */
  readonly coresUsed: number | null
  /** What keeps the event loop alive, by type. */
  readonly activeResources: Readonly<Record<string, number>> | null
  /** Of the operating system. */
  readonly threads: number | null
  readonly files: number | null
}

interface VitalsWanted {
  /** On this machine; undefined when the process runs elsewhere. */
  readonly pid: number | undefined
  readonly samples: number
  readonly everyMs: number
  readonly signal: AbortSignal
  /** Done beside each sample. */
  readonly onSample?: () => Promise<void>
}

export async function readVitals(
  session: InspectorSession,
  { pid, samples, everyMs, signal, onSample }: VitalsWanted,
): Promise<Vitals[]> {
  const taken: Vitals[] = []
  let before: { idle: number; active: number } | null = null
  let spent: { atMs: number; cpuMs: number | null } | undefined
  for (let i = 0; i < samples; i++) {
    if (i > 0) await pause(everyMs, session.closed, signal)
    const { memoryUsage, eventLoop, activeResources, cpuMs } = await readIsolateFacts(session, true)
    const atMs = performance.now()
    const os = pid === undefined ? undefined : readOsFacts(pid)
    const active = eventLoop && before ? eventLoop.active - before.active : 0
    const all = eventLoop && before ? active + eventLoop.idle - before.idle : 0
    taken.push({
      at: new Date().toISOString(),
      rssBytes: memoryUsage?.rss ?? os?.rssBytes ?? null,
      heapUsedBytes: memoryUsage?.heapUsed ?? null,
      externalBytes: memoryUsage?.external ?? null,
      arrayBuffersBytes: memoryUsage?.arrayBuffers ?? null,
      eventLoopUtilization: all > 0 ? active / all : null,
      coresUsed: spent && cpuMs !== null && spent.cpuMs !== null ? (cpuMs - spent.cpuMs) / (atMs - spent.atMs) : null,
      activeResources,
      threads: sum(os?.threads),
      files: sum(os?.files),
    })
    before = eventLoop
    spent = { atMs, cpuMs }
    await onSample?.()
  }
  return taken
}

const sum = (counts: Readonly<Record<string, number>> | null | undefined): number | null =>
  counts ? Object.values(counts).reduce((all, count) => all + count, 0) : null
