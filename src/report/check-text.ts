// What `leakscope check` measured, as a sentence and a table: for a terminal and for Markdown.

import type { MeasuredGrowth, ReportCheck, RoundReading } from '../findings/check.ts'
import { formatBytes, formatBytesDelta, formatCount, formatDuration } from '../support/format.ts'

export interface CheckText {
  /** The verdict in a few words. */
  readonly headline: string
  readonly details: readonly string[]
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const NAMES: Readonly<Record<MeasuredGrowth['measure'], string>> = {
  heap: 'heap',
  external: 'external memory',
  workers: 'workers',
  threads: 'threads',
  files: 'open files',
}

const isOfBytes = ({ measure }: MeasuredGrowth): boolean => measure !== 'threads' && measure !== 'files'

function headlineOf({ verdict, outcome, measures }: ReportCheck): string {
  if (verdict === 'steady') return 'Passed: memory does not grow with the work'
  if (verdict === 'undecided') {
    return `${outcome === 'failed' ? 'Failed' : 'Undecided'}: the rounds do not tell whether memory grows`
  }
  const grew = measures.filter((it) => it.verdict === 'growing')
  const counted = grew.some(isOfBytes) ? undefined : grew[0]
  return outcome === 'failed'
    ? `Failed: ${counted ? `${NAMES[counted.measure]} grow` : 'memory grows'} with the work`
    : 'Passed: memory grows with the work, but only by leaks that are known'
}

/** How bad it is, in the words of those who read annotations. */
export const CHECK_LEVELS = { passed: 'note', failed: 'error', undecided: 'warning' } as const

export function checkText(check: ReportCheck): CheckText {
  const { reason, unit, budget, warmupRounds, durationMs, rounds, measures } = check
  const work = rounds.at(-1)?.workSoFar ?? 0
  const many = rounds.length - 1
  const hasWorkers = rounds.some(({ workersBytes }) => workersBytes)
  return {
    headline: headlineOf(check),
    details: [
      reason,
      ...measures.map((it) => measureLine(it, unit)),
      `${formatCount(many)} rounds, ${formatCount(round(work))} ${unit}s, after ${formatCount(warmupRounds)} rounds of warm-up; ${formatDuration(durationMs)} in all; budget: ${budget}.`,
    ],
    head: [
      'round',
      `${unit}s`,
      'heap after GC',
      '',
      'external',
      ...(hasWorkers ? ['workers'] : []),
      'resident',
      'handles',
      'threads',
      'files',
    ],
    rows: rounds.map((it, i) => row(it, rounds[i - 1], hasWorkers)),
  }
}

function measureLine(it: MeasuredGrowth, unit: string): string {
  const percent = Math.round(100 * it.confidence)
  const rate = isOfBytes(it) ? byteRate : few
  const sure =
    it.lower === null || it.upper === null ? '' : `${percent} % sure: ${rate(it.lower)} to ${rate(it.upper)}; `
  return `${NAMES[it.measure]}: ${rate(it.perUnit)} each ${unit} (${sure}may be ${rate(it.budgetPerUnit)}): ${it.reason}`
}

const few = (value: number): string => `${Number(value.toPrecision(2))}`

/** A byte a thousand times is a kilobyte: digits behind the point count here. */
const byteRate = (bytes: number): string => (Math.abs(bytes) < 100 ? `${few(bytes)} B` : formatBytes(bytes))

const round = (value: number): number => (value < 10 ? Number(value.toFixed(1)) : Math.round(value))

function row(now: RoundReading, before: RoundReading | undefined, hasWorkers: boolean): string[] {
  const count = (value: number | null) => (value === null ? '' : formatCount(value))
  return [
    `${now.round}`,
    formatCount(round(now.work)),
    formatBytes(now.heapUsedBytes),
    before ? formatBytesDelta(now.heapUsedBytes - before.heapUsedBytes) : '',
    formatBytes(now.externalBytes),
    ...(hasWorkers ? [now.workersBytes === null ? '' : formatBytes(now.workersBytes)] : []),
    formatBytes(now.rssBytes),
    count(now.handles),
    count(now.threads),
    count(now.files),
  ]
}
