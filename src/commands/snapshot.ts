// `leakscope snapshot`: a heap snapshot of a running process, to a file.

import { Command } from 'commander'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'
import type { Context } from './context.ts'
import { positiveInteger } from './options.ts'

interface Options {
  readonly output?: string
  readonly force?: true
  readonly quiet?: true
}

export function snapshotCommand(context: Context): Command {
  return new Command('snapshot')
    .description('capture a heap snapshot of a running process')
    .argument('<pid>', 'the process; `leakscope ps` lists what there is', positiveInteger('<pid>'))
    .option('-o, --output <file>', 'where to write it (default: leakscope-<pid>-<time>.heapsnapshot)')
    .option('--force', 'replace the file if it exists')
    .option('-q, --quiet', 'show no progress')
    .action((pid: number, options: Options) => run(context, pid, options))
}

async function run(context: Context, pid: number, options: Options): Promise<void> {
  const [{ withInspector }, { captureHeapSnapshot }, { requireWritable }] = await Promise.all([
    import('../target/attach.ts'),
    import('../capture/heap-snapshot.ts'),
    import('../support/files.ts'),
  ])
  const path = options.output ?? defaultName(pid, new Date())
  const force = options.force ?? false
  // Known before the target hears of us.
  requireWritable(path, force)

  const progress = context.progress(options.quiet ?? false)
  const onNotice = (notice: string) => {
    progress.clear()
    context.note(`leakscope: ${notice}`)
  }
  try {
    progress.stage(`attaching to process ${pid}`)
    const snapshot = await withInspector(pid, { signal: context.signal, onNotice }, async (session, target) => {
      progress.stage(`walking the heap of process ${pid} (${target.nodeVersion})`)
      let stage = 'walking'
      const taken = await captureHeapSnapshot(session, path, {
        force,
        onProgress(now) {
          if (now.stage !== stage) progress.stage('writing')
          stage = now.stage
          progress.update(now.fraction, now.bytes > 0 ? formatBytes(now.bytes) : '')
        },
      })
      progress.stage('leaving')
      return taken
    })
    progress.end()
    context.out(
      `${snapshot.path}  ${formatBytes(snapshot.fileBytes)}  ${formatCount(snapshot.nodeCount)} nodes  ` +
        `process ${pid} stood still for ${formatDuration(snapshot.pausedMs)}`,
    )
  } finally {
    progress.end()
  }
}

/** `leakscope-4242-20250131-235959.heapsnapshot`, in local time. */
function defaultName(pid: number, now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
  return `leakscope-${pid}-${day}-${time}.heapsnapshot`
}
