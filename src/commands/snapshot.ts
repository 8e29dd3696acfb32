// `leakscope snapshot`: a heap snapshot of a running process, to a file.

import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import type { Encoder } from '../support/encoder.ts'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'
import type { Context } from './context.ts'
import { duration, positiveInteger } from './options.ts'
import { redactionHelp, redactionKey } from './redaction-key.ts'

interface Options {
  readonly output?: string
  readonly count: number
  readonly every?: number
  readonly redact?: true
  readonly redactKeyFile?: string
  readonly force?: true
  readonly quiet?: true
}

const DEFAULT_EVERY_MS = 10_000

export function snapshotCommand(context: Context): Command {
  return new Command('snapshot')
    .description('capture a heap snapshot of a running process')
    .argument('<pid>', 'the process; `leakscope ps` lists what there is', positiveInteger('<pid>'))
    .option(
      '-o, --output <file>',
      'where to write it, packed if it ends in .gz or .zst (default: leakscope-<pid>-<time>.heapsnapshot)',
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
    .option('--redact', 'write tokens in the place of passwords and all other texts of the program')
    .option('--redact-key-file <file>', 'the same, with the key in this file (default: a new one that is forgotten)')
    .option('--force', 'replace the file if it exists')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', () => `\nWith --redact:${redactionHelp('--redact-key-file')}`)
    .action((pid: number, options: Options) => run(context, pid, options))
}

async function run(context: Context, pid: number, options: Options): Promise<void> {
  const [{ withInspector }, { captureHeapSnapshot }, { requireWritable }, { packers }] = await Promise.all([
    import('../target/attach.ts'),
    import('../capture/heap-snapshot.ts'),
    import('../support/files.ts'),
    import('../support/compression.ts'),
  ])
  const paths = fileNames(options.output ?? defaultName(pid, new Date()), options.count)
  const force = options.force ?? false
  const every = options.every ?? DEFAULT_EVERY_MS
  // Known before the target hears of us.
  for (const path of paths) {
    requireWritable(path, force)
    packers(path)
  }
  const redactor = await redactorFor(options)

  const progress = context.progress(options.quiet ?? false)
  const onNotice = (notice: string) => {
    progress.clear()
    context.note(`leakscope: ${notice}`)
  }
  try {
    progress.stage(`attaching to process ${pid}`)
    await withInspector(pid, { signal: context.signal, onNotice }, async (session, target) => {
      for (const [i, path] of paths.entries()) {
        const which = paths.length > 1 ? ` (${i + 1} of ${paths.length})` : ''
        if (i > 0) {
          progress.stage(`waiting ${formatDuration(every)} for the next${which}`)
          await pause(every, session.closed, context.signal)
        }
        progress.stage(`walking the heap of process ${pid}, ${target.nodeVersion}${which}`)
        let stage = 'walking'
        const snapshot = await captureHeapSnapshot(session, path, {
          force,
          encoders: [...redactor(path), ...packers(path)],
          onProgress(now) {
            if (now.stage !== stage) progress.stage(`writing${which}`)
            stage = now.stage
            progress.update(now.fraction, now.bytes > 0 ? formatBytes(now.bytes) : '')
          },
        })
        progress.clear()
        context.out(
          `${snapshot.path}  ${formatBytes(snapshot.fileBytes)}  ${formatCount(snapshot.nodeCount)} nodes  ` +
            `process ${pid} stood still for ${formatDuration(snapshot.pausedMs)}`,
        )
      }
      progress.stage('leaving')
    })
  } finally {
    progress.end()
  }
}

/** Makes what redacts a file, one for all of a run having the same key; or nothing, where that was not asked for. */
async function redactorFor({ redact, redactKeyFile }: Options): Promise<(path: string) => Encoder[]> {
  if (!redact && redactKeyFile === undefined) return () => []
  const key = redactionKey(redactKeyFile)
  const { createRedactor } = await import('../snapshot/redaction/redactor.ts')
  return (path) => [createRedactor(path, key)]
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
  const ending = /(\.heapsnapshot)?(\.gz|\.zst)?$/.exec(name)![0]
  const stem = name.slice(0, name.length - ending.length)
  return Array.from({ length: count }, (_, i) => `${stem}-${i + 1}${ending}`)
}

/** `leakscope-4242-20250131-235959.heapsnapshot`, in local time. */
function defaultName(pid: number, now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
  return `leakscope-${pid}-${day}-${time}.heapsnapshot`
}
