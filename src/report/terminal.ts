// The Report as a person reads it in a terminal.

import type { ChalkInstance } from 'chalk'
import type { Report, ReportCluster, ReportCulprit, ReportPathStep, ReportSourceLocation } from '../findings/report.ts'
import {
  formatBytes,
  formatBytesDelta,
  formatCount,
  formatCountDelta,
  formatDuration,
  printable,
} from '../support/format.ts'
import { renderTable } from '../support/table.ts'
import { baselineLines } from './baseline-lines.ts'
import { checkText } from './check-text.ts'
import { findingsText } from './findings-terminal.ts'
import { positionText } from './places.ts'
import { processText } from './process.ts'
import { vitalsText } from './vitals-terminal.ts'

export interface TerminalOptions {
  readonly color: ChalkInstance
  /** Columns that lines may take. */
  readonly width: number
  /** Rows of each table at most. */
  readonly limit: number
}

type Growth = NonNullable<Report['growth']>
type Heap = NonNullable<Report['heap']>

export function reportTerminal(report: Report, options: TerminalOptions): string {
  const isolates = [...new Set(report.snapshots.map(({ isolate }) => isolate))]
  const baseline = report.baseline ? [baselineLines(report.baseline).join('\n')] : []
  const told = report.explained !== null || report.sampling !== null || report.findings.length > 0
  const leaks = [...(told ? [findingsText(report, options)] : []), ...baseline]
  if (report.check) return [...checkParts(report.check, options), ...leaks].join('\n\n')
  if (report.command === 'diagnose' && !report.heap) {
    // Without snapshots the process's memory is all that there is to see.
    const memory = report.explained === null && report.process ? [processText(report.process, options)] : []
    return [...leaks, vitalsText(report), ...memory, ...notComparedParts(report, options)]
      .filter((part) => part !== '')
      .join('\n\n')
  }
  const parts =
    isolates.length < 2
      ? isolateParts(report, options)
      : isolates.flatMap((isolate) => [
          options.color.bold.inverse(` ${printable(isolate)} `),
          ...isolateParts(onlyOf(isolate, report), options),
        ])
  const ofProcess = report.process ? [processText(report.process, options)] : []
  return [...leaks, ...parts, ...notComparedParts(report, options), ...ofProcess]
    .filter((part) => part !== '')
    .join('\n\n')
}

function checkParts(check: NonNullable<Report['check']>, { color }: TerminalOptions): string[] {
  const { headline, details, head, rows } = checkText(check)
  const paint = { passed: color.green, failed: color.red, undecided: color.yellow }[check.outcome]
  const table = renderTable(
    head.map(() => 'right'),
    [head.map((title) => color.dim(title)), ...rows],
  )
  return [[paint.bold(headline), ...details.map((line) => `  ${line}`)].join('\n'), indented(table)]
}

function isolateParts(report: Report, options: TerminalOptions): string[] {
  return [
    snapshotLines(report, options),
    ...(report.growth ? growthParts(report.growth, report.snapshots.length, options) : []),
    ...(report.heap ? heapParts(report.heap, report.snapshots[0]?.totalShallowBytes ?? 0, options) : []),
  ]
}

/** The Report as it would be if there were no other isolates. */
function onlyOf(wanted: string, { snapshots, growth, heap, ...report }: Report): Report {
  const own = <T extends { readonly isolate: string }>(rows: readonly T[]): T[] =>
    rows.filter(({ isolate }) => isolate === wanted)
  return {
    ...report,
    snapshots: own(snapshots),
    growth: growth && {
      ...growth,
      ...own(growth.isolates)[0],
      constructors: own(growth.constructors),
      clusters: own(growth.clusters),
    },
    heap: heap && {
      kinds: own(heap.kinds),
      constructors: own(heap.constructors),
      dominators: own(heap.dominators),
      largestStrings: own(heap.largestStrings),
      duplicateStrings: own(heap.duplicateStrings),
    },
  }
}

function notComparedParts({ growth }: Report, { color }: TerminalOptions): string[] {
  if (!growth || growth.notCompared.length === 0) return []
  const lines = growth.notCompared.map(({ isolate, reason }) => `  ${printable(isolate)}  ${printable(reason)}`)
  return [[color.bold('Not compared:'), ...lines].join('\n')]
}

