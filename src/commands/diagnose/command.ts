// `leakscope diagnose`: from a running process to named leaks, in one command.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import type { BundleCapture } from '../../capture/bundle.ts'
import type { QuotedIsolate } from '../../capture/quote.ts'
import type { Vitals } from '../../capture/vitals.ts'
import type { NativeCandidate } from '../../detectors/native-growth.ts'
import { LeakscopeError } from '../../errors.ts'
import type { FailOn } from '../../findings/fail-on.ts'
import type { Report, ReportFinding, ReportOffHeap } from '../../findings/report.ts'
import { formatDuration } from '../../support/format.ts'
import type { Progress } from '../../support/progress.ts'
import type { AttachOptions } from '../../target/attach.ts'
import type { InspectorSession } from '../../target/session.ts'
import { parseTarget, showTarget, type TargetName } from '../../target/target.ts'
import type { Target } from '../../target/visit.ts'
import { noteBeside, showProgress, type Wanted } from '../common/capturing.ts'
import type { Compared } from '../common/comparison.ts'
import type { Context } from '../common/context.ts'
import { examples, GROUP } from '../common/help-text.ts'
import {
  baselineOptions,
  duration,
  type FormatWish,
  failOnOption,
  formatOption,
  memoryLimitOption,
  positiveInteger,
  TARGET,
  viaOption,
  waitOption,
  withConfig,
} from '../common/options.ts'
import type { Outputs } from '../common/output.ts'
import type { Sample } from '../common/process-samples.ts'
import { SAMPLING } from '../common/sampling.ts'
import {
  bothRefused,
  byV8Sentence,
  fromOutsideSentence,
  insteadSentence,
  mayReadOutside,
  requireAgent,
  type Way,
  wayInto,
} from '../common/ways.ts'
import type { OffHeapWatcher } from './off-heap-watch.ts'
import type { Inspector, OutsideVisit, OutsideWanted } from './outside.ts'
import type { WatchedFiles } from './side-looks.ts'

