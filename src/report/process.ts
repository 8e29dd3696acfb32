// The part of the Report that accounts for a process's memory, as a person reads it in a terminal.

import type { ChalkInstance } from 'chalk'
import type { ReportProcess } from '../findings/report.ts'
import { formatBytes, formatBytesDelta, formatCount, formatDuration, printable } from '../support/format.ts'
import { renderTable } from '../support/table.ts'

interface ProcessOptions {
  readonly color: ChalkInstance
  /** Parts of each line at most. */
  readonly limit: number
}

/** Below these a change is what any process does at any time. */
const NOTABLE_BYTES = 1e6
const NOTABLE_SHARE = 0.05

/** The ledger as a table, and what else is worth a line. */
export function processText(process: ReportProcess, { color, limit }: ProcessOptions): string {
  const { ledger, rssBytes, rssBytesDelta, elapsedMs, notes } = process
  const hasDelta = rssBytesDelta !== null
  const share = (bytes: number) => `${rssBytes > 0 ? ((100 * bytes) / rssBytes).toFixed(1) : '0.0'} %`
  const change = (delta: number | null, bytes: number) => {
    if (delta === null) return []
    const notable = delta >= NOTABLE_BYTES && delta >= NOTABLE_SHARE * (bytes - delta)
    return [notable ? color.red(formatBytesDelta(delta)) : delta === 0 ? '' : formatBytesDelta(delta)]
  }
  const rows = ledger
    .filter(({ bytes, bytesDelta }) => bytes > 0 || (bytesDelta ?? 0) !== 0)
    .flatMap(({ label, bytes, bytesDelta, parts }) => [
      [label, formatBytes(bytes), share(bytes), ...change(bytesDelta, bytes)],
      ...partRows(parts, limit).map(([name, size]) => [
        color.dim(`  ${name}`),
        color.dim(size),
        '',
        ...(hasDelta ? [''] : []),
      ]),
    ])
  const head = ['', 'resident', 'share', ...(hasDelta ? [`in ${formatDuration(elapsedMs ?? 0)}`] : [])]
  const total = ['all (RSS)', formatBytes(rssBytes), share(rssBytes), ...change(rssBytesDelta, rssBytes)]
  const table = renderTable(
    ['left', 'right', 'right', ...(hasDelta ? (['right'] as const) : [])],
    [head.map((title) => color.dim(title)), ...rows, total.map((cell) => color.bold(cell))],
  )
  const spaces = process.spaces ? [spacesText(process.spaces, color)] : []
  return [table, ...spaces, ...facts(process), ...notes.map((note) => color.yellow(`Note: ${printable(note)}.`))].join(
    '\n',
  )
}

/** What V8's pages consist of: much garbage waits for a collection, much free space in half-empty pages is fragmentation. */
function spacesText(spaces: NonNullable<ReportProcess['spaces']>, color: ChalkInstance): string {
  const several = new Set(spaces.map(({ isolate }) => isolate)).size > 1
  const head = ['pages of V8', 'in all', 'alive', 'garbage', 'free', 'in pages half empty or more']
  const rows = spaces.map(({ isolate, space, bytes, livingBytes, garbageBytes, freeBytes, sparsePageBytes }) => [
    several ? `${printable(isolate)} ${space}` : space,
    ...[bytes, livingBytes, garbageBytes, freeBytes, sparsePageBytes].map(formatBytes),
  ])
  return renderTable(['left', 'right', 'right', 'right', 'right', 'right'], [head.map((it) => color.dim(it)), ...rows])
}

function partRows(parts: ReportProcess['ledger'][number]['parts'], limit: number): [string, string][] {
  const sorted = parts.toSorted((a, b) => b.bytes - a.bytes)
  const rows = sorted
    .slice(0, limit)
    .map(({ label, bytes }): [string, string] => [printable(label), formatBytes(bytes)])
  const hidden = sorted.length - rows.length
  return hidden > 0 ? [...rows, [`… and ${formatCount(hidden)} more`, '']] : rows
}

function facts({ allocator, threads, cgroup, peakRssBytes, swapBytes }: ReportProcess): string[] {
  const count = threads && Object.values(threads).reduce((sum, each) => sum + each, 0)
  const facts = [
    count === null ? '' : `${formatCount(count)} threads`,
    allocator === null
      ? ''
      : `malloc: ${allocator.name}${allocator.arenas ? `, ${formatCount(allocator.arenas)} arenas` : ''}`,
    peakRssBytes === null ? '' : `peak ${formatBytes(peakRssBytes)}`,
    swapBytes ? `${formatBytes(swapBytes)} swapped out` : '',
    cgroup?.limitBytes == null
      ? ''
      : `cgroup ${formatBytes(cgroup.usedBytes ?? 0)} of ${formatBytes(cgroup.limitBytes)}`,
  ].filter((fact) => fact !== '')
  return facts.length === 0 ? [] : [facts.join(', ')]
}
