// A visit by the inspector: V8 writes the snapshots, and the process answers questions on what they show.

import type { FollowAhead } from '../../analysis/follow-ahead.ts'
import type { BundleCapture } from '../../capture/bundle.ts'
import type { QuotedIsolate } from '../../capture/quote.ts'
import type { NativeCandidate } from '../../detectors/native-growth.ts'
import { LeakscopeError } from '../../errors.ts'
import { unlessAborted } from '../../support/breathing.ts'
import { formatDuration } from '../../support/format.ts'
import type { InspectorSession } from '../../target/session.ts'
import { showTarget } from '../../target/target.ts'
import type { Target } from '../../target/visit.ts'
import { noteBeside, showProgress, type Wanted } from '../common/capturing.ts'
import type { Compared } from '../common/comparison.ts'
import type { Sample } from '../common/process-samples.ts'
import { SAMPLING } from '../common/sampling.ts'
import { byV8Sentence, wayInto } from '../common/ways.ts'
import type { OffHeapWatcher } from './off-heap-watch.ts'
import {
  attachOptions,
  DEFAULT_DURATION_MS,
  DEFAULT_LIMIT,
  DEFAULT_MAX_PAUSE_MS,
  LIGHT,
  type Visit,
  wayOf,
} from './options.ts'
import type { WatchedFiles } from './side-looks.ts'
import { sampleNow, samplingIn, type Visited } from './visited.ts'

export async function visitByInspector(visit: Visit, whyNotOutside: string | undefined): Promise<Visited> {
  const { context, progress, target, options } = visit
  const [{ withInspector }, { readVitals }, { FollowAhead }, beside, offHeap] = await Promise.all([
    import('../../target/attach.ts'),
    import('../../capture/vitals.ts'),
    import('../../analysis/follow-ahead.ts'),
    import('./side-looks.ts'),
    import('./off-heap-watch.ts'),
  ])
  const { light = false, duration: durationMs = DEFAULT_DURATION_MS } = options
  progress.stage(`attaching to ${showTarget(target)}`)
  return withInspector(target, attachOptions(visit), async (session, visited) => {
    const pid = target.kind === 'process' ? visited.pid : undefined
    if (!light && !options.quiet) {
      noteBeside(context, progress)(byV8Sentence(target, wayOf(options), visited, whyNotOutside))
    }
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
    const ahead = new FollowAhead()
    let captures: readonly BundleCapture[]
    try {
      captures = await capture(visit, { session, visited, durationMs, watcher, ahead })
    } catch (error) {
      await ahead.close()
      throw error
    } finally {
      files?.stop()
    }
    // What has been captured is worth its comparison, even if the process should be gone by now.
    await look().catch((error: unknown) => {
      if (!(error instanceof LeakscopeError)) throw error
    })
    const { compared, candidates } = await compare(visit, { session, files, ahead }).finally(() => ahead.close())
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

interface Capturing {
  readonly session: InspectorSession
  readonly visited: Target
  readonly durationMs: number
  readonly watcher: OffHeapWatcher
  readonly ahead: FollowAhead
}

async function capture(
  { context, progress, target, options, folder }: Visit,
  { session, visited, durationMs, watcher, ahead }: Capturing,
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
  const taken: { readonly isolate: string; readonly path: string }[] = []
  const { captures } = await captureBundle(session, folder, {
    pid: target.kind === 'process' ? visited.pid : undefined,
    ...{ signal: context.signal, force, count, everyMs, sampling: SAMPLING },
    async approve(isolates: readonly QuotedIsolate[]) {
      await agreeOnPrice(context, progress, target, visited, wanted, isolates)
      progress.stage('looking at memory beside the heap')
      await watcher.begin()
    },
    async until() {
      await watcher.stir()
      // Reading is over before the target is stopped again: both take memory and processor time.
      await unlessAborted(ahead.settled(), context.signal)
    },
    onCapture({ isolate }, path) {
      if (path !== undefined) taken.push({ isolate, path })
    },
    onBegin({ round, isolate }) {
      if (isolate === null) {
        watcher.rest()
        for (const { isolate, path } of taken.splice(0)) ahead.add(isolate, path)
      }
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

interface Comparing {
  readonly session: InspectorSession
  readonly files: WatchedFiles | undefined
  readonly ahead: FollowAhead
}

async function compare(
  { context, progress, options, folder, outputs: { detailed: json } }: Visit,
  { session, files, ahead }: Comparing,
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
    ...{ openFiles: files, ahead },
    onLeaks: (captures, { reportedBy }) => {
      candidates = nativeCandidates(captures, reportedBy)
    },
  })
  return { compared, candidates }
}
