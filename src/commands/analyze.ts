// `leakscope analyze`: what is big in one snapshot, or in each isolate of a bundle.

import { Command } from 'commander'
import type { Report } from '../findings/report.ts'
import type { Progress } from '../support/progress.ts'
import type { Context } from './context.ts'
import type { KnownScripts, SnapshotInput } from './inputs.ts'
import { type FormatWish, formatOption, positiveInteger } from './options.ts'

interface Options {
  readonly limit?: number
  readonly index: boolean
  readonly format: readonly FormatWish[]
  readonly json?: true
  readonly quiet?: true
}

const DEFAULT_LIMIT = 10
const JSON_LIMIT = 100

export function analyzeCommand(context: Context): Command {
  return new Command('analyze')
    .argument('<snapshot>', 'a .heapsnapshot file, or a bundle: the last snapshot of each of its isolates')
    .option(
      '--limit <n>',
      `rows of each table (default: ${DEFAULT_LIMIT}; ${JSON_LIMIT} with --json)`,
      positiveInteger('--limit'),
    )
    .option('--no-index', 'leave no index for the next time, and use none')
    .addOption(formatOption())
    .option('--json', 'short for --format json')
    .option('-q, --quiet', 'show no progress')
    .action((file: string, options: Options) => run(context, file, options))
}

async function run(context: Context, path: string, options: Options): Promise<void> {
  const [{ inputsOf }, { emptyReport }, { outputsOf, printReport }] = await Promise.all([
    import('./inputs.ts'),
    import('./report.ts'),
    import('./output.ts'),
  ])
  const outputs = outputsOf(options)
  const limit = options.limit ?? (outputs.detailed ? JSON_LIMIT : DEFAULT_LIMIT)
  const inputs = await inputsOf(path)

  const progress = context.progress(options.quiet ?? false)
  const parts: HeapPart[] = []
  try {
    for (const { isolate, snapshots } of inputs.series) {
      const of = inputs.series.length > 1 ? ` ${isolate}` : ''
      for (const snapshot of snapshots) {
        const how = { progress, signal: context.signal, index: options.index, of, known: inputs }
        parts.push(await analyzeOne(snapshot, isolate, limit, how))
      }
    }
    progress.end()
    const heaps = parts.map(({ heap }) => heap)
    const report = {
      ...emptyReport('analyze'),
      findings: parts.flatMap(({ findings }) => findings),
      snapshots: parts.map(({ snapshot }) => snapshot),
      heap: {
        kinds: heaps.flatMap(({ kinds }) => kinds),
        constructors: heaps.flatMap(({ constructors }) => constructors),
        dominators: heaps.flatMap(({ dominators }) => dominators),
        largestStrings: heaps.flatMap(({ largestStrings }) => largestStrings),
        duplicateStrings: heaps.flatMap(({ duplicateStrings }) => duplicateStrings),
      },
    }
    await printReport(context, report, { outputs, limit: options.limit ?? DEFAULT_LIMIT })
  } finally {
    progress.end()
  }
}

type ReportHeap = NonNullable<Report['heap']>

/** What one isolate adds to the Report. */
interface HeapPart {
  readonly snapshot: Report['snapshots'][number]
  readonly heap: ReportHeap
  readonly findings: Report['findings']
}

interface How {
  readonly progress: Progress
  readonly signal: AbortSignal
  readonly index: boolean
  /** Which isolate, for progress; empty where there is but one. */
  readonly of: string
  readonly known: KnownScripts
}

async function analyzeOne(
  { file, takenAt }: SnapshotInput,
  isolate: string,
  limit: number,
  { progress, signal, index, of, known }: How,
): Promise<HeapPart> {
  const [
    { openSnapshot },
    { findOverview, tellOverview },
    { findPiles },
    { createFileCheck },
    { createScriptSources },
    { ROOT },
    { reportPath, reportSnapshot },
    { shownClass },
    { OriginalNames },
    { sourcesOf },
  ] = await Promise.all([
    import('../analysis/open-snapshot.ts'),
    import('../analysis/overview.ts'),
    import('../detectors/find-piles.ts'),
    import('../analysis/functions-in-file.ts'),
    import('../support/script-sources.ts'),
    import('../graph/roots.ts'),
    import('./report.ts'),
    import('../detectors/shown.ts'),
    import('../source/original-names.ts'),
    import('../source/app-modules.ts'),
  ])
  progress.stage(`reading${of}`)
  const opened = await openSnapshot(file, {
    index,
    onProgress: (fraction) => progress.update(fraction),
    signal,
  })
  const { graph } = opened
  progress.stage(`working out paths${of && ` in${of}`}`)
  const paths = opened.preparePaths(signal)
  // If something else fails first, nobody waits for it.
  paths.catch(() => {})
  const found = findOverview(graph, opened.classRows, limit)
  await paths
  const { fileBytes, nodeCount, edgeCount, extraNativeBytes } = graph.snapshot
  const { kinds, classes, dominators, largestStrings, duplicateStrings } = tellOverview(graph, found)
  const sources = createScriptSources({ ...known, isWhatRan: createFileCheck([graph]) })
  const names = new OriginalNames(sourcesOf(sources.readScript), sources)
  const findings = findPiles(isolate, opened, sources)
  // Its index may take a moment longer than the report.
  opened.close()
  return {
    findings,
    snapshot: reportSnapshot(
      { file, fileBytes, nodeCount, edgeCount, totalShallowBytes: graph.retainedSize(ROOT) + extraNativeBytes },
      { isolate, takenAt },
    ),
    heap: {
      kinds: kinds.map((row) => ({ isolate, ...row })),
      constructors: classes.map((row) => ({ isolate, ...row, ...shownClass(row, names, sources) })),
      dominators: dominators.map(({ path, ...row }) => ({ isolate, ...row, retainingPath: reportPath(path) })),
      largestStrings: largestStrings.map(({ node, nodeId, retainedBytes, path }) => ({
        isolate,
        text: node,
        nodeId,
        retainedBytes,
        retainingPath: reportPath(path),
      })),
      duplicateStrings: duplicateStrings.map((row) => ({ isolate, ...row })),
    },
  }
}
