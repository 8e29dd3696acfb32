// What was measured, as the part of a Report that tells of it.

import type { Driver } from '../../check/driver.ts'
import type { Measured } from '../../check/rounds.ts'
import type { ReportCheck } from '../../findings/check.ts'
import { formatDuration } from '../../support/format.ts'

interface Circumstances {
  readonly unit: Driver['unit']
  readonly outcome: ReportCheck['outcome']
  /** As it was asked for. */
  readonly budget: string
  /** What to do where time was up. */
  readonly moreTime: string
}

export function checkOf(measured: Measured, { unit, outcome, budget, moreTime }: Circumstances): ReportCheck {
  const { verdict, measures, rounds, warmupRounds, durationMs } = measured
  return {
    ...{ verdict, outcome, reason: reasonFor(measured, moreTime) },
    ...{ unit, budget, warmupRounds, durationMs: Math.round(durationMs) },
    rounds: rounds.map((round) => ({ ...round, durationMs: Math.round(round.durationMs) })),
    measures: measures.map((it) => ({ ...it, lower: finite(it.lower), upper: finite(it.upper) })),
  }
}

/** JSON knows no infinity. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

function reasonFor({ verdict, rounds, durationMs, timeUp }: Measured, moreTime: string): string {
  if (verdict === 'steady') return 'Nothing grew by more than it may.'
  if (verdict === 'growing') return 'It grew round by round, and more where more was done.'
  const many = rounds.length - 1
  return timeUp
    ? `In ${formatDuration(durationMs)} there was time for ${many} rounds, which do not tell: ${moreTime}.`
    : 'The rounds do not tell.'
}
