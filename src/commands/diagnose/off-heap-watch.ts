// Looks at the memory beside the heap all through a `diagnose`: between full collections, where snapshots spoil nothing.

import {
  BESIDE_ARRAY_BUFFER,
  judgeOffHeap,
  type OffHeapReading,
  type OffHeapStretch,
  type OffHeapTrend,
  type OffHeapWatch,
} from '../../analysis/off-heap.ts'
import { pause } from '../../capture/pause.ts'
import { type NativeCandidate, withResidentGrowth } from '../../detectors/native-growth.ts'
import { LeakscopeError } from '../../errors.ts'
import type { ReportFinding, ReportOffHeap } from '../../findings/report.ts'
import { leavesOutIdle, offHeapLines } from '../../process/off-heap.ts'
import { readNativeAddons } from '../../target/native-addons.ts'
import type { InspectorSession } from '../../target/session.ts'
import { attachWorkers, type Workers } from '../../target/workers.ts'
import type { Compared } from '../common/comparison.ts'
import { type Sample, takeSample } from '../common/process-samples.ts'

interface Watched {
  readonly session: InspectorSession
  /** On this machine; undefined when the process runs elsewhere. */
  readonly pid: number | undefined
  readonly nodeVersion: string
  readonly durationMs: number
  readonly signal: AbortSignal
}

export interface OffHeapWatcher {
  /** Before the first snapshot. */
  begin(): Promise<void>
  /** A round of snapshots has been taken. */
  rest(): void
  /** Before the next round, and once more when all has been asked that is asked of objects by their ids. */
  stir(): Promise<void>
  /**
   * After the last snapshot; from here on V8 knows no object by its id any more.
   * @returns the last sample, unless the process did not answer
   */
  end(): Promise<Sample[]>
  /** What was seen, once it is over; undefined where that is too little. */
  seen(): Pick<OffHeapWatch, 'whole' | 'parts' | 'leavesOutIdle'> | undefined
}

/** After a collection, finalizers of native objects have their turn first; the lowest of these looks counts. */
const SOON_MS = [60, 250, 500]
/** A look takes longer where there is much native memory to walk through: then there are fewer. */
const LONG_MS = 500
/** For a full collection of a large heap. */
const COLLECT_MS = 60_000
/** Where idle memory cannot be told from used, snapshots spoil all that comes after them: so long is looked before, as a part of the duration. */
const AHEAD = { share: 0.3, leastMs: 2000, mostMs: 20_000, parts: 3 }

const NO_WORKERS: Workers = { list: () => [], leave: async () => {} }

/** Asks the process for little: two full collections, of the kind that each snapshot begins with, and some dozen numbers. */
export function watchOffHeap({ session, pid, nodeVersion, durationMs, signal }: Watched): OffHeapWatcher {
  let before: Sample[] = []
  let after: Sample[] = []
  let ahead: OffHeapStretch | undefined
  const parts: OffHeapStretch[] = []
  /** The looks at the beginning of the part that runs. */
  let first: Promise<Sample[]> | undefined

  const look = (workers: Workers) => takeSample({ session, workers, pid, nodeVersion })

  /** Between snapshots the workers belong to whoever takes them. */
  async function looks(delaysMs: readonly number[], workers = NO_WORKERS): Promise<Sample[]> {
    const samples: Sample[] = []
    for (const ms of delaysMs) {
      await pause(ms, session.closed, signal)
      const startedMs = performance.now()
      samples.push(await look(workers))
      if (performance.now() - startedMs > LONG_MS && samples.length > 1) break
    }
    return samples
  }

  async function collect(): Promise<Sample[]> {
    const workers = await attachWorkers(session)
    try {
      const collectIn = (client: Pick<InspectorSession, 'send'>) =>
        client.send('HeapProfiler.collectGarbage', {}, { timeoutMs: COLLECT_MS })
      // A worker that does not answer keeps its garbage.
      await Promise.all([collectIn(session), ...workers.list().map((worker) => collectIn(worker).catch(() => {}))])
      return await looks(SOON_MS, workers)
    } finally {
      await workers.leave()
    }
  }

  /** Looks at a time before the first snapshot, and makes it the whole. */
  async function lookAhead(): Promise<void> {
    const ms = Math.min(AHEAD.mostMs, Math.max(AHEAD.leastMs, AHEAD.share * durationMs))
    let from = before
    for (let part = 0; part < AHEAD.parts; part++) {
      await pause(ms / AHEAD.parts, session.closed, signal)
      const to = part === AHEAD.parts - 1 ? await collect() : await looks([0])
      parts.push({ from: from.map(readingOf), to: to.map(readingOf) })
      from = to
    }
    ahead = { from: before.map(readingOf), to: from.map(readingOf) }
  }

  return {
    async begin() {
      before = await orNone(collect())
      if (before.length > 0 && !leavesOutIdle(before[0]!.ledger)) await orNone(lookAhead().then(() => []))
    },
    rest() {
      if (ahead || before.length === 0) return
      first = orNone(looks([SOON_MS[1]!, SOON_MS[2]!]))
      // Whoever waits for it hears of it; until then nobody does.
      first.catch(() => {})
    },
    async stir() {
      const from = await first
      first = undefined
      if (!from) return
      const to = await orNone(looks([0, SOON_MS[0]!]))
      parts.push({ from: from.map(readingOf), to: to.map(readingOf) })
    },
    async end() {
      // V8 keeps a table of the ids of all objects, as long as somebody may ask for one by its id.
      await session.send('HeapProfiler.disable', {}, { timeoutMs: COLLECT_MS }).catch(() => {})
      after = before.length > 0 ? await orNone(collect()) : []
      return after.slice(-1)
    },
    seen() {
      const [one] = before
      if (!one) return undefined
      const leavesOut = leavesOutIdle(one.ledger)
      const whole = leavesOut ? { from: before.map(readingOf), to: after.map(readingOf) } : ahead
      return whole && { whole, parts, leavesOutIdle: leavesOut }
    },
  }
}

