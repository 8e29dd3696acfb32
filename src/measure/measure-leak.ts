// Whether a function, or a scenario in a process of its own, leaks: `measureLeak`.

import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Driver } from '../check/driver.ts'
import { type Measured, measureRounds } from '../check/rounds.ts'
import { DEFAULT_BUDGET, growthBudget } from '../commands/check/growth-budget.ts'
import { checkOf } from '../commands/check/report.ts'
import { emptyReport } from '../commands/common/report.ts'
import { LeakscopeError } from '../errors.ts'
import type { Report, ReportFinding } from '../findings/report.ts'
import { diagnose } from './diagnose.ts'
import { type Here, openHere } from './here.ts'
import { checkScenario, type Wish } from './scenario.ts'
import { textOf } from './text.ts'

export interface MeasureOptions {
  /**
   * About how many calls lead to the first verdict, warm-up included; 36 at the least. As a rule as many as take some
   * seven seconds, 70,000 at most. More are made as long as the rounds do not tell. For functions only.
   */
  readonly iterations?: number
  /**
   * What is allowed: `'1KB/iteration'`, or `'5%'` or `'2MB'` for all measured calls together, as `--max-growth` of
   * `leakscope check`; a number is bytes for each call. As a rule nothing that can be told from noise: 64 KB and 1 %.
   */
  readonly budget?: string | number
  /** No round of calls is begun later than this; 30,000 as a rule. A call may take as long, too. */
  readonly maxDurationMs?: number
  /** Whether to take snapshots and name the leak where there is one; true as a rule. */
  readonly diagnose?: boolean
  readonly signal?: AbortSignal
}

/** A function that is called with 0, 1, 2, …, and waited for. What it returns is not kept. */
export type Work = (call: number) => unknown

export interface LeakMeasurement {
  /** `undecided`: in the time that there was, the rounds did not tell. */
  readonly verdict: 'steady' | 'growing' | 'undecided'
  /** One sentence. */
  readonly reason: string
  /** Bytes for each call, of what grew most: of the JavaScript heap after garbage collection, or of memory beside it. */
  readonly growthPerIteration: number
  /** What that lies between, with `confidence`; infinite where there were too few rounds. */
  readonly interval: readonly [lower: number, upper: number]
  readonly confidence: number
  /** Calls that were measured, warm-up not included. */
  readonly iterations: number
  readonly durationMs: number
  /** What leaks, the first to be mended first; empty unless `verdict` is `growing`. */
  readonly findings: readonly ReportFinding[]
  /** All of the above and more, as `leakscope check --json` prints it. */
  readonly report: Report
  /** The same for people to read. */
  readonly text: string
}

const MAX_DURATION_MS = 30_000
/** Tests are short: what `leakscope check` gives 400 ms. */
const BASE_MS = 200
/** Warm-up and the first five rounds are so many times the measure of all rounds. */
const TIMES = 36

/** Two functions that are measured at the same time would be measured together. */
let turn: Promise<unknown> = Promise.resolve()

/**
 * Calls a function again and again, in rounds of more and more calls, and tells whether memory grows with them, by the
 * statistics of `leakscope check`. It is called where it is; other work in this thread is measured along. The URL or
 * path of a module names a scenario instead, which exports `iteration`, and perhaps `setup` and `teardown`, and runs in
 * a process of its own.
 *
 * Throws what the function throws; a LeakscopeError `load-failed` when a call does not end, or a scenario fails;
 * `usage-invalid` for options that make no sense; `cancelled` when the signal aborts. A function that blocks its thread
 * for ever cannot be stopped; a scenario can.
 */
export function measureLeak(subject: Work | URL | string, options: MeasureOptions = {}): Promise<LeakMeasurement> {
  const measuring = turn.then(() => measure(subject, options))
  turn = measuring.catch(() => {})
  return measuring
}

async function measure(subject: Work | URL | string, options: MeasureOptions): Promise<LeakMeasurement> {
  const wish = wishOf(options)
  if (typeof subject === 'function') return measurementOf(await measureWork(subject, wish))
  if (typeof subject !== 'string' && !(subject instanceof URL)) {
    throw new LeakscopeError('usage-invalid', `what is to be measured is a function, or the URL or path of a module`)
  }
  if (wish.iterations !== undefined) {
    throw new LeakscopeError('usage-invalid', 'iterations is for functions: how often a scenario runs is found out')
  }
  const path = typeof subject === 'string' && !subject.startsWith('file:') ? resolve(subject) : fileURLToPath(subject)
  return measurementOf(await checkScenario(path, wish))
}

