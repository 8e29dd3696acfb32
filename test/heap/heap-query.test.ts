import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { entriesOf } from '../../src/analysis/collection-entries.ts'
import { openColumns } from '../../src/analysis/open-snapshot.ts'
import { HeapQuery, type HeapReference, openHeap } from '../../src/heap/heap-query.ts'
import { edgeTarget, retains, type Snapshot } from '../../src/snapshot/snapshot.ts'
import { goldenCases } from '../golden/load.ts'
import { Drawing, MODULE, times } from '../support/drawing.ts'
import { type HeapSketch, heapText, parsePieces } from '../support/heaps.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-heap-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0

function write(text: string): string {
  const file = join(folder, `${files++}.heapsnapshot`)
  writeFileSync(file, text)
  return file
}

const sketched = (sketch: HeapSketch): Promise<HeapQuery> => openHeap(write(heapText(sketch)), { index: false })

/** A heap that is drawn; of several times, a series. */
function drawn(draw: (drawing: Drawing, step: number) => void, steps = 1): Promise<HeapQuery> {
  const ids = new Map<string, number>()
  const series = times(steps, (step) => {
    const drawing = new Drawing(ids)
    draw(drawing, step)
    return write(drawing.write())
  })
  return openHeap(series, { index: false })
}

const told = ({ kind, name, retains, node }: HeapReference) => [kind, name, retains, node.className]

describe('a node', () => {
  it('is told by what it is, with sizes, and found again by its id', async () => {
    const heap = await drawn((it) =>
      it.variable('cache', it.object('cache', 'Cache', { text: it.text('text', 'some text', 100) }, { url: MODULE })),
    )
    const [cache] = heap.instances(heap.classes({ name: 'Cache' }).rows[0]!.key).rows
    expect(cache).toMatchObject({
      ...{ className: 'Cache', thing: { kind: 'object', name: 'Cache' }, shallowBytes: 48, retainedBytes: 148 },
      owner: undefined,
    })
    expect(heap.node(cache!.id)).toEqual(cache)
    expect(heap.location(cache!.ordinal)).toEqual({ url: MODULE, line: 4, column: 2 })
    const text = heap.references(cache!.ordinal).rows[0]!.node
    expect([heap.stringValue(text.ordinal), heap.stringValue(text.ordinal, 5)]).toEqual(['some text', 'some…'])
    expect([heap.stringValue(cache!.ordinal), heap.location(text.ordinal)]).toEqual([undefined, undefined])
    expect(heap.dominator(text.ordinal)?.id).toBe(cache!.id)
    expect(heap.dominator(0)).toBeUndefined()
    expect(heap.node(0xfffffff)).toBeUndefined()
  })

  it.each([-1, 0.5, Number.NaN, 1e9])('that is none is refused: %s', async (node) => {
    const heap = await drawn(() => {})
    const questions = [
      ...[heap.nodeAt, heap.className, heap.location, heap.stringValue, heap.references, heap.retainers, heap.why],
      ...[heap.entries, heap.elements, heap.dominated, heap.dominator, heap.growthOf],
    ]
    for (const ask of questions as ((node: number) => unknown)[]) {
      expect(() => ask.call(heap, node)).toThrow(expect.objectContaining({ code: 'usage-invalid' }))
    }
    expect(() => heap.whatIf({ node })).toThrow(/no node/)
    expect(() => heap.whatIf({ from: 0, to: node })).toThrow(/no node/)
  })
})

