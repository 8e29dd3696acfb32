// `leakscope snapshot`: a heap snapshot of a running process, to a file; of all its isolates, to a folder.

import { Command } from 'commander'
import { LeakscopeError } from '../../errors.ts'
import { formatDuration } from '../../support/format.ts'
import { parseTarget, showTarget, type TargetName } from '../../target/target.ts'
import { type SnapshotsWanted, type Taken, takenJson } from '../common/capturing.ts'
import type { Context } from '../common/context.ts'
import { DEFAULT_WAIT_MS, defaultName } from '../common/defaults.ts'
import { examples, GROUP } from '../common/help-text.ts'
import {
  duration,
  type IsolateChoice,
  isolateChoice,
  memoryLimitOption,
  OUTSIDE_FIRST,
  positiveInteger,
  TARGET,
  viaOption,
  waitOption,
  withConfig,
} from '../common/options.ts'
import { redactionHelp, redactionKey } from '../common/redaction-key.ts'
import { MAX_PAUSE_OUTSIDE_MS, takeByWay, type Way, whyNotOutside } from '../common/ways.ts'

interface Options {
  readonly output?: string
  readonly via?: Way
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

const help = `
From outside: the process does nothing for it. leakscope copies the heap out of
its memory (Linux, Node.js 18 to 26) while it is idle, or else stops it for as
long as that takes, at most --max-pause. It takes the rights of a debugger:
root, CAP_SYS_PTRACE, or the same user where
/proc/sys/kernel/yama/ptrace_scope is 0. Where that is not allowed, or the heap
cannot be read, V8 writes it; the first line says which way is taken, and why.

Over the inspector (or by the agent), V8 writes the heap, and the process stands
still for that. leakscope says the price before: how long, and how much memory
and disk. It refuses (exit code 3) if at worst there is not enough memory
(cgroup or machine) or disk, or if the pause is longer than --max-pause. If only
the first guess is too high, it counts the objects, which takes a tenth to a
quarter of the time of a snapshot. --dry-run says that price.

--redact:${redactionHelp('--redact-key-file')}${examples(
  ['leakscope snapshot 4242', 'one snapshot, to leakscope-4242-<time>.heapsnapshot'],
  [
    'leakscope snapshot 4242 --count 3 --every 30s -o x.heapsnapshot',
    'three in one visit, to x-1, x-2 and x-3: `leakscope diff` takes them',
  ],
  ['leakscope snapshot 4242 --isolate all -o bundle', 'the main thread and every worker thread, to a folder'],
  ['leakscope snapshot 4242 --dry-run', "only say what V8's own snapshot would cost"],
)}`

export function snapshotCommand(context: Context): Command {
  const command = new Command('snapshot')
    .argument('<target>', TARGET, parseTarget)
    .optionsGroup(GROUP.what)
    .option(
      '--isolate <which>',
      'whose heap: main, worker:<thread id>, or all, which makes a folder with a snapshot of each (default: main)',
      isolateChoice('--isolate'),
      'main',
    )
    .optionsGroup(GROUP.how)
    .option(
      '--count <n>',
      'snapshots to take in one visit; only then can `leakscope diff` match them object by object',
      positiveInteger('--count'),
      1,
    )
    .option(
      '--every <time>',
      'time from the end of one snapshot to the start of the next: 500ms, 10s, 2min (default: 10s)',
      duration('--every'),
    )
    .addOption(viaOption(OUTSIDE_FIRST))
    .addOption(waitOption())
    .optionsGroup(GROUP.price)
    .option('--dry-run', 'only say what it would cost if V8 writes it')
    .option(
      '--max-pause <time>',
      'refuse if a thread may stand still for longer (default: 1s from outside, 30s over the inspector)',
      duration('--max-pause'),
    )
    .addOption(memoryLimitOption())
    .option('--at-any-price', 'refuse nothing, whatever it costs')
    .optionsGroup(GROUP.output)
    .option(
      '-o, --output <file>',
      'where to write it; compressed if the name ends in .gz or .zst (default: leakscope-<target>-<time>.heapsnapshot)',
    )
    .option('--force', 'replace the file, or the folder of an earlier capture')
    .option('--redact', 'replace passwords and all other texts of the program by tokens')
    .option(
      '--redact-key-file <file>',
      'redact with the key in this file, so that files can be compared (default: a new key, which is then forgotten)',
    )
    .option('--json', 'print what was written as JSON, or with --dry-run the price')
    .option('-q, --quiet', 'show no progress and no price')
    .addHelpText('after', help)
    .action(async (target: TargetName, options: Options) => {
      const { isolate, count, every = DEFAULT_EVERY_MS, force = false, quiet = false } = options
      const { atAnyPrice = false, dryRun = false, json = false } = options
      const redactor = await redactorFor(options)
      const taken: Taken[] = []
      let told = 0
      const maxPauseOutsideMs = options.maxPause ?? MAX_PAUSE_OUTSIDE_MS
      const wanted: SnapshotsWanted = {
        name: options.output ?? defaultName(target, isolate, '.heapsnapshot', new Date()),
        isolate,
        count,
        every,
        waitMs: options.wait === true ? DEFAULT_WAIT_MS : options.wait,
        redactor,
        force,
        maxPauseMs: options.maxPause ?? DEFAULT_MAX_PAUSE_MS,
        memoryLimitBytes: options.memoryLimit,
        atAnyPrice,
        dryRun,
        json,
        quiet,
        via: options.via,
        whyNotOutside: undefined,
        tell(one, line) {
          told++
          if (json) taken.push(one)
          else context.out(line)
        },
      }
      const note = (sentence: string): void => {
        if (!quiet) context.note(`leakscope: ${sentence}`)
      }
      if (dryRun) await prepareDryRun(target, options.via, maxPauseOutsideMs, note)
      await takeByWay({
        ...{ target, asked: options.via, signal: context.signal, note, maxPauseMs: maxPauseOutsideMs },
        // Only V8's way has a price that can be said beforehand.
        first: dryRun ? 'inspector' : 'outside',
        fromOutside: async (pid) =>
          (await import('./outside.ts')).runOutside(context, pid, { ...wanted, maxPauseMs: maxPauseOutsideMs }),
        byV8: (whyNotOutside) => byV8(context, target, { ...wanted, whyNotOutside }),
        // What has been written stays, and stands in the way.
        mayBeginAgain: () => told === 0,
      })
      if (json && !dryRun) context.out(takenJson(target, taken))
    })
  return withConfig(command)
}

async function byV8(context: Context, target: TargetName, wanted: SnapshotsWanted): Promise<void> {
  if (wanted.isolate !== 'all') return (await import('./file.ts')).runFile(context, target, wanted)
  const { runBundle } = await import('./bundle.ts')
  return runBundle(context, target, wanted)
}

/** What is said is the price of V8's way, which a pid's heap need not pay. */
async function prepareDryRun(
  target: TargetName,
  via: Way | undefined,
  maxPauseMs: number,
  note: (sentence: string) => void,
): Promise<void> {
  if (via === 'outside') {
    throw new LeakscopeError('usage-invalid', '--via outside has no price to be said beforehand', {
      hint: 'It stops the process for --max-pause at most, and takes no memory of it.',
    })
  }
  if (via !== undefined || (await whyNotOutside(target)) !== undefined) return
  note(
    `this is the price of V8's own snapshot (--via inspector); without --dry-run the heap is read from outside first, which takes no memory of ${showTarget(target)} and stops it for ${formatDuration(maxPauseMs)} at most`,
  )
}

/** One key for all files of a run. */
async function redactorFor({ redact, redactKeyFile }: Options): Promise<SnapshotsWanted['redactor']> {
  if (!redact && redactKeyFile === undefined) return undefined
  const key = redactionKey(redactKeyFile)
  const { createRedactor } = await import('../../snapshot/redaction/redactor.ts')
  return (path) => createRedactor(path, key)
}
