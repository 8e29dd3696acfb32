// `leakscope diagnose --via outside`: from pictures of its memory to named leaks; the process does nothing for it.

import type { BundleCapture } from '../../capture/bundle.ts'
import { createBundleSampling } from '../../capture/bundle-sampling.ts'
import { listIsolates } from '../../capture/isolates.ts'
import { pause } from '../../capture/pause.ts'
import { joinScripts } from '../../capture/scripts.ts'
import type { Vitals } from '../../capture/vitals.ts'
import type { ThreadTimes } from '../../detectors/detector.ts'
import type { NativeCandidate } from '../../detectors/native-growth.ts'
import { findInThreads } from '../../detectors/process-findings.ts'
import { LeakscopeError } from '../../errors.ts'
import { confirm, gainingNode, growthLookSeconds, stillGrows } from '../../findings/confirm.ts'
import type { ReportFinding, ReportOffHeap } from '../../findings/report.ts'
import { type Collection, sizeNow } from '../../outside/contents.ts'
import type { ScheduledFunction } from '../../outside/immediates.ts'
import type { JsFrame } from '../../outside/js-stack.ts'
import { openLiveMemory } from '../../outside/live-memory.ts'
import type { OutsideHeap } from '../../outside/open.ts'
import type { HeapUsage } from '../../outside/usage.ts'
import { formatDuration } from '../../support/format.ts'
import type { Progress } from '../../support/progress.ts'
import { createScriptSources } from '../../support/script-sources.ts'
import { readOsFacts } from '../../target/os-facts.ts'
import { currentPlatform, type Platform } from '../../target/platform.ts'
import { requireNodeProcess } from '../../target/refusals.ts'
import type { InspectorSession } from '../../target/session.ts'
import type { Target } from '../../target/visit.ts'
import { attachWorkers } from '../../target/workers.ts'
import { captureOutsideBundle, type LastPicture, type OutsideSampling } from '../common/capture-outside.ts'
import type { Compared } from '../common/comparison.ts'
import type { Context } from '../common/context.ts'
import { comparisonOf } from '../common/inputs.ts'
import { buffersOf, heapUsed, lookAtSystem, sampleOutside, watchOutside } from '../common/outside-memory.ts'
import type { Sample } from '../common/process-samples.ts'
import { SAMPLING } from '../common/sampling.ts'
import { tellTrend, unknownOffHeap } from './off-heap-watch.ts'
import { type Times, watchThreads } from './outside-threads.ts'
import { findIdle, findWaste, settled, watchOpenFiles } from './side-looks.ts'

export interface OutsideWanted {
  readonly durationMs: number
  readonly snapshots: number
  readonly maxPauseMs: number
  readonly force: boolean
  readonly limit: number
  readonly detailed: boolean
}

export interface Inspector {
  readonly session: InspectorSession
  readonly visited: Target
}

export interface OutsideVisit {
  readonly visited: Target
  readonly vitals: readonly Vitals[]
  /** One with each picture. */
  readonly samples: readonly Sample[]
  /** What is no leak. */
  readonly waste: readonly ReportFinding[]
  readonly compared: Compared
  readonly offHeap: ReportOffHeap
  readonly captures: readonly BundleCapture[]
  /** How long the process stood still for each picture. */
  readonly pausesMs: readonly number[]
}

/** The look at living collections: of how many findings, and how long. */
const LIVE = { findings: 5, pauseMs: 1500, mostPauseMs: 6000, looks: 16 }