describe('references', () => {
  it('have kinds and names, from both ends', async () => {
    const heap = await drawn((it) => {
      const user = it.object('user', 'User', { '<symbol kept>': it.text('a', 'a') })
      it.variable('user', user)
      it.variable('list', it.array('list', [user], 7))
      it.variable('byName', it.mapOf('byName', [[it.text('ada', 'ada'), user]]))
      it.variable('beside', it.weakMap('beside', [[user, it.object('extra', 'Extra')]]))
    })
    const [user] = heap.instances(',User').rows
    expect(heap.references(user!.ordinal).rows.map(told)).toEqual([
      ['symbol', 'kept', true, '(string)'],
      ['WeakMap value', undefined, true, 'Extra'],
    ])
    const { rows, total } = heap.retainers(user!.ordinal)
    expect(total).toBe(3)
    expect(rows.map(told)).toEqual([
      ['variable', 'user', true, 'system / Context'],
      ['element', '7', true, 'Array'],
      ['entry', 'ada', true, '(array)'],
    ])
    // The Map's table is the Map's.
    expect(heap.className(rows[2]!.node.owner!)).toBe('Map')
    expect(heap.retainers(user!.ordinal, { offset: 1, limit: 1 })).toEqual({ rows: [rows[1]], total: 3 })
    const [extra] = heap.instances(',Extra').rows
    expect(heap.retainers(extra!.ordinal).rows.map(told)).toEqual([
      ['WeakMap value', undefined, true, 'User'],
      ['WeakMap value', undefined, false, '(array)'],
    ])
  })

  it('of a slot are entries only where a Map or Set has the table', async () => {
    const heap = await drawn((it) => {
      it.variable('dictionary', it.dictionary('dictionary', 'Object', { 'a b': it.object('user', 'User') }))
    })
    const [user] = heap.instances(',User').rows
    expect(heap.retainers(user!.ordinal).rows.map(told)).toEqual([
      ['property', 'a b', true, 'Object'],
      ['internal', '1', true, '(array)'],
    ])
  })
})

describe('collections', () => {
  it('tell their elements, a page at a time', async () => {
    const heap = await drawn((it) =>
      it.variable(
        'list',
        it.array(
          'list',
          times(5, (i) => it.object(`item ${i}`, 'Item')),
          10,
        ),
      ),
    )
    const [list] = heap.instances(',Array').rows
    expect(list!.thing).toEqual({ kind: 'array', name: 'Array', length: 5 })
    const page = heap.elements(list!.ordinal, { offset: 3, limit: 1 })
    expect([page.total, page.rows.map(({ index, node }) => [index, node.className])]).toEqual([5, [[13, 'Item']]])
    expect(heap.elements(list!.ordinal, { offset: 9 })).toEqual({ rows: [], total: 5 })
    expect(heap.entries(list!.ordinal)).toBeUndefined()
  })

  it('tell the entries of a Map, with keys that are small numbers, and of a Set', async () => {
    // Two buckets and room for four entries, behind three numbers; of 8 bytes each, behind 16.
    const tables = { Map: 16 + 8 * (3 + 2 + 4 * 3), Set: 16 + 8 * (3 + 2 + 4 * 2) }
    const heap = await sketched({
      nodes: [
        { type: 'synthetic' },
        ...[{ name: 'Map' }, { type: 'array', size: tables.Map }, { name: 'Set' }, { type: 'array', size: tables.Set }],
        ...[{ name: 'a' }, { name: 'b' }, { name: 'c' }, { type: 'hidden', name: 'system / Hole' }],
      ] as HeapSketch['nodes'],
      edges: [
        ...[1, 3, 5, 6, 7].map((to) => ({ from: 0, to, type: 'shortcut' as const })),
        { from: 1, to: 2, type: 'internal', name: 'table' },
        { from: 3, to: 4, type: 'internal', name: 'table' },
        // Both; only a value; only a key; none that V8 writes stands in the next; and one is deleted.
        ...(
          [
            [5, 5],
            [6, 6],
            [9, 7],
            [11, 5],
            [14, 8],
            [15, 8],
          ] as const
        ).map(([slot, to]) => ({
          ...{ from: 2, to, type: 'internal' as const, name: String(slot) },
        })),
        ...(
          [
            [5, 5],
            [7, 6],
            [11, 7],
          ] as const
        ).map(([slot, to]) => ({
          ...{ from: 4, to, type: 'internal' as const, name: String(slot) },
        })),
      ],
    })
    const entries = (node: number) =>
      heap.entries(node)!.rows.map(({ key, value }) => [key?.className, value?.className])
    expect(entries(1)).toEqual([
      ['a', 'b'],
      [undefined, 'c'],
      ['a', undefined],
    ])
    expect(entries(3)).toEqual([
      ['a', undefined],
      ['b', undefined],
      ['c', undefined],
    ])
    expect(heap.entries(1, { offset: 1, limit: 1 })).toMatchObject({ total: 3, rows: [{ value: { className: 'c' } }] })
  })

  it.each(goldenCases().filter(({ program }) => program === 'app' || program === 'worker'))(
    'tell their entries in a real heap: $name',
    async ({ readPieces, golden }) => {
      const opened = await openColumns(await parsePieces(readPieces(), golden.snapshot.bytes))
      const heap = new HeapQuery(opened)
      let entries = 0
      for (const key of [',Map', ',Set']) {
        for (const { ordinal } of heap.instances(key, { limit: 1000 }).rows) {
          const page = heap.entries(ordinal, { limit: 1e6 })
          // The prototype of a class that extends Map goes by that name.
          if (!page) {
            expect(heap.references(ordinal).rows.some(({ name }) => name === 'constructor')).toBe(true)
            continue
          }
          const { rows, total } = page
          // Counted another way, by slots that stand side by side.
          const count = entriesOf(opened.graph, ordinal, () => false)!.count
          expect([ordinal, total]).toEqual([ordinal, count])
          expect(rows.every(({ key, value }) => key ?? value)).toBe(true)
          entries += total
        }
      }
      expect(entries).toBeGreaterThan(100)
    },
  )
})

