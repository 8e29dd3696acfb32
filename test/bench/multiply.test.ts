// The multiplier's files on real heaps: as V8 would write them, and each copy a whole heap.

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { readSnapshot } from '../../src/snapshot/read.ts'
import { multiply } from './multiply.mjs'

const COPIES = 3
const heaps = new URL('../golden/heaps/', import.meta.url)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leakscope-multiply-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function heapOf(name: string) {
  const file = join(folder, `${name}.heapsnapshot`)
  await writeFile(file, brotliDecompressSync(await readFile(new URL(`${name}.heapsnapshot.br`, heaps))))
  return file
}

/** The file as JSON, with rows instead of flat numbers, and texts instead of their indexes. */
function rowsOf(text: string) {
  const { snapshot, nodes, edges, locations, strings } = JSON.parse(text)
  const {
    node_fields: nodeFields,
    edge_fields: edgeFields,
    edge_types: edgeTypes,
    location_fields: places,
  } = snapshot.meta
  const split = (flat: number[], width: number) =>
    Array.from({ length: flat.length / width }, (_, i): (number | string)[] => flat.slice(i * width, (i + 1) * width))
  const nodeRows = split(nodes, nodeFields.length)
  const name = nodeFields.indexOf('name')
  for (const row of nodeRows) row[name] = strings[row[name]!]
  const edgeRows = split(edges, edgeFields.length)
  for (const row of edgeRows) {
    if (!['element', 'hidden'].includes(edgeTypes[0][row[0]!])) row[1] = strings[row[1]!]
    row[2] = Number(row[2]) / nodeFields.length
  }
  const locationRows = split(locations, places.length)
  for (const row of locationRows) row[0] = Number(row[0]) / nodeFields.length
  return { snapshot, nodes: nodeRows, edges: edgeRows, locations: locationRows, id: nodeFields.indexOf('id') as number }
}

describe.each(['app-node18', 'worker-node26'])('three copies of %s', (name) => {
  let one: ReturnType<typeof rowsOf>
  let many: ReturnType<typeof rowsOf>
  let text: string
  const output = () => join(folder, `${name}-${COPIES}.heapsnapshot`)
  beforeAll(async () => {
    const file = await heapOf(name)
    multiply(file, COPIES, output())
    one = rowsOf(await readFile(file, 'utf8'))
    text = await readFile(output(), 'utf8')
    many = rowsOf(text)
  })

  it('are what the head says, below one new root', () => {
    expect(many.nodes.length).toBe(COPIES * one.nodes.length + 1)
    expect(many.edges.length).toBe(COPIES * (one.edges.length + 1))
    expect(many.snapshot.node_count).toBe(many.nodes.length)
    expect(many.snapshot.edge_count).toBe(many.edges.length)
    expect(many.edges.slice(0, COPIES).map(([, , to]) => to)).toEqual(
      Array.from({ length: COPIES }, (_, copy) => 1 + copy * one.nodes.length),
    )
  })

  it('are each the whole heap but for the ids: nodes, edges, places in the source', () => {
    const withoutId = (row: (number | string)[]) => row.toSpliced(one.id, 1)
    const nodes = one.nodes.map(withoutId)
    for (let copy = 0; copy < COPIES; copy++) {
      const first = 1 + copy * one.nodes.length
      const partOf = <Row>(rows: Row[], all: Row[], before: number) =>
        all.slice(before + copy * rows.length, before + (copy + 1) * rows.length)
      expect(partOf(one.nodes, many.nodes, 1).map(withoutId)).toEqual(nodes)
      const back = (at: number) => (row: (number | string)[]) => row.with(at, Number(row[at]) - first)
      expect(partOf(one.edges, many.edges, COPIES).map(back(2))).toEqual(one.edges)
      expect(partOf(one.locations, many.locations, 0).map(back(0))).toEqual(one.locations)
    }
  })

  it('have ids of their own, below 2^32, even where they were even', () => {
    const ids = many.nodes.map((row) => Number(row[many.id]))
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.every((id) => id > 0 && id < 2 ** 32)).toBe(true)
    const parity = one.nodes.map((row) => Number(row[one.id]) % 2)
    expect(ids.map((id) => id % 2)).toEqual([1, ...parity, ...parity, ...parity])
  })

  it('are laid out as V8 does it: a row a line, its end before the comma', () => {
    const rows = text.split('\n').filter((line) => /^,(\d+,)+\d+$/.test(line)).length
    expect(rows).toBe(many.nodes.length - 1 + many.edges.length - 1 + Math.max(0, many.locations.length - 1))
    expect(text.startsWith(`{"snapshot":${JSON.stringify(many.snapshot)},\n"nodes":[`)).toBe(true)
  })

  it('hold for leakscope three times what one holds', async () => {
    const heap = new HeapGraph(await readSnapshot(join(folder, `${name}.heapsnapshot`)))
    const multiplied = new HeapGraph(await readSnapshot(output()))
    expect(multiplied.retainedSize(0)).toBe(COPIES * heap.retainedSize(0))
    expect(multiplied.retainedSize(1 + one.nodes.length)).toBe(heap.retainedSize(0))
  })
})

it('one copy differs from its source only by the new root', async () => {
  const file = await heapOf('app-node22')
  const output = join(folder, 'single.heapsnapshot')
  multiply(file, 1, output)
  const lines = async (path: string) => (await readFile(path, 'utf8')).split('\n').length
  // A row for the root, and one for the edge below it.
  expect(await lines(output)).toBe((await lines(file)) + 2)
})

it('a file that is cut short is refused, and leaves nothing behind', async () => {
  const file = await heapOf('app-node24')
  const bytes = await readFile(file)
  const output = join(folder, 'short.heapsnapshot')
  for (const share of [0.01, 0.3, 0.7, 0.99]) {
    await writeFile(file, bytes.subarray(0, Math.floor(bytes.length * share)))
    expect(() => multiply(file, 2, output)).toThrow(/the file/)
    expect(existsSync(output)).toBe(false)
  }
})
