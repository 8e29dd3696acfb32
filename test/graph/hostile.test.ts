// What the fuzz run found in the graph, or a look at it with a hostile eye.

import { describe, expect, it } from 'vitest'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { thingWords, withWords } from '../../src/graph/path-words.ts'
import { retainingPath, stringText, thingOf } from '../../src/graph/retaining-path.ts'
import { buildHeap, heapText, parseBytes } from '../support/heaps.ts'

describe('a string in parts', () => {
  it('that is a part of itself has an end', async () => {
    const graph = new HeapGraph(
      await buildHeap({
        nodes: [{ type: 'synthetic' }, { type: 'concatenated string' }, { type: 'concatenated string' }],
        edges: [
          { from: 0, to: 1 },
          { from: 1, to: 2, type: 'internal', name: 'first' },
          { from: 1, to: 1, type: 'internal', name: 'second' },
          { from: 2, to: 1, type: 'internal', name: 'first' },
        ],
      }),
    )
    expect(stringText(graph, 1)).toBe('…')
    expect(thingWords(thingOf(graph, 1))).toBe('string "…"')
  })

  it('that doubles a hundred times has an end', async () => {
    const depth = 100
    const parts = Array.from({ length: depth }, () => ({ type: 'concatenated string' as const }))
    const graph = new HeapGraph(
      await buildHeap({
        nodes: [{ type: 'synthetic' }, ...parts, { type: 'string', name: '' }],
        edges: [
          { from: 0, to: 1 },
          ...parts.flatMap((_, i) => [
            { from: i + 1, to: i + 2, type: 'internal' as const, name: 'first' },
            { from: i + 1, to: i + 2, type: 'internal' as const, name: 'second' },
          ]),
        ],
      }),
    )
    expect(stringText(graph, 1)).toBe('…')
  })

  it('is told whole where each part has an empty one beside it', async () => {
    const depth = 50
    const graph = new HeapGraph(
      await buildHeap({
        nodes: [
          { type: 'synthetic' },
          ...Array.from({ length: depth }, () => ({ type: 'concatenated string' as const })),
          { type: 'string', name: 'the text' },
          { type: 'string', name: '' },
        ],
        edges: Array.from({ length: depth }, (_, i) => [
          { from: i + 1, to: i + 2, type: 'internal' as const, name: 'second' },
          { from: i + 1, to: depth + 2, type: 'internal' as const, name: 'first' },
        ]).flat(),
      }),
    )
    expect(stringText(graph, 1)).toBe('the text')
  })
})

describe('a name that looks like a WeakMap entry', () => {
  it('costs no time that grows with the square of its length', async () => {
    const name = `1 / part of key (${'a @1) -> value ('.repeat(200_000)} pair in WeakMap (table @`
    const snapshot = await buildHeap({
      nodes: [{ type: 'synthetic' }, { name: 'a', size: 8 }],
      edges: [{ from: 0, to: 1, type: 'internal', name }],
    })
    const startedAt = performance.now()
    expect(new HeapGraph(snapshot).retainedSize(0)).toBe(8)
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })
})

describe('a million places in the source', () => {
  it('do not cost a look at all edges each', async () => {
    // 40,000 rows of closures that all lead to one function info with 40,000 edges and no script.
    const rows = 40_000
    const strings = ['shared', 'x', 'context']
    const nodes = ['9,1,1,0,2,0', `5,1,3,8,1,0`, `3,1,5,8,${rows},0`]
    const edges = [`2,1,6`, `2,1,12`, `3,0,12`, ...Array.from({ length: rows }, () => '2,1,12')]
    const { snapshot: head } = JSON.parse(heapText({ nodes: [{}], edges: [] }))
    const snapshot = await parseBytes(
      Buffer.from(
        `{"snapshot":${JSON.stringify({ ...head, node_count: 3, edge_count: edges.length })},"nodes":[${nodes}],` +
          `"edges":[${edges}],"locations":[${Array.from({ length: rows }, (_, i) => `6,${i},0,0`)}],` +
          `"strings":${JSON.stringify(strings)}}`,
      ),
    )
    const startedAt = performance.now()
    expect(new HeapGraph(snapshot).moduleScopes.size).toBe(0)
    expect(performance.now() - startedAt).toBeLessThan(500)
  })
})

