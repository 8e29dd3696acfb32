// `diagnose`, `diff` and `analyze` for programs: what the commands of these names do, with the Report as the result.

import type { Report } from '../findings/report.ts'
import type { TargetName } from '../target/target.ts'
import { silentContext } from './common/context.ts'
import type { Way } from './common/ways.ts'

export interface DiagnoseOptions {
  /** From the first snapshot to the last, in milliseconds; default 30,000. */
  readonly durationMs?: number
  /** Of each isolate, 2 or more; default 3. */
  readonly snapshots?: number
  /** Takes no snapshot, but a CPU profile of 1.5 s if the process is busy; default false. */
  readonly light?: boolean
  /**
   * How the heap is read; by default by the inspector, and from outside where that costs too much. `sampling` takes no
   * snapshot: it finds the functions whose allocations stay.
   */
  readonly via?: Way | 'sampling'
  /** From outside: whether allocations are sampled over the inspector as well; default false. */
  readonly withProfile?: boolean
  /** Refuses when a thread may stand still for longer; default 30,000, and 1,000 from outside. */
  readonly maxPauseMs?: number
  /** Refuses when the process may come to use more; by default what its cgroup allows. */
  readonly memoryLimitBytes?: number
  /** Refuses nothing, whatever it costs; default false. */
  readonly atAnyPrice?: boolean
  /** How long to wait while another process has the port of the inspector; default 0. */
  readonly waitMs?: number
  /** A folder that is made, and keeps the snapshots; by default they are deleted. */
  readonly keepIn?: string
  /** Whether `keepIn` may be the folder of an earlier capture, which is replaced. */
  readonly force?: boolean
  /** Stops it: the process is left as it was found, and the promise is rejected with the code `cancelled`. */
  readonly signal?: AbortSignal
  /** Given each sentence that the command would write to standard error: the price, what it cost, which way was taken. */
  readonly onNotice?: (sentence: string) => void
}

/**
 * Says what leaks in a running process.
 *
 * @param target a pid, or what `parseTarget` reads or gives
 * @throws LeakscopeError `target-…` where the process cannot be reached, `price-too-high` where there is no room, `cancelled`
 */
export async function diagnose(target: number | string | TargetName, options: DiagnoseOptions = {}): Promise<Report> {
  const [{ diagnoseTarget }, { parseTarget }] = await Promise.all([
    import('./diagnose/diagnose-target.ts'),
    import('../target/target.ts'),
  ])
  const { durationMs, via, maxPauseMs, memoryLimitBytes, waitMs, keepIn } = options
  return diagnoseTarget(
    contextFor(options),
    typeof target === 'object' ? target : parseTarget(String(target)),
    {
      ...{ snapshots: options.snapshots ?? 3, failOn: 'never', format: [] },
      ...(durationMs !== undefined && { duration: durationMs }),
      ...(options.light && { light: true }),
      ...(via && { via }),
      ...(options.withProfile && { withProfile: true }),
      ...(maxPauseMs !== undefined && { maxPause: maxPauseMs }),
      ...(memoryLimitBytes !== undefined && { memoryLimit: memoryLimitBytes }),
      ...(options.atAnyPrice && { atAnyPrice: true }),
      ...(waitMs && { wait: waitMs }),
      ...(keepIn !== undefined && { output: keepIn }),
      ...(options.force && { force: true }),
    },
    { stdout: 'json', files: [], detailed: true },
  )
}

/** What `diff` and `analyze` take alike. */
export interface FileOptions {
  /** Whether an index is used and left behind, for files of more than 128 MB; default true. */
  readonly index?: boolean
  /** Of core files: the program that left them; by default the one that they name. */
  readonly executable?: string
  readonly signal?: AbortSignal
  readonly onNotice?: (sentence: string) => void
}

export interface DiffOptions extends FileOptions {
  /** Order of the classes; default `retained`. */
  readonly sort?: 'retained' | 'shallow' | 'count'
  /** Only classes and paths whose names contain this, in any case. */
  readonly filter?: string
  /** Whether snapshots of different processes are compared, by class and place; default false: they are refused. */
  readonly acrossProcesses?: boolean
}

/**
 * Says what leaks and what grew between heap snapshots or core files.
 *
 * @param files two or more in order of time, or a folder of `diagnose` or `captureBundle`, which may be enough by itself
 * @throws LeakscopeError `file-…`, `snapshot-malformed`, `snapshot-mismatch` for different processes, `cancelled`
 */
export async function diff(files: readonly string[], options: DiffOptions = {}): Promise<Report> {
  const { diffFiles } = await import('./diff.ts')
  const { filter, acrossProcesses } = options
  return diffFiles(contextFor(options), files, {
    ...filesBy(options),
    ...{ sort: options.sort ?? 'retained', detailed: true },
    ...(filter !== undefined && { filter }),
    ...(acrossProcesses && { acrossProcesses }),
  })
}

/**
 * Says what is big in one heap snapshot or core file, and which piles known leaks make.
 *
 * @param file may be a folder, of which the last snapshot of each isolate is looked into
 * @throws LeakscopeError `file-…`, `snapshot-malformed`, `heap-unreadable`, `cancelled`
 */
export async function analyze(
  file: string,
  options: FileOptions & { /** Rows of each table; default 100. */ readonly limit?: number } = {},
): Promise<Report> {
  const { analyzeFile } = await import('./analyze.ts')
  const { limit } = options
  return analyzeFile(
    contextFor(options),
    file,
    { ...filesBy(options), ...(limit !== undefined && { limit }) },
    'analyze',
  )
}

const contextFor = ({ signal, onNotice }: Pick<FileOptions, 'signal' | 'onNotice'>) =>
  silentContext(signal ?? new AbortController().signal, onNotice ?? (() => {}))

const filesBy = ({ index = true, executable }: FileOptions) => ({
  index,
  ...(executable !== undefined && { executable }),
})
