// Capturing over a conversation that is played to it, so that it can go wrong in every way.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { captureHeapSnapshot, type HeapSnapshotProgress } from '../../src/capture/heap-snapshot.ts'
import type { ProtocolClient } from '../../src/target/session.ts'
import { filesIn, temporaryFolder } from '../support/target.ts'

const SNAPSHOT =
  '{"snapshot":{"meta":{},"node_count":3,"edge_count":2},\n"nodes":[1,2],\n"strings":["a \\"b\\" \\u0001 \\\\"]}\n'

/** A target that sends `pieces`, then what `finish` gives. */
function playedTarget(
  pieces: readonly string[],
  finish: () => unknown = () => ({}),
): ProtocolClient & { sent: string[] } {
  const raw = new Set<(message: Buffer) => void>()
  const progress = new Set<(params: unknown) => void>()
  const sent: string[] = []
  const activeMs = [1000, 1005]
  return {
    sent,
    async send(method, params) {
      sent.push(method)
      if (method === 'Runtime.evaluate' && params && 'awaitPromise' in params) return {} // a turn of the event loop
      if (method === 'Runtime.evaluate') return { result: { value: activeMs.shift() } }
      if (method !== 'HeapProfiler.takeHeapSnapshot') return {}
      expect(params).toEqual({ reportProgress: true, captureNumericValue: true })
      await new Promise((resolve) => setTimeout(resolve, 30))
      for (const handler of progress) handler({ done: 5, total: 10 })
      for (const chunk of pieces) {
        const message = JSON.stringify({ method: 'HeapProfiler.addHeapSnapshotChunk', params: { chunk } })
        for (const handler of raw) handler(Buffer.from(message))
      }
      return finish()
    },
    on(_, handler) {
      progress.add(handler)
      return () => progress.delete(handler)
    },
    onRaw(_, handler) {
      raw.add(handler)
      return () => raw.delete(handler)
    },
  }
}

function split(text: string, size: number): string[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size))
}

test.each([1, 2, 7, 50, 1000])('pieces of %i characters make the same file', async (size) => {
  const path = join(temporaryFolder(), 'a')
  const client = playedTarget(split(SNAPSHOT, size))
  const taken = await captureHeapSnapshot(client, path)
  expect(readFileSync(path, 'utf8')).toBe(SNAPSHOT)
  expect(taken).toMatchObject({ path, fileBytes: SNAPSHOT.length, nodeCount: 3, edgeCount: 2, pausedMs: 5 })
})

test('has the target compute line ends before the snapshot', async () => {
  const client = playedTarget([SNAPSHOT])
  await captureHeapSnapshot(client, join(temporaryFolder(), 'a'))
  expect(client.sent.filter((it) => it !== 'Runtime.evaluate')).toEqual([
    'Debugger.enable',
    'Debugger.disable',
    'HeapProfiler.takeHeapSnapshot',
  ])
})

test('keeps characters that JSON can only escape, and those that are no ASCII', async () => {
  const path = join(temporaryFolder(), 'a')
  const text = `${SNAPSHOT.slice(0, -2)},"\u0001\u001f é 漢 😀 \t \b\f\r /"}`
  await captureHeapSnapshot(playedTarget(split(text, 60)), path)
  expect(readFileSync(path, 'utf8')).toBe(text)
})

test('writes more than its buffer holds, and pieces that are larger than it', async () => {
  const path = join(temporaryFolder(), 'a')
  const text = SNAPSHOT.replace('"nodes":[', `"nodes":[${'1,\n'.repeat(2_000_000)}`)
  for (const size of [100_000, 3_000_000, text.length]) {
    const taken = await captureHeapSnapshot(playedTarget(split(text, size)), path, { force: true })
    expect(taken.fileBytes).toBe(text.length)
    expect(readFileSync(path, 'utf8') === text).toBe(true)
  }
})

test('tells how far it is', async () => {
  const seen: HeapSnapshotProgress[] = []
  const onProgress = (now: HeapSnapshotProgress) => seen.push(now)
  await captureHeapSnapshot(playedTarget([SNAPSHOT]), join(temporaryFolder(), 'a'), { onProgress })
  expect(seen[0]).toEqual({ stage: 'walking', fraction: 0.5, bytes: 0 })
  expect(seen.at(-1)).toMatchObject({ stage: 'writing', bytes: SNAPSHOT.length })
})

test.each([
  ['nothing', []],
  ['the beginning only', [SNAPSHOT.slice(0, -10)]],
  ['something else', ['{"hello":1}']],
])('%s from the target is no snapshot, and leaves no file', async (_, pieces) => {
  const folder = temporaryFolder()
  const capture = captureHeapSnapshot(playedTarget(pieces), join(folder, 'a'))
  await expect(capture).rejects.toMatchObject({ code: 'target-protocol' })
  expect(filesIn(folder)).toEqual([])
})

test('an error of the target leaves no file, and passes on', async () => {
  const folder = temporaryFolder()
  const fail = () => Promise.reject(new Error('gone'))
  await expect(captureHeapSnapshot(playedTarget([SNAPSHOT], fail), join(folder, 'a'))).rejects.toThrow('gone')
  expect(filesIn(folder)).toEqual([])
})

test('a name that is taken meanwhile is not overwritten', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'a')
  const capture = captureHeapSnapshot(
    playedTarget([SNAPSHOT], () => writeFileSync(path, 'precious')),
    path,
  )
  await expect(capture).rejects.toMatchObject({ code: 'file-exists' })
  expect(readFileSync(path, 'utf8')).toBe('precious')
  expect(filesIn(folder)).toEqual(['a'])
})

test('a target that answers, but does not begin, is given up', async () => {
  const folder = temporaryFolder()
  const client = playedTarget([])
  const busy = { ...client, send: async (method: string) => (method.startsWith('Heap') ? new Promise(() => {}) : {}) }
  await expect(captureHeapSnapshot(busy, join(folder, 'a'), { beginWithinMs: 20 })).rejects.toMatchObject({
    code: 'target-timeout',
  })
  expect(filesIn(folder)).toEqual([])
})

test('a target that takes long over the first part is waited for', async () => {
  const client = playedTarget([SNAPSHOT])
  const slow = {
    ...client,
    async send(method: string, params?: object) {
      // Until the snapshot is taken, nothing is answered.
      if (params && 'expression' in params && params.expression === '0') return new Promise(() => {})
      return client.send(method, params)
    },
  }
  const taken = await captureHeapSnapshot(slow, join(temporaryFolder(), 'a'), { beginWithinMs: 1 })
  expect(taken.nodeCount).toBe(3)
})
