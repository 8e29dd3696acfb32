// `leakscope diagnose`: from a running process to named leaks, in one command.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import type { BundleCapture } from '../capture/bundle.ts'
import type { QuotedIsolate } from '../capture/quote.ts'
import type { Vitals } from '../capture/vitals.ts'
import type { NativeCandidate } from '../detectors/native-growth.ts'
import { LeakscopeError } from '../errors.ts'
import type { FailOn } from '../findings/fail-on.ts'
import type { Report, ReportFinding, ReportOffHeap } from '../findings/report.ts'
import { formatDuration } from '../support/format.ts'
import type { Progress } from '../support/progress.ts'
import type { InspectorSession } from '../target/session.ts'
import { parseTarget, showTarget, type TargetName } from '../target/target.ts'
import type { Target } from '../target/visit.ts'
import { noteBeside, showProgress, type Wanted } from './capturing.ts'
import type { Compared } from './comparison.ts'
import type { Context } from './context.ts'
import type { OffHeapWatcher } from './off-heap-watch.ts'
import {
  baselineOptions,
  duration,
  type FormatWish,
  failOnOption,
  formatOption,
  positiveInteger,
  size,
  withConfig,
} from './options.ts'
import type { Outputs } from './output.ts'
import type { Sample } from './process-samples.ts'
import type { WatchedFiles } from './side-looks.ts'
import { bothRefused, insteadSentence, mayReadOutside, WAYS, type Way } from './ways.ts'

interface Options {
  readonly via?: Way
  readonly duration?: number
  readonly snapshots: number
  readonly light?: true
  readonly output?: string
  readonly force?: true
  readonly executable?: string
  readonly wait?: number | true
  readonly maxPause?: number
  readonly memoryLimit?: number
  readonly atAnyPrice?: true
  readonly limit?: number
  readonly failOn: FailOn
  readonly baseline?: string
  readonly updateBaseline?: true
  readonly configFolder?: string
  readonly format: readonly FormatWish[]
  readonly json?: true
  readonly quiet?: true
}

const DEFAULT_DURATION_MS = 30_000
const DEFAULT_MAX_PAUSE_MS = 30_000
const DEFAULT_MAX_PAUSE_OUTSIDE_MS = 1000
const DEFAULT_WAIT_MS = 600_000
const DEFAULT_LIMIT = 5
/** The look that costs nothing: so many samples, so far apart. */
const LIGHT = { samples: 4, everyMs: 1000, share: 0.15 }
/** Of what is allocated meanwhile, one allocation in so many bytes has its stack noted: little is held up by it. */
const SAMPLING = { intervalBytes: 131_072 }

/** V8 builds a snapshot in native memory, and the allocator keeps that. */
const OF_SNAPSHOTS =
  'the snapshots were taken meanwhile, which leaves memory idle in the allocator that was not there before'

export function diagnoseCommand(context: Context): Command {
  const command = new Command('diagnose')
    .argument(
      '<target>',
      'a pid (see `leakscope ps`), host:port of an open inspector, its ws:// URL, unix:<socket of an agent>, or a core file',
      targetOrCore,
    )
    .option(
      '--duration <time>',
      'how long to watch, from the first snapshot to the last (default: 30s)',
      duration('--duration'),
    )
    .option(
      '--snapshots <n>',
      'how many to take of each isolate meanwhile, 3 or more to tell a leak from what fills up',
      positiveInteger('--snapshots'),
      3,
    )
    .option(
      '--light',
      'take no snapshot: only what costs the process next to nothing, and, if it is busy, a CPU profile of 1.5s',
    )
    .addOption(
      new Option(
        '--via <way>',
        'have V8 write its heap, or read it from the memory of a process of this machine (default: inspector; outside where that costs too much)',
      ).choices(WAYS),
    )
    .option('-o, --output <folder>', 'keep the snapshots, for `leakscope diff` (default: they are deleted)')
    .option('--force', 'replace the folder of an earlier capture')
    .option(
      '--wait [time]',
      'wait while another process has the port that the target needs for its inspector (default: 10min)',
      duration('--wait'),
    )
    .option(
      '--max-pause <time>',
      'refuse when a thread may stand still for longer (default: 30s; 1s from outside)',
      duration('--max-pause'),
    )
    .option(
      '--memory-limit <size>',
      'refuse when the process may come to use more than this, such as 512MB; in place of its cgroup',
      size('--memory-limit'),
    )
    .option('--at-any-price', 'refuse nothing, whatever it costs')
    .option('--limit <n>', `findings to show (default: ${DEFAULT_LIMIT}; all with --json)`, positiveInteger('--limit'))
    .addOption(failOnOption())
    .addOption(formatOption())
    .option('--json', 'short for --format json')
    .option('-q, --quiet', 'show no progress, and no price')
    .option('--executable <file>', 'of a core file: the program that left it (default: what the core names)')
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
  const [{ isCore }, { analyzeFile }] = await Promise.all([import('../outside/core-memory.ts'), import('./analyze.ts')])
  if (!isCore(path)) {
    throw new LeakscopeError('usage-invalid', `${path} is neither a process nor a core file`, {
      hint: '`leakscope analyze` tells what is in a heap snapshot, `leakscope diff` what grew between several.',
    })
  }
  await analyzeFile(context, path, { ...options, index: false }, 'diagnose')
}

