// Visit after visit to one process: it must not show afterwards that anybody was there.

import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { withInspector } from '../../src/target/attach.ts'
import { evaluate } from '../../src/target/session.ts'
import { portsOf, type SpawnedTarget, spawnTarget, until } from '../support/target.ts'

const ROUNDS = Number(process.env.LEAKSCOPE_TEST_ROUNDS ?? 15)
/** What the first visits load for good: Node's own inspector module, compiled code. */
const WARM_UP = 3
/**
 * How much more heap may be in use, in bytes: code that has become hot and is compiled again, and so on. The garbage is
 * collected as for a snapshot, which V8 is thorough about: else its cache of compiled scripts counts for some time.
 */
const HEAP_BYTES = 100_000
const HEAP_BYTES_PER_ROUND = 250

const REPORT = `
  const report = () => console.log('report ' + JSON.stringify({
    resources: process.getActiveResourcesInfo().sort(),
    listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]).sort(),
    symbols: Object.getOwnPropertySymbols(process).map(String).sort(),
    globals: Object.getOwnPropertyNames(globalThis).sort(),
    heapBytes: (require('v8').writeHeapSnapshot('/dev/null'), process.memoryUsage().heapUsed),
  }))
  process.on('SIGUSR2', () => setTimeout(report, 100))`

interface Report {
  readonly resources: string[]
  readonly heapBytes: number
}

async function examine(target: SpawnedTarget) {
  const before = target.output().split('report ').length
  target.child.kill('SIGUSR2')
  await until(() => target.output().split('report ').length > before && target.output().endsWith('\n'), 'a report')
  const { heapBytes, ...rest } = JSON.parse(target.output().split('report ').at(-1)!.split('\n')[0]!) as Report
  const descriptors = readdirSync(`/proc/${target.pid}/fd`).length
  const threads = readdirSync(`/proc/${target.pid}/task`).length
  return { heapBytes, counts: { ...rest, descriptors, threads, ports: portsOf(target.pid) } }
}

async function visits(target: SpawnedTarget, rounds: number): Promise<void> {
  const signal = new AbortController().signal
  for (let i = 0; i < rounds; i++) {
    await withInspector(target.pid, { signal }, async (session) => {
      expect(await evaluate(session, '6 * 7', z.number())).toBe(42)
      await session.send('HeapProfiler.enable')
      await session.send('HeapProfiler.disable')
    })
  }
}

test(`after ${ROUNDS} visits a process has the handles, listeners, descriptors, threads and heap that it had`, async () => {
  const target = await spawnTarget(REPORT)
  const untouched = await examine(target)
  await visits(target, WARM_UP)
  const warm = await examine(target)
  await visits(target, ROUNDS)
  const after = await examine(target)
  console.info(
    `heap: ${untouched.heapBytes} untouched, ${warm.heapBytes} after ${WARM_UP} visits, ${after.heapBytes} after ${ROUNDS} more`,
  )
  expect(after.counts).toEqual(untouched.counts)
  expect(after.heapBytes - warm.heapBytes).toBeLessThan(HEAP_BYTES + ROUNDS * HEAP_BYTES_PER_ROUND)
}, 600_000)
