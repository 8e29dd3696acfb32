// What `top` found, for a person: tables of what took how much.

import type { ChalkInstance } from 'chalk'
import type { Group } from '../../profile/group.ts'
import type { Listing } from '../../profile/list.ts'
import type { Neighbour, Peek } from '../../profile/peek.ts'
import { formatBytes, formatCount, formatDuration, printable } from '../../support/format.ts'
import { renderTable } from '../../support/table.ts'
import type { TopView } from './view.ts'

export interface Look {
  readonly color: ChalkInstance
  /** Columns that lines may take. */
  readonly width: number
  /** Rows of each table at most. */
  readonly limit: number
}

const NUMBERS_WIDTH = 44

export function topText(view: TopView, look: Look): string {
  const { color, limit } = look
  const { rows, weighed, by } = view
  const head = headLines(view, color)
  if (rows.length === 0) return [...head, '', nothing(view)].join('\n')
  const amount = amountFormat(view)
  let sum = 0
  const body = rows.slice(0, limit).map((row) => {
    sum += row.flat
    return [
      amount(row.flat),
      percent(row.flat, weighed.total),
      percent(sum, weighed.total),
      amount(row.cum),
      percent(row.cum, weighed.total),
      label(row, by, look),
    ]
  })
  const titles = ['flat', 'flat%', 'sum%', 'cum', 'cum%', by].map((title) => color.dim(title))
  const table = renderTable(['right', 'right', 'right', 'right', 'right', 'left'], [titles, ...body])
  const hidden = rows.length - body.length
  const more = hidden > 0 ? [color.dim(`… and ${formatCount(hidden)} more (--limit)`)] : []
  return [...head, '', table, ...more, ...notes(view).map((note) => color.dim(note))].join('\n')
}

export function peekText(view: TopView, peeks: readonly Peek[], look: Look): string {
  const { color, limit } = look
  const amount = amountFormat(view)
  const line = (mark: string, value: number, text: string): string[] => [
    amount(value),
    percent(value, view.weighed.total),
    `${mark}${text}`,
  ]
  const side = (title: string, neighbours: readonly Neighbour[], extra: string[][]): string[][] => {
    const shown = neighbours.slice(0, limit)
    const hidden = neighbours.length - shown.length
    return [
      ['', '', color.dim(title)],
      ...extra,
      ...shown.map((each) => line('    ', each.amount, label(each, view.by, look))),
      ...(hidden > 0 ? [['', '', color.dim(`    … and ${formatCount(hidden)} more (--limit)`)]] : []),
    ]
  }
  const parts = peeks.slice(0, limit).map(({ row, callers, callees, fromRoot }) => {
    const root = fromRoot === 0 ? [] : [line('    ', fromRoot, '(the event loop, or a start-up)')]
    const itself = row.flat === 0 ? [] : [line('    ', row.flat, '(itself)')]
    return renderTable(
      ['right', 'right', 'left'],
      [
        ...side('called by', callers, root),
        line('', row.cum, color.bold(label(row, view.by, look))),
        ...side('took', callees, itself),
      ],
    )
  })
  if (parts.length === 0) return [...headLines(view, color), '', nothing(view)].join('\n')
  return [headLines(view, color).join('\n'), ...parts].join('\n\n')
}

export function listText(view: TopView, listings: readonly Listing[], look: Look): string {
  const { color, width, limit } = look
  const amount = amountFormat(view)
  const cell = (value: number): string => (value === 0 ? color.dim('.') : amount(value))
  const parts = listings.slice(0, limit).map(({ name, url, start, flat, cum, lines, startOnly }) => {
    const total = `${amount(flat)} flat, ${amount(cum)} with what it called (${percent(cum, view.weighed.total)})`
    const rows = lines.map((line) => [
      cell(line.flat),
      cell(line.cum),
      color.dim(`${line.line}`),
      line.text === null ? '' : printable(line.text.replaceAll('\t', '  '), Math.max(40, width - 32)),
    ])
    const unread = lines.every(({ text }) => text === null) ? ['The source is not here to be read.'] : []
    const only = startOnly
      ? ['Which line it was the profile does not say: all stands at the first of the function.']
      : []
    return [
      `${color.bold(printable(name))}  ${color.yellow(`${placeText(url)}:${start}`)}  ${total}`,
      renderTable(['right', 'right', 'right', 'left'], [['flat', 'cum', '', ''].map((it) => color.dim(it)), ...rows]),
      ...[...unread, ...only].map((note) => color.dim(note)),
    ].join('\n')
  })
  if (parts.length === 0) return [...headLines(view, color), '', nothing(view)].join('\n')
  return [headLines(view, color).join('\n'), ...parts].join('\n\n')
}