function snapshotLines({ snapshots, growth }: Report, { color }: TerminalOptions): string {
  const table = renderTable(
    ['left', 'right', 'right', 'right'],
    snapshots.map(({ file, fileBytes, nodeCount, totalShallowBytes }) => [
      color.bold(printable(file)),
      `${formatBytes(fileBytes)} file`,
      `${formatCount(nodeCount)} nodes`,
      `${formatBytes(totalShallowBytes)} heap`,
    ]),
  )
  const lines = [table]
  if (growth) {
    const change = formatBytesDelta(growth.totalShallowBytes)
    const time = growth.elapsedMs > 0 ? ` between files written ${formatDuration(growth.elapsedMs)} apart` : ''
    lines.push(`The heap changed by ${color.bold(change)}${time}.`)
    if (growth.matching === 'place') {
      lines.push(
        color.yellow(
          'The object ids of these files do not mean the same objects (V8 numbers them anew for each inspector session),',
        ),
        color.yellow(
          'so objects were matched by class and place: counts are exact, single objects are not told apart.',
        ),
      )
    }
  }
  return lines.join('\n')
}

function growthParts(growth: Growth, snapshots: number, options: TerminalOptions): string[] {
  const { color, limit } = options
  const each = snapshots > 2 ? ' in each step' : ''
  const clusters = growth.clusters.slice(0, limit)
  const classes = growth.constructors.slice(0, limit)
  return [
    clusters.length === 0
      ? `No older object holds new ones${each}.`
      : [
          color.bold(`What grew${each}, by what holds it:`),
          ...clusters.map((cluster, i) => clusterText(cluster, i + 1, options)),
          more(growth.clusters.length - clusters.length),
        ]
          .filter((line) => line !== '')
          .join('\n'),
    classes.length === 0
      ? `No class changed${each}.`
      : [color.bold(`Classes that ${each ? `grew${each}` : 'changed'}:`), classTable(classes, options)]
          .concat(more(growth.constructors.length - classes.length) || [])
          .join('\n'),
  ]
}

const more = (hidden: number): string => (hidden > 0 ? `  … and ${formatCount(hidden)} more (--limit)` : '')

function clusterText(cluster: ReportCluster, rank: number, { color, width }: TerminalOptions): string {
  const { kind, count, retainedBytes, countPerStep, retainingPath, culprit } = cluster
  const what =
    kind === 'added'
      ? `${formatCount(count)} new ${printable(cluster.constructor, 60)}`
      : `${formatCount(count)} ${printable(cluster.constructor, 60)} that became larger`
  const steps = countPerStep.length > 1 ? color.dim(`  (${countPerStep.map(formatCountDelta).join(', ')})`) : ''
  const lines = [`${`${rank}`.padStart(3)}  ${color.red(formatBytesDelta(retainedBytes).padStart(8))}  ${what}${steps}`]
  lines.push(
    ...wrap(pathText(retainingPath), Math.max(40, width - 15)).map((line) => `               ${color.cyan(line)}`),
  )
  if (culprit) lines.push(`               ${culpritText(culprit, color)}`)
  return lines.join('\n')
}

const BASIS: Readonly<Record<ReportCulprit['basis'], string>> = {
  allocation: 'allocated',
  callback: 'calls',
  retainer: 'see',
}

function culpritText(culprit: ReportCulprit, color: ChalkInstance): string {
  const name = culprit.function ? `${printable(culprit.function, 60)} ` : ''
  const inside = culprit.package ? color.dim(` in package ${printable(culprit.package)}`) : ''
  return `${color.dim(BASIS[culprit.basis])} ${name}${name || culprit.basis === 'allocation' ? color.dim('at ') : ''}${color.yellow(placeText(culprit))}${inside}`
}

