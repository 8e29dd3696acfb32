// Counting the objects of real heaps, and what it leaves behind.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { captureHeapSnapshot } from '../../src/capture/heap-snapshot.ts'
import { countObjects } from '../../src/capture/object-count.ts'
import { withInspector } from '../../src/target/attach.ts'
import type { ProtocolClient } from '../../src/target/session.ts'
import { spawnTarget, temporaryFolder } from '../support/target.ts'

const signal = new AbortController().signal

test('tells the objects of a process, garbage left out, and a snapshot taken then has as many nodes', async () => {
  const { pid } = await spawnTarget(`
    globalThis.all = null
    for (let i = 0; i < 200_000; i++) all = { next: all }
    for (let i = 0; i < 300_000; i++) globalThis.garbage = { next: null }`)
  const [count, nodes] = await withInspector(pid, { signal }, async (session) => {
    const counted = await countObjects(session)
    const { nodeCount } = await captureHeapSnapshot(session, join(temporaryFolder(), 'a'))
    return [counted, nodeCount]
  })
  expect(count).toBeGreaterThan(200_000)
  expect(count! / nodes!).toBeGreaterThan(0.9)
  expect(count! / nodes!).toBeLessThan(1.1)
})

function played(answer: (method: string) => unknown, statsUpdate: unknown): ProtocolClient & { sent: string[] } {
  const handlers = new Set<(params: unknown) => void>()
  const sent: string[] = []
  return {
    sent,
    async send(method) {
      sent.push(method)
      if (method === 'HeapProfiler.startTrackingHeapObjects') {
        setTimeout(() => {
          for (const handler of [...handlers]) handler({ statsUpdate })
        })
      }
      return answer(method)
    },
    on(_, handler) {
      handlers.add(handler)
      return () => handlers.delete(handler)
    },
    onRaw: () => () => {},
  }
}

test('adds up what V8 reports by the time of birth, and stops it', async () => {
  const client = played(() => ({}), [0, 5, 100, 1, 7, 80])
  expect(await countObjects(client)).toBe(12)
  expect(client.sent).toEqual(['HeapProfiler.enable', 'HeapProfiler.startTrackingHeapObjects', 'HeapProfiler.disable'])
})

test('knows nothing when the report is not one, and stops as well', async () => {
  const client = played(() => ({}), 'none')
  expect(await countObjects(client)).toBe(undefined)
  expect(client.sent.at(-1)).toBe('HeapProfiler.disable')
})

test('stops what it has begun also when it fails', async () => {
  const client = played((method) => {
    if (method === 'HeapProfiler.startTrackingHeapObjects') throw new Error('no')
  }, [])
  await expect(countObjects(client)).rejects.toThrow('no')
  expect(client.sent.at(-1)).toBe('HeapProfiler.disable')
})
