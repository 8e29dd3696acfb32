// `leakscope diagnose`: from a running process to named leaks, in one command.

import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { LeakscopeError } from '../../errors.ts'
import { parseTarget, showTarget, type TargetName } from '../../target/target.ts'
import type { Context } from '../common/context.ts'
import { examples, GROUP } from '../common/help-text.ts'
import {
  baselineOptions,
  duration,
  failOnOption,
  formatOption,
  INSPECTOR_FIRST,
  memoryLimitOption,
  positiveInteger,
  TARGET,
  viaOption,
  waitOption,
  withConfig,
} from '../common/options.ts'
import { DEFAULT_LIMIT, type Options, SAMPLED } from './options.ts'

const help = examples(
  ['leakscope diagnose 4242', 'watch process 4242 for 30 seconds and say what leaks, who holds it and where to fix it'],
  ['leakscope diagnose 4242 --duration 5min -o leak', 'a slow leak: watch for longer, and keep the snapshots in leak/'],
  ['leakscope diagnose 4242 --light', 'no snapshot and no pause: memory, event loop, open resources, CPU'],
  ['leakscope diagnose core.4242', 'a process that has died: what is piled up in its core file'],
)

export function diagnoseCommand(context: Context): Command {
  const command = new Command('diagnose')
    .argument('<target>', `${TARGET}; or a core file`, targetOrCore)
    .optionsGroup(GROUP.what)
    .option(
      '--light',
      'take no snapshots: only look at what costs the process almost nothing and, if it is busy, take a CPU profile of 1.5s',
    )
    .option('--executable <file>', 'for a core file: the program that left it (default: the one that the core names)')
    .optionsGroup(GROUP.how)
    .option(
      '--duration <time>',
      'how long to watch, from the first snapshot to the last: 10s, 2min (default: 30s)',
      duration('--duration'),
    )
    .option(
      '--snapshots <n>',
      'snapshots of each thread in that time; 2 cannot tell a leak from a cache that is still filling',
      positiveInteger('--snapshots'),
      3,
    )
    .addOption(viaOption(INSPECTOR_FIRST, '', { [SAMPLED]: 'no snapshot, only the functions whose allocations stay' }))
    .option(
      '--with-profile',
      'with --via outside: also sample allocations over the inspector, which finds more lines, and CPU time if it is busy',
    )
    .addOption(waitOption())
    .optionsGroup(GROUP.price)
    .option(
      '--max-pause <time>',
      'refuse if a thread may stand still for longer (default: 30s; 1s from outside)',
      duration('--max-pause'),
    )
    .addOption(memoryLimitOption())
    .option('--at-any-price', 'refuse nothing, whatever it costs')
    .optionsGroup(GROUP.output)
    .option('--limit <n>', `findings to show (default: ${DEFAULT_LIMIT}; all with --json)`, positiveInteger('--limit'))
    .addOption(formatOption())
    .option('--json', 'the same as --format json')
    .option('-o, --output <folder>', 'keep the snapshots, for `leakscope diff` (default: they are deleted)')
    .option('--force', 'replace that folder if it holds an earlier capture')
    .addOption(failOnOption())
    .option('-q, --quiet', 'show no progress and no price')
    .addHelpText('after', help)
    .action((target: TargetName | CoreName, options: Options) =>
      target.kind === 'core' ? runCore(context, target.path, options) : run(context, target, options),
    )
  for (const option of baselineOptions()) command.addOption(option)
  return withConfig(command)
}

interface CoreName {
  readonly kind: 'core'
  readonly path: string
}

/** Whoever names a file that is there means that. */
function targetOrCore(text: string): TargetName | CoreName {
  return /^\d+$/.test(text) || !existsSync(text) ? parseTarget(text) : { kind: 'core', path: text }
}

/** A process that has ended left one picture of its heap: that shows what is piled up, not what grows. */
async function runCore(context: Context, path: string, options: Options): Promise<void> {
  const [{ isCore }, { runAnalyze }] = await Promise.all([
    import('../../outside/core-memory.ts'),
    import('../analyze.ts'),
  ])
  if (!isCore(path)) {
    throw new LeakscopeError('usage-invalid', `${path} is neither a process nor a core file`, {
      hint: '`leakscope analyze` tells what is in a heap snapshot, `leakscope diff` what grew between several.',
    })
  }
  await runAnalyze(context, path, { ...options, index: false }, 'diagnose')
}

async function run(context: Context, target: TargetName, options: Options): Promise<void> {
  if (options.executable !== undefined) {
    throw new LeakscopeError('usage-invalid', `--executable is for core files, and ${showTarget(target)} is none`)
  }
  const [{ outputsOf, printReport }, { baselineWish }, { diagnoseTarget }] = await Promise.all([
    import('../common/output.ts'),
    import('../common/baseline-file.ts'),
    import('./diagnose-target.ts'),
  ])
  const outputs = outputsOf(options)
  const baseline = baselineWish(options)
  const report = await diagnoseTarget(context, target, options, outputs)
  const limit = options.limit ?? DEFAULT_LIMIT
  await printReport(context, report, { outputs, limit, failOn: options.failOn, baseline })
  const kept = options.output
  if (kept !== undefined && report.via !== null) {
    context.note(`leakscope: the snapshots are in ${kept}; leakscope diff ${kept}`)
  }
}
