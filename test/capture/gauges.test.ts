// What is measured inside a process while it is watched: it is right, and it is gone afterwards.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { openGauges } from '../../src/capture/gauges.ts'
import { withInspector } from '../../src/target/attach.ts'
import type { InspectorSession } from '../../src/target/session.ts'
import { type SpawnedTarget, spawnTarget, until } from '../support/target.ts'

const ARGS = ['--inspect-port=0', '--expose-gc']
/** Counts the observers that are taken away, and tells of each. */
const TELLS = `
  const { PerformanceObserver } = require('node:perf_hooks')
  const { disconnect } = PerformanceObserver.prototype
  globalThis.taken = 0
  PerformanceObserver.prototype.disconnect = function () { taken++; console.log('taken away'); return disconnect.call(this) }`

function inside<T>({ pid }: SpawnedTarget, work: (session: InspectorSession) => Promise<T>): Promise<T> {
  return withInspector(pid, { signal: new AbortController().signal }, work)
}

describe('gauges', () => {
  test('tell how late the event loop was, and since the reading before only', async () => {
    const target = await spawnTarget(
      `process.once('SIGWINCH', () => { const end = Date.now() + 600; while (Date.now() < end); })`,
    )
    await inside(target, async (session) => {
      const gauges = await openGauges(session)
      await sleep(300)
      target.child.kill('SIGWINCH')
      await sleep(1200)
      const busy = await gauges.read()
      await sleep(800)
      const idle = await gauges.read()
      await gauges.close()
      expect(busy!.longestDelayMs).toBeGreaterThan(400)
      expect(busy!.longestDelayMs).toBeLessThan(1500)
      expect(idle!.longestDelayMs).toBeLessThan(400)
    })
  })

  test('tell which part of the time went into garbage collection', async () => {
    const args = ARGS
    const busy = await spawnTarget(
      'const keep = []; for (let i = 0; i < 2e5; i++) keep.push({ i }); setInterval(gc, 1)',
      { args },
    )
    const idle = await spawnTarget('', { args })
    const [much, little] = await Promise.all(
      [busy, idle].map((target) =>
        inside(target, async (session) => {
          const gauges = await openGauges(session)
          await sleep(1000)
          const reading = await gauges.read()
          await gauges.close()
          return reading!.gcPart
        }),
      ),
    )
    expect(much).toBeGreaterThan(0.3)
    expect(much).toBeLessThanOrEqual(1)
    expect(little).toBeLessThan(0.1)
  })

  test('are taken away', async () => {
    const target = await spawnTarget(TELLS, { args: ARGS })
    await inside(target, async (session) => {
      const gauges = await openGauges(session)
      await gauges.read()
      await gauges.close()
      const { result } = (await session.send('Runtime.evaluate', { expression: 'taken' })) as { result: object }
      expect(result).toMatchObject({ value: 1 })
      // Nothing of ours answers any more.
      await expect(gauges.read()).rejects.toThrow()
    })
  })

  test('go by themselves when whoever opened them is gone without a word', async () => {
    const target = await spawnTarget(`${TELLS}; setInterval(gc, 50)`, { args: ARGS })
    await inside(target, async (session) => {
      await openGauges(session)
      expect(target.output()).not.toContain('taken away')
    })
    await until(() => target.output().includes('taken away'), 'the observer to go')
    expect(await target.answers()).toBe(true)
  })
})
