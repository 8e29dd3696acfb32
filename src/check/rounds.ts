// The measuring itself: warm-up until memory settles, then rounds of ever more work, until they tell or time is up.

import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Budget,
  type GrowthVerdict,
  isSettled,
  judgeGrowth,
  MIN_ROUNDS,
  type Verdict,
} from '../analysis/growth-verdict.ts'
import { LeakscopeError } from '../errors.ts'
import { formatDuration } from '../support/format.ts'
import type { Driver } from './driver.ts'
import type { Meter, Reading } from './settle.ts'

/**
 * Workers are there only where a program has any. The last two are counted, for the process as a whole; they are among the
 * measures only where they grow.
 */
export type Measure = 'heap' | 'external' | 'workers' | 'threads' | 'files'

export interface Round extends Reading {
  /** From 1; 0 is the state after the warm-up. */
  readonly round: number
  readonly work: number
  readonly workSoFar: number
  readonly durationMs: number
}

export interface Measured {
  readonly verdict: Verdict
  readonly measures: readonly ({ readonly measure: Measure } & GrowthVerdict)[]
  readonly warmupRounds: number
  readonly rounds: readonly Round[]
  readonly durationMs: number
  /** Whether time was up before the rounds told. */
  readonly timeUp: boolean
  /** Units of work that take a moment. */
  readonly base: number
}

export interface RoundsOptions {
  readonly budget: Budget
  /** No round is begun later than this. */
  readonly maxDurationMs: number
  /** Work that has not ended after so long never will; as a rule five minutes, or `maxDurationMs` if that is more. */
  readonly longestWorkMs?: number
  /** Whether others are at work in the same process, whose threads and files are not to be counted. */
  readonly shared?: boolean
  /** How many units of work are the measure of all rounds; as a rule it is found out. */
  readonly base?: number | undefined
  /** How long that many should take. */
  readonly baseMs?: number
  readonly signal: AbortSignal
  /** Told what is begun. */
  readonly onStage?: (stage: string) => void
}

/** As much work as takes about so long is the measure of all rounds, if the work can be had in pieces as small. */
const BASE_MS = 400
const LONGEST_WORK_MS = 300_000
/** What has grown is waited for so long, in case it is only late: timers that are yet to fire, sockets yet to close. */
const LINGER_MS = 3000
/** Of what it grew by, so much must be there after that. */
const STAYS = 0.5
/** A probe of the work that takes longer tells enough. */
const PROBE_MS = 100
/** A leak of a few bytes for a unit of work would stand out already; more would only fill memory. */
const MOST_UNITS = 2000
/** A large leak stands out by less work: what as much work may lose, in bytes. */
const MOST_BYTES = 1 << 20
/** Functions are compiled anew, and better, after thousands of calls: the first rounds of short work do not show that. */
const WARMUP_ROUNDS = { least: 3, leastOfLong: 2, most: 8 }
/** Of all time, what the warm-up may take. */
const WARMUP_SHARE = 0.4
/** Work that takes longer than this at the least grows by smaller steps. */
const LONG_MS = 1000

export async function measureRounds(meter: Meter, driver: Driver, options: RoundsOptions): Promise<Measured> {
  const { maxDurationMs, signal, onStage = () => {} } = options
  const startedMs = performance.now()
  const elapsedMs = () => performance.now() - startedMs
  const work = limited(driver, options.longestWorkMs ?? Math.max(LONGEST_WORK_MS, maxDurationMs), signal)

  onStage('finding out how long the work takes')
  const found = await findBase(driver.least, work, options)
  const { leastMs } = found
  let { base } = found
  const warmup = [{ work: 0, bytes: total(await meter(signal)) }]
  let reading: Reading
  const isLong = leastMs > LONG_MS
  const least = isLong ? WARMUP_ROUNDS.leastOfLong : WARMUP_ROUNDS.least
  do {
    onStage(`warming up (round ${warmup.length})`)
    const done = await work(isLong ? base : 2 * base * warmup.length)
    reading = await meter(signal)
    const before = warmup.at(-1)!
    warmup.push({ work: before.work + done, bytes: total(reading) })
    const lostByBase = (base * (total(reading) - before.bytes)) / done
    if (lostByBase > MOST_BYTES) base = Math.max(driver.least, Math.floor((base * MOST_BYTES) / lostByBase))
  } while (
    elapsedMs() < WARMUP_SHARE * maxDurationMs &&
    (warmup.length <= least || (!isSettled(warmup) && warmup.length <= WARMUP_ROUNDS.most))
  )

  const rounds: Round[] = [{ round: 0, work: 0, workSoFar: 0, durationMs: 0, ...reading }]
  const { budget } = options
  const judging = { ...options, budget: budget.kind === 'default' ? { ...budget, isLong } : budget }
  let measures = judge(rounds, judging)
  const measured = (verdict: Verdict, timeUp: boolean): Measured => ({
    ...{ verdict, measures, warmupRounds: warmup.length - 1, rounds, durationMs: elapsedMs(), timeUp, base },
  })
  // Who looks often enough sees anything once; for a second look there is always time.
  let grewBefore = false
  for (let round = 1; grewBefore || elapsedMs() < maxDurationMs; round++) {
    onStage(`round ${round}`)
    const roundStartedMs = performance.now()
    const amount = base * (isLong ? Math.ceil(round / 3) : round + 1)
    const done = await work(amount)
    const durationMs = performance.now() - roundStartedMs
    const now = await meter(signal)
    rounds.push({ round, work: done, workSoFar: rounds.at(-1)!.workSoFar + done, durationMs, ...now })
    if (round < MIN_ROUNDS) continue
    measures = judge(rounds, judging)
    const verdict = overall(measures)
    if (verdict === 'steady') return measured(verdict, false)
    if (verdict === 'growing' && grewBefore) {
      onStage('waiting whether it stays')
      await sleep(LINGER_MS, undefined, { signal }).catch(() => {})
      signal.throwIfAborted()
      if (stays(rounds, measures, await meter(signal))) return measured(verdict, false)
    }
    grewBefore = verdict === 'growing' && !grewBefore
  }
  return measured('undecided', true)
}

