// The series of one value with its trend, and how both are put into words.

import { judgeTrend, type Point, type Trend, timeToLimit } from '../../analysis/trend.ts'
import { type Unit, WATCHED } from '../../process/look.ts'
import { formatBytes, formatBytesDelta, formatCount, formatDuration } from '../../support/format.ts'

export interface Row {
  readonly id: string
  readonly label: string
  readonly unit: Unit
  /** In the order of time, at least one. */
  readonly values: readonly number[]
  readonly trend: Trend
  /** What it may come up to, where that is known. */
  readonly limit: number | null
  readonly toLimit: { readonly ms: number; readonly earliestMs: number; readonly latestMs: number } | null
}

/** @param trend of these points, or of most of them */
export function rowOf(
  id: string,
  points: readonly Point[],
  limit: number | null,
  trend: Trend = judgeTrend(points),
): Row {
  const toLimit = limit === null ? null : timeToLimit(trend, limit)
  return { id, ...WATCHED[id]!, values: points.map(({ value }) => value), trend, limit, toLimit }
}

export function showValue(value: number, unit: Unit): string {
  if (unit === 'bytes') return formatBytes(value)
  if (unit === 'ms') return formatDuration(value)
  return unit === 'part' ? `${Math.round(100 * value)} %` : formatCount(value)
}

/** By how much it changes in an hour. */
export function showSlope(perHour: number, unit: Unit): string {
  if (unit === 'bytes') return formatBytesDelta(perHour)
  const sign = perHour > 0 ? '+' : perHour < 0 ? '-' : ''
  const size = Math.abs(perHour)
  if (unit === 'ms') return `${sign}${formatDuration(size)}`
  const number = unit === 'part' ? 100 * size : size
  const text = number >= 100 ? formatCount(Math.round(number)) : String(Number(number.toPrecision(2)))
  return `${sign}${text}${unit === 'part' ? ' %' : ''}`
}

/** `512 MB in 3 h 10 min (2 h 50 min to 3 h 40 min)`; empty when it leads nowhere near. */
export function showLimit({ limit, toLimit, unit }: Row): string {
  if (toLimit === null || limit === null) return ''
  const span = `${formatDuration(toLimit.earliestMs)} to ${formatDuration(toLimit.latestMs)}`
  return `${showValue(limit, unit)} in ${formatDuration(toLimit.ms)} (${span})`
}
