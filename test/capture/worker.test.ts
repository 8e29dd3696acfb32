// One worker, captured over a conversation that is played to it.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { captureWorker } from '../../src/capture/worker.ts'
import type { LeakscopeError } from '../../src/errors.ts'
import type { WorkerThread } from '../../src/target/workers.ts'
import { filesIn, temporaryFolder } from '../support/target.ts'

/** A worker that begins its snapshot, and is not heard of any more after `talksMs`. */
function playedWorker(talksMs: number): WorkerThread & { givenUp: LeakscopeError[] } {
  const raw = new Set<(message: Buffer) => void>()
  const givenUp: LeakscopeError[] = []
  let giveUp = (_: LeakscopeError) => {}
  let heardAtMs = 0
  const worker = {
    threadId: 3,
    title: '',
    url: '',
    isOpen: true,
    givenUp,
    get heardAtMs() {
      return heardAtMs
    },
    async send(method: string) {
      if (method !== 'HeapProfiler.takeHeapSnapshot') return { result: { value: 1 } }
      const talk = setInterval(() => {
        heardAtMs = performance.now()
        const params = { chunk: '{"snapshot":{},' }
        const message = JSON.stringify({ method: 'HeapProfiler.addHeapSnapshotChunk', params })
        for (const handler of raw) handler(Buffer.from(message))
      }, 20)
      setTimeout(() => clearInterval(talk), talksMs)
      return new Promise((_, reject) => {
        giveUp = reject
      })
    },
    on: () => () => {},
    onRaw(_: string, handler: (message: Buffer) => void) {
      raw.add(handler)
      return () => raw.delete(handler)
    },
    giveUp(reason: LeakscopeError) {
      givenUp.push(reason)
      giveUp(reason)
    },
  }
  return worker
}

test('one that falls silent amid its snapshot is given up, and leaves no file', async () => {
  const folder = temporaryFolder()
  const worker = playedWorker(1000)
  const startedMs = performance.now()
  await expect(captureWorker(worker, join(folder, 'a'), { silentMs: 500 })).rejects.toMatchObject({
    code: 'target-timeout',
    message: expect.stringMatching(/sent nothing for/),
  })
  // Not while it talked.
  expect(performance.now() - startedMs).toBeGreaterThan(1400)
  expect(worker.givenUp.length).toBeGreaterThan(0)
  expect(filesIn(folder)).toEqual([])
})
