// Whether memory grows with the work: growth per unit of work with a confidence interval, and a verdict by a budget. Pure.

/** What a series of rounds reached: all work so far, and the bytes that were left after a full collection. */
export interface WorkPoint {
  readonly work: number
  readonly bytes: number
}

/** What work may cost. */
export type Budget =
  /** Nothing, but for a floor below which nobody can tell growth from the noise of an engine at work. */
  | { readonly kind: 'default'; readonly isLong?: boolean }
  | { readonly kind: 'per-unit'; readonly bytes: number }
  /** Of all measured rounds together. */
  | { readonly kind: 'total'; readonly bytes: number }
  /** Of what there was when measuring began, for all measured rounds together. */
  | { readonly kind: 'share'; readonly share: number }

export type Verdict = 'steady' | 'growing' | 'undecided'

export interface GrowthVerdict {
  readonly verdict: Verdict
  readonly reason: string
  /** Bytes for a unit of work. */
  readonly perUnit: number
  readonly lower: number
  readonly upper: number
  readonly confidence: number
  readonly budgetPerUnit: number
}

/** Rounds after the warm-up before anything is said. */
export const MIN_ROUNDS = 5
/**
 * By as much a healthy heap may differ in the end from what it was: code that is compiled late, caches of the engine. Work
 * that takes seconds is thousands of requests, of which more code is compiled, and each of which would lose something.
 */
export const FLOOR = { bytes: 64 * 1024, longBytes: 256 * 1024, share: 0.01 }
const CONFIDENCE = 0.95
/** Of all work, so much may have been done in rounds that went against the trend. */
const CONTRARY = 0.2
/** A round goes with the trend when it gained this part of what the trend says. */
const WITH_TREND = 0.25
/** What fills up gains less in the second half of the work than this part of what it gained in the first. */
const LEVELLING = 0.6
/** How much of the series, at its end, must say the same as the whole. */
const TAIL = 0.5

/**
 * Growth is told by three things that must agree, for each by itself is fooled by something healthy: a line through all
 * points (by what happens once, such as a module that is loaded late), single rounds (by noise), and the later part by
 * itself (by what fills up and then stops). Where they do not, more rounds are wanted.
 * @param points of a series of rounds whose work escalates, in order; the first is the state before any of it
 */
export function judgeGrowth(points: readonly WorkPoint[], budget: Budget): GrowthVerdict {
  const whole = lineThrough(points)
  const budgetPerUnit = budgetFor(points, budget)
  const said = (verdict: Verdict, reason: string, { slope, lower, upper }: Line = whole): GrowthVerdict => ({
    ...{ verdict, reason, perUnit: slope, lower, upper, confidence: CONFIDENCE },
    budgetPerUnit,
  })
  if (points.length <= MIN_ROUNDS) return said('undecided', 'there are too few rounds to tell')
  const latest = points.slice(-Math.max(MIN_ROUNDS + 1, Math.ceil(points.length * TAIL)))
  const tail = lineThrough(latest)
  if (whole.upper <= budgetPerUnit) return said('steady', 'it does not grow by more than it may')
  if (tail.upper <= budgetFor(latest, budget)) {
    return said('steady', 'it grew at first, but no longer does so by more than it may', tail)
  }
  if (whole.lower <= budgetPerUnit || tail.lower <= budgetFor(latest, budget)) {
    return said('undecided', 'what it may have grown by is not certainly more than it may')
  }
  const rates = ratesOf(points)
  const isAgainst = (rate: number) => rate < WITH_TREND * whole.slope
  const against = rates.filter(isAgainst).length
  const work = rates.reduce((sum, rate, i) => sum + (isAgainst(rate) ? points[i + 1]!.work - points[i]!.work : 0), 0)
  if (work > CONTRARY * (points.at(-1)!.work - points[0]!.work)) {
    return said(
      'undecided',
      `it did not grow in ${against} of ${rates.length} rounds, as what is lost with the work would`,
    )
  }
  const [first, second] = halves(points)
  if (second < LEVELLING * first) return said('undecided', 'it grows less and less, as what fills up does')
  return said('growing', `it grew in ${rates.length - against} of ${rates.length} rounds, the more the more was done`)
}

/** Below so many bytes a round of warm-up has nothing new to bring. */
const SETTLED_BYTES = 32 * 1024
/** A program that leaks settles at a rate that is not zero: it does not fall any more. */
const SETTLED_RATE = 0.7

/** Whether the warm-up is over: another round brings next to nothing, or no less than the one before. */
export function isSettled(points: readonly WorkPoint[]): boolean {
  const last = points.at(-1)
  const before = points.at(-2)
  if (!last || !before || points.length < 3) return false
  if (last.bytes - before.bytes <= SETTLED_BYTES) return true
  const rates = ratesOf(points)
  return rates.at(-1)! >= SETTLED_RATE * rates.at(-2)!
}

/** In bytes for a unit of work of this series. */
function budgetFor(points: readonly WorkPoint[], budget: Budget): number {
  const work = points.at(-1)!.work - points[0]!.work
  if (budget.kind === 'per-unit') return budget.bytes
  const before = points[0]!.bytes
  const bytes =
    budget.kind === 'total'
      ? budget.bytes
      : budget.kind === 'share'
        ? budget.share * before
        : (budget.isLong ? FLOOR.longBytes : FLOOR.bytes) + FLOOR.share * before
  return work > 0 ? bytes / work : 0
}

interface Line {
  readonly slope: number
  readonly lower: number
  readonly upper: number
}

/** Least squares, and the interval by Student's t. */
function lineThrough(points: readonly WorkPoint[]): Line {
  const n = points.length
  const meanWork = points.reduce((sum, { work }) => sum + work, 0) / n
  const meanBytes = points.reduce((sum, { bytes }) => sum + bytes, 0) / n
  let [xx, xy] = [0, 0]
  for (const { work, bytes } of points) {
    xx += (work - meanWork) ** 2
    xy += (work - meanWork) * (bytes - meanBytes)
  }
  if (n < 3 || xx === 0) return { slope: 0, lower: Number.NEGATIVE_INFINITY, upper: Number.POSITIVE_INFINITY }
  const slope = xy / xx
  const residual = points.reduce(
    (sum, { work, bytes }) => sum + (bytes - meanBytes - slope * (work - meanWork)) ** 2,
    0,
  )
  const margin = studentT(n - 2) * Math.sqrt(residual / (n - 2) / xx)
  return { slope, lower: slope - margin, upper: slope + margin }
}

/** Two-sided 95 % points of Student's t, by degrees of freedom from 1. */
const T_95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131]

/** Beyond the table, Cornish and Fisher's first two terms, which are right to three digits there. */
function studentT(freedom: number): number {
  const z = 1.96
  return (
    T_95[freedom - 1] ?? z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2)
  )
}

/** Bytes for a unit of work, round by round. */
function ratesOf(points: readonly WorkPoint[]): number[] {
  return points.slice(1).map(({ work, bytes }, i) => (bytes - points[i]!.bytes) / (work - points[i]!.work))
}

/** The rates of the first and the second half of the work. */
function halves(points: readonly WorkPoint[]): [number, number] {
  const [start, end] = [points[0]!, points.at(-1)!]
  const half = (start.work + end.work) / 2
  const middle = points
    .slice(1, -1)
    .reduce((best, point) => (Math.abs(point.work - half) < Math.abs(best.work - half) ? point : best), points[1]!)
  return ratesOf([start, middle, end]) as [number, number]
}
