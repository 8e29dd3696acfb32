// What `leakscope watch --until` understands: `rss>400MB`, `heap.slope>5MB/h`, `threads>50`.

import { judgeTrend, type Point } from '../../analysis/trend.ts'
import { LeakscopeError } from '../../errors.ts'
import { WATCHED } from '../../process/look.ts'
import { duration, size } from '../common/options.ts'

export interface Condition {
  readonly text: string
  readonly id: string
  /** Whether it is of a trend, and not of a value. */
  readonly isOfTrend: boolean
  /** Whether the points so far, of what `id` names, meet it. */
  holds(points: readonly Point[]): boolean
}

/**
 * One verdict on a series is hardly ever wrong, but of one after each look some would be: so many in a row must be of the
 * same mind, each with a part more of the series before it.
 */
export const OF_ONE_MIND = { verdicts: 3, news: 0.1 }

/** Asks a condition as often as that makes sense, of a series that goes on. */
export function asked(condition: Condition): (points: readonly Point[], added: number) => boolean {
  let [lastAsked, inARow] = [0, 0]
  return (points, added) => {
    if (!condition.isOfTrend) return condition.holds(points)
    if (added < (1 + OF_ONE_MIND.news) * lastAsked) return false
    lastAsked = added
    inARow = condition.holds(points) ? inARow + 1 : 0
    return inARow >= OF_ONE_MIND.verdicts
  }
}

/** Throws a LeakscopeError that says what can be written. */
export function parseCondition(text: string): Condition {
  const [, id = '', slope, operator, number = ''] = /^\s*([\w-]+?)(\.slope)?\s*([<>])\s*(.+?)\s*$/.exec(text) ?? []
  const unit = Object.hasOwn(WATCHED, id) ? WATCHED[id]!.unit : undefined
  if (unit === undefined) {
    throw new LeakscopeError('usage-invalid', `--until does not understand '${text}'`, {
      hint: `It takes rss>400MB, heap.slope>5MB/h or threads>50; there are ${Object.keys(WATCHED).join(', ')}.`,
    })
  }
  const bare = slope ? number.replace(/\/h$/, '') : number
  if (slope && bare === number) {
    throw new LeakscopeError(
      'usage-invalid',
      `--until takes a slope per hour, such as ${id}.slope>5MB/h, not '${number}'`,
    )
  }
  const limit = unit === 'bytes' ? size('--until')(bare) : unit === 'ms' ? duration('--until')(bare) : plainNumber(bare)
  const beyond = (value: number) => (operator === '>' ? value > limit : value < limit)
  return {
    text: text.trim(),
    id,
    isOfTrend: slope !== undefined,
    holds(points) {
      const last = points.at(-1)
      if (!last) return false
      if (!slope) return beyond(last.value)
      const { verdict, lowPerHour, highPerHour } = judgeTrend(points)
      // Unattended, it had better be sure: the whole interval lies beyond.
      return operator === '>'
        ? verdict === 'leak' && beyond(lowPerHour)
        : verdict !== 'undecided' && beyond(highPerHour)
    },
  }
}

function plainNumber(text: string): number {
  const percent = /^(\d+(?:\.\d+)?) ?%$/.exec(text)?.[1]
  const value = percent === undefined ? Number(text) : Number(percent) / 100
  if (text === '' || !Number.isFinite(value)) {
    throw new LeakscopeError('usage-invalid', `--until takes a number such as 50 here, not '${text}'`)
  }
  return value
}
