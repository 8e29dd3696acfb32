// The verdict on a series of measurements of memory: whether it leaks, how fast, and when it will be at its limit. Pure.

import { floorsOf, noiseOf, type Point, quantile, steadyTimes } from './floors.ts'
import { bestShapes, likeness, type Shape } from './shapes.ts'

export type { Point } from './floors.ts'

/**
 * `leak`: the floor rises, and nothing says that it will stop. `plateau`: it rose, in steps, and has stayed there since.
 * `warm-up`: it rose at first, ever more slowly, and came to rest. `sawtooth`: it rises and falls again, and its floor
 * stays. `flat`: nothing but noise. `undecided`: too short, or as good a leak as something that comes to rest.
 */
export type Verdict = 'leak' | 'plateau' | 'sawtooth' | 'warm-up' | 'flat' | 'undecided'

export interface Trend {
  readonly verdict: Verdict
  /** Of the floor since what came once was over, a step or a warm-up: bytes (or what it is) per hour. */
  readonly slopePerHour: number
  /** Between these two the slope is, with 95 % confidence. */
  readonly lowPerHour: number
  readonly highPerHour: number
  /** 0 to 1: how sure it is that the floor rises at all (Mann-Kendall). */
  readonly confidence: number
  /** The latest of the floor. */
  readonly level: number
  /** How many of the samples were floors, or stand for some. */
  readonly floors: number
}

export interface Slope {
  /** Per millisecond. */
  readonly slope: number
  readonly low: number
  readonly high: number
  /** That it is above 0. */
  readonly confidence: number
}

const HOUR_MS = 3_600_000
/** With fewer samples, or floors, anything looks like anything. */
const FEWEST_SAMPLES = 16
const FEWEST_FLOORS = 8
/** By how much the better of two shapes must be better: Kass & Raftery 1995 call 6 strong and 10 very strong. */
const CLEARLY = 6
const SURE = 0.999
/** A rise smaller than this part of what there is, over the whole series, is nobody's leak yet. */
const WORTH_TELLING = 0.003
/** Noise by itself takes on any shape a little. */
const WELL_EXPLAINED = 0.5
/** The part at the end that has to rise by itself, and how sure that must be. */
const LATE = 0.5
const RATHER_SURE = 0.9

/** Judges a series in the order of its samples; the clock may have jumped. */
export function judgeTrend(samples: readonly Point[]): Trend {
  const points = steadyTimes(samples.filter(({ value }) => Number.isFinite(value)))
  if (points.length < 3) return trendOf('undecided', points, { slope: 0, low: 0, high: 0, confidence: 0.5 })
  const { points: floors, drops } = floorsOf(points)
  if (points.length < FEWEST_SAMPLES || floors.length < FEWEST_FLOORS) {
    return trendOf('undecided', floors, theilSen(floors))
  }
  if (floors.every(({ value }) => value === floors[0]!.value)) {
    return trendOf(drops >= 2 ? 'sawtooth' : 'flat', floors, { slope: 0, low: 0, high: 0, confidence: 0.5 })
  }
  const { resting, rising } = bestShapes(floors)
  const rise = rising && theilSen(rising.rest)
  if (rising && rise && rising.score < resting.score && rise.confidence > SURE) {
    return trendOf(isLeak(floors, resting, rising, rise) ? 'leak' : 'undecided', floors, rise)
  }
  return trendOf(restOf(floors, resting, drops), floors, theilSen(resting.rest.length >= 3 ? resting.rest : floors))
}

function isLeak(floors: readonly Point[], resting: Shape, rising: Shape, rise: Slope): boolean {
  const { rest } = rising
  if (rest.length < FEWEST_FLOORS || resting.score - rising.score <= CLEARLY || rise.low <= 0) return false
  if (theilSen(rest.slice(Math.floor(LATE * rest.length))).confidence <= RATHER_SURE) return false
  const bytes = rise.slope * (rest.at(-1)!.atMs - rest[0]!.atMs)
  const level = quantile(
    floors.map(({ value }) => Math.abs(value)),
    0.5,
  )
  return bytes > WORTH_TELLING * level && bytes > noiseOf(floors)
}

function restOf(floors: readonly Point[], { name, change, explained }: Shape, drops: number): Verdict {
  const notable = explained > WELL_EXPLAINED && Math.abs(change) > 2 * noiseOf(floors)
  if (name === 'saturating' && notable && change > 0) return 'warm-up'
  if ((name === 'step' || name === 'steps') && notable && change > 0) return 'plateau'
  return (name === 'cycle' && notable) || drops >= 3 ? 'sawtooth' : 'flat'
}

function trendOf(verdict: Verdict, floors: readonly Point[], { slope, low, high, confidence }: Slope): Trend {
  return {
    verdict,
    slopePerHour: slope * HOUR_MS,
    lowPerHour: low * HOUR_MS,
    highPerHour: high * HOUR_MS,
    confidence,
    level: floors.at(-1)?.value ?? 0,
    floors: floors.length,
  }
}

/**
 * The median of the slopes between any two points, which a third of them may lie about (Theil 1950, Sen 1968), its 95 %
 * interval from the variance of Kendall's S, and from the same S how sure a rise is (Mann 1945). Where neighbours are alike
 * beyond the slope, the variance is larger (Hamed & Rao 1998). O(n² log n).
 */
export function theilSen(points: readonly Point[]): Slope {
  const slopes: number[] = []
  let balance = 0
  for (const [i, a] of points.entries()) {
    for (let j = i + 1; j < points.length; j++) {
      const b = points[j]!
      balance += Math.sign(b.value - a.value)
      if (b.atMs > a.atMs) slopes.push((b.value - a.value) / (b.atMs - a.atMs))
    }
  }
  const count = points.length
  if (slopes.length === 0) return { slope: 0, low: 0, high: 0, confidence: 0.5 }
  const slope = quantile(slopes, 0.5)
  const alike = likeness(points.map(({ atMs, value }) => value - slope * atMs))
  const deviation = Math.sqrt(((count * (count - 1) * (2 * count + 5)) / 18) * ((1 + alike) / (1 - alike)))
  const part = (1.96 * deviation) / slopes.length / 2
  // One step towards 0, for S moves in whole steps.
  const z = balance === 0 ? 0 : (balance - Math.sign(balance)) / deviation
  return {
    slope,
    low: quantile(slopes, Math.max(0, 0.5 - part)),
    high: quantile(slopes, Math.min(1, 0.5 + part)),
    confidence: normalBelow(z),
  }
}

/** How long until it is at `limit`, in milliseconds; null when it leads nowhere near. Earliest and latest by the interval. */
export function timeToLimit(
  { verdict, slopePerHour, lowPerHour, highPerHour, level }: Trend,
  limit: number,
): { readonly ms: number; readonly earliestMs: number; readonly latestMs: number } | null {
  if (verdict !== 'leak' || slopePerHour <= 0) return null
  const left = Math.max(0, limit - level)
  const [ms, earliestMs, latestMs] = [slopePerHour, highPerHour, lowPerHour].map((rate) => (left / rate) * HOUR_MS)
  return { ms: ms!, earliestMs: earliestMs!, latestMs: latestMs! }
}

/** The normal distribution up to z, within 7.5e-8 (Abramowitz & Stegun 26.2.17). */
function normalBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z))
  const tail =
    (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return z >= 0 ? 1 - tail : tail
}
