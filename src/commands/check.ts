// `leakscope check`: fails when memory grows with the work, and only then; with the leak's name.

import { Command, Option } from 'commander'
import { LeakscopeError } from '../errors.ts'
import type { FailOn } from '../findings/fail-on.ts'
import type { Context } from './context.ts'
import { DEFAULT_BUDGET, growthBudget, type NamedBudget } from './growth-budget.ts'
import {
  baselineOptions,
  DEFAULT_BASELINE,
  duration,
  type FormatWish,
  failOnOption,
  formatOption,
  isConfigured,
  positiveInteger,
  size,
  withConfig,
} from './options.ts'
import { WAYS, type Way } from './ways.ts'

export interface CheckOptions {
  /** Only a config file has it, in its folder; on the command line it stands behind `--`. */
  readonly program?: readonly string[]
  readonly configFolder?: string
  /** Where the program, and where the load is to be run; in the current folder if undefined. */
  readonly programFolder?: string | undefined
  readonly loadFolder?: string | undefined
  readonly ready?: string
  readonly readyTimeout: number
  readonly load?: string
  readonly iterationsPerLoad: number
  readonly script?: string
  readonly pid?: number
  /** How the heap is read where that is not to be chosen by its price. */
  readonly via?: Way
  readonly maxGrowth: NamedBudget
  readonly maxDuration: number
  readonly strict?: true
  readonly output?: string
  readonly redact: boolean
  readonly force?: true
  readonly maxPause?: number
  readonly memoryLimit?: number
  readonly atAnyPrice?: true
  readonly limit: number
  readonly failOn: FailOn
  readonly baseline?: string
  readonly updateBaseline?: true
  readonly format: readonly FormatWish[]
  readonly json?: true
  readonly quiet?: true
}

const READY_MS = 30_000
const MAX_DURATION_MS = 120_000
const LIMIT = 5

const help = `
What is measured:
  leakscope check --load 'npx autocannon -d 5 http://localhost:$PORT' -- node server.js
  leakscope check --script scenario.mjs                a module with iteration(), and perhaps setup() and teardown()
  leakscope check --script scenario.mjs -- node server.js
  leakscope check --pid 4242 --load './drive.sh'       something that is running already
  leakscope check a.heapsnapshot b.heapsnapshot c.heapsnapshot

The program gets a free port in $PORT, unless --ready names one; the load gets $PORT and $PID. After a warm-up,
rounds of more and more work are done; after each, garbage is collected and memory read. Growth for each unit of work
is told with its 95 % interval; the check fails when all of that lies above the budget and the rounds agree. Then,
and only then, snapshots are taken while the work goes on, to name the leak; -o keeps them, packed and redacted.
When the rounds do not tell by --max-duration, the check says "undecided" and passes, unless --strict is given.
--fail-on never only reports.
${DEFAULT_BASELINE} is read if it is there: growth by leaks that it knows does not fail.
What a config file says, here or further up in the package, need not be said again: leakscope init writes one.

Exit codes: 0 passed, 1 failed, 2 a mistake in the command line, 3 the program, its load or a file failed.`

export function checkCommand(context: Context): Command {
  const command = new Command('check')
    .argument('[files-or-program...]', 'heap snapshots in order of time, a bundle, or -- and a command')
    .option('--ready <what>', 'when the program is ready: a port, a URL, or a part of what it writes (default: $PORT)')
    .option('--ready-timeout <time>', 'how long that may take (default: 30s)', duration('--ready-timeout'), READY_MS)
    .option('--load <command>', 'a shell command that makes the program work; it is run again and again')
    .option(
      '--iterations-per-load <n>',
      'how many iterations one run of it counts for',
      positiveInteger('--iterations-per-load'),
      1,
    )
    .option('--script <file>', 'a module that exports iteration(), which is called again and again')
    .option('--pid <pid>', 'measure a process that is running', positiveInteger('--pid'))
    .addOption(
      new Option(
        '--via <way>',
        'of a failed check: outside: read its heap from its memory; inspector, agent: have V8 write it (default: by V8; outside where that costs too much)',
      ).choices(WAYS),
    )
    .option(
      '--max-growth <budget>',
      'what is allowed: 1KB/iteration, or 5% or 2MB in all (default: 64 KB and 1 % in all)',
      growthBudget('--max-growth'),
      DEFAULT_BUDGET,
    )
    .option(
      '--max-duration <time>',
      'begin no round later (default: 2min)',
      duration('--max-duration'),
      MAX_DURATION_MS,
    )
    .option('--strict', 'fail also when the rounds do not tell')
    .option('-o, --output <folder>', 'keep the snapshots of a failed check there, packed')
    .option('--no-redact', 'keep them with what the program had in its strings')
    .option('--force', 'replace the folder of an earlier capture')
    .option(
      '--max-pause <time>',
      'take no snapshot when a thread may stand still for longer (default: 10min; 30s with --pid)',
      duration('--max-pause'),
    )
    .option('--memory-limit <size>', 'nor when the process may come to use more than this', size('--memory-limit'))
    .option('--at-any-price', 'take them whatever it costs')
    .option('--limit <n>', 'findings to show', positiveInteger('--limit'), LIMIT)
    .addOption(failOnOption('warning'))
    .addOption(formatOption())
    .option('--json', 'short for --format json')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', help)
    .action((args: string[], options: CheckOptions, self: Command) => run(context, args, options, self))
  for (const option of baselineOptions()) command.addOption(option)
  return withConfig(command)
}

async function run(context: Context, args: readonly string[], options: CheckOptions, self: Command): Promise<void> {
  const { load, script, pid, configFolder } = options
  const given = afterDashes(self)
  const files = args.slice(0, args.length - given.length)
  const refuse = (message: string, hint?: string): never => {
    throw new LeakscopeError('usage-invalid', message, hint === undefined ? {} : { hint })
  }
  const isWanted = (key: 'load' | 'script') => options[key] !== undefined && !isConfigured(self, key)
  if (isWanted('load') && isWanted('script')) refuse('--load and --script cannot both do the work')
  if (pid !== undefined && given.length > 0) refuse('--pid is for a program that runs already')
  if (files.length > 0) {
    if (given.length > 0 || isWanted('load') || isWanted('script') || pid !== undefined) {
      refuse(`'${files[0]}' is neither an option nor behind --`, 'A program to start stands behind --, all by itself.')
    }
    return (await import('./check-files.ts')).checkFiles(context, files, options)
  }
  const command = given.length > 0 || pid !== undefined ? given : (options.program ?? [])
  if (command.length === 0 && pid === undefined && script === undefined) {
    refuse(
      'there is nothing to check',
      'Name a program (-- node server.js), a --pid, a --script, or heap snapshots; leakscope init writes a config that does.',
    )
  }
  const { checkProgram } = await import('./check-program.ts')
  return checkProgram(context, command, {
    ...options,
    programFolder: command === options.program ? configFolder : undefined,
    loadFolder: load !== undefined && isConfigured(self, 'load') ? configFolder : undefined,
  })
}

/** commander tells what stands behind `--` from the rest in what it was given only. */
function afterDashes(command: Command): string[] {
  const { rawArgs = [] } = (command.parent ?? {}) as { rawArgs?: readonly string[] }
  const at = rawArgs.indexOf('--')
  return at < 0 ? [] : rawArgs.slice(at + 1)
}
