// Sizes and ids that do not fit the integers that engines and typed arrays are fast with.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { classify, classRows } from '../../src/analysis/classes.ts'
import { compareSnapshots } from '../../src/analysis/growth.ts'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { buildHeap, type HeapSketch, heapText } from '../support/heaps.ts'

const GiB = 2 ** 30
const folder = mkdtempSync(join(tmpdir(), 'leakscope-large-'))
afterAll(() => rmSync(folder, { recursive: true }))

/**
 * A store in a global variable that holds pages, and each page a blob that only it holds. Odd sizes, so that a sum
 * that was rounded shows.
 */
function library({
  pages,
  pageSize = 5 * GiB + 1,
  blobSize = 6 * GiB + 3,
  storeSize = 2 * GiB + 1,
}: Library): HeapSketch {
  const page = (i: number) => 4 + 2 * i
  return {
    nodes: [
      { type: 'synthetic', id: 1 },
      { name: 'global', size: 24, id: 2 ** 31 },
      { name: 'Library', size: 3 * GiB, id: 2 ** 31 + 1 },
      { type: 'array', name: '(object elements)', size: storeSize, id: 2 ** 32 - 1 },
      ...Array.from({ length: pages }, (_, i) => [
        { name: 'Page', size: pageSize, id: 2 ** 32 - 2 * page(i) },
        { type: 'native' as const, name: 'Blob', size: blobSize, id: 2 ** 32 - 2 * page(i) - 1 },
      ]).flat(),
    ],
    edges: [
      { from: 0, to: 1, type: 'shortcut', name: 'global' },
      { from: 1, to: 2, name: 'library' },
      { from: 2, to: 3, type: 'internal', name: 'elements' },
      ...Array.from({ length: pages }, (_, i) => [
        { from: 2, to: page(i), type: 'element' as const, name: i },
        { from: 3, to: page(i), type: 'internal' as const, name: String(i) },
        { from: page(i), to: page(i) + 1, type: 'internal' as const, name: 'blob' },
      ]).flat(),
    ],
  }
}
interface Library {
  pages: number
  pageSize?: number
  blobSize?: number
  storeSize?: number
}

async function compare(...libraries: Library[]) {
  const files = libraries.map((each, i) => {
    const file = join(folder, `${i}.heapsnapshot`)
    writeFileSync(file, heapText(library(each)))
    return file
  })
  return compareSnapshots(files)
}