async function run(context: Context, target: TargetName, options: Options): Promise<void> {
  const { snapshots, light = false, quiet = false } = options
  if (options.executable !== undefined) {
    throw new LeakscopeError('usage-invalid', `--executable is for core files, and ${showTarget(target)} is none`)
  }
  if (!light && snapshots < 2) {
    throw new LeakscopeError('usage-invalid', '--snapshots takes 2 or more: one has nothing to be compared with', {
      hint: 'Three or more tell a leak from something that fills up. --light takes none.',
    })
  }
  const [{ emptyReport }, { outputsOf, printReport }, { baselineWish }] = await Promise.all([
    import('./report.ts'),
    import('./output.ts'),
    import('./baseline-file.ts'),
  ])
  const outputs = outputsOf(options)
  const baseline = baselineWish(options)
  const progress = context.progress(quiet)
  const kept = options.output
  const scratch = kept === undefined && !light ? mkdtempSync(join(tmpdir(), 'leakscope-diagnose-')) : undefined
  try {
    const folder = kept ?? join(scratch ?? '', 'capture')
    const { visited, vitals, samples, waste, compared, offHeap } = await visitByWay(
      context,
      progress,
      target,
      options,
      folder,
      outputs,
    )
    const { reportProcess } = await import('./process-samples.ts')
    const memory =
      samples.length > 0 ? reportProcess(samples, target.kind === 'process' ? visited.pid : undefined) : null
    progress.end()
    const report: Report = {
      ...emptyReport('diagnose'),
      ...compared,
      findings: [...(compared?.findings ?? []), ...waste],
      target: { pid: visited.pid, nodeVersion: visited.nodeVersion, command: visited.command.join(' ') },
      vitals: vitals.map(({ activeResources, ...rest }) => ({
        ...rest,
        activeResources: activeResources && { ...activeResources },
      })),
      process: light || !memory ? memory : { ...memory, notes: [...memory.notes, OF_SNAPSHOTS] },
      offHeap,
    }
    const limit = options.limit ?? DEFAULT_LIMIT
    await printReport(context, report, { outputs, limit, failOn: options.failOn, baseline })
    if (kept !== undefined && !light) context.note(`leakscope: the snapshots are in ${kept}; leakscope diff ${kept}`)
  } finally {
    progress.end()
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true })
  }
}

interface Visited {
  readonly visited: Target
  readonly vitals: readonly Vitals[]
  /** At least one, from before the first snapshot; none where the heap was read from outside. */
  readonly samples: readonly Sample[]
  /** What is no leak. */
  readonly waste: readonly ReportFinding[]
  /** Undefined where no snapshots were taken. */
  readonly compared: Compared | undefined
  /** Null where no snapshots were taken. */
  readonly offHeap: ReportOffHeap | null
}

async function visitByWay(
  context: Context,
  progress: Progress,
  target: TargetName,
  options: Options,
  folder: string,
  outputs: Outputs,
): Promise<Visited> {
  const outside = (pid: number) => visitFromOutside(context, progress, pid, options, folder, outputs)
  if (options.via === 'outside') {
    if (target.kind !== 'process' || options.light) {
      throw new LeakscopeError(
        'usage-invalid',
        options.light
          ? '--via outside says how the heap is read, and --light reads none'
          : `--via outside reads processes of this machine by their pid, not ${showTarget(target)}`,
      )
    }
    return outside(target.pid)
  }
  try {
    return await visit(context, progress, target, options, folder, outputs)
  } catch (error) {
    if (!mayReadOutside(error, target, options.via) || target.kind !== 'process') throw error
    noteBeside(context, progress)(insteadSentence(error))
    return outside(target.pid).catch((refused: unknown) => {
      throw bothRefused(error, refused, context.signal)
    })
  }
}

