// One look at a process as numbers by name: what is watched, recorded and judged.

import type { GaugeReading } from '../capture/gauges.ts'
import type { OsFacts } from '../target/os-facts.ts'
import { LEDGER_LABELS, type Ledger, type LedgerLineId } from './ledger.ts'
import type { ProcessMemory } from './read-memory.ts'
import type { Look } from './recording.ts'

/** What is not bytes is a count, a part from 0 to 1, or milliseconds. */
export type Unit = 'bytes' | 'count' | 'part' | 'ms'

/** What can be watched beside the lines of the ledger, with what it is called. */
const OTHERS = {
  rss: ['resident memory', 'bytes'],
  heap: ['JS heap in use, main', 'bytes'],
  external: ['external memory, main', 'bytes'],
  cgroup: ['memory of the cgroup', 'bytes'],
  threads: ['threads', 'count'],
  files: ['open files', 'count'],
  resources: ['active resources', 'count'],
  'event-loop': ['event loop, part busy', 'part'],
  'event-loop-delay': ['event loop, delay', 'ms'],
  gc: ['garbage collection', 'part'],
} as const satisfies Readonly<Record<string, readonly [string, Unit]>>

export const WATCHED: Readonly<Record<string, { readonly label: string; readonly unit: Unit }>> = {
  ...Object.fromEntries(Object.entries(OTHERS).map(([id, [label, unit]]) => [id, { label, unit }])),
  ...Object.fromEntries(
    (Object.keys(LEDGER_LABELS) as LedgerLineId[]).map((id) => [
      id,
      { label: LEDGER_LABELS[id], unit: 'bytes' as const },
    ]),
  ),
}

interface Seen {
  readonly at: Date
  readonly pid: number
  readonly nodeVersion: string
  readonly memory: ProcessMemory
  readonly ledger: Ledger
  readonly os: OsFacts | undefined
  /** Of the look before; undefined for the first. */
  readonly before: ProcessMemory | undefined
  /** Since the look before; undefined for the first, and where nothing is measured. */
  readonly gauges: GaugeReading | undefined
}

export function lookOf({ at, pid, nodeVersion, memory, ledger, os, before, gauges }: Seen): Look {
  const { memoryUsage, heapStatistics, activeResources } = memory.main
  const heapLimit = heapStatistics?.heap_size_limit
  const rssLimit = os?.cgroup?.limitBytes
  return {
    schemaVersion: 1,
    at: at.toISOString(),
    pid,
    nodeVersion,
    values: {
      rss: ledger.rssBytes,
      heap: memoryUsage?.heapUsed ?? null,
      external: memoryUsage?.external ?? null,
      cgroup: os?.cgroup?.usedBytes ?? null,
      threads: total(os?.threads),
      files: total(os?.files),
      resources: total(activeResources),
      'event-loop': before ? busyPart(before, memory) : null,
      'event-loop-delay': gauges?.longestDelayMs ?? null,
      gc: gauges?.gcPart ?? null,
      ...Object.fromEntries(ledger.lines.map(({ id, bytes }) => [id, bytes])),
    },
    limits: {
      ...(heapLimit && { heap: heapLimit }),
      ...(rssLimit && { rss: rssLimit, cgroup: rssLimit }),
    },
  }
}

function total(counts: Readonly<Record<string, number>> | null | undefined): number | null {
  return counts ? Object.values(counts).reduce((sum, count) => sum + count, 0) : null
}

function busyPart(before: ProcessMemory, after: ProcessMemory): number | null {
  const [from, to] = [before.main.eventLoop, after.main.eventLoop]
  if (!from || !to) return null
  const [active, idle] = [to.active - from.active, to.idle - from.idle]
  return active + idle > 0 ? active / (active + idle) : null
}
