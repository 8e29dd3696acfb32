// How much work makes a leak, of which the rate is known, stand out between two snapshots.

import type { Measured } from './rounds.ts'

/** From one snapshot to the next, a leak should grow by so many bytes. */
const STANDS_OUT = 64 * 1024

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
  const perUnit = Math.max(...measures.filter(({ verdict }) => verdict === 'growing').map((it) => it.perUnit))
  const amount = Math.min(Math.max(base, STANDS_OUT / perUnit), Math.max(base, mostMs / msPerUnit))
  return { amount, takesMs: msPerUnit * amount, lostBytes: perUnit * amount }
}
