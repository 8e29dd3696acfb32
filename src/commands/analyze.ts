// `leakscope analyze`: what is big in one snapshot, or in each isolate of a bundle or of a core file.

import { Command } from 'commander'
import type { OpenedSnapshot } from '../analysis/open-snapshot.ts'
import { LeakscopeError } from '../errors.ts'
import type { FailOn } from '../findings/fail-on.ts'
import type { Report } from '../findings/report.ts'
import type { Progress } from '../support/progress.ts'
import type { Context } from './common/context.ts'
import type { KnownScripts, Series } from './common/inputs.ts'
import { type FormatWish, formatOption, positiveInteger } from './common/options.ts'

interface Options {
  readonly limit?: number
  readonly index: boolean
  readonly failOn?: FailOn
  readonly executable?: string
  readonly format: readonly FormatWish[]
  readonly json?: true
  readonly quiet?: true
}

const DEFAULT_LIMIT = 10
const JSON_LIMIT = 100

export function analyzeCommand(context: Context): Command {
  return new Command('analyze')
    .argument(
      '<snapshot>',
      'a .heapsnapshot file, a core file, or a folder of `diagnose -o` or `snapshot --isolate all` (the last snapshot of each thread)',
    )
    .option(
      '--limit <n>',
      `rows of each table (default: ${DEFAULT_LIMIT}; ${JSON_LIMIT} with --json)`,
      positiveInteger('--limit'),
    )
    .option('--no-index', 'neither use nor write an index, which makes a large file open faster the next time')
    .option('--executable <file>', 'for a core file: the program that left it (default: the one that the core names)')
    .addOption(formatOption())
    .option('--json', 'the same as --format json')
    .option('-q, --quiet', 'show no progress')
    .action((file: string, options: Options) => runAnalyze(context, file, options, 'analyze'))
}

/** @param command as which it is reported */
export async function runAnalyze(context: Context, path: string, options: Options, command: string): Promise<void> {
  // What reads it is loaded meanwhile.
  const [{ outputsOf, printReport }] = await Promise.all([
    import('./common/output.ts'),
    import('./common/inputs.ts'),
    import('./common/report.ts'),
  ])
  const outputs = outputsOf(options)
  const limit = options.limit ?? (outputs.detailed ? JSON_LIMIT : DEFAULT_LIMIT)
  const report = await analyzeFile(context, path, { ...options, limit }, command)
  await printReport(context, report, {
    outputs,
    limit: options.limit ?? DEFAULT_LIMIT,
    ...(options.failOn && { failOn: options.failOn }),
  })
}

/** All of it but the printing; `analyze` of `import … from 'leakscope'` is this as well. */
export async function analyzeFile(
  context: Context,
  path: string,
  { limit = JSON_LIMIT, ...options }: Omit<Options, 'format' | 'failOn' | 'json'>,
  command: string,
): Promise<Report> {
  const [{ inputsOf }, { emptyReport }] = await Promise.all([
    import('./common/inputs.ts'),
    import('./common/report.ts'),
  ])
  const { isCore } = await import('../outside/core-memory.ts')
  const core = isCore(path)
  if (!core && options.executable !== undefined) {
    throw new LeakscopeError('usage-invalid', `--executable is for core files, and ${path} is none`)
  }
  const progress = context.progress(options.quiet ?? false)
  const parts: HeapPart[] = []
  try {
    const { series, ended, known } = core
      ? await openedCore(context, path, options, progress)
      : await openedFiles(context, await inputsOf(path), options.index, progress)
    for (const { isolate, takenAt, open } of series) {
      const of = series.length > 1 ? ` ${isolate}` : ''
      progress.stage(`reading${of}`)
      const how = { progress, signal: context.signal, of, known }
      parts.push(await analyzeOne(await open(), takenAt, isolate, limit, how))
    }
    progress.end()
    const heaps = parts.map(({ heap }) => heap)
    return {
      ...emptyReport(command),
      ended,
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

/** A heap that is to be analyzed. */
interface Input {
  readonly isolate: string
  readonly takenAt: string | undefined
  open(): Promise<OpenedSnapshot>
}

interface Inputs {
  readonly series: readonly Input[]
  /** Of the process that a core file is of. */
  readonly ended: Report['ended']
  readonly known: KnownScripts
}

async function openedFiles(
  { signal }: Context,
  inputs: { readonly series: readonly Series[] } & KnownScripts,
  index: boolean,
  progress: Progress,
): Promise<Inputs> {
  const { openSnapshot } = await import('../analysis/open-snapshot.ts')
  const onProgress = (fraction: number): void => progress.update(fraction)
  const series = inputs.series.flatMap(({ isolate, snapshots }) =>
    snapshots.map(({ file, takenAt }) => ({
      isolate,
      takenAt,
      open: () => openSnapshot(file, { index, onProgress, signal }),
    })),
  )
  return { series, ended: null, known: inputs }
}

async function openedCore(
  context: Context,
  path: string,
  { executable, quiet }: Pick<Options, 'executable' | 'quiet'>,
  progress: Progress,
): Promise<Inputs> {
  const [{ openCore }, { openColumns }, { coreSentence, endedOf }] = await Promise.all([
    import('../outside/open.ts'),
    import('../analysis/open-snapshot.ts'),
    import('./common/cores.ts'),
  ])
  progress.stage('rebuilding the heap')
  const capture = openCore(path, executable)
  const { heaps } = capture
  progress.clear()
  const ended = endedOf(capture)
  if (!quiet) context.note(`leakscope: ${coreSentence(path, capture, ended)}`)
  const series = heaps.map(({ isolate, snapshot }) => ({
    isolate,
    takenAt: undefined,
    open: () => openColumns(snapshot, { signal: context.signal }),
  }))
  return { series, ended, known: { scripts: heaps.flatMap(({ scripts }) => scripts), cwd: null } }
}

interface How {
  readonly progress: Progress
  readonly signal: AbortSignal
  /** Which isolate, for progress; empty where there is but one. */
  readonly of: string
  readonly known: KnownScripts
}

async function analyzeOne(
  opened: OpenedSnapshot,
  takenAt: string | undefined,
  isolate: string,
  limit: number,
  { progress, signal, of, known }: How,
): Promise<HeapPart> {
  const [
    { findOverview, tellOverview },
    { findPiles },
    { createFileCheck },
    { createScriptSources },
    { totalsOf },
    { reportPath, reportSnapshot },
    { shownClass },
    { OriginalNames },
    { sourcesOf },
  ] = await Promise.all([
    import('../analysis/overview.ts'),
    import('../detectors/find-piles.ts'),
    import('../analysis/functions-in-file.ts'),
    import('../support/script-sources.ts'),
    import('../analysis/following.ts'),
    import('./common/report.ts'),
    import('../detectors/shown.ts'),
    import('../source/original-names.ts'),
    import('../source/app-modules.ts'),
  ])
  const { graph } = opened
  progress.stage(`working out paths${of && ` in${of}`}`)
  const paths = opened.preparePaths(signal)
  // If something else fails first, nobody waits for it.
  paths.catch(() => {})
  const found = findOverview(graph, opened.classRows, limit)
  await paths
  const { kinds, classes, dominators, largestStrings, duplicateStrings } = tellOverview(graph, found)
  const sources = createScriptSources({ ...known, isWhatRan: createFileCheck([graph]) })
  const names = new OriginalNames(sourcesOf(sources.readScript), sources)
  const findings = findPiles(isolate, opened, sources)
  // Its index may take a moment longer than the report.
  opened.close()
  return {
    findings,
    snapshot: reportSnapshot(totalsOf(graph), { isolate, takenAt }),
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