function headLines(view: TopView, color: ChalkInstance): string[] {
  const { profile, own, base, weighed, sampleType } = view
  const amount = amountFormat(view)
  const duration = (ms: number | null): string => (ms === null ? '' : `, ${formatDuration(ms)}`)
  const what = `${printable(sampleType.name)}${duration(profile.tree.durationMs)}`
  const lines = [`${color.bold(printable(profile.file))}  ${what}`]
  if (base) {
    lines.push(
      `less ${color.bold(printable(base.profile.file))}${duration(base.profile.tree.durationMs)}`,
      `${amount(base.weighed.total)} → ${amount(own.total)}, a change of ${color.bold(signed(own.total - base.weighed.total, amount))}; shares are of the larger`,
    )
  } else {
    const { idle, program, 'garbage collector': collector } = own.apart
    const apart = [
      idle > 0 ? `idle ${amount(idle)}` : '',
      collector > 0 ? `garbage collector ${amount(collector)} (${percent(collector, own.total)})` : '',
      program > 0 ? `outside of JavaScript ${amount(program)} (${percent(program, own.total)})` : '',
    ].filter((text) => text !== '')
    const busy = sampleType.unit === 'microseconds' && profile.tree.durationMs !== null ? ' busy' : ' in all'
    lines.push(`${color.bold(amount(own.total))}${busy}${apart.length > 0 ? `; ${apart.join(', ')}` : ''}`)
  }
  if (view.focused) {
    const shown = weighed.self.reduce((sum, each) => sum + each, 0)
    lines.push(`In stacks that were asked for: ${amount(shown)} (${percent(shown, weighed.total)})`)
  }
  return lines
}

function nothing({ focused, base }: TopView): string {
  if (focused) return 'No stack is like that.'
  return base ? 'Nothing changed.' : 'There are no samples: nothing ran, or was allocated, while the profile was taken.'
}

function notes({ by, tree, profile }: TopView): string[] {
  if (by !== 'line' || tree.line.some((line) => line > 0)) return []
  const why = profile.format === 'heapprofile' ? 'A heap profile' : 'This profile'
  return [`${why} does not say which line it was: the lines are those where functions begin.`]
}

/** A function's name and place, cut to the room there is; of a long path, the end tells the file. */
function label(group: Group, by: TopView['by'], { color, width }: Look): string {
  const room = Math.max(36, width - NUMBERS_WIDTH)
  if (by === 'package') return printable(group.name, room)
  if (by === 'file') return tail(printable(placeText(group.name)), room)
  const name = printable(group.name, room)
  if (group.url === null) return name
  const place = `${printable(placeText(group.url))}${group.line === null ? '' : `:${group.line}`}`
  const left = room - name.length - 2
  return left < 12 ? name : `${name}  ${color.dim(tail(place, left))}`
}

const tail = (text: string, room: number): string =>
  text.length > room ? `…${text.slice(text.length - room + 1)}` : text

const placeText = (url: string): string => url.replace(/^file:\/\//, '')

/** A part of the whole as a fraction; null where there is no whole. */
export const shareOf = (part: number, total: number): number | null => (total > 0 ? part / total : null)

function percent(part: number, total: number): string {
  const share = shareOf(part, total)
  return share === null ? '-' : `${(100 * share).toFixed(1)}%`
}

const signed = (value: number, amount: (value: number) => string): string => `${value > 0 ? '+' : ''}${amount(value)}`

function amountFormat({ sampleType: { unit } }: TopView): (value: number) => string {
  if (unit === 'bytes') return (value) => (value === 0 ? '0' : formatBytes(value))
  if (unit === 'microseconds') return formatMicroseconds
  return (value) => formatCount(Math.round(value))
}

/** `12 µs`, `3.45 ms`, `67.8 s`: three digits, so that a column can be added up by eye. */
function formatMicroseconds(us: number): string {
  if (us === 0) return '0'
  const [value, unit] = Math.abs(us) < 999.5 ? [us, 'µs'] : Math.abs(us) < 999_500 ? [us / 1e3, 'ms'] : [us / 1e6, 's']
  const size = Math.abs(value)
  return `${value.toFixed(unit === 'µs' || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2)} ${unit}`
}
