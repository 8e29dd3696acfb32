// `leakscope analyze`: what is big in one snapshot.

import { Command } from 'commander'
import type { Context } from './context.ts'
import { positiveInteger } from './options.ts'

interface Options {
  readonly limit?: number
  readonly index: boolean
  readonly json?: true
  readonly quiet?: true
}

const DEFAULT_LIMIT = 10
const JSON_LIMIT = 100

export function analyzeCommand(context: Context): Command {
  return new Command('analyze')
    .description('look into one heap snapshot: what is big, and what holds it')
    .argument('<snapshot>', 'a .heapsnapshot file')
    .option(
      '--limit <n>',
      `rows of each table (default: ${DEFAULT_LIMIT}; ${JSON_LIMIT} with --json)`,
      positiveInteger('--limit'),
    )
    .option('--no-index', 'leave no index for the next time, and use none')
    .option('--json', 'print the Report as JSON')
    .option('-q, --quiet', 'show no progress')
    .action((file: string, options: Options) => run(context, file, options))
}

async function run(context: Context, file: string, options: Options): Promise<void> {
  const [{ openSnapshot }, { overview }, { ROOT }, reports] = await Promise.all([
    import('../analysis/open-snapshot.ts'),
    import('../analysis/overview.ts'),
    import('../graph/roots.ts'),
    import('./report.ts'),
  ])
  const json = options.json ?? false
  const limit = options.limit ?? (json ? JSON_LIMIT : DEFAULT_LIMIT)

  const progress = context.progress(options.quiet ?? false)
  try {
    progress.stage('reading')
    const opened = await openSnapshot(file, {
      index: options.index,
      onProgress: (fraction) => progress.update(fraction),
      signal: context.signal,
    })
    const { graph } = opened
    const { snapshot } = graph
    const { kinds, classes, dominators, largestStrings, duplicateStrings } = overview(graph, opened.classRows, limit)
    progress.end()
    const { reportPath } = reports
    const report = {
      ...reports.emptyReport('analyze'),
      snapshots: [
        reports.reportSnapshot({
          file,
          fileBytes: snapshot.fileBytes,
          nodeCount: snapshot.nodeCount,
          edgeCount: snapshot.edgeCount,
          totalShallowBytes: graph.retainedSize(ROOT) + snapshot.extraNativeBytes,
        }),
      ],
      heap: {
        kinds: [...kinds],
        constructors: classes.map((row) => ({ ...row, location: row.location ?? null })),
        dominators: dominators.map(({ path, ...row }) => ({ ...row, retainingPath: reportPath(path) })),
        largestStrings: largestStrings.map(({ node, nodeId, retainedBytes, path }) => ({
          text: node,
          nodeId,
          retainedBytes,
          retainingPath: reportPath(path),
        })),
        duplicateStrings: [...duplicateStrings],
      },
    }
    await reports.printReport(context, report, { json, limit })
  } finally {
    progress.end()
  }
}
