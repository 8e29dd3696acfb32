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
    .argument('<before>', 'the earlier .heapsnapshot, or a bundle, which may be enough by itself')
    .argument('[after]', 'a later one of the same process')
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
    .action((before: string, after: string | undefined, more: string[], options: Options) =>
      run(context, [before, ...(after === undefined ? [] : [after]), ...more], options),
    )
}

async function run(context: Context, paths: string[], options: Options): Promise<void> {
  const [{ compareSnapshots }, { readLocalSource }, { comparisonOf }, { emptyReport, printReport, reportSnapshot }] =
    await Promise.all([
      import('../analysis/compare.ts'),
      import('../support/sources.ts'),
      import('./inputs.ts'),
      import('./report.ts'),
    ])
  if (options.filter === '') throw new LeakscopeError('usage-invalid', '--filter takes a part of a name, not nothing')
  const json = options.json ?? false
  const limit = options.limit ?? (json ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT)

  const { series, notCompared } = await comparisonOf(paths)

  const progress = context.progress(options.quiet ?? false)
  const parts: GrowthPart[] = []
  try {
    for (const { isolate, snapshots } of series) {
      progress.stage(`comparing ${snapshots.length} snapshots${series.length > 1 ? ` of ${isolate}` : ''}`)
      const growth = await compareSnapshots(
        snapshots.map(({ file }) => file),
        {
          // A filter chooses among all.
          maxClusters: options.filter ? Number.POSITIVE_INFINITY : json ? Math.min(limit, JSON_CLUSTERS) : limit + 1,
          acrossProcesses: options.acrossProcesses ?? false,
          index: options.index,
          readSource: readLocalSource,
          onProgress: (fraction) => progress.update(fraction),
          signal: context.signal,
        },
      )
      const rows = growth.snapshots.map((totals, i) =>
        reportSnapshot(totals, { isolate, takenAt: snapshots[i]!.takenAt }),
      )
      parts.push({ snapshots: rows, growth: await growthReport(growth, isolate, rows, options) })
    }
    progress.end()
    const report = {
      ...emptyReport('diff'),
      snapshots: parts.flatMap(({ snapshots }) => snapshots),
      growth: { ...joinGrowth(parts.map(({ growth }) => growth)), notCompared: [...notCompared] },
    }
    await printReport(context, report, { json, limit })
  } finally {
    progress.end()
  }
}

type ReportGrowth = NonNullable<Report['growth']>

/** What one isolate adds to the Report. */
interface GrowthPart {
  readonly snapshots: Report['snapshots']
  readonly growth: ReportGrowth
}

function joinGrowth(parts: readonly ReportGrowth[]): ReportGrowth {
  return {
    elapsedMs: Math.max(...parts.map(({ elapsedMs }) => elapsedMs)),
    totalShallowBytes: parts.reduce((sum, { totalShallowBytes }) => sum + totalShallowBytes, 0),
    matching: parts.every(({ matching }) => matching === 'id') ? 'id' : 'place',
    isolates: parts.flatMap(({ isolates }) => isolates),
    notCompared: [],
    constructors: parts.flatMap(({ constructors }) => constructors),
    clusters: parts.flatMap(({ clusters }) => clusters),
  }
}

async function growthReport(
  growth: Growth,
  isolate: string,
  snapshots: Report['snapshots'],
  { filter, sort }: Options,
): Promise<ReportGrowth> {
  const { reportPath } = await import('./report.ts')
  const wanted = filter?.toLowerCase()
  const matches = (...texts: string[]) => !wanted || texts.some((text) => text.toLowerCase().includes(wanted))
  const first = snapshots[0]!
  const last = snapshots.at(-1)!
  const whole = {
    elapsedMs: Math.max(0, Date.parse(last.takenAt) - Date.parse(first.takenAt)),
    totalShallowBytes: last.totalShallowBytes - first.totalShallowBytes,
    matching: growth.matching,
  }
  return {
    ...whole,
    isolates: [{ isolate, ...whole }],
    notCompared: [],
    constructors: growth.classes
      .filter(({ name }) => matches(name))
      .sort(ORDER[sort])
      .map(({ location, ...row }) => ({
        ...row,
        isolate,
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
        isolate,
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
