// `leakscope snapshot --via outside`: heaps, rebuilt from the memory of their process.

import { join } from 'node:path'
import { LeakscopeError } from '../../errors.ts'
import { formatBytes, formatCount, formatDuration } from '../../support/format.ts'
import type { Progress } from '../../support/progress.ts'
import { isolateName, type SnapshotsWanted } from '../common/capturing.ts'
import type { Context } from '../common/context.ts'
import { fileNames } from './file.ts'

export async function runOutside(context: Context, pid: number, wanted: SnapshotsWanted): Promise<void> {
  const progress = context.progress(wanted.quiet)
  try {
    if (wanted.isolate === 'all') await takeAll(context, progress, pid, wanted)
    else await takeOne(context, progress, pid, wanted)
  } finally {
    progress.end()
  }
}

/** One file, or several in which an object has the same id. */
async function takeOne(context: Context, progress: Progress, pid: number, wanted: SnapshotsWanted): Promise<void> {
  const [{ captureFromOutside }, { PictureSeries }, { writeSnapshot }, { requireWritable }, { packers }, { pause }] =
    await Promise.all([
      import('../../outside/open.ts'),
      import('../../outside/series.ts'),
      import('../../snapshot/write.ts'),
      import('../../support/files.ts'),
      import('../../support/compression.ts'),
      import('../../capture/pause.ts'),
    ])
  const { isolate, count, every, redactor, force, maxPauseMs, tell } = wanted
  const paths = fileNames(wanted.name, count)
  for (const path of paths) {
    requireWritable(path, force)
    packers(path)
  }
  const wantedName = isolateName(isolate)
  const whose = isolate === 'main' ? `process ${pid}` : `worker ${isolate} of process ${pid}`
  const series = new PictureSeries()
  // A function of its own: when it has returned, nobody holds the picture any more.
  const take = async (path: string, which: string): Promise<void> => {
    progress.stage(`copying the heap of process ${pid}${which}`)
    const capture = await captureFromOutside(pid, {
      maxPauseMs,
      signal: context.signal,
      isRecognizable: count > 1,
      onCopied: () => progress.stage(`rebuilding the heap${which}`),
    })
    const { heaps, pausedMs, copiedBytes } = capture
    const heap = heaps.find((it) => it.isolate === wantedName)
    if (!heap) {
      const there = heaps.map((it) => it.isolate).join(', ')
      throw new LeakscopeError('target-not-found', `process ${pid} has no thread ${isolate}`, {
        hint: `It has ${there}.`,
      })
    }
    if (count > 1) series.add({ heaps: [heap] })
    progress.stage(`writing${which}`)
    const encoders = [...(redactor ? [redactor(path)] : []), ...packers(path)]
    const { fileBytes } = writeSnapshot(heap.snapshot, path, { force, encoders })
    progress.clear()
    const { nodeCount } = heap.snapshot
    tell(
      { via: 'outside', isolate: wantedName, file: path, fileBytes, nodeCount, pausedMs, reason: null },
      `${path}  ${formatBytes(fileBytes)}  ${formatCount(nodeCount)} nodes  ` +
        `read from outside (${formatBytes(copiedBytes)} copied): ${whose} ${pausesText([pausedMs])}`,
    )
  }
  try {
    for (const [i, path] of paths.entries()) {
      const which = count > 1 ? ` (${i + 1} of ${count})` : ''
      if (i > 0) {
        progress.stage(`waiting ${formatDuration(every)} for the next${which}`)
        await series.rest()
        await pause(every, new Promise<void>(() => {}), context.signal)
      }
      await take(path, which)
    }
  } finally {
    series.close()
  }
}

/** A folder with all heaps, those of one round from the same instant. */
async function takeAll(context: Context, progress: Progress, pid: number, wanted: SnapshotsWanted): Promise<void> {
  const [{ captureOutsideBundle }, { currentPlatform }, { requireNode }] = await Promise.all([
    import('../common/capture-outside.ts'),
    import('../../target/platform.ts'),
    import('../../target/refusals.ts'),
  ])
  const { name: path, count, every, redactor, force, maxPauseMs } = wanted
  const { facts, binary } = await requireNode(await currentPlatform(), pid)
  const { bundle } = await captureOutsideBundle(pid, path, {
    ...{ force, count, everyMs: every, maxPauseMs, redactor, signal: context.signal },
    ...{ nodeVersion: binary.version ?? null, command: facts.command },
    onBegin(round, isWaiting) {
      const which = count > 1 ? ` (${round} of ${count})` : ''
      progress.stage(
        isWaiting
          ? `waiting ${formatDuration(every)} for the next${which}`
          : `copying the heaps of process ${pid}${which}`,
      )
    },
  })
  progress.clear()
  for (const { isolate, file, fileBytes, nodeCount, pausedMs, reason } of bundle.captures) {
    wanted.tell(
      { via: 'outside', isolate, file: file && join(path, file), fileBytes, nodeCount, pausedMs, reason },
      `${join(path, file!)}  ${formatBytes(fileBytes!)}  ${formatCount(nodeCount!)} nodes  ` +
        `read from outside: ${isolate} ${pausesText([pausedMs!])}`,
    )
  }
}

/** `was idle and did not stand still`, `stood still for 12 ms, 0 and 8 ms`. */
export function pausesText(pausesMs: readonly number[]): string {
  if (pausesMs.every((ms) => ms === 0)) return 'was idle and did not stand still'
  const times = pausesMs.map((ms) => (ms === 0 ? '0' : formatDuration(ms)))
  const last = times.pop()!
  return `stood still for ${times.length > 0 ? `${times.join(', ')} and ${last}` : last}`
}