export interface Options {
  readonly via?: Way | typeof SAMPLED
  readonly duration?: number
  readonly snapshots: number
  readonly light?: true
  readonly withProfile?: true
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

/** In the place of a way to the heap: allocations are sampled. */
const SAMPLED = 'sampling'
const DEFAULT_DURATION_MS = 30_000
const DEFAULT_MAX_PAUSE_MS = 30_000
const DEFAULT_MAX_PAUSE_OUTSIDE_MS = 1000
const DEFAULT_WAIT_MS = 600_000
const DEFAULT_LIMIT = 5
/** The look that costs nothing: so many samples, so far apart. */
const LIGHT = { samples: 4, everyMs: 1000, share: 0.15 }

/** V8 builds a snapshot in native memory, and the allocator keeps that. */
const OF_SNAPSHOTS =
  'the snapshots were taken meanwhile, which leaves memory idle in the allocator that was not there before'

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
    .addOption(viaOption('', { [SAMPLED]: 'no snapshot, only the functions whose allocations stay' }))
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
  const [{ outputsOf, printReport }, { baselineWish }] = await Promise.all([
    import('../common/output.ts'),
    import('../common/baseline-file.ts'),
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

/** All of it but the printing; `diagnose` of `import … from 'leakscope'` is this as well. */
export async function diagnoseTarget(
  context: Context,
  target: TargetName,
  options: Options,
  outputs: Outputs,
): Promise<Report> {
  const { snapshots, light = false, quiet = false } = options
  if (!light && snapshots < 2) {
    throw new LeakscopeError('usage-invalid', '--snapshots takes 2 or more: one has nothing to be compared with', {
      hint: 'Three or more tell a leak from something that fills up. --light takes none.',
    })
  }
  const { emptyReport } = await import('../common/report.ts')
  const progress = context.progress(quiet)
  const kept = options.output
  const scratch = kept === undefined && !light ? mkdtempSync(join(tmpdir(), 'leakscope-diagnose-')) : undefined
  try {
    const folder = kept ?? join(scratch ?? '', 'capture')
    const { via, sampling, visited, vitals, samples, waste, compared, offHeap } = await visitByWay(
      context,
      progress,
      target,
      options,
      folder,
      outputs,
    )
    const { reportProcess } = await import('../common/process-samples.ts')
    const memory =
      samples.length > 0 ? reportProcess(samples, target.kind === 'process' ? visited.pid : undefined) : null
    progress.end()
    return {
      ...emptyReport('diagnose'),
      ...compared,
      findings: [...(compared?.findings ?? []), ...waste],
      target: { pid: visited.pid, nodeVersion: visited.nodeVersion, command: visited.command.join(' ') },
      via,
      sampling,
      vitals: vitals.map(({ activeResources, ...rest }) => ({
        ...rest,
        activeResources: activeResources && { ...activeResources },
      })),
      process:
        via === null || via === 'outside' || !memory ? memory : { ...memory, notes: [...memory.notes, OF_SNAPSHOTS] },
      offHeap,
    }
  } finally {
    progress.end()
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true })
  }
}

interface Visited {
  /** Null where no snapshots were taken. */
  readonly via: Way | null
  readonly sampling: Report['sampling']
  readonly visited: Target
  readonly vitals: readonly Vitals[]
  /** At least one, from before the first snapshot or with it. */
  readonly samples: readonly Sample[]
  /** What is no leak, or was found without a snapshot. */
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
  const sampled = () => visitBySampling(context, progress, target, options)
  const note = options.quiet ? () => {} : noteBeside(context, progress)
  if (options.via === 'outside') {
    if (target.kind !== 'process' || options.light) {
      throw new LeakscopeError(
        'usage-invalid',
        options.light
          ? '--via outside says how the heap is read, and --light reads none'
          : `--via outside reads processes of this machine by their pid, not ${showTarget(target)}`,
      )
    }
    note(fromOutsideSentence(target.pid))
    return outside(target.pid)
  }
  if (options.via === SAMPLED) {
    if (options.light) throw new LeakscopeError('usage-invalid', '--light takes no samples but of the CPU')
    return sampled()
  }
  if (options.via === 'agent') await requireAgent(target)
  try {
    return await visit(context, progress, target, options, folder, outputs)
  } catch (error) {
    if (!(error instanceof LeakscopeError) || error.code !== 'price-too-high') throw error
    if (!mayReadOutside(error, target, wayOf(options)) || target.kind !== 'process') {
      note(error.message)
      return sampled()
    }
    note(insteadSentence(error))
    return await outside(target.pid).catch((refused: unknown) => {
      const both = bothRefused(error, refused, context.signal)
      if (both === refused) throw refused
      note((both as LeakscopeError).message)
      return sampled()
    })
  }
}

/** What can be told without a snapshot. */
async function visitBySampling(
  context: Context,
  progress: Progress,
  target: TargetName,
  options: Options,
): Promise<Visited> {
  const [{ withInspector }, { readVitals }, beside, sampler] = await Promise.all([
    import('../../target/attach.ts'),
    import('../../capture/vitals.ts'),
    import('./side-looks.ts'),
    import('./sampling.ts'),
  ])
  const { duration: durationMs = DEFAULT_DURATION_MS } = options
  const note = noteBeside(context, progress)
  progress.stage(`attaching to ${showTarget(target)}`)
  return withInspector(target, attachOptions(context, progress, options), async (session, visited) => {
    if (!options.quiet) note(sampler.samplingSentence(durationMs))
    const pid = target.kind === 'process' ? visited.pid : undefined
    const samples: Sample[] = []
    const look = async () => void samples.push(await sampleNow(session, visited, pid))
    await look()
    const readings = { pid, samples: 2, everyMs: LIGHT.everyMs, signal: context.signal }
    const vitals = await readVitals(session, readings)
    const ofCpu = await beside.findWaste(context, progress, session, visited)
    const { findings, sampling, problem } = await sampler.sampleAllocations(context, progress, session, durationMs)
    if (problem !== undefined) note(`nothing was sampled: ${problem}`)
    await look()
    vitals.push(...(await readVitals(session, readings)).slice(1))
    progress.stage('leaving')
    const waste = [...findings, ...ofCpu, ...beside.findIdle(samples)]
    return { via: null, sampling, visited, vitals, samples, waste, compared: undefined, offHeap: null }
  })
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
    import('./outside.ts'),
    import('../snapshot/outside.ts'),
  ])
  const { quiet = false, force = false, snapshots } = options
  const note = quiet ? () => {} : noteBeside(context, progress)
  const wanted: OutsideWanted = {
    ...{ durationMs: options.duration ?? DEFAULT_DURATION_MS, snapshots, force },
    maxPauseMs: options.maxPause ?? DEFAULT_MAX_PAUSE_OUTSIDE_MS,
    limit: options.limit ?? (outputs.detailed ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT),
    detailed: outputs.detailed,
  }
  const visitWith = (inspector?: Inspector) => visitOutside(context, progress, pid, folder, wanted, inspector)
  const look = async (): Promise<OutsideVisit> => {
    if (!options.withProfile) return visitWith()
    note(
      `allocations are sampled over the inspector: that takes a few percent of its time, and a full garbage collection after each of ${snapshots} pictures`,
    )
    const [{ withInspector }, target] = [await import('../../target/attach.ts'), { kind: 'process' as const, pid }]
    return withInspector(target, attachOptions(context, progress, options), (session, visited) =>
      visitWith({ session, visited }),
    )
  }
  const { pausesMs, captures, ...found } = await look()
  note(`process ${pid} ${pausesText(pausesMs)}`)
  return { ...found, via: 'outside', sampling: samplingIn(captures, wanted.durationMs) }
}