/** @param inspector has allocations sampled beside the pictures, and CPU time where the process is busy */
export async function visitOutside(
  context: Context,
  progress: Progress,
  pid: number,
  folder: string,
  { durationMs, snapshots: count, maxPauseMs, force, limit, detailed }: OutsideWanted,
  inspector?: Inspector,
): Promise<OutsideVisit> {
  const platform = await currentPlatform()
  const { facts, binary } = await requireNodeProcess(platform, pid, 'not needed')
  const nodeVersion = binary.version ?? 'unknown'
  const visited: Target = {
    ...{ pid, nodeVersion, command: facts.command, inspector: undefined, inspectorWasOpen: false },
  }
  const ofCpu = inspector ? await findWaste(context, progress, inspector.session, inspector.visited) : []
  const everyMs = durationMs / (count - 1)
  const files = watchOpenFiles(pid)
  const vitals: Vitals[] = []
  const samples: Sample[] = []
  const pausesMs: number[] = []
  const looks = new Map<string, Looks>()
  const clock = cpuClock(platform, pid)
  const memory = watchOutside(pid, durationMs)
  const threads = watchThreads(pid)
  let copied = lookAtSystem(pid)
  try {
    const { last, bundle } = await captureOutsideBundle(pid, folder, {
      ...{ force, count, everyMs, maxPauseMs, signal: context.signal, nodeVersion: binary.version ?? null },
      command: facts.command,
      sampling: inspector && ((folder) => sampleBeside(inspector.session, folder)),
      onBegin(round, isWaiting) {
        const which = ` (${round} of ${count})`
        progress.stage(isWaiting ? `watching for ${formatDuration(everyMs)}${which}` : `reading the heap${which}`)
      },
      // What is said of memory is to be of the moment of the picture, and not of the time when it is ready.
      onCopied() {
        copied = lookAtSystem(pid)
      },
      async onPicture({ pausedMs, heaps }) {
        pausesMs.push(pausedMs)
        for (const heap of heaps) noteThread(looks, pid, heap)
        samples.push(sampleOutside(copied, heaps))
        memory.add(copied, heaps)
        vitals.push(vitalsOf(pid, await clock(), heaps[0]!.usage))
      },
    })
    files?.stop()
    memory.stop()
    const busy = threads.end()
    let candidates: readonly NativeCandidate[] = []
    const [{ compareAll }, { nativeCandidates }] = await Promise.all([
      import('../common/comparison.ts'),
      import('../../detectors/native-growth.ts'),
    ])
    const contentsOf = (isolate: string) => last.heaps.find((heap) => heap.isolate === isolate)?.contents
    const compared = await compareAll(await comparisonOf([folder]), progress, {
      ...{ sort: 'retained', index: false, json: detailed, limit, signal: context.signal, openFiles: files },
      async askViews(isolate, ids) {
        const contents = contentsOf(isolate)
        return new Map(
          ids.flatMap((id) => {
            const view = contents?.view(id)
            return view ? [[id, view] as const] : []
          }),
        )
      },
      onLeaks: (captures, { reportedBy }) => {
        candidates = nativeCandidates(captures, reportedBy)
      },
    })
    progress.stage('looking at what was found')
    const inHeap = settled(compared, await lookAgain(pid, last, compared, context.signal))
    const trend = memory.trend(inHeap.growth?.totalShallowBytes ?? 0)
    const told = trend
      ? tellTrend(trend, inHeap.findings, { candidates, pid })
      : { findings: inHeap.findings, report: unknownOffHeap(TOO_SHORT) }
    return {
      ...{ visited, vitals, samples, pausesMs, captures: bundle.captures },
      // Of the CPU, a profile knows better.
      waste: [
        ...(inspector
          ? ofCpu
          : busy
            ? findInThreads(
                timesOf(looks, pid, busy),
                createScriptSources({ scripts: joinScripts(last.heaps.map(({ scripts }) => scripts)) }),
              )
            : []),
        ...findIdle(samples),
      ],
      compared: { ...inHeap, findings: told.findings },
      offHeap: told.report,
    }
  } finally {
    files?.stop()
    memory.stop()
  }
}

/** What the pictures show of an isolate's thread. */
interface Looks extends Pick<ThreadTimes, 'stacks' | 'scheduled'> {
  readonly stacks: (readonly JsFrame[])[]
  readonly scheduled: (readonly ScheduledFunction[])[]
  /** Of a worker, as soon as it was seen in a function. */
  thread: number | undefined
}

function noteThread(
  looks: Map<string, Looks>,
  pid: number,
  { isolate, stacks, scheduled }: Pick<OutsideHeap, 'isolate' | 'stacks' | 'scheduled'>,
): void {
  const isMain = isolate === 'main'
  const known = looks.get(isolate) ?? { stacks: [], scheduled: [], thread: isMain ? pid : undefined }
  looks.set(isolate, known)
  if (!isMain) known.thread ??= [...stacks.keys()].find((thread) => thread !== pid)
  known.stacks.push((known.thread !== undefined && stacks.get(known.thread)) || [])
  known.scheduled.push(scheduled)
}

function timesOf(looks: ReadonlyMap<string, Looks>, pid: number, { shares, ...busy }: Times): ThreadTimes[] {
  return Array.from(looks).flatMap(([isolate, { thread, stacks, scheduled }]) => {
    const share = thread === undefined ? undefined : shares.get(thread)
    return share === undefined ? [] : { ...busy, pid, isolate, share, stacks, scheduled }
  })
}