describe('a path in words', () => {
  const chain = (length: number, name: (i: number) => string) => ({
    nodes: [{ type: 'synthetic' as const }, ...Array.from({ length }, (_, i) => ({ name: name(i), size: 8 }))],
    edges: Array.from({ length }, (_, i) => ({ from: i, to: i + 1, name: 'next' })),
  })

  it('tells thousands of different steps by those at its ends', async () => {
    const graph = new HeapGraph(await buildHeap(chain(3000, (i) => 'AB'[i % 2]!)))
    const path = retainingPath(graph, 3000).map((step) => ({ ...step, ...withWords(step) }))
    expect(path).toHaveLength(401)
    expect(path[200]).toMatchObject({ edge: '', node: '…', times: 2600 })
    expect(path[0]).toMatchObject({ edge: '', node: 'A', nodeId: 3 })
    expect(path[400]).toMatchObject({ edge: '.next', node: 'B', ordinal: 3000 })
    expect(path.reduce((sum, { times }) => sum + times, 0)).toBe(3000)
  })

  it('tells every step where there are not that many, and equal ones as one', async () => {
    const graph = new HeapGraph(await buildHeap(chain(300, (i) => 'AABB'[i % 4]!)))
    const path = retainingPath(graph, 300).map(withWords)
    // The first has no edge and so is not like the second.
    expect(path.map(({ node, times }) => `${node}${times}`).slice(0, 4)).toEqual(['A1', 'A1', 'B2', 'A2'])
    expect(path).toHaveLength(151)
  })

  it('through a text put together of many parts does not put together the text of each', async () => {
    const depth = 3000
    const graph = new HeapGraph(
      await buildHeap({
        nodes: [
          { type: 'synthetic' },
          ...Array.from({ length: depth }, () => ({ type: 'concatenated string' as const, size: 32 })),
          { type: 'string', name: 'x', size: 16 },
        ],
        edges: [
          { from: 0, to: 1 },
          ...Array.from({ length: depth }, (_, i) => ({
            from: i + 1,
            to: i + 2,
            type: 'internal' as const,
            name: 'first',
          })),
        ],
      }),
    )
    expect(retainingPath(graph, depth + 1).map(({ times }) => times)).toEqual([1, depth])
    const startedAt = performance.now()
    for (let i = 0; i < 20; i++) retainingPath(graph, depth + 1)
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })
})

describe('the entry of a table', () => {
  it('does not take the index of the edge in front for a name', async () => {
    const graph = new HeapGraph(
      await buildHeap({
        nodes: [
          { type: 'synthetic' },
          { type: 'object', name: 'Map' },
          { type: 'array' },
          { type: 'string' },
          { type: 'object' },
        ],
        edges: [
          { from: 0, to: 1 },
          { from: 1, to: 2, type: 'internal', name: 'table' },
          { from: 2, to: 3, type: 'element', name: 2 ** 31 },
          { from: 2, to: 4, type: 'internal', name: '5' },
        ],
      }),
    )
    expect(retainingPath(graph, 4).at(-1)?.reference).toEqual({ kind: 'entry', name: undefined })
  })

  it('is one of a Map or Set only: other stores have slots, and no keys', async () => {
    const graph = new HeapGraph(
      await buildHeap({
        nodes: [
          { type: 'synthetic' },
          { type: 'object', name: 'Function' },
          { type: 'array' },
          { type: 'string', name: 'ada' },
          { type: 'object' },
        ],
        edges: [
          { from: 0, to: 1 },
          { from: 1, to: 2, type: 'internal', name: 'bindings' },
          { from: 2, to: 3, type: 'internal', name: '4' },
          { from: 2, to: 4, type: 'internal', name: '5' },
        ],
      }),
    )
    expect(retainingPath(graph, 4).at(-1)?.reference).toEqual({ kind: 'internal', name: '5' })
  })
})
