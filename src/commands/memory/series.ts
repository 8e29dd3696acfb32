// `leakscope memory` at work: looks at a process as often as was asked for, and reports what it saw.

import { pause } from '../../capture/pause.ts'
import { LeakscopeError } from '../../errors.ts'
import type { Report } from '../../findings/report.ts'
import type { Progress } from '../../support/progress.ts'
import { withInspector } from '../../target/attach.ts'
import { showTarget, type TargetName } from '../../target/target.ts'
import { attachWorkers } from '../../target/workers.ts'
import { noteBeside } from '../common/capturing.ts'
import type { Context } from '../common/context.ts'
import { outputsOf, printReport } from '../common/output.ts'
import { reportProcess, type Sample, takeSample } from '../common/process-samples.ts'
import { emptyReport } from '../common/report.ts'
import { fromOutsideSentence, requireAgent, type Way } from '../common/ways.ts'

export interface MemoryWanted {
  readonly everyMs: number
  /** Infinity for until Ctrl-C. */
  readonly count: number
  readonly waitMs: number | undefined
  readonly limit: number
  readonly via: Way | undefined
  /** Only from outside. */
  readonly maxPauseMs: number
  readonly json: boolean
}

export async function runMemory(context: Context, name: TargetName, wanted: MemoryWanted): Promise<void> {
  const progress = context.progress(wanted.json)
  try {
    if (wanted.via === 'outside') await lookFromOutside(context, progress, name, wanted)
    else await lookByAsking(context, progress, name, wanted)
  } finally {
    progress.end()
  }
}

async function lookByAsking(
  context: Context,
  progress: Progress,
  name: TargetName,
  wanted: MemoryWanted,
): Promise<void> {
  if (wanted.via === 'agent') await requireAgent(name)
  const pid = name.kind === 'process' ? name.pid : undefined
  const { signal } = context
  progress.stage(`attaching to ${showTarget(name)}`)
  const attach = { signal, onNotice: noteBeside(context, progress), waitMs: wanted.waitMs }
  await withInspector(name, attach, async (session, target) => {
    const { nodeVersion } = target
    const workers = await attachWorkers(session)
    progress.end()
    try {
      await series(context, wanted, session.closed, {
        about: { pid: target.pid, nodeVersion, command: target.command.join(' ') },
        ...{ via: null, pid, take: () => takeSample({ session, workers, pid, nodeVersion }) },
      })
    } finally {
      await workers.leave()
    }
  })
}

async function lookFromOutside(
  context: Context,
  progress: Progress,
  name: TargetName,
  wanted: MemoryWanted,
): Promise<void> {
  if (name.kind !== 'process') {
    throw new LeakscopeError('usage-invalid', `--via outside takes a pid of this machine, not ${showTarget(name)}`)
  }
  const { pid } = name
  const { signal } = context
  const [{ captureFromOutside }, { lookAtSystem, sampleOutside }, { currentPlatform }, { requireNodeProcess }] =
    await Promise.all([
      import('../../outside/open.ts'),
      import('../common/outside-memory.ts'),
      import('../../target/platform.ts'),
      import('../../target/refusals.ts'),
    ])
  const { facts, binary } = await requireNodeProcess(await currentPlatform(), pid, 'not needed')
  if (!wanted.json) context.note(`leakscope: ${fromOutsideSentence(pid, wanted.maxPauseMs, true)}`)
  await series(context, wanted, new Promise<void>(() => {}), {
    about: { pid, nodeVersion: binary.version ?? 'unknown', command: facts.command.join(' ') },
    ...{ via: 'outside', pid },
    async take() {
      let look = lookAtSystem(pid)
      const onCopied = () => {
        look = lookAtSystem(pid)
      }
      progress.stage(`reading the heap of process ${pid}`)
      const { heaps } = await captureFromOutside(pid, { maxPauseMs: wanted.maxPauseMs, signal, onCopied })
      progress.clear()
      return sampleOutside(look, heaps)
    },
  })
}

interface Looks {
  readonly about: NonNullable<Report['target']>
  readonly via: Report['via']
  /** On this machine; undefined when the process runs elsewhere. */
  readonly pid: number | undefined
  take(): Promise<Sample>
}

/** @param closed resolves when there is nothing to be looked at any more */
async function series(
  context: Context,
  { everyMs, count, limit, json }: MemoryWanted,
  closed: Promise<void>,
  { about, via, pid, take }: Looks,
): Promise<void> {
  const outputs = outputsOf({ format: [], ...(json && { json }) })
  const samples: Sample[] = []
  const show = (shown: readonly Sample[]) => {
    const report = { ...emptyReport('memory'), target: about, via, process: reportProcess(shown, pid) }
    return printReport(context, report, { outputs, limit })
  }
  try {
    while (samples.length < count) {
      if (samples.length > 0) await pause(everyMs, closed, context.signal)
      samples.push(await take())
      // A person sees what has changed since the table before.
      if (!json) await show(samples.slice(-2))
    }
  } catch (error) {
    // A series without an end is ended by whoever has seen enough.
    if (!context.signal.aborted || Number.isFinite(count) || samples.length === 0) throw error
  } finally {
    // What was seen until the process ended, say, is worth having.
    if (json && samples.length > 0) await show(samples)
  }
}
