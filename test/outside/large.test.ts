// What is larger than 4 GiB is read as it is, or refused with the reason.

import { describe, expect, test, vi } from 'vitest'
import { planCopy } from '../../src/outside/heap-image.ts'
import type { MemorySource } from '../../src/outside/memory-source.ts'
import { captureFromOutside } from '../../src/outside/open.ts'
import { spawnTarget } from '../support/target.ts'

const PAGE_BYTES = 2 ** 31 - 2 ** 18
const FIRST_PAGE = 2 ** 40

/** A process that has so many V8 pages of nearly 2 GiB, of which only the headers are there (as in Node 18 and 20). */
function sourceWith(count: number): MemorySource {
  const start = FIRST_PAGE
  const end = start + count * 2 ** 31
  return {
    ...{ name: 'process 1', fileBytes: 0, executable: '', close: () => {} },
    mappings: () => [
      { start, end, readable: true, writable: true, executable: false, name: '', hasFile: false, fileOffset: 0 },
    ],
    read(address, target, at, length) {
      const page = address - ((address - FIRST_PAGE) % 2 ** 31)
      if (address !== page) return 0
      const header = Buffer.from(target.buffer, target.byteOffset + at, length)
      for (const [i, value] of [PAGE_BYTES, 0, FIRST_PAGE - 2 ** 20, page + 256, page + PAGE_BYTES].entries()) {
        header.writeBigUInt64LE(BigInt(value), 8 * i)
      }
      return length
    },
    resident: (from, to) => [[from, to]],
    fileOf: () => '',
    stackPointers: () => new Map(),
  }
}

test('A heap of more than 4 GiB is refused, with the limit and what else can be done', () => {
  expect(() => planCopy(sourceWith(3))).toThrowError(
    expect.objectContaining({
      code: 'price-too-high',
      message: expect.stringMatching(/^the heap of process 1 takes 6\.\d GiB: heaps of up to 4 GiB can be read/),
      hint: expect.stringContaining('--via inspector'),
    }),
  )
})

test('A heap for which there is no memory here is refused before anything is copied', () => {
  const free = vi.spyOn(process, 'availableMemory').mockReturnValue(3e9)
  expect(() => planCopy(sourceWith(1))).toThrowError(
    expect.objectContaining({
      code: 'price-too-high',
      message: expect.stringContaining('some 5.4 GB of memory, and 3.0 GB are free'),
    }),
  )
  free.mockRestore()
})

describe.runIf(process.platform === 'linux')('A buffer of 5 GB', () => {
  test('has its size in the graph, and is not copied', async () => {
    const { pid } = await spawnTarget(
      'globalThis.kept = new ArrayBuffer(5e9); globalThis.filled = Buffer.alloc(300e6, 7)',
    )
    const { heaps, copiedBytes } = await captureFromOutside(pid)
    const { nodeCount, nodeName, selfSize, strings } = heaps[0]!.snapshot
    const sizes = Array.from({ length: nodeCount }, (_, node) => node)
      .filter((node) => strings.get(nodeName[node]!) === 'system / JSArrayBufferData')
      .map((node) => selfSize[node])
    expect(sizes).toEqual(expect.arrayContaining([5e9, 300e6]))
    expect(copiedBytes).toBeLessThan(100e6)
  })
})