/** Where the memory of a process goes at the moment, that of its workers too. */
async function sampleNow(session: InspectorSession, { nodeVersion }: Target, pid: number | undefined): Promise<Sample> {
  const [{ attachWorkers }, { takeSample }] = await Promise.all([
    import('../../target/workers.ts'),
    import('../common/process-samples.ts'),
  ])
  const workers = await attachWorkers(session)
  try {
    return await takeSample({ session, workers, pid, nodeVersion })
  } finally {
    await workers.leave()
  }
}

async function visit(
  context: Context,
  progress: Progress,
  target: TargetName,
  options: Options,
  folder: string,
  outputs: Outputs,
): Promise<Visited> {
  const [{ withInspector }, { readVitals }, beside, offHeap] = await Promise.all([
    import('../../target/attach.ts'),
    import('../../capture/vitals.ts'),
    import('./side-looks.ts'),
    import('./off-heap-watch.ts'),
  ])
  const { light = false, duration: durationMs = DEFAULT_DURATION_MS } = options
  progress.stage(`attaching to ${showTarget(target)}`)
  return withInspector(target, attachOptions(context, progress, options), async (session, visited) => {
    const pid = target.kind === 'process' ? visited.pid : undefined
    if (!light && !options.quiet) noteBeside(context, progress)(await byV8Sentence(target, wayOf(options), visited))
    progress.stage('looking at what costs nothing')
    const everyMs = light
      ? durationMs / (LIGHT.samples - 1)
      : Math.min(LIGHT.everyMs, (LIGHT.share * durationMs) / LIGHT.samples)
    const samples: Sample[] = []
    const look = async () => void samples.push(await sampleNow(session, visited, pid))
    // Two looks, at the least, tell what lies idle from what is at work.
    if (!light) await look()
    const vitals = await readVitals(session, {
      ...{ pid, samples: LIGHT.samples, everyMs, signal: context.signal },
      ...(light && { onSample: look }),
    })
    const ofCpu = await beside.findWaste(context, progress, session, visited)
    if (!light) await look()
    const waste = [...ofCpu, ...beside.findIdle(samples)]
    if (light) return { via: null, sampling: null, visited, vitals, samples, waste, compared: undefined, offHeap: null }
    const files = beside.watchOpenFiles(pid)
    const { nodeVersion } = visited
    const watcher = offHeap.watchOffHeap({ session, pid, nodeVersion, durationMs, signal: context.signal })
    let captures: readonly BundleCapture[]
    try {
      captures = await capture(context, progress, session, visited, target, options, folder, durationMs, watcher)
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
      via: wayInto(visited),
      sampling: samplingIn(captures, durationMs),
      visited,
      vitals,
      samples,
      waste,
      compared: { ...inHeap, findings },
      offHeap: report,
    }
  })
}

/** What was sampled beside snapshots of the main thread. */
function samplingIn(captures: readonly BundleCapture[], durationMs: number): Report['sampling'] {
  const readings = captures.filter(({ isolate, profile }) => isolate === 'main' && profile !== null).length
  return readings > 0 ? { ...SAMPLING, readings, seconds: durationMs / 1000 } : null
}

const wayOf = ({ via }: Options): Way | undefined => (via === SAMPLED ? undefined : via)

function attachOptions(context: Context, progress: Progress, { wait }: Options): AttachOptions {
  return {
    signal: context.signal,
    onNotice: noteBeside(context, progress),
    waitMs: wait === true ? DEFAULT_WAIT_MS : wait,
  }
}

async function capture(
  context: Context,
  progress: Progress,
  session: InspectorSession,
  visited: Target,
  target: TargetName,
  options: Options,
  folder: string,
  durationMs: number,
  watcher: OffHeapWatcher,
): Promise<readonly BundleCapture[]> {
  const [{ captureBundle }, { agreeOnPrice }] = await Promise.all([
    import('../../capture/capture-bundle.ts'),
    import('../snapshot/price.ts'),
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
    pid: target.kind === 'process' ? visited.pid : undefined,
    ...{ signal: context.signal, force, count, everyMs, sampling: SAMPLING },
    async approve(isolates: readonly QuotedIsolate[]) {
      await agreeOnPrice(context, progress, target, visited, wanted, isolates)
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
  if (captures.some(isTwice)) return captures
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
    import('../common/inputs.ts'),
    import('../common/comparison.ts'),
    import('../../capture/live.ts'),
    import('../../detectors/native-growth.ts'),
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
