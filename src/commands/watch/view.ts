// The picture that `leakscope watch` puts on a terminal: from what is known to the lines of one screen. Pure.

import type { ChalkInstance } from 'chalk'
import { formatCount, formatDuration, printable } from '../../support/format.ts'
import { sparkline } from '../../support/sparkline.ts'
import { type Row, showLimit, showSlope, showValue } from '../trend/row.ts'

/** `listed` is as the ledger has it; the others have the most, or what grows most by its size, first. */
export const ORDERS = ['listed', 'size', 'growth'] as const
export type Order = (typeof ORDERS)[number]

/** One process as it was seen last. */
export interface Subject {
  /** As the user named it: `process 4242`, `localhost:9229`. */
  readonly name: string
  readonly command: string
  /** Empty until it has answered. */
  readonly nodeVersion: string
  readonly looks: number
  readonly spanMs: number
  readonly rows: readonly Row[]
  /** What could not be told, and why. */
  readonly notes: readonly string[]
  /** Why there will be no more looks; undefined as long as there are. */
  readonly ended: string | undefined
}

export interface Picture {
  readonly subjects: readonly Subject[]
  /** Which of them is shown in full. */
  readonly selected: number
  readonly everyMs: number
  readonly order: Order
  /** So many rows are above the first that is shown. */
  readonly scroll: number
  readonly isPaused: boolean
  /** What goes on besides, such as a profile that is being taken. */
  readonly busy: string | undefined
  /** What is being sampled. */
  readonly sampling: 'cpu' | 'heap' | undefined
  /** What there is to say, the latest last. */
  readonly messages: readonly string[]
  /** Shown in place of the rows: what a command has printed, line by line. */
  readonly report: readonly string[] | undefined
  /** Whether keys can be pressed. */
  readonly hasKeys: boolean
}

export interface Size {
  readonly columns: number
  /** Infinity for as many as it takes. */
  readonly rows: number
}

/** No more lines than there are rows, none longer than there are columns. */
export function pictureLines(picture: Picture, size: Size, color: ChalkInstance): string[] {
  const width = Math.max(1, size.columns)
  const foot = footLines(picture, width, color)
  const head = headLines(picture, width, size.rows - foot.length, color)
  const room = Math.max(0, size.rows - head.length - foot.length)
  const body = bodyLines(picture, width, room, color)
  // The keys are at the foot of the screen, if there is one.
  const blank = Array.from({ length: Number.isFinite(room) ? room - body.length : 0 }, () => '')
  return [...head, ...body, ...blank, ...foot].slice(0, size.rows)
}

/** How far down one can scroll. */
export function lastScroll({ subjects, selected, report }: Picture): number {
  return Math.max(0, (report ?? subjects[selected]?.rows ?? []).length - 1)
}

/** Cut to what fits, or filled up to it. */
function padded(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const cut = text.length > width ? `${text.slice(0, Math.max(0, width - 1))}${width > 0 ? '…' : ''}` : text
  return align === 'left' ? cut.padEnd(width) : cut.padStart(width)
}

const cut = (text: string, width: number): string => padded(text, width).trimEnd()

/** Of a command, the end says more: what comes first is the folder of Node. */
const cutInFront = (text: string, width: number): string =>
  text.length > width ? `…${text.slice(text.length - width + 1)}` : text

function headLines(picture: Picture, width: number, room: number, color: ChalkInstance): string[] {
  const { subjects, selected, everyMs, isPaused } = picture
  const subject = subjects[selected]!
  const seen =
    subject.looks === 0
      ? 'not seen yet'
      : `${formatCount(subject.looks)} ${subject.looks === 1 ? 'look' : 'looks'} in ${formatDuration(subject.spanMs)}`
  const state =
    subject.ended !== undefined
      ? 'ENDED'
      : isPaused
        ? 'PAUSED'
        : `each ${formatDuration(everyMs).replace('.0 s', ' s')}`
  const line = `${subject.name}  ${[subject.nodeVersion && `Node ${printable(subject.nodeVersion)}`, seen, state].filter((text) => text !== '').join(', ')}`
  const title = subject.command === '' ? [] : [color.dim(cutInFront(printable(subject.command), width))]
  const warnings = subject.rows
    .filter(({ toLimit }) => toLimit !== null)
    .sort((a, b) => a.toLimit!.ms - b.toLimit!.ms)
    .map((row) => color.red(cut(`${row.label} reaches its limit of ${showLimit(row)}`, width)))
  const list = subjects.length > 1 ? listLines(picture, width, Math.floor(room / 3), color) : []
  const lines = [...list, color.bold(cut(line, width)), ...title, ...warnings.slice(0, 2)]
  // Half of a small screen is for the rows.
  return lines.slice(0, Math.max(1, Math.floor(room / 2)))
}