/** Who asks for it is told what it has cost. */
async function visitFromOutside(
  context: Context,
  progress: Progress,
  pid: number,
  options: Options,
  folder: string,
  outputs: Outputs,
): Promise<Visited> {
  const [{ visitOutside }, { pausesText }] = await Promise.all([
    import('./diagnose-outside.ts'),
    import('./snapshot-outside.ts'),
  ])
  const { quiet = false, force = false, snapshots } = options
  if (!quiet) noteBeside(context, progress)(`the heap is read from outside: process ${pid} does nothing for it`)
  const { pausesMs, ...found } = await visitOutside(context, progress, pid, folder, {
    ...{ durationMs: options.duration ?? DEFAULT_DURATION_MS, snapshots, force },
    maxPauseMs: options.maxPause ?? DEFAULT_MAX_PAUSE_OUTSIDE_MS,
    limit: options.limit ?? (outputs.detailed ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT),
    detailed: outputs.detailed,
  })
  if (!quiet) noteBeside(context, progress)(`process ${pid} ${pausesText(pausesMs)}`)
  return { ...found, samples: [], waste: [], offHeap: NOT_WATCHED }
}

/** What is in use beside the heap shows between full garbage collections, which only V8 itself can be asked for. */
const NOT_WATCHED: ReportOffHeap = {
  verdict: 'unknown',
  reason:
    'that takes full garbage collections, and from outside nothing is asked of the process; --via inspector looks',
  ...{ bytes: null, bytesPerSecond: null, seconds: null, marginBytes: null, lines: {} },
}

async function visit(
  context: Context,
  progress: Progress,
  target: TargetName,
  options: Options,
  folder: string,
  outputs: Outputs,
): Promise<Visited> {
  const [{ withInspector }, { readVitals }, { attachWorkers }, { takeSample }, beside, offHeap] = await Promise.all([
    import('../target/attach.ts'),
    import('../capture/vitals.ts'),
    import('../target/workers.ts'),
    import('./process-samples.ts'),
    import('./side-looks.ts'),
    import('./off-heap-watch.ts'),
  ])
  const { light = false, wait, duration: durationMs = DEFAULT_DURATION_MS } = options
  progress.stage(`attaching to ${showTarget(target)}`)
  const attach = {
    signal: context.signal,
    onNotice: noteBeside(context, progress),
    waitMs: wait === true ? DEFAULT_WAIT_MS : wait,
  }
  return withInspector(target, attach, async (session, visited) => {
    const pid = target.kind === 'process' ? visited.pid : undefined
    progress.stage('looking at what costs nothing')
    const everyMs = light
      ? durationMs / (LIGHT.samples - 1)
      : Math.min(LIGHT.everyMs, (LIGHT.share * durationMs) / LIGHT.samples)
    const samples: Sample[] = []
    const look = async () => {
      const workers = await attachWorkers(session)
      try {
        samples.push(await takeSample({ session, workers, pid, nodeVersion: visited.nodeVersion }))
      } finally {
        await workers.leave()
      }
    }
    // Two looks, at the least, tell what lies idle from what is at work.
    if (!light) await look()
    const vitals = await readVitals(session, {
      ...{ pid, samples: LIGHT.samples, everyMs, signal: context.signal },
      ...(light && { onSample: look }),
    })
    const ofCpu = await beside.findWaste(context, progress, session, visited)
    if (!light) await look()
    const waste = [...ofCpu, ...beside.findIdle(samples)]
    if (light) return { visited, vitals, samples, waste, compared: undefined, offHeap: null }
    const files = beside.watchOpenFiles(pid)
    const { nodeVersion } = visited
    const watcher = offHeap.watchOffHeap({ session, pid, nodeVersion, durationMs, signal: context.signal })
    try {
      await capture(context, progress, session, visited, target, options, folder, durationMs, watcher)
    } finally {
      files?.stop()
    }
    // What has been captured is worth its comparison, even if the process should be gone by now.
    await look().catch((error: unknown) => {
      if (!(error instanceof LeakscopeError)) throw error
    })
    const { compared, candidates } = await compare(context, progress, session, folder, options, outputs.detailed, files)
    progress.stage('looking at what was found')
    const handles = vitals.at(-1)?.activeResources ?? null
    const inHeap = beside.settled(compared, await beside.lookAgain(session, compared, handles, context.signal))
    progress.stage('looking at memory beside the heap')
    await watcher.stir()
    samples.push(...((await watcher.end()) ?? []))
    const { findings, report } = offHeap.tell(watcher, inHeap, { candidates, pid })
    progress.stage('leaving')
    return {
      visited,
      vitals,
      samples,
      waste,
      compared: { ...inHeap, findings },
      offHeap: report,
    }
  })
}

