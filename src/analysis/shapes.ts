// Which of a few simple shapes a series has: each is fitted by least squares, and the best is the one that explains most
// with the fewest free numbers (Schwarz 1978, "Estimating the dimension of a model").

import { noiseOf, type Point } from './floors.ts'

export type ShapeName = 'flat' | 'step' | 'steps' | 'saturating' | 'cycle' | 'rise' | 'late-rise'

export interface Shape {
  readonly name: ShapeName
  /** The points since what came once was over, without all of the shape but its rise. */
  readonly rest: readonly Point[]
  /** Whether it still rises at the end, for ever as far as it is concerned. */
  readonly rises: boolean
  /** Per millisecond, at the end; 0 where it does not rise. */
  readonly slope: number
  /** When what came once was over: a step, a warm-up, the start of a late rise. */
  readonly sinceMs: number
  /** By how much it changed before that. */
  readonly change: number
  /** From 0 to 1: how much of what is not flat. */
  readonly explained: number
  /** The lower, the better. */
  readonly score: number
}

interface Candidate {
  readonly name: ShapeName
  readonly columns: readonly Float64Array[]
  /** Free numbers: the columns, and where a step is, how fast it saturates, and the like. */
  readonly free: number
  readonly sinceMs: number
  readonly rises: boolean
}

const PLACES = 14
/** What comes later leaves too little behind it to tell what it was. */
const isEarly = (place: number): boolean => place <= 0.7

/** The best shape that comes to rest, and the best that does not. */
export function bestShapes(points: readonly Point[]): { readonly resting: Shape; readonly rising: Shape | undefined } {
  const count = points.length
  const [first, last] = [points[0]!.atMs, points[count - 1]!.atMs]
  const length = last - first
  // From 0 to 1, so that all columns are of one size.
  const times = Float64Array.from(points, ({ atMs }) => (atMs - first) / length)
  const values = Float64Array.from(points, ({ value }) => value)
  // Nothing fits better than the noise allows.
  const least = count * (0.5 * noiseOf(points)) ** 2 + Number.MIN_VALUE
  const fits = candidates(times).map((candidate) => ({ candidate, ...leastSquares(candidate.columns, values) }))
  const loose = Math.min(...fits.map(({ squares }) => squares))
  const independent = independentPoints(fits.find(({ squares }) => squares === loose)!.residuals)
  const shapes = fits.map(({ candidate, squares, factors, residuals }): Shape => {
    const { name, free, sinceMs, rises } = candidate
    const slope = rises ? factors.at(-1)! : 0
    return {
      name,
      get rest() {
        const rest = points.map(({ atMs }, i) => ({ atMs, value: residuals[i]! + slope * times[i]! }))
        return rest.filter((_, i) => times[i]! >= sinceMs)
      },
      rises,
      slope: slope / length,
      sinceMs: first + sinceMs * length,
      explained: 1 - squares / Math.max(fits[0]!.squares, Number.MIN_VALUE),
      change: name === 'steps' ? factors[1]! + factors[2]! : (factors[1] ?? 0),
      score: independent * Math.log(Math.max(squares, least) / count) + free * Math.log(independent),
    }
  })
  const best = (wanted: boolean) =>
    // What falls is no rise.
    shapes
      .filter(({ rises, slope }) => rises === wanted && (!wanted || slope > 0))
      .reduce<Shape | undefined>((a, b) => (a === undefined || b.score < a.score ? b : a), undefined)
  return { resting: best(false)!, rising: best(true) }
}

