// What was seen of one process so far: a series of each value, with its trend.

import { judgeTrend, type Point, type Trend } from '../../analysis/trend.ts'
import { WATCHED } from '../../process/look.ts'
import type { Look } from '../../process/recording.ts'
import { type Row, rowOf } from '../trend/row.ts'
import { OF_ONE_MIND } from './condition.ts'

/** Of each value, so many points are kept; of more, each second one goes. */
const MOST_POINTS = 2000
interface Series {
  points: Point[]
  /** How many were added, those that were thinned out among them. */
  added: number
  /** With how many verdicts in a row, this one included, have said that it leaks. */
  judged: { readonly at: number; readonly trend: Trend; readonly leaks: number } | undefined
}

export class History {
  readonly #series = new Map<string, Series>()
  #limits: Look['limits'] = {}
  #looks = 0
  #firstMs: number | undefined
  #lastMs = 0

  /** How many there were. */
  get looks(): number {
    return this.#looks
  }

  /** From the first to the last. */
  get spanMs(): number {
    return this.#lastMs - (this.#firstMs ?? this.#lastMs)
  }

  add({ values, limits }: Look, atMs: number): void {
    this.#looks++
    this.#firstMs ??= atMs
    this.#lastMs = atMs
    this.#limits = limits
    for (const id of Object.keys(WATCHED)) {
      const value = values[id]
      if (value == null) continue
      const series = this.#series.get(id) ?? { points: [], added: 0, judged: undefined }
      this.#series.set(id, series)
      series.points.push({ atMs, value })
      series.added++
      if (series.points.length > MOST_POINTS) series.points = series.points.filter((_, i) => i % 2 === 1)
    }
  }

  points(id: string): readonly Point[] {
    return this.#series.get(id)?.points ?? []
  }

  /** How many there were, those that are not kept among them. */
  added(id: string): number {
    return this.#series.get(id)?.added ?? 0
  }

  /**
   * Judges the trends that are furthest behind, until `budgetMs` are over, but one at least: a verdict takes some
   * milliseconds, and a minute more hardly changes that on an hour.
   */
  judge(budgetMs: number): void {
    const startedMs = performance.now()
    const news = ({ added, judged }: Series) => (judged ? added / judged.at - 1 : Number.POSITIVE_INFINITY)
    const behind = [...this.#series.values()].filter((series) => news(series) >= OF_ONE_MIND.news)
    for (const series of behind.sort((a, b) => news(b) - news(a))) {
      const trend = judgeTrend(series.points)
      const leaks = trend.verdict === 'leak' ? (series.judged?.leaks ?? 0) + 1 : 0
      series.judged = { at: series.added, trend, leaks }
      if (performance.now() - startedMs > budgetMs) return
    }
  }

  /** Of all that was ever more than nothing, and was judged; in the order of WATCHED. A leak is one that stays one. */
  rows(): Row[] {
    return Object.keys(WATCHED).flatMap((id) => {
      const { points, judged } = this.#series.get(id) ?? { points: [] }
      if (!judged || points.every(({ value }) => value === 0)) return []
      const { trend, leaks } = judged
      const isEarly = trend.verdict === 'leak' && leaks < OF_ONE_MIND.verdicts
      const shown: Trend = isEarly ? { ...trend, verdict: 'undecided' } : trend
      return [rowOf(id, points, this.#limits[id] ?? null, shown)]
    })
  }
}
