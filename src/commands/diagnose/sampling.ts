// `leakscope diagnose --via sampling`: no snapshot; whose allocations stay and become more, as V8's sampling profiler tells.

import { findGrowingSites, type SampleReading } from '../../analysis/allocation-growth.ts'
import { type Isolate, listIsolates } from '../../capture/isolates.ts'
import { pause } from '../../capture/pause.ts'
import {
  abandonSampling,
  type HeapSampling,
  readHeapSampling,
  startSampling,
  stopSampling,
} from '../../capture/profile.ts'
import { readProcessScripts } from '../../capture/scripts.ts'
import { findInAllocations } from '../../detectors/process-findings.ts'
import { LeakscopeError } from '../../errors.ts'
import type { Report, ReportFinding } from '../../findings/report.ts'
import { formatDuration } from '../../support/format.ts'
import type { Progress } from '../../support/progress.ts'
import { createScriptSources } from '../../support/script-sources.ts'
import { ANSWER_MS, type InspectorSession } from '../../target/session.ts'
import { attachWorkers } from '../../target/workers.ts'
import type { Context } from '../common/context.ts'

/** Finer than beside snapshots, as there is nothing else to go by. */
const SAMPLING: HeapSampling = { kind: 'heap', intervalBytes: 32_768, includeCollected: false }
/** So many readings, of which each begins with a full collection; fewer where these take more than this part of the time. */
const READINGS = { most: 20, least: 6, share: 0.1 }
/** For a full collection of a large heap. */
const READ_MS = 60_000

/** What it takes, said before. */
export const samplingSentence = (durationMs: number): string =>
  `allocations are sampled for ${formatDuration(durationMs)} in place of snapshots, with a full garbage collection up to ${READINGS.most} times: that tells whose objects stay, not who holds them`

export interface Sampled {
  readonly findings: readonly ReportFinding[]
  /** Null where nothing could be sampled, and why. */
  readonly sampling: Report['sampling']
  readonly problem: string | undefined
}

/** Samples all isolates for so long. One that refuses, or ends meanwhile, is left out. */
export async function sampleAllocations(
  context: Context,
  progress: Progress,
  session: InspectorSession,
  durationMs: number,
): Promise<Sampled> {
  const workers = await attachWorkers(session)
  const running = new Map<Isolate, SampleReading[]>()
  let problem: string | undefined
  let isOver = false
  try {
    for (const isolate of listIsolates(session, workers)) {
      try {
        await startSampling(isolate.client, SAMPLING, { timeoutMs: ANSWER_MS })
        running.set(isolate, [])
      } catch (error) {
        if (!isItsOwn(error, session)) throw error
        problem ??= error.message
      }
    }
    if (running.size === 0) return { findings: [], sampling: null, problem: problem ?? 'nothing could be sampled' }
    const startedMs = performance.now()
    for (let reading = 0; ; reading++) {
      const passedMs = performance.now() - startedMs
      const isLast = reading > 0 && passedMs >= durationMs
      const tookMs = await readAll(running, isLast, session)
      isOver = isLast
      if (isLast) break
      const everyMs = Math.max(
        durationMs / READINGS.most,
        Math.min(tookMs / READINGS.share, durationMs / READINGS.least),
      )
      progress.stage(`sampling allocations for ${formatDuration(durationMs)}`)
      progress.update(Math.min(1, passedMs / durationMs))
      await pause(Math.min(everyMs, Math.max(0, durationMs - passedMs)), session.closed, context.signal)
    }
    const seconds = (performance.now() - startedMs) / 1000
    progress.stage('looking at what stayed')
    const scripts = createScriptSources({ scripts: await readProcessScripts(session).catch(() => []) })
    const perIsolate = Array.from(running, ([{ name }, readings]) => ({ name, sites: findGrowingSites(readings) }))
    if (perIsolate.every(({ sites }) => sites === undefined)) {
      return { findings: [], sampling: null, problem: 'its profiles do not tell of single samples' }
    }
    return {
      findings: perIsolate
        .flatMap(({ name, sites = [] }) => findInAllocations(name, sites, scripts))
        .sort((a, b) => b.growth.bytesPerSecond * b.confidence - a.growth.bytesPerSecond * a.confidence),
      sampling: {
        intervalBytes: SAMPLING.intervalBytes,
        readings: Math.max(...Array.from(running.values(), ({ length }) => length)),
        seconds,
      },
      problem: undefined,
    }
  } finally {
    if (!isOver) for (const { client } of running.keys()) abandonSampling(client, SAMPLING)
    await workers.leave()
  }
}

/** @returns how long the slowest took */
async function readAll(
  running: Map<Isolate, SampleReading[]>,
  isLast: boolean,
  session: InspectorSession,
): Promise<number> {
  const startedMs = performance.now()
  const read = async (isolate: Isolate, readings: SampleReading[]): Promise<void> => {
    const options = { timeoutMs: READ_MS }
    try {
      const { content } = isLast
        ? await stopSampling(isolate.client, SAMPLING, options)
        : await readHeapSampling(isolate.client, options)
      readings.push({ atMs: performance.now(), profile: content })
    } catch (error) {
      if (isolate.name === 'main' || !isItsOwn(error, session)) throw error
      running.delete(isolate)
    }
  }
  await Promise.all(Array.from(running, ([isolate, readings]) => read(isolate, readings)))
  return performance.now() - startedMs
}

const isItsOwn = (error: unknown, session: InspectorSession): error is LeakscopeError =>
  error instanceof LeakscopeError && !session.signal.aborted && error.code !== 'cancelled'
