// What a process's memory consists of, looked at now and then, as it goes into the Report.

import type { ReportProcess } from '../../findings/report.ts'
import { LEDGER_LABELS, type Ledger, ledger } from '../../process/ledger.ts'
import { type Asked, type ProcessMemory, readProcessMemory } from '../../process/read-memory.ts'
import { type OsFacts, readOsFacts } from '../../target/os-facts.ts'

export interface Sample {
  readonly atMs: number
  readonly memory: ProcessMemory
  readonly ledger: Ledger
  readonly os: OsFacts | undefined
  /** Only where the heap was read from outside. */
  readonly spaces?: ReportProcess['spaces']
}

export async function takeSample(asked: Asked): Promise<Sample> {
  const memory = await readProcessMemory(asked)
  const os = asked.pid === undefined ? undefined : readOsFacts(asked.pid)
  return { atMs: Date.now(), memory, ledger: ledger(memory), os }
}

/** How it is in the last sample, and how it has changed since the first. */
export function reportProcess(samples: readonly Sample[], pid: number | undefined): ReportProcess {
  const first = samples[0]!
  const last = samples.at(-1)!
  const isSeries = samples.length > 1
  const { os, memory } = last
  const before = new Map(first.ledger.lines.map(({ id, bytes }) => [id, bytes]))
  return {
    rssBytes: last.ledger.rssBytes,
    rssBytesDelta: isSeries ? last.ledger.rssBytes - first.ledger.rssBytes : null,
    elapsedMs: isSeries ? last.atMs - first.atMs : null,
    ledger: last.ledger.lines.map(({ id, bytes, parts }) => ({
      id,
      label: LEDGER_LABELS[id],
      bytes,
      bytesDelta: isSeries ? bytes - before.get(id)! : null,
      parts: [...parts],
    })),
    spaces: last.spaces ?? null,
    notes: [...last.ledger.notes, ...whyNoMappings(memory, pid)],
    allocator: last.ledger.allocator,
    heapLimitBytes: memory.main.heapStatistics?.heap_size_limit ?? null,
    peakRssBytes: os?.peakRssBytes ?? null,
    swapBytes: os?.swapBytes ?? null,
    threads: os?.threads ?? null,
    files: os?.files ?? null,
    cgroup: os?.cgroup ? { limitBytes: os.cgroup.limitBytes, usedBytes: os.cgroup.usedBytes } : null,
    samples: samples.map(({ atMs, ledger: { rssBytes, lines } }) => ({
      at: new Date(atMs).toISOString(),
      rssBytes,
      ledger: Object.fromEntries(lines.map(({ id, bytes }) => [id, bytes])),
    })),
  }
}

export function whyNoMappings({ mappings }: ProcessMemory, pid: number | undefined): string[] {
  if (mappings !== null) return []
  if (pid === undefined)
    return ['a process that is known by its inspector alone may be anywhere; name its pid if it is here']
  if (process.platform !== 'linux')
    return [`${process.platform} does not tell what a process's memory consists of, as Linux does`]
  return [`/proc/${pid}/smaps may not be read: run leakscope as the user of the process, or as root`]
}
