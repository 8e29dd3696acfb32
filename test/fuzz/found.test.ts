// What a fuzz run has found stays mended.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { afterAll, expect, it } from 'vitest'
import { openSeries } from '../../src/analysis/compare.ts'
import { findLeaks, lookForSuspects } from '../../src/detectors/find-leaks.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-found-'))
afterAll(() => rmSync(folder, { recursive: true }))

it("a leak is told that goes through a WeakMap's table which several objects share", async () => {
  const files = [0, 1, 2].map((i) => {
    const name = `shared-weak-table-${i}.heapsnapshot`
    writeFileSync(
      join(folder, name),
      brotliDecompressSync(readFileSync(join(import.meta.dirname, 'found', `${name}.br`))),
    )
    return join(folder, name)
  })
  const heap = await openSeries(files, { index: false })
  const isolate = await lookForSuspects('main', heap, [0, 1, 2])
  expect(isolate.suspects).toHaveLength(1)
  expect(findLeaks({ isolates: [isolate], readSource: () => undefined }).findings).toHaveLength(1)
  await heap.opened.close()
})