/** `(GC root) → module /app/chat.mjs → context variable 'Logging' → .logs → Array[48,211] → [12] → string "…"` */
function pathText(path: readonly ReportPathStep[]): string {
  const words = ['(GC root)']
  path.forEach(({ edge, node, times }, i) => {
    if (edge !== '') words.push(edge)
    // A plain object between two names says nothing that they don't.
    if (i === path.length - 1 || (node !== 'Object' && node !== 'scope')) {
      words.push(node.replace(/^module file:\/\//, 'module ') + (times > 1 ? ` ×${formatCount(times)}` : ''))
    }
  })
  const most = 16
  const cut = words.length > most ? [...words.slice(0, 5), '…', ...words.slice(words.length - most + 6)] : words
  return cut.map((word) => printable(word, 120)).join(' → ')
}

const placeText = ({ url, line, column }: ReportSourceLocation): string =>
  `${printable(url.replace(/^file:\/\//, ''))}${positionText({ line, column })}`

function classTable(classes: Growth['constructors'], { color, width }: TerminalOptions): string {
  return indented(
    renderTable(
      ['left', 'right', 'right', 'right', 'right', 'right'],
      [
        ['class', 'objects', '', 'shallow', 'retained', ''].map((head) => color.dim(head)),
        ...classes.map((row) => [
          className(row.name, row.location, color, width),
          formatCount(row.countAfter),
          formatCountDelta(row.countDelta),
          formatBytesDelta(row.shallowBytesDelta),
          formatBytes(row.retainedBytesAfter),
          color.bold(formatBytesDelta(row.retainedBytesDelta)),
        ]),
      ],
    ),
  )
}

const indented = (text: string): string => text.replace(/^/gm, '  ')

function className(name: string, location: ReportSourceLocation | null, color: ChalkInstance, width: number): string {
  const room = Math.max(30, width - 60)
  const place = location ? placeText(location) : ''
  const shown = printable(name, room)
  const left = room - shown.length - 2
  if (place === '' || left < 12) return shown
  // Of a long path, the end tells the file.
  return `${shown}  ${color.dim(place.length > left ? `…${place.slice(place.length - left + 1)}` : place)}`
}

function heapParts(heap: Heap, total: number, options: TerminalOptions): string[] {
  const { color, limit, width } = options
  const share = (bytes: number) => `${total > 0 ? ((100 * bytes) / total).toFixed(1) : '0.0'} %`
  const pathWidth = Math.max(40, width - 15)
  const objectLines = (
    rows: readonly { retainedBytes: number; retainingPath: readonly ReportPathStep[]; label: string }[],
  ) =>
    rows
      .slice(0, limit)
      .flatMap(({ retainedBytes, retainingPath, label }) => [
        `     ${color.red(formatBytes(retainedBytes).padStart(8))}  ${share(retainedBytes).padStart(6)}  ${label}`,
        ...wrap(pathText(retainingPath), pathWidth).map((line) => `               ${color.cyan(line)}`),
      ])
      .join('\n')

  const kinds = heap.kinds.map(({ kind, count, shallowBytes }) => [
    kind,
    formatCount(count),
    formatBytes(shallowBytes),
    share(shallowBytes),
  ])
  const classes = heap.constructors
    .slice(0, limit)
    .map(({ name, location, count, shallowBytes, retainedBytes }) => [
      className(name, location, color, width),
      formatCount(count),
      formatBytes(shallowBytes),
      formatBytes(retainedBytes),
      share(retainedBytes),
    ])
  const duplicates = heap.duplicateStrings
    .slice(0, limit)
    .map(({ text, count, wastedBytes }) => [
      formatBytes(wastedBytes),
      formatCount(count),
      printable(JSON.stringify(text), 70),
    ])
  const table = (align: ('left' | 'right')[], head: string[], rows: string[][]) =>
    rows.length === 0 ? '' : indented(renderTable(align, [head.map((title) => color.dim(title)), ...rows]))
  const numbers = ['right', 'right', 'right'] as const
  const parts = {
    'By kind of node:': table(['left', ...numbers], ['kind', 'nodes', 'shallow', 'share'], kinds),
    'Where most is held:': objectLines(heap.dominators.map((row) => ({ ...row, label: printable(row.node, 80) }))),
    'Classes by retained size:': table(
      ['left', 'right', ...numbers],
      ['class', 'objects', 'shallow', 'retained', 'share'],
      classes,
    ),
    'Largest strings:': objectLines(
      heap.largestStrings.map((row) => ({ ...row, label: printable(JSON.stringify(row.text), 60) })),
    ),
    'Texts that are there several times:': table(['right', 'right', 'left'], ['wasted', 'copies', 'text'], duplicates),
  }
  return Object.entries(parts)
    .filter(([, text]) => text !== '')
    .map(([title, text]) => `${color.bold(title)}\n${text}`)
}

/** Breaks a path at its arrows. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/(?<= →) /)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = `  ${word}`
    } else line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  return lines
}
