// What a function that leaks has leaked: snapshots of this isolate while it goes on, compared by a process of its own.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Driver } from '../check/driver.ts'
import type { Measured } from '../check/rounds.ts'
import { workThatStandsOut } from '../check/stand-out.ts'
import type { Compared } from '../commands/common/comparison.ts'
import type { SnapshotInput } from '../commands/common/inputs.ts'
import { LeakscopeError } from '../errors.ts'
import { formatBytes } from '../support/format.ts'
import { compiled } from '../support/second-thread.ts'
import type { Task } from './compare-main.ts'
import type { Here } from './here.ts'

const SNAPSHOTS = 3
const BETWEEN_MS = 2000
/** A larger heap takes longer to be walked, three times, than anybody waits for a test. */
const LARGEST_HEAP = 400e6
const COMPARE_MS = 120_000

/** Throws a LeakscopeError where it cannot be looked into; leaves no file behind. */
export async function diagnose(here: Here, driver: Driver, measured: Measured, signal: AbortSignal): Promise<Compared> {
  const heapBytes = process.memoryUsage().heapUsed
  if (heapBytes > LARGEST_HEAP) {
    throw new LeakscopeError(
      'price-too-high',
      `a heap of ${formatBytes(heapBytes)} is too large to be walked in a test`,
    )
  }
  const { amount } = workThatStandsOut(measured, BETWEEN_MS)
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-measure-'))
  const sampled = here.startSampling()
  try {
    const snapshots: SnapshotInput[] = []
    const startedMs = performance.now()
    for (let i = 1; i <= SNAPSHOTS; i++) {
      await driver.run(amount, signal)
      await here.meter(signal)
      const file = join(folder, `main-${i}.heapsnapshot`)
      const profile = sampled ? join(folder, `main-${i}.heapprofile`) : undefined
      if (profile !== undefined) here.writeSamples(profile)
      here.snapshot(file)
      snapshots.push({ file, takenAt: undefined, profile })
    }
    const stepMs = (performance.now() - startedMs) / SNAPSHOTS
    // The same work was done between any two: told by that, what leaks rises steadily.
    const inOrder = snapshots.map((it, i) => ({ ...it, takenAt: new Date(Date.now() + i * stepMs).toISOString() }))
    const task: Task = { snapshots: inOrder, scripts: await here.readScripts() }
    const file = join(folder, 'task.json')
    writeFileSync(file, JSON.stringify(task))
    return await compareApart(file, signal)
  } finally {
    if (sampled) here.stopSampling()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Nothing of the comparison is to be seen in this heap, and what runs here may have put anything in the way of it. */
async function compareApart(task: string, signal: AbortSignal): Promise<Compared> {
  const env = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: undefined }
  const stop = AbortSignal.any([signal, AbortSignal.timeout(COMPARE_MS)])
  const args = [fileURLToPath(compiled(new URL('./compare-main.js', import.meta.url).href)), task]
  const child = spawn(process.execPath, args, { env, signal: stop, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    stdout += part
  })
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr += part
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0)
    throw new LeakscopeError('program-failed', `the comparison ended with exit code ${code}: ${stderr.trim()}`)
  return JSON.parse(stdout) as Compared
}
