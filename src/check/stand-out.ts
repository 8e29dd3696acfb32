// How much work makes a leak, of which the rate is known, stand out between two snapshots.

import type { Measure, Measured } from './rounds.ts'

/** From one snapshot to the next, a leak should grow by so many bytes. */
const STANDS_OUT = 64 * 1024
const BYTES: readonly Measure[] = ['heap', 'external', 'workers']

export interface WorkBetween {
  /** In units of work. */
  readonly amount: number
  readonly takesMs: number
  /** What should be lost by it. */
  readonly lostBytes: number
}

/** @param mostMs what it may take, unless the measure of all rounds takes longer */
export function workThatStandsOut({ measures, rounds, base }: Measured, mostMs: number): WorkBetween {
  const msPerUnit = rounds.reduce((sum, { durationMs }) => sum + durationMs, 0) / rounds.at(-1)!.workSoFar
  const lost = measures.filter(({ measure, verdict }) => verdict === 'growing' && BYTES.includes(measure))
  const perUnit = Math.max(0, ...lost.map((it) => it.perUnit))
  const enough = perUnit > 0 ? STANDS_OUT / perUnit : base
  const amount = Math.min(Math.max(base, enough), Math.max(base, mostMs / msPerUnit))
  return { amount, takesMs: msPerUnit * amount, lostBytes: perUnit * amount }
}
