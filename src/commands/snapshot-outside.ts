// `leakscope snapshot --via outside`: the heap of one isolate, rebuilt from the memory of its process.

import { LeakscopeError } from '../errors.ts'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'
import { showTarget, type TargetName } from '../target/target.ts'
import type { Wanted } from './capturing.ts'
import type { Context } from './context.ts'

export async function runOutside(context: Context, name: TargetName, wanted: Wanted): Promise<void> {
  refuse(name, wanted)
  if (name.kind !== 'process') return
  const [{ captureFromOutside }, { writeSnapshot }, { requireWritable }, { packers }] = await Promise.all([
    import('../outside/open.ts'),
    import('../snapshot/write.ts'),
    import('../support/files.ts'),
    import('../support/compression.ts'),
  ])
  const { name: path, isolate, redactor, force, maxPauseMs, quiet } = wanted
  requireWritable(path, force)
  const encoders = [...(redactor ? [redactor(path)] : []), ...packers(path)]
  const progress = context.progress(quiet)
  try {
    progress.stage(`copying the heap of process ${name.pid}`)
    const { heaps, pausedMs, copiedBytes } = await captureFromOutside(name.pid, {
      maxPauseMs,
      signal: context.signal,
      onCopied: () => progress.stage('rebuilding the heap'),
    })
    const wantedName = isolate === 'main' ? 'main' : `worker:${isolate}`
    const heap = heaps.find((it) => it.isolate === wantedName)
    if (!heap) {
      const there = heaps.map((it) => it.isolate).join(', ')
      throw new LeakscopeError('target-not-found', `process ${name.pid} has no thread ${isolate}`, {
        hint: `It has ${there}.`,
      })
    }
    progress.stage('writing')
    const { fileBytes } = writeSnapshot(heap.snapshot, path, { force, encoders })
    progress.clear()
    const whose = isolate === 'main' ? `process ${name.pid}` : `worker ${isolate} of process ${name.pid}`
    const price = pausesText([pausedMs])
    context.out(
      `${path}  ${formatBytes(fileBytes)}  ${formatCount(heap.snapshot.nodeCount)} nodes  ` +
        `read from outside (${formatBytes(copiedBytes)} copied): ${whose} ${price}`,
    )
  } finally {
    progress.end()
  }
}

/** `was idle and did not stand still`, `stood still for 12 ms, 0 and 8 ms`. */
export function pausesText(pausesMs: readonly number[]): string {
  if (pausesMs.every((ms) => ms === 0)) return 'was idle and did not stand still'
  const times = pausesMs.map((ms) => (ms === 0 ? '0' : formatDuration(ms)))
  const last = times.pop()!
  return `stood still for ${times.length > 0 ? `${times.join(', ')} and ${last}` : last}`
}

/** What this way cannot do. */
function refuse(name: TargetName, { isolate, count, dryRun }: Wanted): void {
  const because = (problem: string, hint: string): LeakscopeError =>
    new LeakscopeError('usage-invalid', `--via outside ${problem}`, { hint })
  if (name.kind !== 'process') {
    throw because(`reads processes of this machine by their pid, not ${showTarget(name)}`, '`leakscope ps` lists them.')
  }
  if (isolate === 'all')
    throw because('writes one heap', 'Choose it with --isolate main or --isolate worker:<thread id>.')
  if (count > 1) {
    throw because(
      'takes one snapshot',
      'Objects are not known again in the next one; --via inspector can take several.',
    )
  }
  if (dryRun) throw because('has no price to be said beforehand', 'It stops the process for --max-pause at most.')
}
