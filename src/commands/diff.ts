// `leakscope diff`: what grew between snapshots, and what holds it.

import { Command, Option } from 'commander'
import { LeakscopeError } from '../errors.ts'
import type { FailOn } from '../findings/fail-on.ts'
import type { Report } from '../findings/report.ts'
import { SORTS } from './common/comparison.ts'
import type { Context } from './common/context.ts'
import type { ReadCores } from './common/cores.ts'
import { examples, GROUP } from './common/help-text.ts'
import {
  baselineOptions,
  type FormatWish,
  failOnOption,
  formatOption,
  positiveInteger,
  withConfig,
} from './common/options.ts'

interface Options {
  readonly limit?: number
  readonly sort: (typeof SORTS)[number]
  readonly filter?: string
  readonly acrossProcesses?: true
  readonly index: boolean
  readonly executable?: string
  readonly failOn: FailOn
  readonly baseline?: string
  readonly updateBaseline?: true
  readonly configFolder?: string
  readonly format: readonly FormatWish[]
  readonly json?: true
  readonly quiet?: true
}

const DEFAULT_LIMIT = 15

const help = examples(
  ['leakscope diff a.heapsnapshot b.heapsnapshot c.heapsnapshot', 'what leaks, and what grew in both steps'],
  ['leakscope diff leak', 'the same, of the snapshots that `leakscope diagnose -o leak` has kept'],
  ['leakscope diff a.heapsnapshot b.heapsnapshot --filter Session', 'only what has Session in its name'],
)

export function diffCommand(context: Context): Command {
  const command = new Command('diff')
    .argument(
      '<before>',
      'the earlier .heapsnapshot or core file; or a folder of `diagnose -o` or `snapshot --isolate all`',
    )
    .argument('[after]', 'a later one of the same process')
    .argument('[more...]', 'still later ones; then only what grew in each step is shown')
    .optionsGroup(GROUP.what)
    .option('--filter <name>', 'only classes and paths whose names contain this, in upper or lower case')
    .option('--across-processes', 'allow snapshots of different processes, compared by class and place')
    .option('--executable <file>', 'for core files: the program that left them (default: the one that they name)')
    .optionsGroup(GROUP.how)
    .option('--no-index', 'neither use nor write an index, which makes a large file open faster the next time')
    .optionsGroup(GROUP.output)
    .addOption(new Option('--sort <by>', 'order of the classes').choices(SORTS).default('retained'))
    .option(
      '--limit <n>',
      `rows to show (default: ${DEFAULT_LIMIT}; all classes with --json)`,
      positiveInteger('--limit'),
    )
    .addOption(formatOption())
    .option('--json', 'the same as --format json')
    .addOption(failOnOption())
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', help)
    .action((before: string, after: string | undefined, more: string[], options: Options) =>
      run(context, [before, ...(after === undefined ? [] : [after]), ...more], options),
    )
  for (const option of baselineOptions()) command.addOption(option)
  return withConfig(command)
}

async function run(context: Context, paths: string[], options: Options): Promise<void> {
  const { startThreadFor } = await import('./common/inputs.ts')
  await startThreadFor(paths, new URL('../analysis/following.js', import.meta.url))
  // What reads them is loaded meanwhile.
  const [output] = await Promise.all([
    import('./common/output.ts'),
    import('./common/comparison.ts'),
    import('./common/report.ts'),
  ])
  const outputs = output.outputsOf(options)
  const baseline = await output.wishedBaseline(options)
  const limit = options.limit ?? DEFAULT_LIMIT
  const report = await diffFiles(context, paths, {
    ...options,
    ...(!outputs.detailed && { limit }),
    detailed: outputs.detailed,
  })
  await output.printReport(context, report, { outputs, limit, failOn: options.failOn, baseline })
}

/** All of it but the printing; `diff` of `import … from 'leakscope'` is this as well. */
export async function diffFiles(
  context: Context,
  paths: readonly string[],
  {
    limit = Number.POSITIVE_INFINITY,
    ...options
  }: Omit<Options, 'failOn' | 'format' | 'json'> & { readonly detailed: boolean },
): Promise<Report> {
  const [{ comparisonOf }, { compareAll }, { emptyReport }] = await Promise.all([
    import('./common/inputs.ts'),
    import('./common/comparison.ts'),
    import('./common/report.ts'),
  ])
  if (options.filter === '') throw new LeakscopeError('usage-invalid', '--filter takes a part of a name, not nothing')
  const { isCore } = await import('../outside/core-memory.ts')
  const hasCores = paths.some(isCore)
  if (!hasCores && options.executable !== undefined) {
    throw new LeakscopeError('usage-invalid', `--executable is for core files, and none of ${paths.join(', ')} is one`)
  }
  const progress = context.progress(options.quiet ?? false)
  let cores: ReadCores | undefined
  try {
    if (hasCores) {
      progress.stage('rebuilding the heaps')
      const tell = (sentence: string): void => {
        progress.clear()
        if (!options.quiet) context.note(`leakscope: ${sentence}`)
      }
      cores = (await import('./common/cores.ts')).readCores(paths, options.executable, tell)
    }
    const comparison = cores?.comparison ?? (await comparisonOf(paths))
    const compared = await compareAll(comparison, progress, {
      ...options,
      index: options.index && !cores,
      ...{ json: options.detailed, limit, signal: context.signal },
    })
    const snapshots = compared.snapshots.map((it) => ({ ...it, file: cores?.named.get(it.file) ?? it.file }))
    return { ...emptyReport('diff'), ...compared, snapshots }
  } finally {
    cores?.close()
    progress.end()
  }
}