interface Found {
  readonly candidates: readonly NativeCandidate[]
  readonly pid: number | undefined
}

/** What was seen, beside what the heap's snapshots say of the same time. */
export function tell(
  watcher: OffHeapWatcher,
  { findings, growth }: Pick<Compared, 'findings' | 'growth'>,
  found: Found,
): TrendTold {
  const seen = watcher.seen()
  const trend = seen && judgeOffHeap({ ...seen, ...ofSnapshots(growth, seen.whole) })
  return trend
    ? tellTrend(trend, findings, found)
    : { findings, report: unknownOffHeap('the process did not answer when its memory was looked at') }
}

interface TrendTold {
  readonly findings: ReportFinding[]
  readonly report: ReportOffHeap
}

export function tellTrend(trend: OffHeapTrend, findings: ReportFinding[], { candidates, pid }: Found): TrendTold {
  const addons = pid === undefined ? undefined : readNativeAddons(pid)
  const { verdict, bytes, bytesPerSecond, seconds, marginBytes, lines } = trend
  return {
    findings: withResidentGrowth(findings, { trend, candidates, addons, pid }),
    report: { verdict, reason: null, bytes, bytesPerSecond, seconds, marginBytes, lines: { ...lines } },
  }
}

export const unknownOffHeap = (reason: string): ReportOffHeap => ({
  ...{ verdict: 'unknown', reason },
  ...{ bytes: null, bytesPerSecond: null, seconds: null, marginBytes: null, lines: {} },
})

/** Of external strings, and of some of Node's own objects (the tables of zlib's streams), snapshots show the size: that is no news. */
function ofSnapshots(growth: Compared['growth'], { from, to }: OffHeapStretch) {
  const shown =
    growth?.constructors.filter(({ name }) => /^(Node \/ .*|system \/ ExternalStringData)$/.test(name)) ?? []
  const buffers = growth?.constructors.find(({ name }) => name === 'system / JSArrayBufferData')
  const bytes =
    shown.reduce((sum, { shallowBytesDelta }) => sum + shallowBytesDelta, 0) +
    BESIDE_ARRAY_BUFFER * Math.max(0, buffers?.countDelta ?? 0)
  const ms = (to.at(-1)?.atMs ?? 0) - (from.at(-1)?.atMs ?? 0)
  const share = growth && growth.elapsedMs > 0 ? ms / growth.elapsedMs : 1
  return { heapGrowthBytes: growth?.totalShallowBytes ?? 0, accountedBytes: bytes * share }
}

const readingOf = ({ atMs, ledger }: Sample): OffHeapReading => ({ atMs, lines: offHeapLines(ledger) })

/** What the process does not answer, for whatever reason, is not known: the diagnosis goes on without. */
async function orNone(samples: Promise<Sample[]>): Promise<Sample[]> {
  try {
    return await samples
  } catch (error) {
    if (error instanceof LeakscopeError && error.code !== 'cancelled') return []
    throw error
  }
}
