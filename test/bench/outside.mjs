// Both ways to the heap of a living process side by side: V8's own snapshot, and reading it from outside. Linux only.

import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { nodeBinary } from '../matrix/nodes.mjs'
import { table } from './table.mjs'

const path = (name) => fileURLToPath(new URL(name, import.meta.url))
/** What reading from outside has to reach. */
const LIMITS = { pause: 1 / 60, targetGrowth: 0.01, total: 1 / 10, ownPeak: 1.6 }

/** @param thousands of users; the same process is read by both ways, from outside first, as V8's way leaves its traces */
export async function outsideCosts(majors, thousands) {
  const rows = []
  for (const major of majors) rows.push(...(await costsOf(major, await nodeBinary(major), thousands)))
  return rows
}

async function costsOf(major, node, thousands) {
  const execArgv = ['--expose-gc', '--max-old-space-size=16000', '--inspect-port=0']
  const target = fork(path('outside-target.mjs'), [String(thousands)], { execPath: node, execArgv })
  try {
    await once(target, 'message')
    const ask = async () => {
      const answer = once(target, 'message')
      target.send('report')
      return (await answer)[0]
    }
    const rows = []
    for (const via of ['outside', 'inspector']) {
      await ask()
      // The peak is counted from now on: https://docs.kernel.org/filesystems/proc.html (clear_refs, 5)
      writeFileSync(`/proc/${target.pid}/clear_refs`, '5')
      const before = peakOf(target.pid)
      const { stdout } = await promisify(execFile)(process.execPath, [
        path('outside-reader.mjs'),
        via,
        String(target.pid),
      ])
      const { longestMs, heapBytes } = await ask()
      rows.push({
        major,
        via,
        ...JSON.parse(stdout),
        pauseMs: longestMs,
        heapBytes,
        growth: peakOf(target.pid) - before,
      })
    }
    const [outside, inspector] = rows
    outside.ratios = {
      pause: outside.pauseMs / inspector.pauseMs,
      targetGrowth: outside.growth / outside.heapBytes,
      total: outside.ms / inspector.ms,
      ownPeak: outside.peakBytes / outside.heapBytes,
    }
    outside.fine = Object.entries(LIMITS).every(([what, limit]) => outside.ratios[what] <= limit)
    return rows
  } finally {
    target.kill('SIGKILL')
  }
}

const peakOf = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) * 1024

export function outsideTable(rows) {
  const mb = (bytes) => `${Math.round(bytes / 1e6)} MB`
  const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`
  const heads = ['Node', 'way', 'nodes', 'heap', 'stood still', 'its peak grew by', 'to the graph', 'own peak']
  const lines = rows.map((row) => [
    ...[String(row.major), row.via === 'outside' ? 'from outside' : "V8's snapshot", String(row.nodeCount)],
    ...[mb(row.heapBytes), seconds(row.pauseMs), mb(row.growth), seconds(row.ms), mb(row.peakBytes)],
  ])
  const shares = rows.flatMap(({ major, ratios }) => {
    if (!ratios) return []
    const told = [
      `the pause is 1/${Math.round(1 / ratios.pause)} (wanted: 1/60)`,
      `its peak grew by ${(100 * ratios.targetGrowth).toFixed(1)} % of its heap (0)`,
      `the time 1/${(1 / ratios.total).toFixed(1)} (1/10)`,
      `own peak ${ratios.ownPeak.toFixed(2)} × its heap (1.6)`,
    ]
    return [`  Node ${major}: ${told.join(', ')}`]
  })
  return `${table(heads, lines, [0, 1])}\n\n${shares.join('\n')}`
}
