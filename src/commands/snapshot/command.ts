// `leakscope snapshot`: a heap snapshot of a running process, to a file; of all its isolates, to a folder.

import { Command } from 'commander'
import { parseTarget, type TargetName } from '../../target/target.ts'
import { type SnapshotsWanted, type Taken, takenJson } from '../common/capturing.ts'
import type { Context } from '../common/context.ts'
import { DEFAULT_WAIT_MS, defaultName } from '../common/defaults.ts'
import { examples, GROUP } from '../common/help-text.ts'
import {
  duration,
  type IsolateChoice,
  isolateChoice,
  memoryLimitOption,
  positiveInteger,
  TARGET,
  viaOption,
  waitOption,
  withConfig,
} from '../common/options.ts'
import { redactionHelp, redactionKey } from '../common/redaction-key.ts'
import {
  bothRefused,
  fromOutsideSentence,
  insteadSentence,
  mayReadOutside,
  requireAgent,
  type Way,
} from '../common/ways.ts'

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

const DEFAULT_MAX_PAUSE_MS = { inspector: 30_000, outside: 1000 }
const DEFAULT_EVERY_MS = 10_000

const help = `
The price: before a snapshot, leakscope says how long the process will stand
still and how much memory and disk that takes. It refuses (exit code 3) if at
worst there is not enough memory (cgroup or machine) or disk, or if the pause
is longer than --max-pause. If only the first guess is too high, it counts the
objects, which takes a tenth to a quarter of the time of a snapshot.

--via outside: the process does nothing for it. leakscope copies the heap out of
its memory (Linux, Node.js 18 to 26) while it is idle, or else stops it for as
long as that takes, at most --max-pause. It takes the rights of a debugger:
root, CAP_SYS_PTRACE, or the same user where
/proc/sys/kernel/yama/ptrace_scope is 0.

--redact:${redactionHelp('--redact-key-file')}${examples(
  ['leakscope snapshot 4242', 'one snapshot, to leakscope-4242-<time>.heapsnapshot'],
  [
    'leakscope snapshot 4242 --count 3 --every 30s -o x.heapsnapshot',
    'three in one visit, to x-1, x-2 and x-3: `leakscope diff` takes them',
  ],
  ['leakscope snapshot 4242 --isolate all -o bundle', 'the main thread and every worker thread, to a folder'],
  ['leakscope snapshot 4242 --dry-run', 'only say what it would cost'],
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
    .addOption(viaOption())
    .addOption(waitOption())
    .optionsGroup(GROUP.price)
    .option('--dry-run', 'only say what it would cost')
    .option(
      '--max-pause <time>',
      'refuse if a thread may stand still for longer (default: 30s; 1s with --via outside)',
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
      const wantedBy = (way: keyof typeof DEFAULT_MAX_PAUSE_MS): SnapshotsWanted => ({
        name: options.output ?? defaultName(target, isolate, '.heapsnapshot', new Date()),
        isolate,
        count,
        every,
        waitMs: options.wait === true ? DEFAULT_WAIT_MS : options.wait,
        redactor,
        force,
        maxPauseMs: options.maxPause ?? DEFAULT_MAX_PAUSE_MS[way],
        memoryLimitBytes: options.memoryLimit,
        atAnyPrice,
        dryRun,
        json,
        quiet,
        via: options.via,
        tell(one, line) {
          if (json) taken.push(one)
          else context.out(line)
        },
      })
      const fromOutside = async () => (await import('./outside.ts')).runOutside(context, target, wantedBy('outside'))
      const take = async (): Promise<void> => {
        if (options.via === 'outside') {
          if (!quiet && target.kind === 'process') context.note(`leakscope: ${fromOutsideSentence(target.pid)}`)
          return fromOutside()
        }
        if (options.via === 'agent') await requireAgent(target)
        try {
          return await byV8(context, target, wantedBy('inspector'))
        } catch (error) {
          if (!mayReadOutside(error, target, options.via)) throw error
          if (!quiet) context.note(`leakscope: ${insteadSentence(error)}`)
          return fromOutside().catch((refused: unknown) => {
            throw bothRefused(error, refused, context.signal)
          })
        }
      }
      await take()
      if (json && !dryRun) context.out(takenJson(target, taken))
    })
  return withConfig(command)
}

async function byV8(context: Context, target: TargetName, wanted: SnapshotsWanted): Promise<void> {
  if (wanted.isolate !== 'all') return (await import('./file.ts')).runFile(context, target, wanted)
  const { runBundle } = await import('./bundle.ts')
  return runBundle(context, target, wanted)
}

/** One key for all files of a run. */
async function redactorFor({ redact, redactKeyFile }: Options): Promise<SnapshotsWanted['redactor']> {
  if (!redact && redactKeyFile === undefined) return undefined
  const key = redactionKey(redactKeyFile)
  const { createRedactor } = await import('../../snapshot/redaction/redactor.ts')
  return (path) => createRedactor(path, key)
}