async function capture(
  context: Context,
  progress: Progress,
  session: InspectorSession,
  { pid, nodeVersion }: Target,
  target: TargetName,
  options: Options,
  folder: string,
  durationMs: number,
  watcher: OffHeapWatcher,
): Promise<void> {
  const [{ captureBundle }, { agreeOnPrice }] = await Promise.all([
    import('../capture/capture-bundle.ts'),
    import('./snapshot-price.ts'),
  ])
  const { snapshots: count, force = false, atAnyPrice = false, quiet = false } = options
  const everyMs = durationMs / (count - 1)
  const wanted: Wanted = {
    ...{ name: folder, isolate: 'all', count, every: everyMs, waitMs: undefined, redactor: undefined, force },
    ...{ maxPauseMs: options.maxPause ?? DEFAULT_MAX_PAUSE_MS, memoryLimitBytes: options.memoryLimit },
    ...{ atAnyPrice, dryRun: false, json: false, quiet },
  }
  let show = showProgress(progress, '')
  const { captures } = await captureBundle(session, folder, {
    pid: target.kind === 'process' ? pid : undefined,
    ...{ signal: context.signal, force, count, everyMs, sampling: SAMPLING },
    async approve(isolates: readonly QuotedIsolate[]) {
      await agreeOnPrice(context, progress, target, { pid, nodeVersion }, wanted, isolates)
      progress.stage('looking at memory beside the heap')
      await watcher.begin()
    },
    until: () => watcher.stir(),
    onBegin({ round, isolate }) {
      if (isolate === null) watcher.rest()
      const which = ` (${round} of ${count})`
      progress.stage(
        isolate === null ? `watching for ${formatDuration(everyMs)}${which}` : `walking the heap of ${isolate}${which}`,
      )
      show = showProgress(progress, ` ${isolate}${which}`)
    },
    onProgress: (now) => show(now),
  })
  watcher.rest()
  const isTwice = ({ isolate, file }: BundleCapture) =>
    file !== null && captures.some((it) => it.isolate === isolate && it.file !== null && it.file !== file)
  if (captures.some(isTwice)) return
  const { round, reason } = captures.find(({ status }) => status === 'failed')!
  throw new LeakscopeError('target-died', `there is no ${ordinal(round)} snapshot to compare with: ${reason}`, {
    hint: `A shorter --duration may do; it was ${formatDuration(durationMs)}.`,
  })
}

const ordinal = (round: number): string => ['first', 'second', 'third'][round - 1] ?? `${round}th`

async function compare(
  context: Context,
  progress: Progress,
  session: InspectorSession,
  folder: string,
  options: Options,
  json: boolean,
  openFiles: WatchedFiles | undefined,
): Promise<{ readonly compared: Compared; readonly candidates: readonly NativeCandidate[] }> {
  const limit = options.limit ?? (json ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT)
  const [{ comparisonOf }, { compareAll }, { framesNow, viewsNow }, { nativeCandidates }] = await Promise.all([
    import('./inputs.ts'),
    import('./comparison.ts'),
    import('../capture/live.ts'),
    import('../detectors/native-growth.ts'),
  ])
  // Workers are no longer attached to by now.
  const askViews = async (isolate: string, ids: readonly number[]) => {
    const views = isolate === 'main' ? await viewsNow(session, ids) : []
    return new Map(ids.flatMap((id, i) => (views[i] ? [[id, views[i]] as const] : [])))
  }
  const askFrames = async (isolate: string, ids: readonly number[]) => {
    const frames = isolate === 'main' ? await framesNow(session, ids) : []
    return new Map(ids.flatMap((id, i) => (frames[i] ? [[id, frames[i]] as const] : [])))
  }
  let candidates: readonly NativeCandidate[] = []
  const compared = await compareAll(await comparisonOf([folder]), progress, {
    ...{ sort: 'retained', index: false, json, limit, signal: context.signal, askViews, askFrames },
    openFiles,
    onLeaks: (captures, { reportedBy }) => {
      candidates = nativeCandidates(captures, reportedBy)
    },
  })
  return { compared, candidates }
}
