// Whether a count that was taken several times rises as a leak does, or as a healthy thing does that fills up, or swings.

/**
 * - `steady`: more each time, at about the same speed, and what was there once has stayed;
 * - `turning`: more each time though what was there goes: more comes than goes, as in a queue whose consumer is too slow;
 * - `slowing`: more, but less and less so: something that fills up, or warms up;
 * - `swinging`: up and down;
 * - `level`: no more than before, whatever was exchanged;
 * - `unknown`: two snapshots, which tell a direction and nothing else.
 */
export type Trend = 'steady' | 'turning' | 'slowing' | 'swinging' | 'level' | 'unknown'

interface Series {
  /** How many there were each time. */
  readonly counts: readonly number[]
  /** How many of those that are there in the end came in each step; empty if not known. */
  readonly survivors: readonly number[]
  /** When. */
  readonly seconds: readonly number[]
  /** Whether `counts` counts nothing but things of which those that came are `survivors`. */
  readonly isExact?: boolean
}

/** The speed in a step that is still about the same, as a part of the average one. */
const ABOUT = 0.45
/** So much of what came in the latest step must be left of an earlier one for things to count as staying. */
const STAYED = 0.7
/** Where all stays, what comes at less than this part of its first speed has found nearly all there is to be found. */
const SLOWER = 0.55
/** How many times what came in the first step had come before it, where that goes on as it began. */
const EARLIER = { least: 1.2, most: 10 }
/** As many more as came, or nearly so: none has gone, however unevenly they came. */
const ALL = 0.95
/** So little beside what stayed of another step is nothing. */
const CRUMBS = 0.02

export function judgeSeries({ counts, survivors, seconds, isExact = false }: Series): Trend {
  const gains = counts.slice(1).map((count, step) => count - counts[step]!)
  const spans = seconds.slice(1).map((second, step) => Math.max(0.001, second - seconds[step]!))
  const gain = counts.at(-1)! - counts[0]!
  const came = survivors.reduce((sum, count) => sum + count, 0)
  if (gain <= 0) return 'level'
  // As many were exchanged as are there: the few more are chance.
  if (came > 0 && gain < 0.12 * came) return 'level'
  if (gains.length < 2) return 'unknown'
  const average = gain / spans.reduce((sum, span) => sum + span, 0)
  const rates = gains.map((count, step) => count / spans[step]!)
  if (gains.some((count) => count < 0)) return 'swinging'
  // Where single objects are not known, what has gained but once is chance, or was all there will be.
  if (survivors.length === 0 && gains.includes(0)) return gains.at(-1) === 0 ? 'slowing' : 'swinging'
  const noise = Math.sqrt(Math.max(1, average * Math.min(...spans))) / Math.min(...spans)
  if (rates.at(-1)! < ABOUT * average - noise * 0.5) return 'slowing'
  if (rates.some((rate) => rate < ABOUT * average - noise)) return 'swinging'
  const stayed = survivors.map((count, step) => count / spans[step]!)
  if (stayed.some((rate) => rate <= CRUMBS * Math.max(...stayed))) return 'swinging'
  // All but the latest step had time to lose what came in it.
  const mayStay = !isExact || gain >= STAYED * came
  const allStays = isExact && gain >= ALL * came
  if (allStays || (mayStay && stayed.every((rate) => rate >= STAYED * stayed.at(-1)!))) {
    // From the beginning on: on a machine that is busy, what comes steadily may come slowly for a while.
    const wasFaster = isExact && counts[0]! >= EARLIER.least * gains[0]! && counts[0]! <= EARLIER.most * gains[0]!
    return wasFaster && stayed.at(-1)! < SLOWER * stayed[0]! - noise ? 'slowing' : 'steady'
  }
  // What comes and goes by chance varies by the square root of how many came and went; of its number, where that is not known.
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return gain < 3 * Math.sqrt(isExact ? Math.max(gain, 2 * came - gain) : mean) ? 'swinging' : 'turning'
}
