// The measuring itself: warm-up until memory settles, then rounds of ever more work, until they tell or time is up.

import {
  type Budget,
  type GrowthVerdict,
  isSettled,
  judgeGrowth,
  MIN_ROUNDS,
  type Verdict,
} from '../analysis/growth-verdict.ts'
import type { InspectorSession } from '../target/session.ts'
import type { Driver } from './driver.ts'
import { type Reading, settleAndRead } from './settle.ts'

export type Measure = 'heap' | 'external'

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
  readonly pid: number | undefined
  readonly budget: Budget
  /** No round is begun later than this. */
  readonly maxDurationMs: number
  readonly signal: AbortSignal
  /** Told what is begun. */
  readonly onStage?: (stage: string) => void
}

/** As much work as takes about so long is the measure of all rounds, if the work can be had in pieces as small. */
const BASE_MS = 400
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
const LONG_MS = 2000

export async function measureRounds(
  session: InspectorSession,
  driver: Driver,
  { pid, budget, maxDurationMs, signal, onStage = () => {} }: RoundsOptions,
): Promise<Measured> {
  const startedMs = performance.now()
  const elapsedMs = () => performance.now() - startedMs

  onStage('finding out how long the work takes')
  const found = await findBase(driver, signal)
  const { leastMs } = found
  let { base } = found
  const warmup = [{ work: 0, bytes: total(await settleAndRead(session, pid, signal)) }]
  let reading: Reading
  const isLong = leastMs > LONG_MS
  const least = isLong ? WARMUP_ROUNDS.leastOfLong : WARMUP_ROUNDS.least
  do {
    onStage(`warming up (round ${warmup.length})`)
    const work = await driver.run(isLong ? base : 2 * base * warmup.length, signal)
    reading = await settleAndRead(session, pid, signal)
    const before = warmup.at(-1)!
    warmup.push({ work: before.work + work, bytes: total(reading) })
    const lostByBase = (base * (total(reading) - before.bytes)) / work
    if (lostByBase > MOST_BYTES) base = Math.max(driver.least, Math.floor((base * MOST_BYTES) / lostByBase))
  } while (
    elapsedMs() < WARMUP_SHARE * maxDurationMs &&
    (warmup.length <= least || (!isSettled(warmup) && warmup.length <= WARMUP_ROUNDS.most))
  )

  const rounds: Round[] = [{ round: 0, work: 0, workSoFar: 0, durationMs: 0, ...reading }]
  let measures = judge(rounds, budget)
  // Who looks often enough sees anything once; for a second look there is always time.
  let grewBefore = false
  for (let round = 1; grewBefore || elapsedMs() < maxDurationMs; round++) {
    onStage(`round ${round}`)
    const roundStartedMs = performance.now()
    const amount = base * (isLong ? Math.ceil(round / 3) : round + 1)
    const work = await driver.run(amount, signal)
    const durationMs = performance.now() - roundStartedMs
    const now = await settleAndRead(session, pid, signal)
    rounds.push({ round, work, workSoFar: rounds.at(-1)!.workSoFar + work, durationMs, ...now })
    if (round < MIN_ROUNDS) continue
    measures = judge(rounds, budget)
    const verdict = overall(measures)
    if (verdict === 'steady' || (verdict === 'growing' && grewBefore)) {
      return {
        verdict,
        measures,
        warmupRounds: warmup.length - 1,
        rounds,
        durationMs: elapsedMs(),
        timeUp: false,
        base,
      }
    }
    grewBefore = verdict === 'growing'
  }
  return {
    ...{ verdict: 'undecided', measures, warmupRounds: warmup.length - 1, rounds, durationMs: elapsedMs() },
    ...{ timeUp: true, base },
  }
}

/** How much work takes a moment, and how long the least does. It is warm-up as well. */
async function findBase(driver: Driver, signal: AbortSignal): Promise<{ base: number; leastMs: number }> {
  let units = driver.least
  let leastMs = 0
  for (let probe = 0; ; probe++) {
    const startedMs = performance.now()
    const done = await driver.run(units, signal)
    const ms = performance.now() - startedMs
    if (probe === 0) leastMs = ms
    // The first time of anything takes longer.
    const enough = ms >= PROBE_MS && (probe > 0 || ms >= BASE_MS)
    if (enough || done >= MOST_UNITS) {
      const units = Math.min(MOST_UNITS, Math.round((done * BASE_MS) / Math.max(ms, 1)))
      return { base: Math.max(driver.least, units), leastMs }
    }
    units = ms >= PROBE_MS ? done : 2 * done
  }
}

const total = ({ heapUsedBytes, externalBytes }: Reading): number => heapUsedBytes + externalBytes

function judge(rounds: readonly Round[], budget: Budget): ({ measure: Measure } & GrowthVerdict)[] {
  const points = (bytes: (round: Round) => number) =>
    rounds.map((round) => ({ work: round.workSoFar, bytes: bytes(round) }))
  return [
    {
      measure: 'heap',
      ...judgeGrowth(
        points((round) => round.heapUsedBytes),
        budget,
      ),
    },
    {
      measure: 'external',
      ...judgeGrowth(
        points((round) => round.externalBytes),
        budget,
      ),
    },
  ]
}

function overall(measures: readonly GrowthVerdict[]): Verdict {
  if (measures.some(({ verdict }) => verdict === 'growing')) return 'growing'
  return measures.every(({ verdict }) => verdict === 'steady') ? 'steady' : 'undecided'
}
