// `leakscope snapshot --isolate all`: heap snapshots of all isolates of a running process, to a folder.

import { join } from 'node:path'
import type { BundleCapture } from '../../capture/bundle.ts'
import type { QuotedIsolate } from '../../capture/quote.ts'
import { formatBytes, formatCount, formatDuration, printable } from '../../support/format.ts'
import type { InspectorSession } from '../../target/session.ts'
import { showTarget, type TargetName } from '../../target/target.ts'
import { noteBeside, type SnapshotsWanted, showProgress } from '../common/capturing.ts'
import type { Context } from '../common/context.ts'
import { byV8Sentence, wayInto } from '../common/ways.ts'
import { agreeOnPrice } from './price.ts'

export async function runBundle(context: Context, target: TargetName, wanted: SnapshotsWanted): Promise<void> {
  const [{ withInspector }, { captureBundle }, { holdsBundle }, { requireFolderName }] = await Promise.all([
    import('../../target/attach.ts'),
    import('../../capture/capture-bundle.ts'),
    import('../../capture/bundle-folder.ts'),
    import('../../support/folders.ts'),
  ])
  const { name, count, every, waitMs, redactor, force } = wanted
  // Known before the target hears of us.
  requireFolderName(name, force, holdsBundle)

  const progress = context.progress(wanted.quiet)
  let show = showProgress(progress, '')
  try {
    progress.stage(`attaching to ${showTarget(target)}`)
    const attach = { signal: context.signal, onNotice: noteBeside(context, progress), waitMs }
    await withInspector(target, attach, async (session, visited) => {
      const { pid } = visited
      if (!wanted.quiet && !wanted.dryRun) {
        noteBeside(context, progress)(byV8Sentence(target, wanted.via, visited, wanted.whyNotOutside))
      }
      const approve = (isolates: readonly QuotedIsolate[]) =>
        agreeOnPrice(context, progress, target, visited, wanted, isolates)
      if (wanted.dryRun) return approveAll(session, approve)
      const captures: BundleCapture[] = []
      await captureBundle(session, name, {
        pid: target.kind === 'process' ? pid : undefined,
        signal: context.signal,
        force,
        count,
        everyMs: every,
        approve,
        ...(redactor && { encoders: (path: string) => [redactor(path)], redacted: true }),
        onBegin({ round, isolate }) {
          const which = count > 1 ? ` (${round} of ${count})` : ''
          progress.stage(
            isolate === null
              ? `waiting ${formatDuration(every)} for the next${which}`
              : `walking the heap of ${isolate} in process ${pid}${which}`,
          )
          show = showProgress(progress, ` ${isolate}${which}`)
        },
        onProgress: (now) => show(now),
        onCapture: (capture) => captures.push(capture),
      })
      // Not before: until all is there, nothing is.
      progress.clear()
      for (const capture of captures) {
        const { isolate, file, fileBytes, nodeCount, pausedMs, reason } = capture
        wanted.tell(
          {
            ...{ via: wayInto(visited), isolate, file: file && join(name, file) },
            ...{ fileBytes, nodeCount, pausedMs, reason },
          },
          captureLine(name, capture),
        )
      }
      progress.stage('leaving')
    })
  } finally {
    progress.end()
  }
}

/** Without a folder, as nothing goes into it. */
async function approveAll(
  session: InspectorSession,
  approve: (isolates: readonly QuotedIsolate[]) => Promise<void>,
): Promise<void> {
  const { attachWorkers } = await import('../../target/workers.ts')
  const workers = await attachWorkers(session)
  try {
    const threads = workers.list().map((worker) => ({ isolate: `worker:${worker.threadId}`, client: worker }))
    await approve([{ isolate: 'main', client: session }, ...threads])
  } finally {
    await workers.leave()
  }
}

function captureLine(bundle: string, capture: BundleCapture): string {
  const { isolate, file, fileBytes, nodeCount, pausedMs, reason } = capture
  if (file === null) return `${isolate} not captured: ${printable(reason ?? '')}`
  return (
    `${join(bundle, file)}  ${formatBytes(fileBytes!)}  ${formatCount(nodeCount!)} nodes  ` +
    `${isolate} stood still for ${formatDuration(pausedMs!)}`
  )
}
