// `leakscope memory` at work: looks at a process as often as was asked for, and reports what it saw.

import { pause } from '../capture/pause.ts'
import { withInspector } from '../target/attach.ts'
import { showTarget, type TargetName } from '../target/target.ts'
import { attachWorkers } from '../target/workers.ts'
import { noteBeside } from './capturing.ts'
import type { Context } from './context.ts'
import { outputsOf, printReport } from './output.ts'
import { reportProcess, type Sample, takeSample } from './process-samples.ts'
import { emptyReport } from './report.ts'

export interface MemoryWanted {
  readonly everyMs: number
  /** Infinity for until Ctrl-C. */
  readonly count: number
  readonly waitMs: number | undefined
  readonly limit: number
  readonly json: boolean
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
          samples.push(await takeSample({ session, workers, pid, nodeVersion }))
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
