// `leakscope snapshot` of one isolate: a file, or several in one visit.

import type { HeapSnapshotFile, HeapSnapshotOptions } from '../../capture/heap-snapshot.ts'
import type { Encoder } from '../../support/encoder.ts'
import { formatBytes, formatCount, formatDuration } from '../../support/format.ts'
import type { Progress } from '../../support/progress.ts'
import type { ProtocolClient } from '../../target/session.ts'
import { showTarget, type TargetName } from '../../target/target.ts'
import { isolateName, noteBeside, type SnapshotsWanted, showProgress } from '../common/capturing.ts'
import type { Context } from '../common/context.ts'
import { byV8Sentence, type Way, wayInto } from '../common/ways.ts'
import { agreeOnPrice } from './price.ts'

export async function runFile(context: Context, name: TargetName, wanted: SnapshotsWanted): Promise<void> {
  const [{ withInspector }, { captureHeapSnapshot }, { captureWorker, withWorker }, { requireWritable }, { packers }] =
    await Promise.all([
      import('../../target/attach.ts'),
      import('../../capture/heap-snapshot.ts'),
      import('../../capture/worker.ts'),
      import('../../support/files.ts'),
      import('../../support/compression.ts'),
    ])
  const { isolate, redactor, waitMs } = wanted
  const paths = fileNames(wanted.name, wanted.count)
  // Known before the target hears of us.
  for (const path of paths) {
    requireWritable(path, wanted.force)
    packers(path)
  }
  const encoders = (path: string): Encoder[] => [...(redactor ? [redactor(path)] : []), ...packers(path)]

  const progress = context.progress(wanted.quiet)
  try {
    progress.stage(`attaching to ${showTarget(name)}`)
    const attach = { signal: context.signal, onNotice: noteBeside(context, progress), waitMs }
    await withInspector(name, attach, async (session, target) => {
      const { pid, nodeVersion } = target
      const via = wayInto(target)
      const series = { context, progress, paths, wanted, encoders, closed: session.closed, nodeVersion, via }
      const agree = async (of: string, client: ProtocolClient): Promise<void> => {
        if (!wanted.quiet && !wanted.dryRun) {
          noteBeside(context, progress)(byV8Sentence(name, wanted.via, target, wanted.whyNotOutside))
        }
        await agreeOnPrice(context, progress, name, target, wanted, [{ isolate: of, client }])
      }
      if (typeof isolate === 'number') {
        await withWorker(session, isolate, async (worker) => {
          await agree(`worker:${isolate}`, worker)
          if (wanted.dryRun) return
          await takeSeries(series, `worker ${isolate} of process ${pid}`, (path, how) =>
            captureWorker(worker, path, how),
          )
        })
      } else {
        await agree('main', session)
        if (!wanted.dryRun) {
          await takeSeries(series, `process ${pid}`, (path, how) => captureHeapSnapshot(session, path, how))
        }
      }
      progress.stage('leaving')
    })
  } finally {
    progress.end()
  }
}

interface Series {
  readonly context: Context
  readonly progress: Progress
  readonly paths: readonly string[]
  readonly wanted: SnapshotsWanted
  readonly encoders: (path: string) => Encoder[]
  readonly closed: Promise<void>
  readonly nodeVersion: string
  readonly via: Way
}

/** Takes one snapshot after the other, of what is called `whose`. */
async function takeSeries(
  { context, progress, paths, wanted: { isolate, every, force, tell }, encoders, closed, nodeVersion, via }: Series,
  whose: string,
  capture: (path: string, options: HeapSnapshotOptions) => Promise<HeapSnapshotFile>,
): Promise<void> {
  const { pause } = await import('../../capture/pause.ts')
  for (const [i, path] of paths.entries()) {
    const which = paths.length > 1 ? ` (${i + 1} of ${paths.length})` : ''
    if (i > 0) {
      progress.stage(`waiting ${formatDuration(every)} for the next${which}`)
      await pause(every, closed, context.signal)
    }
    progress.stage(`walking the heap of ${whose}, ${nodeVersion}${which}`)
    const snapshot = await capture(path, {
      force,
      encoders: encoders(path),
      onProgress: showProgress(progress, which),
    })
    progress.clear()
    const { path: file, fileBytes, nodeCount, pausedMs } = snapshot
    tell(
      { via, isolate: isolateName(isolate), file, fileBytes, nodeCount, pausedMs, reason: null },
      `${snapshot.path}  ${formatBytes(snapshot.fileBytes)}  ${formatCount(snapshot.nodeCount)} nodes  ` +
        `${whose} stood still for ${formatDuration(snapshot.pausedMs)}`,
    )
  }
}

/** One name as it is; of several, each with its number in front of the ending. */
export function fileNames(name: string, count: number): string[] {
  if (count === 1) return [name]
  const ending = /(\.heapsnapshot)?(\.gz|\.zst)?$/.exec(name)![0]
  const stem = name.slice(0, name.length - ending.length)
  return Array.from({ length: count }, (_, i) => `${stem}-${i + 1}${ending}`)
}