describe('what would be freed', () => {
  // root -> a -> b -> c -> b, and a weak reference to b
  const shared = (more: HeapSketch['edges'] = []): HeapSketch => ({
    nodes: ['', 'a', 'b', 'c', 'd'].map((name, i) => ({ name, size: 10 ** i })),
    edges: [
      { from: 0, to: 1, type: 'shortcut' },
      { from: 0, to: 4, type: 'shortcut' },
      { from: 1, to: 2, name: 'b' },
      { from: 2, to: 3, name: 'c' },
      { from: 3, to: 2, name: 'back' },
      { from: 4, to: 2, type: 'weak', name: '1' },
      ...more,
    ],
  })

  it('without a node is what it retains', async () => {
    const heap = await sketched(shared())
    expect(heap.whatIf({ node: 2 })).toEqual({ freedBytes: 1100, remaining: [] })
  })

  it('without a reference: weak ones, and those from what goes with it, hold nothing', async () => {
    const heap = await sketched(shared())
    expect(heap.whatIf({ from: 1, to: 2 })).toEqual({ freedBytes: 1100, remaining: [] })
    expect(heap.whatIf({ from: 3, to: 2 })).toMatchObject({ freedBytes: 0, remaining: [{ name: 'b' }] })
  })

  it('is nothing where another reference stays, and that one is told', async () => {
    const heap = await sketched(shared([{ from: 4, to: 2, name: 'other' }]))
    const { freedBytes, remaining } = heap.whatIf({ from: 1, to: 2 })
    expect([freedBytes, remaining.map(told)]).toEqual([0, [['property', 'other', true, 'd']]])
  })

  it('counts all references between two nodes as one', async () => {
    const heap = await sketched(shared([{ from: 1, to: 2, name: 'again' }]))
    expect(heap.whatIf({ from: 1, to: 2 }).freedBytes).toBe(1100)
  })

  it('is not answered for a reference that is not there, or holds nothing', async () => {
    const heap = await sketched(shared())
    expect(() => heap.whatIf({ from: 1, to: 3 })).toThrow('node 1 has no reference that holds node 3')
    expect(() => heap.whatIf({ from: 4, to: 2 })).toThrow('no reference that holds')
  })

  it('names references of V8 that may hold it all the same', async () => {
    const heap = await sketched({
      nodes: [
        { type: 'synthetic' },
        { name: 'global' },
        { name: 'thing', size: 50 },
        { name: '(Handles)', type: 'synthetic' },
      ],
      edges: [
        { from: 0, to: 1, type: 'shortcut' },
        { from: 0, to: 3, type: 'element', name: 1 },
        { from: 1, to: 2, name: 'thing' },
        { from: 3, to: 2, type: 'element', name: 2 },
      ],
    })
    const { freedBytes, remaining } = heap.whatIf({ from: 1, to: 2 })
    expect([freedBytes, remaining.map(told)]).toEqual([50, [['element', '2', false, '(synthetic)']]])
  })

  it.each(goldenCases().filter(({ name }) => /^(app-node26|weak-node22|worker-node20)$/.test(name)))(
    'is what cannot be reached any more: $name',
    async ({ readPieces, golden }) => {
      const opened = await openColumns(await parsePieces(readPieces(), golden.snapshot.bytes))
      const { snapshot } = opened.graph
      const heap = new HeapQuery(opened)
      const starts = unretained(snapshot)
      const before = reachableBytes(opened.graph.ownership.shallowSize, snapshot, starts)
      let freed = 0
      for (const [from, to] of sampleOfReferences(snapshot)) {
        const { freedBytes, remaining } = heap.whatIf({ from, to })
        const { owner } = opened.graph.ownership
        const isCut = (source: number, target: number) => target === to && (source === from || owner[source] === from)
        const after = reachableBytes(opened.graph.ownership.shallowSize, snapshot, starts, isCut)
        expect([from, to, freedBytes]).toEqual([from, to, before - after])
        if (freedBytes > 0) freed++
        else if (heap.nodeAt(to).retainedBytes > 0) expect(remaining.some(({ retains }) => retains)).toBe(true)
      }
      expect(freed).toBeGreaterThan(3)
    },
  )

  it.each(goldenCases().filter(({ name }) => /^(app-node24|weak-node18)$/.test(name)))(
    'with a node is in what it dominates: $name',
    async ({ readPieces, golden }) => {
      const heap = new HeapQuery(await openColumns(await parsePieces(readPieces(), golden.snapshot.bytes)))
      for (const { key } of heap.classes({ limit: 30 }).rows) {
        for (const node of heap.instances(key, { limit: 5 }).rows) {
          const { rows, total } = heap.dominated(node.ordinal, { limit: 1e6 })
          const bytes = rows.reduce((sum, { retainedBytes }) => sum + retainedBytes, node.shallowBytes)
          expect([node.ordinal, rows.length, bytes]).toEqual([node.ordinal, total, node.retainedBytes])
          const sizes = rows.map(({ retainedBytes }) => retainedBytes)
          expect(sizes).toEqual(sizes.toSorted((a, b) => b - a))
          expect(heap.dominated(node.ordinal, { offset: 1, limit: 2 }).rows).toEqual(rows.slice(1, 3))
        }
      }
    },
  )
})

