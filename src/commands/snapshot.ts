// `leakscope snapshot`: a heap snapshot of a running process, to a file; of all its isolates, to a folder.

import { basename } from 'node:path'
import { Command } from 'commander'
import type { HeapSnapshotFile, HeapSnapshotOptions, HeapSnapshotProgress } from '../capture/heap-snapshot.ts'
import { LeakscopeError } from '../errors.ts'
import type { Encoder } from '../support/encoder.ts'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'
import type { Progress } from '../support/progress.ts'
import type { ProtocolClient } from '../target/session.ts'
import { parseTarget, showTarget, type TargetName } from '../target/target.ts'
import type { Context } from './context.ts'
import { duration, type IsolateChoice, isolateChoice, positiveInteger, size } from './options.ts'
import { redactionHelp, redactionKey } from './redaction-key.ts'
import { agreeOnPrice, priceHelp } from './snapshot-price.ts'

interface Options {
  readonly output?: string
  readonly isolate: IsolateChoice
  readonly count: number
  readonly every?: number
  readonly wait?: number | true
  readonly redact?: true
  readonly redactKeyFile?: string
  readonly force?: boolean
  readonly maxPause?: number
  readonly memoryLimit?: number
  readonly atAnyPrice?: true
  readonly dryRun?: true
  readonly json?: true
  readonly quiet?: boolean
}

const DEFAULT_MAX_PAUSE_MS = 30_000
const DEFAULT_EVERY_MS = 10_000
const DEFAULT_WAIT_MS = 600_000

export function snapshotCommand(context: Context): Command {
  return new Command('snapshot')
    .description('capture a heap snapshot of a running process')
    .argument(
      '<target>',
      'a pid (see `leakscope ps`), host:port of an open inspector, its ws:// URL, or unix:<socket of an agent>',
      parseTarget,
    )
    .option(
      '-o, --output <file>',
      'where to write it, packed if it ends in .gz or .zst (default: leakscope-<target>-<time>.heapsnapshot)',
    )
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
    .option(
      '--wait [time]',
      'wait while another process has the port that the target needs for its inspector (default: 10min)',
      duration('--wait'),
    )
    .option('--redact', 'write tokens in the place of passwords and all other texts of the program')
    .option('--redact-key-file <file>', 'the same, with the key in this file (default: a new one that is forgotten)')
    .option('--force', 'replace the file, or the folder of an earlier capture, if it exists')
    .option(
      '--max-pause <time>',
      'refuse when a thread may stand still for longer (default: 30s)',
      duration('--max-pause'),
    )
    .option(
      '--memory-limit <size>',
      'refuse when the process may come to use more than this, such as 512MB; in place of its cgroup',
      size('--memory-limit'),
    )
    .option('--at-any-price', 'refuse nothing, whatever it costs')
    .option('--dry-run', 'only say what it would cost')
    .option('--json', 'with --dry-run: as JSON')
    .option('-q, --quiet', 'show no progress, and no price')
    .addHelpText('after', () => `\nWith --redact:${redactionHelp('--redact-key-file')}${priceHelp}`)
    .action(async (target: TargetName, options: Options) => {
      const { isolate, count, every = DEFAULT_EVERY_MS, force = false, quiet = false } = options
      const { atAnyPrice = false, dryRun = false, json = false } = options
      if (json && !dryRun) throw new LeakscopeError('usage-invalid', '--json is for --dry-run only')
      const wanted: Wanted = {
        name: options.output ?? defaultName(target, isolate, new Date()),
        isolate,
        count,
        every,
        waitMs: options.wait === true ? DEFAULT_WAIT_MS : options.wait,
        redactor: await redactorFor(options),
        force,
        maxPauseMs: options.maxPause ?? DEFAULT_MAX_PAUSE_MS,
        memoryLimitBytes: options.memoryLimit,
        atAnyPrice,
        dryRun,
        json,
        quiet,
      }
      if (isolate !== 'all') return run(context, target, wanted)
      const { runBundle } = await import('./snapshot-bundle.ts')
      return runBundle(context, target, wanted)
    })
}

/** What was asked for, with nothing left open. */
export interface Wanted {
  readonly name: string
  readonly isolate: IsolateChoice
  readonly count: number
  readonly every: number
  /** How long to wait for a port; undefined for not at all. */
  readonly waitMs: number | undefined
  /** Makes what redacts a file; undefined where that was not asked for. */
  readonly redactor: ((path: string) => Encoder) | undefined
  readonly force: boolean
  readonly maxPauseMs: number
  /** Undefined where the cgroup is to be asked. */
  readonly memoryLimitBytes: number | undefined
  readonly atAnyPrice: boolean
  /** Whether only the price is asked for. */
  readonly dryRun: boolean
  readonly json: boolean
  readonly quiet: boolean
}

async function run(context: Context, name: TargetName, wanted: Wanted): Promise<void> {
  const [{ withInspector }, { captureHeapSnapshot }, { captureWorker, withWorker }, { requireWritable }, { packers }] =
    await Promise.all([
      import('../target/attach.ts'),
      import('../capture/heap-snapshot.ts'),
      import('../capture/worker.ts'),
      import('../support/files.ts'),
      import('../support/compression.ts'),
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
    await withInspector(name, attach, async (session, { pid, nodeVersion }) => {
      const series = { context, progress, paths, wanted, encoders, closed: session.closed, nodeVersion }
      const agree = (of: string, client: ProtocolClient) =>
        agreeOnPrice(context, progress, name, { pid, nodeVersion }, wanted, [{ isolate: of, client }])
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

/** One key for all files of a run. */
async function redactorFor({ redact, redactKeyFile }: Options): Promise<Wanted['redactor']> {
  if (!redact && redactKeyFile === undefined) return undefined
  const key = redactionKey(redactKeyFile)
  const { createRedactor } = await import('../snapshot/redaction/redactor.ts')
  return (path) => createRedactor(path, key)
}

interface Series {
  readonly context: Context
  readonly progress: Progress
  readonly paths: readonly string[]
  readonly wanted: Wanted
  readonly encoders: (path: string) => Encoder[]
  readonly closed: Promise<void>
  readonly nodeVersion: string
}

/** Takes one snapshot after the other, of what is called `whose`. */
async function takeSeries(
  { context, progress, paths, wanted: { every, force }, encoders, closed, nodeVersion }: Series,
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
    const snapshot = await capture(path, {
      force,
      encoders: encoders(path),
      onProgress: showProgress(progress, which),
    })
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
  const ending = /(\.heapsnapshot)?(\.gz|\.zst)?$/.exec(name)![0]
  const stem = name.slice(0, name.length - ending.length)
  return Array.from({ length: count }, (_, i) => `${stem}-${i + 1}${ending}`)
}

/** `leakscope-4242-20250131-235959.heapsnapshot`, in local time; a folder has no ending, a worker its number. */
function defaultName(name: TargetName, isolate: IsolateChoice, now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
  const which = typeof isolate === 'number' ? `-worker-${isolate}` : ''
  const target =
    name.kind === 'process'
      ? name.pid
      : name.kind === 'agent'
        ? basename(name.path, '.sock')
        : `${name.host.replace(/:+/g, '-')}-${name.port}`
  return `leakscope-${target}${which}-${day}-${time}${isolate === 'all' ? '' : '.heapsnapshot'}`
}
