// Two threads that read one file from both ends get what one thread gets that reads it from its start.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readSnapshot } from '../../src/snapshot/read.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { type SecondThread, startSecondThread } from '../../src/support/second-thread.ts'
import { goldenCases } from '../golden/load.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-both-ends-'))
const file = join(folder, 'a.heapsnapshot')
const second = startSecondThread()
afterAll(async () => {
  await second?.close()
  rmSync(folder, { recursive: true })
})

const COLUMNS = ['nodeType', 'nodeName', 'nodeId', 'selfSize', 'firstEdge', 'edges', 'edgeNameOrIndex'] as const

function expectSame(a: Snapshot, b: Snapshot): void {
  const different = COLUMNS.filter((name) => Buffer.compare(bytesOf(a[name]), bytesOf(b[name])) !== 0)
  expect(different).toEqual([])
  for (const name of ['node', 'script', 'line', 'column'] as const) {
    expect(Buffer.compare(bytesOf(a.locations[name]), bytesOf(b.locations[name]))).toBe(0)
  }
  expect(a.strings.count).toBe(b.strings.count)
  expect(Buffer.compare(bytesOf(a.strings.raw.stringBytes), bytesOf(b.strings.raw.stringBytes))).toBe(0)
  expect([a.nodeCount, a.edgeCount, a.extraNativeBytes, a.fileBytes, a.stringBytesAt]).toEqual([
    b.nodeCount,
    b.edgeCount,
    b.extraNativeBytes,
    b.fileBytes,
    b.stringBytesAt,
  ])
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array | Uint32Array | Float64Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength)

/** The second thread, and how often it read anything that was believed. */
function counting(thread: SecondThread): SecondThread & { whole: number } {
  const counter = {
    whole: 0,
    async call<T>(...call: Parameters<SecondThread['call']>): Promise<T> {
      const value = await thread.call<T>(...call)
      if ((value as { rows?: unknown } | undefined)?.rows) counter.whole++
      return value
    },
    close: () => thread.close(),
  }
  return counter
}

describe.runIf(second)('a file read from both ends', () => {
  it.each(goldenCases().filter(({ program }) => program !== ('array' as string)))(
    '$name',
    async ({ readSnapshot: read }) => {
      writeFileSync(file, read())
      const thread = counting(second!)
      expectSame(await readSnapshot(file, {}, thread), await readSnapshot(file))
      expect(thread.whole).toBe(1)
    },
  )

  it('is read from its start where it is not written as V8 writes it', async () => {
    const text = goldenCases()
      .find(({ name }) => name === 'app-node24')!
      .readSnapshot()
      .toString('latin1')
    writeFileSync(file, text.replace('"edges":[', '"edges": [ '), 'latin1')
    expectSame(await readSnapshot(file, {}, second), await readSnapshot(file))
    const spaced = text.replace(/("edges":\[(?:\d+,){3000})/, '$1 ')
    expect(spaced.length).toBe(text.length + 1)
    writeFileSync(file, spaced, 'latin1')
    expectSame(await readSnapshot(file, {}, second), await readSnapshot(file))
  })

  it('is refused with the same words if it is damaged, wherever it is', async () => {
    const bytes = goldenCases()
      .find(({ name }) => name === 'app-node20')!
      .readSnapshot()
    for (let i = 0; i < 40; i++) {
      const damaged = Buffer.from(bytes)
      const at = Math.floor(((i + 0.5) / 40) * bytes.length)
      if (i % 4 === 0) writeFileSync(file, damaged.subarray(0, at))
      else {
        damaged.write(['x', '-', ']'][i % 3]!, at)
        writeFileSync(file, damaged)
      }
      const outcome = (thread?: SecondThread) =>
        readSnapshot(file, {}, thread).then(
          ({ nodeCount }) => nodeCount,
          (error: Error) => error.message,
        )
      expect(await outcome(second)).toBe(await outcome())
    }
  })

  it('is left in peace when the reader is told to stop', async () => {
    writeFileSync(
      file,
      goldenCases()
        .find(({ name }) => name === 'app-node20')!
        .readSnapshot(),
    )
    await expect(readSnapshot(file, { signal: AbortSignal.abort(new Error('enough')) }, second)).rejects.toThrow(
      'enough',
    )
    expectSame(await readSnapshot(file, {}, second), await readSnapshot(file))
  })
})