const LIST: readonly (readonly [title: string, id: string, width: number])[] = [
  ['RSS', 'rss', 8],
  ['heap', 'heap', 8],
  ['external', 'external', 8],
  ['threads', 'threads', 7],
  ['files', 'files', 6],
  ['busy', 'event-loop', 5],
  ['delay', 'event-loop-delay', 7],
  ['GC', 'gc', 5],
]
const NAME = 16
/** Fewer columns are too few to say what leaks. */
const LEAST_NAMES = 20

/** A row for each process, those around the selected one where there is no room for all. */
function listLines({ subjects, selected }: Picture, width: number, room: number, color: ChalkInstance): string[] {
  const count = Math.min(subjects.length, Math.max(1, room - 2))
  const from = Math.max(0, Math.min(selected - Math.floor(count / 2), subjects.length - count))
  const titles = LIST.map(([title, , size]) => ` ${padded(title, size, 'right')}`).join('')
  const lines = subjects.slice(from, from + count).map((subject, i) => {
    const isSelected = from + i === selected
    const leaks = subject.rows.filter(({ trend }) => trend.verdict === 'leak').map(({ label }) => label)
    const said = subject.ended === undefined ? numbersOf(subject) : ' ended'
    const line = `${isSelected ? '> ' : '  '}${padded(subject.name, NAME)}${said}`
    const hasRoom = leaks.length > 0 && width - line.length > LEAST_NAMES
    const text = cut(hasRoom ? `${line}  leak: ${leaks.join(', ')}` : line, width)
    return isSelected ? color.bold(text) : text
  })
  const more = subjects.length - count
  const rest = more > 0 ? `  … and ${more} more (tab)` : ''
  return [color.dim(cut(`${padded('', NAME + 2)}${titles}`, width)), ...lines, color.dim(cut(rest, width))]
}

function numbersOf({ rows }: Subject): string {
  const values = LIST.map(([, id, size]) => {
    const row = rows.find((each) => each.id === id)
    return ` ${padded(row ? showValue(row.values.at(-1)!, row.unit) : '', size, 'right')}`
  })
  return values.join('')
}

interface Column {
  readonly title: string
  readonly width: number
  readonly align: 'left' | 'right'
  of(row: Row): string
  paint(text: string, row: Row): string
}

const GAP = 2
/** Seconds are told from minutes by a longer plot; more than this nobody reads. */
const MOST_BARS = 60

/** What there is room for: first the plot goes, then the slope. */
function columnsFor(width: number, color: ChalkInstance): Column[] {
  const isLeak = ({ trend }: Row) => trend.verdict === 'leak'
  const plain = (text: string) => text
  const muted = (text: string, row: Row) => (isLeak(row) ? color.red(text) : color.dim(text))
  const label: Column = { title: '', width: 22, align: 'left', of: (row) => row.label, paint: plain }
  const now: Column = {
    ...{ title: 'now', width: 8, align: 'right', paint: plain },
    of: ({ values, unit }) => showValue(values.at(-1)!, unit),
  }
  const perHour: Column = { title: 'per hour', width: 11, align: 'right', of: slopeText, paint: muted }
  const verdict: Column = { title: 'trend', width: 16, align: 'left', of: verdictText, paint: muted }
  const all = [label, now, perHour, verdict]
  const used = all.reduce((sum, column) => sum + column.width + GAP, 0)
  const bars = Math.min(MOST_BARS, width - used)
  const plot: Column = {
    ...{ title: '', width: bars, align: 'right' },
    of: ({ values }) => sparkline(values, bars),
    paint: (text) => color.cyan(text),
  }
  if (bars >= 8) return [label, plot, now, perHour, verdict]
  if (width >= used - GAP) return all
  if (width >= label.width + now.width + verdict.width + 2 * GAP) return [label, now, verdict]
  return [{ ...label, width: Math.max(4, Math.min(22, width - 10)) }, now]
}

/** Where it is sure enough that it rises, or falls. */
const SURE = 0.95

/** Of what is a leak, or may yet turn out to be one; of what has come to rest, a slope says nothing. */
function slopeText({ trend: { verdict, slopePerHour, confidence }, unit, values }: Row): string {
  const maybe = verdict === 'undecided' && values.length >= FEWEST && Math.max(confidence, 1 - confidence) >= SURE
  return (verdict === 'leak' || maybe) && slopePerHour !== 0 ? showSlope(slopePerHour, unit) : ''
}

/** As many looks as a verdict takes. */
const FEWEST = 16

