// `leakscope trend`: judges a recording of `leakscope watch`.

import { Command } from 'commander'
import type { Trend } from '../analysis/trend.ts'
import type { Look } from '../process/recording.ts'
import { formatBytes, formatBytesDelta, formatCount, formatDuration, printable } from '../support/format.ts'
import type { Context } from './context.ts'

export function trendCommand(context: Context): Command {
  return new Command('trend')
    .argument('<recording>', 'what `leakscope watch <target> --record FILE` has written')
    .option('--json', 'as JSON on standard output')
    .action((path: string, options: { json?: true }) => run(context, path, options.json ?? false))
}

/** The trend of one value of one process. */
interface Row {
  readonly id: string
  readonly values: readonly number[]
  readonly trend: Trend
  readonly limit: number | null
  readonly toLimit: { readonly ms: number; readonly earliestMs: number; readonly latestMs: number } | null
}

async function run(context: Context, path: string, json: boolean): Promise<void> {
  const [{ readRecording }, { judgeTrend, timeToLimit }, { WATCHED }] = await Promise.all([
    import('../process/recording.ts'),
    import('../analysis/trend.ts'),
    import('../process/look.ts'),
  ])
  const { looks, skipped } = readRecording(path)
  if (skipped > 0) context.note(`leakscope: ${formatCount(skipped)} lines of ${path} are not whole, and were skipped`)
  const processes = [...new Set(looks.map(({ pid }) => pid))].map((pid) => {
    const own = looks.filter((look) => look.pid === pid)
    const last = own.at(-1)!
    const rows = Object.keys(WATCHED).flatMap((id): Row[] => {
      const points = own.flatMap(({ at, values }) => {
        const value = values[id]
        return value == null ? [] : [{ atMs: Date.parse(at), value }]
      })
      if (points.every(({ value }) => value === 0)) return []
      const trend = judgeTrend(points)
      const limit = last.limits[id] ?? null
      const toLimit = limit === null ? null : timeToLimit(trend, limit)
      return [{ id, values: points.map(({ value }) => value), trend, limit, toLimit }]
    })
    return { pid, looks: own, rows }
  })
  if (json) {
    const shown = processes.map(({ pid, looks: own, rows }) => ({
      pid,
      nodeVersion: own[0]!.nodeVersion,
      from: own[0]!.at,
      to: own.at(-1)!.at,
      looks: own.length,
      trends: rows.map(({ id, values, trend, limit, toLimit }) => {
        return { id, unit: WATCHED[id]!.unit, first: values[0], last: values.at(-1), ...trend, limit, toLimit }
      }),
    }))
    context.out(JSON.stringify({ schemaVersion: 1, command: 'trend', processes: shown }, null, 2))
    return
  }
  const [{ renderTable }, color] = await Promise.all([import('../support/table.ts'), context.colors()])
  const parts = processes.map(({ pid, looks: own, rows }) => {
    const table = renderTable(
      ['left', 'left', 'right', 'right', 'left', 'left'],
      [
        ['', '', 'last', 'per hour', 'verdict', ''].map((title) => color.dim(title)),
        ...rows.map((row) => {
          const { label, unit } = WATCHED[row.id]!
          const { verdict } = row.trend
          const shown = verdict === 'leak' ? color.red(verdict) : verdict === 'undecided' ? color.dim(verdict) : verdict
          return [
            label,
            color.cyan(sparkline(row.values, PLOT)),
            show(row.values.at(-1)!, unit),
            slopeOf(row, unit),
            shown,
            limitOf(row),
          ]
        }),
      ],
    )
    return `${heading(pid, own)}\n\n${table}`
  })
  context.out(parts.join('\n\n'))
}

const PLOT = 24

function heading(pid: number, looks: readonly Look[]): string {
  const [first, last] = [looks[0]!, looks.at(-1)!]
  const time = formatDuration(Math.max(0, Date.parse(last.at) - Date.parse(first.at)))
  return `process ${pid}, Node ${printable(first.nodeVersion)}: ${formatCount(looks.length)} looks in ${time}, from ${first.at} on`
}

type Unit = 'bytes' | 'count' | 'part'

function show(value: number, unit: Unit): string {
  if (unit === 'bytes') return formatBytes(value)
  return unit === 'part' ? `${Math.round(100 * value)} %` : formatCount(value)
}

/** Only where it is one: of what is flat, or not known, the slope says nothing. */
function slopeOf({ trend: { verdict, slopePerHour } }: Row, unit: Unit): string {
  if (verdict !== 'leak') return ''
  return unit === 'bytes' ? formatBytesDelta(slopePerHour) : `+${slopePerHour.toPrecision(2)}`
}

function limitOf({ toLimit, limit }: Row): string {
  if (toLimit === null || limit === null) return ''
  const span = `${formatDuration(toLimit.earliestMs)} to ${formatDuration(toLimit.latestMs)}`
  return `at its limit of ${formatBytes(limit)} in ${formatDuration(toLimit.ms)} (${span})`
}

const BARS = '▁▂▃▄▅▆▇█'

/** As many bars as `width`, each the mean of its part, from the least to the most. */
function sparkline(values: readonly number[], width: number): string {
  const count = Math.min(width, values.length)
  const means = Array.from({ length: count }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / count), Math.floor(((i + 1) * values.length) / count))
    return part.reduce((sum, value) => sum + value, 0) / part.length
  })
  const [low, high] = [Math.min(...means), Math.max(...means)]
  const bar = (value: number) => BARS[high > low ? Math.round(((value - low) / (high - low)) * (BARS.length - 1)) : 0]!
  return means.map(bar).join('')
}
