// `leakscope diff`: what grew between snapshots, and what holds it.

import { Command, Option } from 'commander'
import type { ClassGrowth, Growth } from '../analysis/growth.ts'
import { LeakscopeError } from '../errors.ts'
import type { Report } from '../findings/report.ts'
import type { Context } from './context.ts'
import { positiveInteger } from './options.ts'

const SORTS = ['retained', 'shallow', 'count'] as const

interface Options {
  readonly limit?: number
  readonly sort: (typeof SORTS)[number]
  readonly filter?: string
  readonly acrossProcesses?: true
  readonly index: boolean
  readonly json?: true
  readonly quiet?: true
}

const DEFAULT_LIMIT = 15
/** Clusters with paths in JSON unless --limit says otherwise; beyond that they are crumbs. */
const JSON_CLUSTERS = 100

export function diffCommand(context: Context): Command {
  return new Command('diff')
    .description('compare heap snapshots: what grew, by class and by what holds it')
    .argument('<before>', 'the earlier .heapsnapshot')
    .argument('<after>', 'a later one of the same process')
    .argument('[more...]', 'still later ones; then only what grew in each step is shown')
    .option(
      '--limit <n>',
      `rows to show (default: ${DEFAULT_LIMIT}; all classes with --json)`,
      positiveInteger('--limit'),
    )
    .addOption(new Option('--sort <by>', 'order of the classes').choices(SORTS).default('retained'))
    .option('--filter <name>', 'only classes, and paths, whose names contain this (any case)')
    .option('--across-processes', 'compare snapshots of different processes, by class and place')
    .option('--no-index', 'leave no indexes for the next time, and use none')
    .option('--json', 'print the Report as JSON')
    .option('-q, --quiet', 'show no progress')
    .action((before: string, after: string, more: string[], options: Options) =>
      run(context, [before, after, ...more], options),
    )
}

async function run(context: Context, files: string[], options: Options): Promise<void> {
  const [{ compareSnapshots }, { readLocalSource }, { emptyReport, printReport, reportSnapshot }] = await Promise.all([
    import('../analysis/growth.ts'),
    import('../analysis/culprit.ts'),
    import('./report.ts'),
  ])
  if (options.filter === '') throw new LeakscopeError('usage-invalid', '--filter takes a part of a name, not nothing')
  const json = options.json ?? false
  const limit = options.limit ?? (json ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT)

  const progress = context.progress(options.quiet ?? false)
  try {
    progress.stage(`comparing ${files.length} snapshots`)
    const growth = await compareSnapshots(files, {
      // A filter chooses among all.
      maxClusters: options.filter ? Number.POSITIVE_INFINITY : json ? Math.min(limit, JSON_CLUSTERS) : limit + 1,
      acrossProcesses: options.acrossProcesses ?? false,
      index: options.index,
      readSource: readLocalSource,
      onProgress: (fraction) => progress.update(fraction),
      signal: context.signal,
    })
    progress.end()
    const snapshots = growth.snapshots.map(reportSnapshot)
    const report = { ...emptyReport('diff'), snapshots, growth: await growthReport(growth, snapshots, options) }
    await printReport(context, report, { json, limit })
  } finally {
    progress.end()
  }
}

async function growthReport(
  growth: Growth,
  snapshots: Report['snapshots'],
  { filter, sort }: Options,
): Promise<NonNullable<Report['growth']>> {
  const { reportPath } = await import('./report.ts')
  const wanted = filter?.toLowerCase()
  const matches = (...texts: string[]) => !wanted || texts.some((text) => text.toLowerCase().includes(wanted))
  const first = snapshots[0]!
  const last = snapshots.at(-1)!
  return {
    elapsedMs: Math.max(0, Date.parse(last.takenAt) - Date.parse(first.takenAt)),
    totalShallowBytes: last.totalShallowBytes - first.totalShallowBytes,
    matching: growth.matching,
    constructors: growth.classes
      .filter(({ name }) => matches(name))
      .sort(ORDER[sort])
      .map(({ location, ...row }) => ({
        ...row,
        isolate: 'main',
        location: location ?? null,
        countDelta: row.countAfter - row.countBefore,
        shallowBytesDelta: row.shallowBytesAfter - row.shallowBytesBefore,
        retainedBytesDelta: row.retainedBytesAfter - row.retainedBytesBefore,
      })),
    clusters: growth.clusters
      .filter(({ className, path }) => matches(className, ...path.flatMap(({ edge, node }) => [edge, node])))
      .map(({ kind, className, count, countPerStep, bytes, path, culprit }) => ({
        kind,
        constructor: className,
        isolate: 'main',
        count,
        countPerStep: [...countPerStep],
        retainedBytes: bytes,
        retainingPath: reportPath(path),
        culprit: culprit ?? null,
      })),
  }
}

type Order = (a: ClassGrowth, b: ClassGrowth) => number
const byRetained: Order = (a, b) =>
  b.retainedBytesAfter - b.retainedBytesBefore - (a.retainedBytesAfter - a.retainedBytesBefore)
const ORDER: Record<Options['sort'], Order> = {
  retained: byRetained,
  shallow: (a, b) =>
    b.shallowBytesAfter - b.shallowBytesBefore - (a.shallowBytesAfter - a.shallowBytesBefore) || byRetained(a, b),
  count: (a, b) => b.countAfter - b.countBefore - (a.countAfter - a.countBefore) || byRetained(a, b),
}
