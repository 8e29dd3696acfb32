// What `leakscope watch --until` understands: `rss>400MB`, `heap.slope>5MB/h`, `threads>50`.

import { judgeTrend, type Point } from '../analysis/trend.ts'
import { LeakscopeError } from '../errors.ts'
import { WATCHED } from '../process/look.ts'
import { duration, size } from './options.ts'

export interface Condition {
  readonly text: string
  readonly id: string
  /** Whether the points so far, of what `id` names, meet it. */
  holds(points: readonly Point[]): boolean
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
