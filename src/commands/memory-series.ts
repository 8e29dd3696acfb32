// `leakscope memory` at work: looks at a process as often as was asked for, and reports what it saw.

import { pause } from '../capture/pause.ts'
import type { ReportProcess } from '../findings/report.ts'
import { LEDGER_LABELS, type Ledger, ledger } from '../process/ledger.ts'
import { type ProcessMemory, readProcessMemory } from '../process/read-memory.ts'
import { withInspector } from '../target/attach.ts'
import { type OsFacts, readOsFacts } from '../target/os-facts.ts'
import { showTarget, type TargetName } from '../target/target.ts'
import { attachWorkers } from '../target/workers.ts'
import { noteBeside } from './capturing.ts'
import type { Context } from './context.ts'
import { outputsOf, printReport } from './output.ts'
import { emptyReport } from './report.ts'

export interface MemoryWanted {
  readonly everyMs: number
  /** Infinity for until Ctrl-C. */
  readonly count: number
  readonly waitMs: number | undefined
  readonly limit: number
  readonly json: boolean
}

interface Sample {
  readonly atMs: number
  readonly memory: ProcessMemory
  readonly ledger: Ledger
  readonly os: OsFacts | undefined
}

export async function runMemory(context: Context, name: TargetName, wanted: MemoryWanted): Promise<void> {
  const { everyMs, count, waitMs, limit, json } = wanted
  const pid = name.kind === 'process' ? name.pid : undefined
  const outputs = outputsOf({ format: [], ...(json && { json }) })
  const progress = context.progress(json)
  const { signal } = context
  progress.stage(`attaching to ${showTarget(name)}`)
  try {
    await withInspector(name, { signal, onNotice: noteBeside(context, progress), waitMs }, async (session, target) => {
      const { nodeVersion } = target
      const workers = await attachWorkers(session)
      const samples: Sample[] = []
      const show = (shown: readonly Sample[]) => {
        const about = { pid: target.pid, nodeVersion, command: target.command.join(' ') }
        const report = { ...emptyReport('memory'), target: about, process: reportProcess(shown, pid) }
        return printReport(context, report, { outputs, limit })
      }
      progress.end()
      try {
        while (samples.length < count) {
          if (samples.length > 0) await pause(everyMs, session.closed, signal)
          const memory = await readProcessMemory({ session, workers, pid, nodeVersion })
          const os = pid === undefined ? undefined : readOsFacts(pid)
          samples.push({ atMs: Date.now(), memory, ledger: ledger(memory), os })
          // A person sees what has changed since the table before.
          if (!json) await show(samples.slice(-2))
        }
      } catch (error) {
        // A series without an end is ended by whoever has seen enough.
        if (!signal.aborted || Number.isFinite(count) || samples.length === 0) throw error
      } finally {
        // What was seen until the process ended, say, is worth having.
        if (json && samples.length > 0) await show(samples)
        await workers.leave()
      }
    })
  } finally {
    progress.end()
  }
}

function reportProcess(samples: readonly Sample[], pid: number | undefined): ReportProcess {
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

function whyNoMappings({ mappings }: ProcessMemory, pid: number | undefined): string[] {
  if (mappings !== null) return []
  if (pid === undefined)
    return ['a process that is known by its inspector alone may be anywhere; name its pid if it is here']
  if (process.platform !== 'linux')
    return [`${process.platform} does not tell what a process's memory consists of, as Linux does`]
  return [`/proc/${pid}/smaps may not be read: run leakscope as the user of the process, or as root`]
}
