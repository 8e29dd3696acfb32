// What a process said of itself, in a few lines.

import type { Report } from '../findings/report.ts'
import { formatBytes, formatBytesDelta, formatCount, formatCountDelta, formatDuration } from '../support/format.ts'
import { renderTable } from '../support/table.ts'

/** How it was in the beginning and how it is now; empty where nobody asked. */
export function vitalsText({ target, vitals }: Report): string {
  const [first, last] = [vitals?.[0], vitals?.at(-1)]
  if (!vitals || !first || !last) return ''
  const ms = Date.parse(last.at) - Date.parse(first.at)
  const rows: string[][] = []
  const bytes = (name: string, from: number | null, to: number | null) => {
    if (from !== null && to !== null) rows.push([name, formatBytes(to), formatBytesDelta(to - from)])
  }
  bytes('resident memory', first.rssBytes, last.rssBytes)
  bytes('JavaScript heap in use', first.heapUsedBytes, last.heapUsedBytes)
  bytes('external memory', first.externalBytes, last.externalBytes)
  bytes('of that ArrayBuffers', first.arrayBuffersBytes, last.arrayBuffersBytes)
  const counts = (name: string, from: number | null, to: number | null) => {
    if (from !== null && to !== null) rows.push([name, formatCount(to), to === from ? '' : formatCountDelta(to - from)])
  }
  counts('threads', first.threads, last.threads)
  counts('open files', first.files, last.files)
  for (const [type, count] of Object.entries(last.activeResources ?? {})
    .sort(([, a], [, b]) => b - a)
    .slice(0, 6)) {
    counts(`active ${type}`, first.activeResources?.[type] ?? 0, count)
  }
  const busy = vitals.map(({ eventLoopUtilization }) => eventLoopUtilization).filter((share) => share !== null)
  if (busy.length > 0) {
    const mean = busy.reduce((sum, share) => sum + share, 0) / busy.length
    rows.push(['event loop busy', `${Math.round(100 * mean)} %`, ''])
  }
  const cores = vitals.map(({ coresUsed }) => coresUsed ?? null).filter((used) => used !== null)
  if (cores.length > 0) {
    rows.push(['cores in use', (cores.reduce((sum, used) => sum + used, 0) / cores.length).toFixed(2), ''])
  }
  const who = target ? `process ${target.pid}, Node ${target.nodeVersion}` : 'the process'
  return `Over ${formatDuration(ms)}, garbage included, ${who}:\n${renderTable(['left', 'right', 'right'], rows).replace(/^/gm, '  ')}`
}
