// `leakscope snapshot`: a heap snapshot of a running process, to a file; of all its isolates, to a folder.

import { Command } from 'commander'
import type { HeapSnapshotFile, HeapSnapshotOptions, HeapSnapshotProgress } from '../capture/heap-snapshot.ts'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'
import type { Progress } from '../support/progress.ts'
import type { Context } from './context.ts'
import { duration, type IsolateChoice, isolateChoice, positiveInteger } from './options.ts'

interface Options {
  readonly output?: string
  readonly isolate: IsolateChoice
  readonly count: number
  readonly every?: number
  readonly force?: boolean
  readonly quiet?: boolean
}

const DEFAULT_EVERY_MS = 10_000

export function snapshotCommand(context: Context): Command {
  return new Command('snapshot')
    .description('capture a heap snapshot of a running process')
    .argument('<pid>', 'the process; `leakscope ps` lists what there is', positiveInteger('<pid>'))
    .option('-o, --output <file>', 'where to write it (default: leakscope-<pid>-<time>.heapsnapshot)')
    .option(
      '--isolate <which>',
      'main, worker:<thread id>, or all, which makes a folder with a snapshot of each (default: main)',
      isolateChoice('--isolate'),
      'main',
    )
    .option(
      '--count <n>',
      'how many to take in one visit; `leakscope diff` then knows every object again',
      positiveInteger('--count'),
      1,
    )
    .option(
      '--every <time>',
      'how long from the end of one to the next: 500ms, 10s, 2min (default: 10s)',
      duration('--every'),
    )
    .option('--force', 'replace the file, or the folder of an earlier capture, if it exists')
    .option('-q, --quiet', 'show no progress')
    .action(async (pid: number, { every = DEFAULT_EVERY_MS, force = false, quiet = false, ...options }: Options) => {
      const name = options.output ?? defaultName(pid, options.isolate, new Date())
      if (options.isolate !== 'all') return run(context, pid, { ...options, name, every, force, quiet })
      const { runBundle } = await import('./snapshot-bundle.ts')
      return runBundle(context, pid, { ...options, name, every, force, quiet })
    })
}

/** What was asked for, with nothing left open. */
export interface Wanted {
  readonly name: string
  readonly isolate: IsolateChoice
  readonly count: number
  readonly every: number
  readonly force: boolean
  readonly quiet: boolean
}

async function run(context: Context, pid: number, wanted: Wanted): Promise<void> {
  const [{ withInspector }, { captureHeapSnapshot }, { captureWorker, withWorker }, { requireWritable }] =
    await Promise.all([
      import('../target/attach.ts'),
      import('../capture/heap-snapshot.ts'),
      import('../capture/worker.ts'),
      import('../support/files.ts'),
    ])
  const paths = fileNames(wanted.name, wanted.count)
  // Known before the target hears of us.
  for (const path of paths) requireWritable(path, wanted.force)

  const progress = context.progress(wanted.quiet)
  try {
    progress.stage(`attaching to process ${pid}`)
    const attach = { signal: context.signal, onNotice: noteBeside(context, progress) }
    await withInspector(pid, attach, async (session, { nodeVersion }) => {
      const series = { context, progress, paths, wanted, closed: session.closed, nodeVersion }
      const { isolate } = wanted
      if (typeof isolate === 'number') {
        await withWorker(session, isolate, (worker) =>
          takeSeries(series, `worker ${isolate} of process ${pid}`, (path, how) => captureWorker(worker, path, how)),
        )
      } else await takeSeries(series, `process ${pid}`, (path, how) => captureHeapSnapshot(session, path, how))
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
  readonly wanted: Wanted
  readonly closed: Promise<void>
  readonly nodeVersion: string
}

/** Takes one snapshot after the other, of what is called `whose`. */
async function takeSeries(
  { context, progress, paths, wanted: { every, force }, closed, nodeVersion }: Series,
  whose: string,
  capture: (path: string, options: HeapSnapshotOptions) => Promise<HeapSnapshotFile>,
): Promise<void> {
  const { pause } = await import('../capture/pause.ts')
  for (const [i, path] of paths.entries()) {
    const which = paths.length > 1 ? ` (${i + 1} of ${paths.length})` : ''
    if (i > 0) {
      progress.stage(`waiting ${formatDuration(every)} for the next${which}`)
      await pause(every, closed, context.signal)
    }
    progress.stage(`walking the heap of ${whose}, ${nodeVersion}${which}`)
    const snapshot = await capture(path, { force, onProgress: showProgress(progress, which) })
    progress.clear()
    context.out(
      `${snapshot.path}  ${formatBytes(snapshot.fileBytes)}  ${formatCount(snapshot.nodeCount)} nodes  ` +
        `${whose} stood still for ${formatDuration(snapshot.pausedMs)}`,
    )
  }
}

/** Shows how far one snapshot is; the stage before the first call is that V8 walks the heap. */
export function showProgress(progress: Progress, which: string): (now: HeapSnapshotProgress) => void {
  let stage = 'walking'
  return (now) => {
    if (now.stage !== stage) progress.stage(`writing${which}`)
    stage = now.stage
    progress.update(now.fraction, now.bytes > 0 ? formatBytes(now.bytes) : '')
  }
}

/** For what a user should know while a bar is on the screen. */
export function noteBeside(context: Context, progress: Progress): (notice: string) => void {
  return (notice) => {
    progress.clear()
    context.note(`leakscope: ${notice}`)
  }
}

/** One name as it is; of several, each with its number in front of the ending. */
function fileNames(name: string, count: number): string[] {
  if (count === 1) return [name]
  const ending = /(\.heapsnapshot)?$/.exec(name)![0]
  const stem = name.slice(0, name.length - ending.length)
  return Array.from({ length: count }, (_, i) => `${stem}-${i + 1}${ending}`)
}

/** `leakscope-4242-20250131-235959.heapsnapshot`, in local time; a folder has no ending, a worker its number. */
function defaultName(pid: number, isolate: IsolateChoice, now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
  const which = typeof isolate === 'number' ? `-worker-${isolate}` : ''
  return `leakscope-${pid}${which}-${day}-${time}${isolate === 'all' ? '' : '.heapsnapshot'}`
}
