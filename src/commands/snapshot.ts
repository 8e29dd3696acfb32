// `leakscope snapshot`: a heap snapshot of a running process, to a file.

import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'
import { parseTarget, showTarget, type TargetName } from '../target/target.ts'
import type { Context } from './context.ts'
import { duration, positiveInteger } from './options.ts'

interface Options {
  readonly output?: string
  readonly count: number
  readonly every?: number
  readonly wait?: number | true
  readonly force?: true
  readonly quiet?: true
}

const DEFAULT_EVERY_MS = 10_000
const DEFAULT_WAIT_MS = 600_000

export function snapshotCommand(context: Context): Command {
  return new Command('snapshot')
    .description('capture a heap snapshot of a running process')
    .argument('<target>', 'a pid (see `leakscope ps`), host:port of an open inspector, or its ws:// URL', parseTarget)
    .option('-o, --output <file>', 'where to write it (default: leakscope-<target>-<time>.heapsnapshot)')
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
    .option(
      '--wait [time]',
      'wait while another process has the port that the target needs for its inspector (default: 10min)',
      duration('--wait'),
    )
    .option('--force', 'replace the file if it exists')
    .option('-q, --quiet', 'show no progress')
    .action((name: TargetName, options: Options) => run(context, name, options))
}

async function run(context: Context, name: TargetName, options: Options): Promise<void> {
  const [{ withInspector }, { captureHeapSnapshot }, { requireWritable }] = await Promise.all([
    import('../target/attach.ts'),
    import('../capture/heap-snapshot.ts'),
    import('../support/files.ts'),
  ])
  const paths = fileNames(options.output ?? defaultName(name, new Date()), options.count)
  const force = options.force ?? false
  const every = options.every ?? DEFAULT_EVERY_MS
  // Known before the target hears of us.
  for (const path of paths) requireWritable(path, force)

  const progress = context.progress(options.quiet ?? false)
  const onNotice = (notice: string) => {
    progress.clear()
    context.note(`leakscope: ${notice}`)
  }
  try {
    progress.stage(`attaching to ${showTarget(name)}`)
    const waitMs = options.wait === true ? DEFAULT_WAIT_MS : options.wait
    await withInspector(name, { signal: context.signal, onNotice, waitMs }, async (session, target) => {
      for (const [i, path] of paths.entries()) {
        const which = paths.length > 1 ? ` (${i + 1} of ${paths.length})` : ''
        if (i > 0) {
          progress.stage(`waiting ${formatDuration(every)} for the next${which}`)
          await pause(every, session.closed, context.signal)
        }
        progress.stage(`walking the heap of process ${target.pid}, ${target.nodeVersion}${which}`)
        let stage = 'walking'
        const snapshot = await captureHeapSnapshot(session, path, {
          force,
          onProgress(now) {
            if (now.stage !== stage) progress.stage(`writing${which}`)
            stage = now.stage
            progress.update(now.fraction, now.bytes > 0 ? formatBytes(now.bytes) : '')
          },
        })
        progress.clear()
        context.out(
          `${snapshot.path}  ${formatBytes(snapshot.fileBytes)}  ${formatCount(snapshot.nodeCount)} nodes  ` +
            `process ${target.pid} stood still for ${formatDuration(snapshot.pausedMs)}`,
        )
      }
      progress.stage('leaving')
    })
  } finally {
    progress.end()
  }
}

/** Waits `ms`, or until the target is gone, which the next request will tell; throws when `signal` aborts. */
async function pause(ms: number, closed: Promise<void>, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const waited = sleep(ms, undefined, { signal: AbortSignal.any([signal, over.signal]) }).catch(() => {})
  await Promise.race([waited, closed])
  over.abort()
  signal.throwIfAborted()
}

/** One name as it is; of several, each with its number in front of the ending. */
function fileNames(name: string, count: number): string[] {
  if (count === 1) return [name]
  const ending = /(\.heapsnapshot)?$/.exec(name)![0]
  const stem = name.slice(0, name.length - ending.length)
  return Array.from({ length: count }, (_, i) => `${stem}-${i + 1}${ending}`)
}

/** `leakscope-4242-20250131-235959.heapsnapshot`, in local time; or with `localhost-9229`. */
function defaultName(name: TargetName, now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
  const target = name.kind === 'process' ? name.pid : `${name.host.replace(/:+/g, '-')}-${name.port}`
  return `leakscope-${target}-${day}-${time}.heapsnapshot`
}
