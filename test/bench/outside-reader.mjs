// Gets the heap of a process into a graph, by one of the two ways: node outside-reader.mjs outside|inspector PID
// Says how long that took, and the most memory that it took.

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openColumns, openSnapshot } from '../../dist/analysis/open-snapshot.js'
import { captureFromOutside } from '../../dist/outside/open.js'

const [via, pid] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'leakscope-bench-'))
const begun = performance.now()
let pausedMs
let opened
if (via === 'outside') {
  const { heaps, pausedMs: stood } = await captureFromOutside(Number(pid), { maxPauseMs: 60_000 })
  pausedMs = stood
  opened = await openColumns(heaps[0].snapshot)
} else {
  const cli = fileURLToPath(new URL('../../bin/leakscope.js', import.meta.url))
  const file = join(folder, 'v8.heapsnapshot')
  await promisify(execFile)(process.execPath, [cli, 'snapshot', pid, '-o', file, '--at-any-price', '--quiet'])
  opened = await openSnapshot(file, { index: false })
}
const ms = performance.now() - begun
const peakBytes = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]) * 1024
const { nodeCount } = opened.graph.snapshot
await opened.close()
rmSync(folder, { recursive: true, force: true })
console.log(JSON.stringify({ ms, peakBytes, nodeCount, pausedMs }))
