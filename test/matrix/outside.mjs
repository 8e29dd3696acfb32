// Holds heaps that are read from outside against V8's own snapshots of the same processes, on each Node version, and
// prints a table: npm run build && node test/matrix/outside.mjs [major…]

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { captureFromOutside } from '../../dist/outside/open.js'
import { readSnapshot } from '../../dist/snapshot/read.js'
import { agreementOf, showAgreement } from '../support/agreement.mjs'
import { NODE_MAJORS, nodeBinary } from './nodes.mjs'

const PROGRAM = fileURLToPath(new URL('../support/outside-heap.cjs', import.meta.url))

const numbers = process.argv.slice(2).map(Number)
const rows = []
for (const major of numbers.length > 0 ? numbers : NODE_MAJORS) rows.push(await measure(major))

const columns = Object.keys(rows[0])
console.log(`| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|`)
for (const row of rows) console.log(`| ${columns.map((column) => row[column]).join(' | ')} |`)

/** Recall and precision, in percent, of what was read from outside. */
async function measure(major) {
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-outside-'))
  const file = join(folder, 'v8.heapsnapshot')
  const child = spawn(await nodeBinary(major), ['--expose-gc', PROGRAM, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(child.stdout, 'data')
    const { heaps, pausedMs, copiedBytes } = await captureFromOutside(child.pid)
    const written = once(child.stdout, 'data')
    child.kill('SIGUSR2')
    await written
    const agreement = agreementOf(heaps[0].snapshot, await readSnapshot(file))
    return {
      Node: major,
      ...Object.fromEntries(Object.entries(agreement).map(([what, share]) => [what, showAgreement(share)])),
      nodes: heaps[0].snapshot.nodeCount,
      'copied MB': (copiedBytes / 1e6).toFixed(1),
      'pause ms': Math.round(pausedMs),
    }
  } finally {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}