/** References that retain, and are the only ones that lead somewhere as often as not. */
function sampleOfReferences({ nodeCount, firstEdge, edges }: Snapshot): [number, number][] {
  const found: [number, number][] = []
  for (let node = 1; node < nodeCount && found.length < 60; node += Math.ceil(nodeCount / 97)) {
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const target = edgeTarget(edges[edge]!)
      if (!retains(edges[edge]!) || target === node) continue
      found.push([node, target])
      break
    }
  }
  return found
}

function unretained({ nodeCount, firstEdge, edges }: Snapshot): number[] {
  const retained = new Uint8Array(nodeCount)
  for (let node = 0; node < nodeCount; node++) {
    for (const edge of edges.subarray(firstEdge[node], firstEdge[node + 1])) {
      if (retains(edge) && edgeTarget(edge) !== node) retained[edgeTarget(edge)] = 1
    }
  }
  return [...retained.keys()].filter((node) => node === 0 || retained[node] === 0)
}

function reachableBytes(
  sizes: ArrayLike<number>,
  { nodeCount, firstEdge, edges }: Snapshot,
  starts: readonly number[],
  isCut: (source: number, target: number) => boolean = () => false,
): number {
  const seen = new Uint8Array(nodeCount)
  const waiting = [...starts]
  for (const start of starts) seen[start] = 1
  let bytes = 0
  while (waiting.length > 0) {
    const node = waiting.pop()!
    bytes += sizes[node]!
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const target = edgeTarget(edges[edge]!)
      if (seen[target] === 1 || !retains(edges[edge]!) || isCut(node, target)) continue
      seen[target] = 1
      waiting.push(target)
    }
  }
  return bytes
}