describe('sums past 2^32 and ids past 2^31 are right', () => {
  it('in shallow and retained sizes', async () => {
    const graph = new HeapGraph(await buildHeap(library({ pages: 3 })))
    const pages = 3 * (11 * GiB + 4)
    expect([...graph.snapshot.nodeId.subarray(0, 5)]).toEqual([1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1, 2 ** 32 - 8])
    expect([1, 2, 3, 4, 5].map((node) => graph.shallowSize(node))).toEqual([
      24,
      5 * GiB + 1,
      0,
      5 * GiB + 1,
      6 * GiB + 3,
    ])
    expect([4, 5].map((node) => graph.retainedSize(node))).toEqual([11 * GiB + 4, 6 * GiB + 3])
    expect(graph.retainedSize(3)).toBe(0)
    expect(graph.retainedSize(2)).toBe(5 * GiB + 1 + pages)
    expect(graph.retainedSize(0)).toBe(24 + 5 * GiB + 1 + pages)
    expect([2, 3, 4, 5].map((node) => graph.immediateDominator(node))).toEqual([1, 2, 2, 4])
  })

  it('where each node is smaller and only the sums are larger', async () => {
    const graph = new HeapGraph(await buildHeap(library({ pages: 2, pageSize: 2 ** 32 - 1, blobSize: 2 ** 32 - 3 })))
    // The column of self sizes is of 32 bits; what moving the store's size to its owner makes of it is not.
    expect(graph.snapshot.selfSize).toBeInstanceOf(Uint32Array)
    expect(graph.shallowSize(2)).toBe(5 * GiB + 1)
    expect(graph.retainedSize(4)).toBe(2 ** 33 - 4)
    expect(graph.retainedSize(0)).toBe(24 + 5 * GiB + 1 + 2 ** 34 - 8)
  })

  it('in the sums of classes', async () => {
    const graph = new HeapGraph(await buildHeap(library({ pages: 1000 })))
    const rows = classRows(graph, classify(graph.snapshot))
    const row = (name: string) => {
      const { count, shallowBytes, retainedBytes } = rows.find((each) => each.name === name)!
      return [count, shallowBytes, retainedBytes]
    }
    expect(row('Page')).toEqual([1000, 1000 * (5 * GiB + 1), 1000 * (11 * GiB + 4)])
    expect(row('Blob')).toEqual([1000, 1000 * (6 * GiB + 3), 1000 * (6 * GiB + 3)])
    expect(row('Library')).toEqual([1, 5 * GiB + 1, 5 * GiB + 1 + 1000 * (11 * GiB + 4)])
  })

  it('in what came between two heaps, matched by id', async () => {
    const { matching, clusters, classes, snapshots } = await compare({ pages: 2 }, { pages: 5 })
    expect(matching).toBe('id')
    expect(clusters.map(({ kind, className, count, bytes }) => [kind, className, count, bytes])).toEqual([
      ['added', 'Page', 3, 3 * (11 * GiB + 4)],
    ])
    const pages = classes.find(({ name }) => name === 'Page')!
    expect(pages).toMatchObject({
      countBefore: 2,
      countAfter: 5,
      shallowBytesBefore: 2 * (5 * GiB + 1),
      shallowBytesAfter: 5 * (5 * GiB + 1),
      retainedBytesBefore: 2 * (11 * GiB + 4),
      retainedBytesAfter: 5 * (11 * GiB + 4),
    })
    expect(snapshots.map(({ totalShallowBytes }) => totalShallowBytes)).toEqual(
      [2, 5].map((count) => 24 + 5 * GiB + 1 + count * (11 * GiB + 4)),
    )
  })

  it('in what one object grew by, from sizes of 32 bits to larger ones', async () => {
    const small = { pages: 1, pageSize: 40, blobSize: 8 }
    const { clusters } = await compare({ ...small, storeSize: 1000 }, { ...small, storeSize: 9 * GiB + 7 })
    expect(clusters.map(({ kind, className, count, bytes }) => [kind, className, count, bytes])).toEqual([
      ['grown', 'Library', 1, 9 * GiB + 7 - 1000],
    ])
  })

  it('in a WeakMap whose table and key have ids past 2^31', async () => {
    const [table, key, value] = [2 ** 31 + 5, 2 ** 32 - 3, 2 ** 32 - 5]
    const name = `1 / part of key (Key @${key}) -> value (Value @${value}) pair in WeakMap (table @${table})`
    const graph = new HeapGraph(
      await buildHeap({
        nodes: [
          { type: 'synthetic', id: 1 },
          { name: 'global', size: 24, id: 2 ** 31 },
          { type: 'array', name: '(WeakMap table)', size: 64, id: table },
          { name: 'Key', size: 16, id: key },
          { name: 'Value', size: 7 * GiB, id: value },
        ],
        edges: [
          { from: 0, to: 1, type: 'shortcut', name: 'global' },
          { from: 1, to: 2, type: 'internal', name: 'table' },
          { from: 1, to: 3, name: 'key' },
          { from: 2, to: 4, type: 'internal', name },
          { from: 3, to: 4, type: 'internal', name },
        ],
      }),
    )
    expect(graph.immediateDominator(4)).toBe(3)
    expect(graph.retainedSize(3)).toBe(7 * GiB + 16)
  })

  it('in any tree, to the byte', async () => {
    const nodes = fc.array(
      fc.record({
        parent: fc.nat(),
        id: fc.integer({ min: 2 ** 31, max: 2 ** 32 - 1 }),
        size: fc.oneof(fc.integer({ min: 0, max: 2 ** 46 }), fc.integer({ min: 2 ** 31, max: 2 ** 33 })),
      }),
      { minLength: 1, maxLength: 40 },
    )
    await fc.assert(
      fc.asyncProperty(nodes, async (drawn) => {
        const parent = (i: number) => (i === 0 ? 0 : drawn[i - 1]!.parent % i)
        const graph = new HeapGraph(
          await buildHeap({
            nodes: [{ type: 'synthetic', id: 1 }, ...drawn.map(({ id, size }) => ({ id, size, name: 'x' }))],
            edges: drawn.map((_, i) => ({ from: parent(i + 1), to: i + 1 })),
          }),
        )
        const retained = [0n, ...drawn.map(({ size }) => BigInt(size))]
        for (let node = drawn.length; node > 0; node--) retained[parent(node)]! += retained[node]!
        expect([...graph.snapshot.nodeId]).toEqual([1, ...drawn.map(({ id }) => id)])
        expect(Array.from(graph.retainedSizes, BigInt)).toEqual(retained)
      }),
    )
  })
})
