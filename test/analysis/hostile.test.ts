// What the fuzz run found in the analysis, or a look at it with a hostile eye.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compareSnapshots } from '../../src/analysis/growth.ts'
import { overview } from '../../src/analysis/overview.ts'
import { emptyReport } from '../../src/commands/common/report.ts'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { reportJson } from '../../src/report/json.ts'
import { packageOf, readLocalSource } from '../../src/support/sources.ts'
import { buildHeap, type HeapSketch, heapText } from '../support/heaps.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-hostile-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('a snapshot with ids that stand for several objects', () => {
  const twice: HeapSketch = {
    nodes: [{ type: 'synthetic' }, { name: 'A', size: 10, id: 7 }, { name: 'A', size: 500, id: 7 }],
    edges: [
      { from: 0, to: 1 },
      { from: 0, to: 2 },
    ],
  }

  it('is compared by place, so that nothing grows that did not', async () => {
    const file = join(folder, 'twice.heapsnapshot')
    writeFileSync(file, heapText(twice))
    const growth = await compareSnapshots([file, file])
    expect(growth.matching).toBe('place')
    expect([growth.classes, growth.clusters]).toEqual([[], []])
  })
})

describe('texts that are there several times', () => {
  it('are told apart by their whole size', async () => {
    const sizes = [8, 8, 15, 16_777_216 + 8, 2 ** 34 + 8, 2 ** 34 + 8]
    const graph = new HeapGraph(
      await buildHeap({
        nodes: [{ type: 'synthetic' }, ...sizes.map((size) => ({ type: 'string' as const, name: 'text', size }))],
        edges: sizes.map((_, i) => ({ from: 0, to: i + 1 })),
      }),
    )
    expect(overview(graph, [], 10).duplicateStrings.map(({ count, wastedBytes }) => [count, wastedBytes])).toEqual([
      [2, 2 ** 34 + 8],
      [2, 8],
    ])
  })
})

describe('the source of a script', () => {
  it.skipIf(process.platform === 'win32')('is not read where the name leads to a device', () => {
    expect(readLocalSource('/dev/zero')).toBeUndefined()
    expect(readLocalSource('file:///dev/zero')).toBeUndefined()
  })

  it('tells its package without looking at a long name again and again', () => {
    const startedAt = performance.now()
    expect(packageOf(`file:///${'a/'.repeat(500_000)}`)).toBeNull()
    expect(performance.now() - startedAt).toBeLessThan(1000)
    expect(packageOf('file:///app/node_modules/a/node_modules/@b/c/index.js')).toBe('@b/c')
  })
})

describe('the Report as JSON', () => {
  it('has no character that a terminal would obey', () => {
    const text = 'a\u009b2Jb\u202ec\u007f\u001b[31m'
    const json = reportJson({
      ...emptyReport('analyze'),
      heap: {
        kinds: [],
        constructors: [],
        dominators: [],
        largestStrings: [],
        duplicateStrings: [{ isolate: 'main', text, count: 2, shallowBytes: 2, wastedBytes: 1 }],
      },
    })
    expect(json).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    expect(JSON.parse(json).heap.duplicateStrings[0].text).toBe(text)
  })
})
