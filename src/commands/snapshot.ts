// `leakscope snapshot`: a heap snapshot of a running process, to a file; of all its isolates, to a folder.

import { Command, Option } from 'commander'
import { parseTarget, type TargetName } from '../target/target.ts'
import { type SnapshotsWanted, type Taken, takenJson } from './capturing.ts'
import type { Context } from './context.ts'
import { DEFAULT_WAIT_MS, defaultName } from './defaults.ts'
import { duration, type IsolateChoice, isolateChoice, positiveInteger, size, withConfig } from './options.ts'
import { redactionHelp, redactionKey } from './redaction-key.ts'
import {
  bothRefused,
  fromOutsideSentence,
  insteadSentence,
  mayReadOutside,
  requireAgent,
  WAYS,
  type Way,
} from './ways.ts'

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

const priceHelp = `
Before a snapshot its price is foretold, and the snapshot refused (exit code 3) when, at its cautious end, the memory
that it takes is more than the process's cgroup or the machine has left (--memory-limit stands in for a cgroup), the
disk has no room for the file, or a thread would stand still longer than --max-pause. When only the guess is too high,
the objects are counted first, which takes a tenth to a quarter of a snapshot's time. --at-any-price takes the
snapshot regardless. --dry-run says the price and takes none.

With --via outside the process does nothing for it: its heap is copied out of its memory (Linux, Node.js 18 to 26),
while it is idle or else in a stop that --max-pause bounds, and rebuilt here. It takes the rights of a debugger: root,
CAP_SYS_PTRACE, or the same user where /proc/sys/kernel/yama/ptrace_scope is 0.`

export function snapshotCommand(context: Context): Command {
  const command = new Command('snapshot')
    .argument(
      '<target>',
      'a pid (see `leakscope ps`), host:port of an open inspector, its ws:// URL, or unix:<socket of an agent>',
      parseTarget,
    )
    .option(
      '-o, --output <file>',
      'where to write it, packed if it ends in .gz or .zst (default: leakscope-<target>-<time>.heapsnapshot)',
    )
    .addOption(
      new Option(
        '--via <way>',
        'outside: read the heap from the memory of a process of this machine; inspector, agent: have V8 write it (default: by V8; outside where that costs too much)',
      ).choices(WAYS),
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
      'refuse when a thread may stand still for longer (default: 30s; 1s --via outside)',
      duration('--max-pause'),
    )
    .option(
      '--memory-limit <size>',
      'refuse when the process may come to use more than this, such as 512MB; in place of its cgroup',
      size('--memory-limit'),
    )
    .option('--at-any-price', 'refuse nothing, whatever it costs')
    .option('--dry-run', 'only say what it would cost')
    .option('--json', 'what was written, or with --dry-run what it would cost, as JSON on standard output')
    .option('-q, --quiet', 'show no progress, and no price')
    .addHelpText('after', () => `\nWith --redact:${redactionHelp('--redact-key-file')}${priceHelp}`)
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
      const fromOutside = async () =>
        (await import('./snapshot-outside.ts')).runOutside(context, target, wantedBy('outside'))
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
  if (wanted.isolate !== 'all') return (await import('./snapshot-file.ts')).runFile(context, target, wanted)
  const { runBundle } = await import('./snapshot-bundle.ts')
  return runBundle(context, target, wanted)
}

/** One key for all files of a run. */
async function redactorFor({ redact, redactKeyFile }: Options): Promise<SnapshotsWanted['redactor']> {
  if (!redact && redactKeyFile === undefined) return undefined
  const key = redactionKey(redactKeyFile)
  const { createRedactor } = await import('../snapshot/redaction/redactor.ts')
  return (path) => createRedactor(path, key)
}