function candidates(times: Float64Array): Candidate[] {
  const column = (of: (time: number) => number) => times.map(of)
  const one = column(() => 1)
  const step = (place: number) => column((time) => (time >= place ? 1 : 0))
  const places = Array.from({ length: PLACES }, (_, i) => (i + 1) / (PLACES + 1))
  const resting: Omit<Candidate, 'rises'>[] = [
    { name: 'flat', columns: [one], free: 1, sinceMs: 0 },
    ...places.map((place) => ({ name: 'step' as const, columns: [one, step(place)], free: 3, sinceMs: place })),
    ...places.flatMap((place, i) =>
      places.slice(i + 1).map((later) => ({
        name: 'steps' as const,
        columns: [one, step(place), step(later)],
        free: 5,
        sinceMs: later,
      })),
    ),
    ...[0.015, 0.025, 0.035, 0.05, 0.07, 0.09, 0.12, 0.15, 0.2, 0.27, 0.35].map((pace) => ({
      name: 'saturating' as const,
      columns: [one, column((time) => -Math.exp(-time / pace))],
      free: 3,
      sinceMs: Math.min(0.9, 3 * pace),
    })),
    // What fills up evenly, until it is full, and has been so for long enough to tell.
    ...places.filter(isEarly).map((place) => ({
      name: 'saturating' as const,
      columns: [one, column((time) => Math.min(time, place))],
      free: 3,
      sinceMs: place,
    })),
    ...[1, 1.33, 1.6, 2, 2.5, 3, 3.3, 3.7, 4, 4.5, 5, 5.5, 6, 6.5, 7, 8, 10, 12].map((turns) => ({
      name: 'cycle' as const,
      columns: [
        one,
        column((time) => Math.sin(2 * Math.PI * turns * time)),
        column((time) => Math.cos(2 * Math.PI * turns * time)),
      ],
      free: 4,
      sinceMs: 0,
    })),
  ]
  const line = column((time) => time)
  return [
    ...resting.map((candidate) => ({ ...candidate, rises: false })),
    ...resting
      .filter(({ name, sinceMs }) => name !== 'saturating' || isEarly(sinceMs))
      .map((candidate): Candidate => {
        const name = candidate.name === 'flat' ? 'rise' : candidate.name
        // Once they are taken away, steps hide nothing of the rise before them.
        const sinceMs = name === 'saturating' ? candidate.sinceMs : 0
        return {
          ...candidate,
          name,
          sinceMs,
          columns: [...candidate.columns, line],
          free: candidate.free + 1,
          rises: true,
        }
      }),
    ...places.filter(isEarly).map((place): Candidate => {
      const columns = [one, column((time) => Math.max(0, time - place))]
      return { name: 'late-rise', columns, free: 3, sinceMs: place, rises: true }
    }),
  ]
}

/** Least squares by orthogonal columns (modified Gram-Schmidt); the factor of a column that others make up is 0. */
function leastSquares(columns: readonly Float64Array[], values: Float64Array) {
  const residuals = Float64Array.from(values)
  const basis: Float64Array[] = []
  const triangle: number[][] = []
  const onBasis: number[] = []
  for (const column of columns) {
    const own = Float64Array.from(column)
    const shares = basis.map((unit) => {
      const share = dot(unit, own)
      own.forEach((_, i) => {
        own[i]! -= share * unit[i]!
      })
      return share
    })
    const length = Math.sqrt(dot(own, own))
    const isNew = length > 1e-9
    const unit = own.map((value) => (isNew ? value / length : 0))
    const factor = dot(unit, residuals)
    residuals.forEach((_, i) => {
      residuals[i]! -= factor * unit[i]!
    })
    basis.push(unit)
    triangle.push([...shares, isNew ? length : 1])
    onBasis.push(factor)
  }
  const factors = [...onBasis]
  for (let row = factors.length - 1; row >= 0; row--) {
    for (let after = row + 1; after < factors.length; after++) factors[row]! -= triangle[after]![row]! * factors[after]!
    factors[row]! /= triangle[row]![row]!
  }
  return { squares: dot(residuals, residuals), residuals, factors }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** As many as say the same when neighbours are alike: n (1 − r) / (1 + r), with r their correlation. */
function independentPoints(residuals: Float64Array): number {
  const alike = likeness(residuals)
  return Math.max(4, (residuals.length * (1 - alike)) / (1 + alike))
}

/** The correlation of neighbours, from 0 to 0.9. */
export function likeness(values: ArrayLike<number>): number {
  const count = values.length
  let mean = 0
  for (let i = 0; i < count; i++) mean += values[i]! / count
  let all = 0
  let neighbours = 0
  for (let i = 0; i < count; i++) {
    all += (values[i]! - mean) ** 2
    if (i > 0) neighbours += (values[i]! - mean) * (values[i - 1]! - mean)
  }
  return all > 0 ? Math.min(0.9, Math.max(0, neighbours / all)) : 0
}
