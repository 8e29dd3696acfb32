// Two threads copy what one does.

import { afterEach, describe, expect, test } from 'vitest'
import { type CopyThread, start as startThread } from '../../src/outside/copy-thread.ts'
import { copyHeap, planCopy } from '../../src/outside/heap-image.ts'
import { openLiveMemory } from '../../src/outside/live-memory.ts'
import { isStopped } from '../../src/outside/stop.ts'
import { spawnTarget, until } from '../support/target.ts'

describe.runIf(process.platform === 'linux')('A second thread', () => {
  let thread: CopyThread | undefined
  afterEach(() => thread?.close())

  async function stoppedTarget() {
    const { pid } = await spawnTarget(
      'globalThis.kept = Array.from({ length: 3e5 }, (_, i) => ({ i, text: "text " + i }))',
    )
    process.kill(pid, 'SIGSTOP')
    await until(() => isStopped(pid), 'it to be stopped')
    const source = openLiveMemory(pid)
    const plan = planCopy(source)
    thread = await startThread(source.descriptors!, plan.bytes)
    expect(thread).toBeDefined()
    return { source, plan }
  }

  test('copies its part of a heap, each time', async () => {
    const { source, plan } = await stoppedTarget()
    const alone = copyHeap(source, plan)
    const expected = Buffer.from(alone.bytes)
    for (let round = 0; round < 20; round++) {
      plan.bytes.fill(0)
      const { bytes, pages } = copyHeap(source, plan, () => {}, thread)
      expect(pages).toEqual(alone.pages)
      expect(Buffer.compare(Buffer.from(bytes), expected)).toBe(0)
    }
    source.close()
  })

  test('ends with the first one when the time is up, and works again afterwards', async () => {
    const { source, plan } = await stoppedTarget()
    const expected = Buffer.from(copyHeap(source, plan).bytes)
    const fail = () => {
      throw new Error('the time is up')
    }
    expect(() => copyHeap(source, plan, fail, thread)).toThrow('the time is up')
    plan.bytes.fill(0)
    expect(Buffer.compare(Buffer.from(copyHeap(source, plan, () => {}, thread).bytes), expected)).toBe(0)
    source.close()
  })

  test('that has died is not waited for longer than the process may stand still', async () => {
    const { source, plan } = await stoppedTarget()
    await thread!.close()
    const { pages } = copyHeap(source, plan, () => {}, thread)
    expect(pages.length).toBeGreaterThan(10)
    source.close()
  })
})