function verdictText({ trend: { verdict, confidence }, values }: Row): string {
  if (values.length < FEWEST) return 'too early'
  if (verdict === 'flat' || verdict === 'plateau' || verdict === 'warm-up' || verdict === 'sawtooth') return verdict
  const percent = (part: number) => `${Math.min(99.9, Math.floor(1000 * part) / 10)} %`
  return confidence >= SURE || verdict === 'leak' ? `${verdict} ${percent(confidence)}` : verdict
}

function bodyLines(picture: Picture, width: number, room: number, color: ChalkInstance): string[] {
  const { subjects, selected, scroll, report } = picture
  if (report !== undefined) return report.slice(scroll, scroll + room).map((line) => cut(printable(line), width))
  if (room === 0) return []
  const subject = subjects[selected]!
  const columns = columnsFor(width, color)
  const gap = ' '.repeat(GAP)
  const first = picture.order === 'size' ? 'now' : picture.order === 'growth' ? 'per hour' : undefined
  const titles = columns
    .map(({ title, width: size, align }) => padded(title === first ? `${title}▾` : title, size, align))
    .join(gap)
  const rows = inOrder(subject.rows, picture.order)
  const space = room - 1
  const from = Math.min(scroll, Math.max(0, rows.length - space))
  const isCut = rows.length - from > space
  const shown = rows.slice(from, from + (isCut ? Math.max(0, space - 1) : space))
  const lines = shown.map((row) =>
    columns.map((column) => column.paint(padded(column.of(row), column.width, column.align), row)).join(gap),
  )
  const more = rows.length - from - shown.length
  const rest = isCut && space > 0 ? [color.dim(cut(`… ${more} more below`, width))] : []
  const notes = subject.notes.slice(0, Math.max(0, space - lines.length - rest.length - 1))
  return [
    color.dim(titles.trimEnd()),
    ...lines,
    ...rest,
    ...(notes.length > 0 ? ['', ...notes.map((note) => color.dim(cut(printable(note), width)))] : []),
  ]
}

function inOrder(rows: readonly Row[], order: Order): Row[] {
  if (order === 'listed') return [...rows]
  // Bytes before counts, counts before the rest, for only what is alike can be compared.
  const kinds = ['bytes', 'count', 'part', 'ms']
  const weight = (row: Row): number => {
    if (order === 'size') return row.values.at(-1)!
    return slopeText(row) === '' ? 0 : row.trend.slopePerHour
  }
  return [...rows].sort((a, b) => kinds.indexOf(a.unit) - kinds.indexOf(b.unit) || weight(b) - weight(a))
}

/** So many lines of a small screen are for what there is to say. */
const MESSAGE_LINES = 4

function footLines(picture: Picture, width: number, color: ChalkInstance): string[] {
  const { subjects, selected, busy, messages, hasKeys } = picture
  const { ended } = subjects[selected]!
  const yellow = (text: string | undefined) =>
    text === undefined ? [] : wrap(printable(text), width).map((line) => color.yellow(line))
  const said = messages.flatMap((message) => wrap(printable(message), width)).slice(-MESSAGE_LINES)
  const lines = [...yellow(ended), ...said, ...yellow(busy)]
  return hasKeys ? [...lines, color.inverse(padded(keysLine(picture, width), width))] : lines
}

/** What can be pressed, in as many words as there is room for. */
function keysLine({ subjects, isPaused, report, sampling }: Picture, width: number): string {
  if (report !== undefined) return 'esc back  ↑↓ scroll  q quit'
  const [cpu, heap] = (['cpu', 'heap'] as const).map((kind) => (sampling === kind ? 'stop' : undefined))
  const keys: readonly (readonly [long: string, short: string] | undefined)[] = [
    ['q quit', 'q quit'],
    subjects.length > 1 ? ['tab next process', 'tab next'] : undefined,
    isPaused ? ['p go on', 'p go on'] : ['p pause', 'p pause'],
    ['o order', 'o order'],
    ['s snapshot', 's snapshot'],
    [`c ${cpu ?? 'CPU profile'}`, `c ${cpu ?? 'CPU'}`],
    [`h ${heap ?? 'heap profile'}`, `h ${heap ?? 'heap'}`],
    ['d diagnose', 'd diagnose'],
    ['↑↓ scroll', '↑↓'],
  ]
  const wanted = keys.filter((key) => key !== undefined)
  const long = wanted.map(([text]) => text).join('  ')
  if (long.length <= width) return long
  const short = wanted.map(([, text]) => text)
  while (short.length > 1 && short.join('  ').length > width) short.pop()
  return short.join('  ')
}

/** Into lines of whole words, as far as there is room for them. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(cut(word, width))
  }
  return lines
}