/** Whether any of what grew is still there now. */
function stays(rounds: readonly Round[], measures: Measured['measures'], now: Reading): boolean {
  const grew = (measure: Measure, to: Reading) => (VALUE_OF[measure](to) ?? 0) - (VALUE_OF[measure](rounds[0]!) ?? 0)
  return measures.some(
    ({ measure, verdict }) => verdict === 'growing' && grew(measure, now) >= STAYS * grew(measure, rounds.at(-1)!),
  )
}

type Work = (units: number) => Promise<number>

/** The driver's work, of which no piece may take longer than `mostMs`. */
function limited(driver: Driver, mostMs: number, signal: AbortSignal): Work {
  return async (units) => {
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort(
        new LeakscopeError('load-failed', `the work has not come to its end within ${formatDuration(mostMs)}`, {
          hint: `It was to do ${units} ${driver.unit}${units === 1 ? '' : 's'}: one of them may never end.`,
        }),
      )
    }, mostMs)
    try {
      return await driver.run(units, AbortSignal.any([signal, late.signal]))
    } catch (error) {
      throw late.signal.aborted ? late.signal.reason : error
    } finally {
      clearTimeout(timer)
    }
  }
}

/**
 * How much work takes a moment, and how long the least does. It is warm-up as well. A busy machine only ever makes work
 * take longer, so what counts is the best that was seen: too little work would not show a leak.
 */
async function findBase(
  least: number,
  work: Work,
  { base, baseMs = BASE_MS }: RoundsOptions,
): Promise<{ base: number; leastMs: number }> {
  if (base !== undefined) return { base: Math.max(least, base), leastMs: 0 }
  const probeMs = Math.min(PROBE_MS, baseMs)
  let units = least
  let leastMs = Number.POSITIVE_INFINITY
  let bestMs = Number.POSITIVE_INFINITY
  for (let probe = 0; ; probe++) {
    const startedMs = performance.now()
    const done = await work(units)
    const ms = performance.now() - startedMs
    if (done === least) leastMs = Math.min(leastMs, ms)
    bestMs = Math.min(bestMs, ms / done)
    // The first time of anything takes longer.
    const enough = bestMs * done >= probeMs && (probe > 0 || ms >= baseMs)
    if (enough || done >= MOST_UNITS) {
      const found = Math.min(MOST_UNITS, Math.round(baseMs / Math.max(bestMs, baseMs / MOST_UNITS)))
      return { base: Math.max(least, found), leastMs }
    }
    units = ms >= probeMs && bestMs * done >= probeMs ? done : 2 * done
  }
}

const total = ({ heapUsedBytes, externalBytes, workersBytes }: Reading): number =>
  heapUsedBytes + externalBytes + (workersBytes ?? 0)

const VALUE_OF: Readonly<Record<Measure, (reading: Reading) => number | null>> = {
  heap: ({ heapUsedBytes }) => heapUsedBytes,
  external: ({ externalBytes }) => externalBytes,
  workers: ({ workersBytes }) => workersBytes,
  threads: ({ threads }) => threads,
  files: ({ files }) => files,
}

/** So many threads or open files more may be a pool that has come to its size. */
const FEW = 32

function judge(rounds: readonly Round[], { budget, shared = false }: RoundsOptions): Measured['measures'] {
  const judged = (measure: Measure, allowed: Budget) => {
    const points = rounds.flatMap((round) => {
      const value = VALUE_OF[measure](round)
      return value === null ? [] : [{ work: round.workSoFar, bytes: value }]
    })
    return { measure, ...judgeGrowth(points, allowed) }
  }
  // Whoever allows for bytes has not said how many of these there may be.
  const counted = budget.kind === 'default' && !shared ? (['threads', 'files'] as const) : []
  const counts = counted
    .filter((measure) => rounds.every((round) => VALUE_OF[measure](round) !== null))
    .map((measure) => judged(measure, { kind: 'total', bytes: FEW }))
    .filter(({ verdict }) => verdict === 'growing')
  const hasWorkers =
    rounds.every(({ workersBytes }) => workersBytes !== null) && rounds.some(({ workersBytes }) => workersBytes !== 0)
  const bytes = (['heap', 'external', ...(hasWorkers ? (['workers'] as const) : [])] as const).map((measure) =>
    judged(measure, budget),
  )
  return [...bytes, ...counts]
}

function overall(measures: readonly GrowthVerdict[]): Verdict {
  if (measures.some(({ verdict }) => verdict === 'growing')) return 'growing'
  return measures.every(({ verdict }) => verdict === 'steady') ? 'steady' : 'undecided'
}