describe('a series', () => {
  const growing = (it: Drawing, step: number): void => {
    it.variable(
      'jobs',
      it.array(
        'jobs',
        times(20 + 10 * step, (i) => it.object(`job ${i}`, 'Job')),
      ),
    )
    it.variable(
      'other',
      it.array(
        'other',
        times(30, (i) => it.object(`other ${i}`, 'Other')),
      ),
    )
  }

  it('tells of a class what it was in each snapshot', async () => {
    const heap = await drawn(growing, 3)
    expect([heap.matching, heap.snapshots.length]).toEqual(['id', 3])
    const { rows, total } = heap.classes({ grew: true, minCount: 5, name: /^[A-Z]/ })
    expect([total, rows.map(({ name }) => name)]).toEqual([1, ['Job']])
    expect(rows[0]!.history!.map(({ count }) => count)).toEqual([20, 30, 40])
    expect(heap.classes({ sort: 'growth', limit: 1 }).rows[0]!.name).not.toBe('Other')
    expect(heap.classes({ name: 'OTHER' }).rows[0]!.history!.map(({ count }) => count)).toEqual([30, 30, 30])
  })

  it('tells of an object when it came, and what came to it', async () => {
    const heap = await drawn(growing, 3)
    const arrays = heap.instances(',Array').rows
    const [jobs, other] = [
      arrays.find(({ thing }) => thing.length === 40)!,
      arrays.find(({ thing }) => thing.length === 30)!,
    ]
    expect(heap.growthOf(jobs.ordinal)).toEqual({
      ...{ born: 0, firstShallowBytes: 32, shallowBytes: 32, newBytes: 20 * 48, entries: [20, 30, 40] },
    })
    expect(heap.growthOf(other.ordinal)).toMatchObject({ newBytes: 0, entries: [30, 30, 30] })
    const last = heap.elements(jobs.ordinal, { offset: 39 }).rows[0]!.node
    expect(heap.growthOf(last.ordinal)).toMatchObject({ born: 2, entries: [undefined, undefined, undefined] })
  })

  it('is needed to say what grew', async () => {
    const heap = await drawn(growing)
    expect([heap.matching, heap.growthOf(1), heap.classes().rows[0]!.history]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(() => heap.classes({ grew: true })).toThrow('what grew cannot be told from one snapshot')
    expect(() => heap.classes({ sort: 'growth' })).toThrow('what grew cannot be told from one snapshot')
    expect(() => heap.instances('Nothing')).toThrow('there is no class "Nothing"')
    await expect(openHeap([])).rejects.toThrow('there is no snapshot to open')
  })
})

describe('classes', () => {
  it('are chosen and sorted, and the rest is counted', async () => {
    const heap = await drawn((it) => {
      it.variable(
        'a',
        it.array(
          'a',
          times(3, (i) => it.object(`big ${i}`, 'Big', {}, { size: 100 })),
        ),
      )
      it.variable(
        'b',
        it.array(
          'b',
          times(9, (i) => it.object(`small ${i}`, 'Small', {}, { size: 8 })),
        ),
      )
    })
    const names = (filter: Parameters<typeof heap.classes>[0]) => heap.classes(filter).rows.map(({ name }) => name)
    const mine = { name: /^(Big|Small)$/ }
    expect(names(mine)).toEqual(['Big', 'Small'])
    expect(names({ ...mine, sort: 'count' })).toEqual(['Small', 'Big'])
    expect(names({ ...mine, sort: 'name', offset: 1 })).toEqual(['Small'])
    expect(names({ ...mine, minRetainedBytes: 73 })).toEqual(['Big'])
    expect(names({ ...mine, minShallowBytes: 301 })).toEqual([])
    expect(names({ ...mine, minCount: 4 })).toEqual(['Small'])
    expect(heap.classes({ ...mine, limit: 0 })).toEqual({ rows: [], total: 2 })
  })
})

it('answers the same once it is prepared', async () => {
  const draw = (it: Drawing) => it.variable('a', it.object('a', 'A', { b: it.object('b', 'B') }))
  const [plain, prepared] = [await drawn(draw), await drawn(draw)]
  await prepared.prepare()
  for (const { ordinal } of plain.instances(',B').rows) {
    expect(prepared.why(ordinal)).toEqual(plain.why(ordinal))
    expect(prepared.retainers(ordinal)).toEqual(plain.retainers(ordinal))
    expect(prepared.dominated(ordinal)).toEqual(plain.dominated(ordinal))
  }
  const stopped = AbortSignal.abort(new Error('stopped'))
  await expect(plain.prepare(stopped)).rejects.toThrow('stopped')
})
