// `leakscope check`: fails when memory grows with the work, and only then; with the leak's name.

import { Command } from 'commander'
import { LeakscopeError } from '../../errors.ts'
import type { FailOn } from '../../findings/fail-on.ts'
import type { Context } from '../common/context.ts'
import { examples, GROUP } from '../common/help-text.ts'
import {
  baselineOptions,
  DEFAULT_BASELINE,
  duration,
  type FormatWish,
  failOnOption,
  formatOption,
  INSPECTOR_FIRST,
  isConfigured,
  memoryLimitOption,
  OUTSIDE_FIRST,
  positiveInteger,
  viaOption,
  withConfig,
} from '../common/options.ts'
import type { Way } from '../common/ways.ts'
import { DEFAULT_BUDGET, growthBudget, type NamedBudget } from './growth-budget.ts'

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
How it works: the program gets a free port in $PORT, unless --ready names one;
the load gets $PORT and $PID. After a warm-up come rounds of more and more work.
After each, garbage is collected and memory is read. The growth per unit of work
is estimated with a 95 % interval. The check fails if all of the interval is
above the budget and the rounds agree. Only then it takes snapshots, while the
work goes on, to name the leak. If --max-duration is not enough to tell, the
check says "undecided" and passes, unless --strict is given.

${DEFAULT_BASELINE} is read if it exists: growth by leaks that it knows does
not fail. \`leakscope init\` writes a config file, so that \`leakscope check\` needs
no options.

Exit codes: 0 passed, 1 failed, 2 a mistake in the command line or the config,
3 the program, its load or a file failed.
${examples(
  [
    "leakscope check --load 'npx autocannon -d 5 http://localhost:$PORT' -- node server.js",
    'start a server, put load on it again and again',
  ],
  [
    'leakscope check --script scenario.mjs',
    'call iteration() of that module again and again; it may also export setup() and teardown()',
  ],
  ['leakscope check --script scenario.mjs -- node server.js', 'the scenario does the work of a server'],
  ["leakscope check --pid 4242 --load './drive.sh'", 'a process that is running already'],
  ['leakscope check a.heapsnapshot b.heapsnapshot c.heapsnapshot', 'files: fail if there is a leak in them'],
)}`

export function checkCommand(context: Context): Command {
  const command = new Command('check')
    .argument('[files-or-program...]', '-- and the command that starts the program; or heap snapshots in order of time')
    .optionsGroup(GROUP.what)
    .option('--load <command>', 'a shell command that makes the program work; it is run again and again')
    .option(
      '--iterations-per-load <n>',
      'how many iterations one run of the load counts for',
      positiveInteger('--iterations-per-load'),
      1,
    )
    .option('--script <file>', 'a module that exports iteration(), which is called again and again')
    .option('--pid <pid>', 'measure this running process in place of starting one', positiveInteger('--pid'))
    .optionsGroup(GROUP.how)
    .option(
      '--ready <what>',
      'how to see that the program is ready: a port or URL that answers, or a part of what it prints (default: $PORT)',
    )
    .option('--ready-timeout <time>', 'how long that may take (default: 30s)', duration('--ready-timeout'), READY_MS)
    .option(
      '--max-growth <budget>',
      'growth that is allowed: 1KB/iteration, or 5% or 2MB in all (default: 64 KB and 1 % in all)',
      growthBudget('--max-growth'),
      DEFAULT_BUDGET,
    )
    .option(
      '--max-duration <time>',
      'start no new round after this time (default: 2min)',
      duration('--max-duration'),
      MAX_DURATION_MS,
    )
    .option('--strict', 'fail also if the check remains undecided')
    .addOption(
      viaOption(`with --pid: ${OUTSIDE_FIRST}; else ${INSPECTOR_FIRST}`, 'how a failed check takes its snapshots; '),
    )
    .optionsGroup(GROUP.price)
    .option(
      '--max-pause <time>',
      'take no snapshot if a thread may stand still for longer (default: 10min, or 30s with --pid; 1s from outside)',
      duration('--max-pause'),
    )
    .addOption(memoryLimitOption())
    .option('--at-any-price', 'take the snapshots whatever they cost')
    .optionsGroup(GROUP.output)
    .option('--limit <n>', 'findings to show', positiveInteger('--limit'), LIMIT)
    .addOption(formatOption())
    .option('--json', 'the same as --format json')
    .option('-o, --output <folder>', 'keep the snapshots of a failed check there, compressed and redacted')
    .option('--no-redact', 'keep them with the texts of the program')
    .option('--force', 'replace that folder if it holds an earlier capture')
    .addOption(failOnOption('warning'))
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
    return (await import('./files.ts')).checkFiles(context, files, options)
  }
  const command = given.length > 0 || pid !== undefined ? given : (options.program ?? [])
  if (command.length === 0 && pid === undefined && script === undefined) {
    refuse(
      'there is nothing to check',
      'Name a program (-- node server.js), a --pid, a --script, or heap snapshots; leakscope init writes a config that does.',
    )
  }
  const { checkProgram } = await import('./program.ts')
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
