// `leakscope trend`: judges a recording of `leakscope watch`.

import { Command } from 'commander'
import type { Look } from '../../process/recording.ts'
import { formatCount, formatDuration, printable } from '../../support/format.ts'
import type { Context } from '../common/context.ts'
import type { Row } from './row.ts'

export function trendCommand(context: Context): Command {
  return new Command('trend')
    .argument('<recording>', 'a file that `leakscope watch <target> --record <file>` has written')
    .option('--json', 'print JSON')
    .action((path: string, options: { json?: true }) => run(context, path, options.json ?? false))
}

async function run(context: Context, path: string, json: boolean): Promise<void> {
  const [{ readRecording }, { rowOf, showLimit, showSlope, showValue }, { WATCHED }] = await Promise.all([
    import('../../process/recording.ts'),
    import('./row.ts'),
    import('../../process/look.ts'),
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
      return [rowOf(id, points, last.limits[id] ?? null)]
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
      trends: rows.map(({ id, unit, values, trend, limit, toLimit }) => {
        return { id, unit, first: values[0], last: values.at(-1), ...trend, limit, toLimit }
      }),
    }))
    context.out(JSON.stringify({ schemaVersion: 1, command: 'trend', processes: shown }, null, 2))
    return
  }
  const [{ renderTable }, { sparkline }, color] = await Promise.all([
    import('../../support/table.ts'),
    import('../../support/sparkline.ts'),
    context.colors(),
  ])
  const parts = processes.map(({ pid, looks: own, rows }) => {
    const table = renderTable(
      ['left', 'left', 'right', 'right', 'left', 'left'],
      [
        ['', '', 'last', 'per hour', 'verdict', ''].map((title) => color.dim(title)),
        ...rows.map((row) => {
          const { label, unit } = row
          const { verdict, slopePerHour } = row.trend
          const limit = showLimit(row)
          const shown = verdict === 'leak' ? color.red(verdict) : verdict === 'undecided' ? color.dim(verdict) : verdict
          return [
            label,
            color.cyan(sparkline(row.values, PLOT)),
            showValue(row.values.at(-1)!, unit),
            // Only where it is one: of what is flat, or not known, the slope says nothing.
            verdict === 'leak' ? showSlope(slopePerHour, unit) : '',
            shown,
            limit && `at its limit of ${limit}`,
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