function wishOf({
  iterations,
  budget,
  maxDurationMs = MAX_DURATION_MS,
  diagnose = true,
  signal,
}: MeasureOptions): Wish {
  const requirePositive = (name: string, value: number | undefined) => {
    if (value === undefined || (Number.isFinite(value) && value > 0)) return
    throw new LeakscopeError('usage-invalid', `${name} is a number above zero, not ${String(value)}`)
  }
  requirePositive('iterations', iterations)
  requirePositive('maxDurationMs', maxDurationMs)
  if (typeof budget === 'number') requirePositive('budget', budget)
  const text = typeof budget === 'number' ? `${budget}B/iteration` : budget
  return {
    ...{ iterations, maxDurationMs, diagnose },
    budget: text === undefined ? DEFAULT_BUDGET : growthBudget('budget')(text),
    signal: signal ?? new AbortController().signal,
  }
}

async function measureWork(work: Work, wish: Wish): Promise<Report> {
  const { iterations, budget, maxDurationMs, signal } = wish
  const here = openHere()
  const driver = workDriver(work)
  try {
    const measured = await measureRounds(here.meter, driver, {
      ...{ budget: budget.budget, maxDurationMs, longestWorkMs: maxDurationMs, baseMs: BASE_MS, shared: true, signal },
      base: iterations === undefined ? undefined : Math.round(iterations / TIMES),
    })
    const compared = measured.verdict === 'growing' && wish.diagnose ? await lookInto(here, driver, measured, wish) : {}
    const check = checkOf(measured, {
      ...{ unit: driver.unit, budget: budget.text, moreTime: 'maxDurationMs allows more' },
      outcome: measured.verdict === 'steady' ? 'passed' : measured.verdict === 'growing' ? 'failed' : 'undecided',
    })
    return {
      ...emptyReport('check'),
      ...compared,
      target: { pid: process.pid, nodeVersion: process.version, command: process.argv.join(' ') },
      check,
    }
  } finally {
    here.close()
  }
}

/** That it could not be looked into does not change the verdict. */
async function lookInto(here: Here, driver: Driver, measured: Measured, { signal }: Wish) {
  try {
    return await diagnose(here, driver, measured, signal)
  } catch (error) {
    if (!(error instanceof LeakscopeError) || signal.aborted) throw error
    return {}
  }
}

/**
 * V8 puts down what an inlined function allocates to its caller, which would be us. It inlines where always the same
 * function is called; so here others have been before.
 */
const callOnce = (work: Work, call: number): unknown => work(call)
for (let i = 0; i < 1000; i++) callOnce(i % 2 === 0 ? () => 0 : () => 1, i)

function workDriver(work: Work): Driver {
  let calls = 0
  return {
    ...{ unit: 'iteration', least: 1 },
    run: (units, signal) =>
      new Promise((resolve, reject) => {
        const times = Math.max(1, Math.round(units))
        const abort = () => reject(signal.reason)
        const callAll = async () => {
          for (let i = 0; i < times && !signal.aborted; i++) await callOnce(work, calls++)
          return times
        }
        if (signal.aborted) return abort()
        signal.addEventListener('abort', abort, { once: true })
        callAll()
          .then(resolve, reject)
          .finally(() => signal.removeEventListener('abort', abort))
      }),
    close: async () => {},
  }
}

async function measurementOf(report: Report): Promise<LeakMeasurement> {
  const { verdict, reason, measures, rounds, durationMs } = report.check!
  const ofBytes = measures.filter(({ measure }) => measure === 'heap' || measure === 'external')
  const growing = ofBytes.filter((it) => it.verdict === 'growing')
  const shown = [...(growing.length > 0 ? growing : ofBytes)].sort((a, b) => b.perUnit - a.perUnit)[0]!
  return {
    ...{ verdict, reason, growthPerIteration: shown.perUnit, confidence: shown.confidence },
    interval: [shown.lower ?? Number.NEGATIVE_INFINITY, shown.upper ?? Number.POSITIVE_INFINITY],
    ...{ iterations: rounds.at(-1)!.workSoFar, durationMs, findings: report.findings, report },
    text: await textOf(report),
  }
}