/** Allocations of all isolates, sampled over the inspector. */
async function sampleBeside(session: InspectorSession, folder: string): Promise<OutsideSampling> {
  const workers = await attachWorkers(session)
  const isolates = listIsolates(session, workers)
  const sampling = createBundleSampling(SAMPLING, folder)
  for (const isolate of isolates) await sampling.begin(isolate)
  return {
    async write(name, stem, isLast) {
      const isolate = isolates.find((each) => each.name === name)
      return isolate ? sampling.write(isolate, stem, isLast) : null
    },
    async end() {
      sampling.abandon()
      await workers.leave()
    },
  }
}

/** As the system has it. */
export const readCommand = async (pid: number): Promise<readonly string[]> =>
  (await (await currentPlatform()).describe(pid))?.command ?? []

/** Looks at the collections in the memory of the process while it runs: some words of each, again and again. */
async function lookAgain(
  pid: number,
  last: LastPicture,
  { findings: sure, undecided = [] }: Pick<Compared, 'findings' | 'undecided'>,
  signal: AbortSignal,
): Promise<ReportFinding[]> {
  const findings = [...sure, ...undecided]
  const collectionOf = (finding: ReportFinding): Collection | undefined => {
    const id = gainingNode(finding, undecided.includes(finding))
    const heap = last.heaps.find(({ isolate }) => isolate === finding.isolate)
    return id === undefined ? undefined : heap?.contents?.collection(id)
  }
  const asked = new Map<ReportFinding, Collection>()
  for (const finding of findings) {
    const collection = asked.size < LIVE.findings + undecided.length ? collectionOf(finding) : undefined
    if (collection) asked.set(finding, collection)
  }
  if (asked.size === 0) return sure.slice()
  const longestMs = 1000 * Math.max(0, ...undecided.filter((each) => asked.has(each)).map(growthLookSeconds))
  const pauseMs = Math.max(LIVE.pauseMs, Math.min(LIVE.mostPauseMs, longestMs))
  const sizes: Map<ReportFinding, number | undefined>[] = []
  const startedMs = performance.now()
  try {
    const source = openLiveMemory(pid)
    try {
      // What is emptied and filled again is soon as large as before: only looks in between show it.
      for (let look = 0; look <= LIVE.looks; look++) {
        if (look > 0) await pause(pauseMs / LIVE.looks, new Promise<void>(() => {}), signal)
        sizes.push(new Map(Array.from(asked, ([finding, collection]) => [finding, sizeNow(source, collection)])))
      }
    } finally {
      source.close()
    }
  } catch (error) {
    // What has been found is worth telling, even if the process should be gone by now.
    if (!(error instanceof LeakscopeError) || error.code === 'cancelled') throw error
    return sure.slice()
  }
  const seconds = (performance.now() - startedMs) / 1000
  return findings.flatMap((finding) => {
    const seen = sizes.map((look) => look.get(finding))
    const [first, half, second] = [seen[0], seen[LIVE.looks / 2], seen.at(-1)]
    const least = Math.min(...seen.filter((size) => size !== undefined))
    if (undecided.includes(finding)) return stillGrows(finding, { first, half, second, seconds }) ?? []
    return asked.has(finding) ? confirm(finding, { first, second, least, seconds }) : finding
  })
}

/** Tells of how many cores the process had the time since it was asked before; null the first time. */
function cpuClock(platform: Platform, pid: number): () => Promise<number | null> {
  let before: { readonly atMs: number; readonly cpuMs: number } | undefined
  return async () => {
    const cpuMs = (await platform.describe(pid))?.cpuMs
    const atMs = performance.now()
    const cores = cpuMs === undefined || !before ? null : (cpuMs - before.cpuMs) / (atMs - before.atMs)
    before = cpuMs === undefined ? undefined : { atMs, cpuMs }
    return cores
  }
}

const TOO_SHORT = 'it was looked at too few times to tell a rise from chance; a longer --duration does'

/** What the system says of the process at the moment, and a picture of its heap. */
function vitalsOf(pid: number, coresUsed: number | null, heap: HeapUsage): Vitals {
  const os = readOsFacts(pid)
  const sum = (counts: Readonly<Record<string, number>> | null | undefined): number | null =>
    counts ? Object.values(counts).reduce((all, count) => all + count, 0) : null
  return {
    at: new Date().toISOString(),
    rssBytes: os?.rssBytes ?? null,
    ...{ heapUsedBytes: heapUsed(heap), externalBytes: null },
    arrayBuffersBytes: buffersOf(heap),
    ...{ eventLoopUtilization: null, coresUsed, activeResources: null },
    ...{ threads: sum(os?.threads), files: sum(os?.files) },
  }
}
