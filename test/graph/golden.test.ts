// Our numbers against Chrome DevTools', node for node and class for class, on real heaps of five Node versions.

import { describe, expect, it } from 'vitest'
import { classify, classRows } from '../../src/analysis/classes.ts'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { EdgeType } from '../../src/snapshot/meta.ts'
import { edgeType } from '../../src/snapshot/snapshot.ts'
import { columnHashes, goldenCases } from '../golden/load.ts'
import { parsePieces } from '../support/heaps.ts'

describe.each(goldenCases())('the heap $name', async ({ program, readPieces, golden }) => {
  const snapshot = await parsePieces(readPieces(), golden.snapshot.bytes)
  const graph = new HeapGraph(snapshot)
  const { nodeCount, nodeId, firstEdge, edges } = snapshot

  it('has the nodes and edges that DevTools counts', () => {
    expect(nodeCount).toBe(golden.nodeCount)
    expect(snapshot.edgeCount).toBe(golden.edgeCount)
  })

  if (program === 'array') {
    it('has an array of ten million elements', () => {
      const { ordinal } = golden.topNodes.find(({ className }) => className === 'Array')!
      let elements = 0
      for (let edge = firstEdge[ordinal]!; edge < firstEdge[ordinal + 1]!; edge++) {
        if (edgeType(edges[edge]!) === EdgeType.element) elements++
      }
      expect(elements).toBe(10_000_000)
    })
  }

  it.each([
    ['id', (node: number) => nodeId[node]!],
    ['selfSize', (node: number) => graph.shallowSize(node)],
    ['retainedSize', (node: number) => graph.retainedSize(node)],
    ['dominatorId', (node: number) => nodeId[graph.immediateDominator(node)]!],
    ['distance', (node: number) => (graph.distance(node) === -1 ? -5 : graph.distance(node))],
  ] as const)('has the same %s on every node', (column, value) => {
    const samples = [...golden.sampleNodes, ...golden.topNodes]
    expect(samples.map(({ ordinal }) => [ordinal, value(ordinal)])).toEqual(
      samples.map((node) => [node.ordinal, node[column]]),
    )
    expect(columnHashes(nodeCount, value, golden.columns.blockNodes)).toEqual(golden.columns.sha256[column])
  })

  it('has the same classes with the same counts, shallow and retained sizes', () => {
    // DevTools calls native objects of Node 18 to 22 that nothing but their wrapper holds "Detached", a word from the
    // DOM that says nothing here, and so splits their classes. Ours stay whole.
    const split = golden.classes.filter(({ name }) => name.startsWith('Detached ')).map(({ name }) => name.slice(9))
    const whole = (name: string) => name.replace(/^Detached /, '')
    const theirs = new Map<string, [count: number, shallow: number, retained: number | 'split']>()
    for (const { key, name, count, self, retained } of golden.classes) {
      const wholeKey = key.replace(name, whole(name))
      const [sumCount, sumSelf] = theirs.get(wholeKey) ?? [0, 0]
      theirs.set(wholeKey, [sumCount + count, sumSelf + self, split.includes(whole(name)) ? 'split' : retained])
    }
    const ours = classRows(graph, classify(snapshot)).map(
      ({ key, name, count, shallowBytes, retainedBytes }) =>
        [key, [count, shallowBytes, split.includes(name) ? 'split' : retainedBytes]] as const,
    )
    expect(new Map([...ours].sort())).toEqual(new Map([...theirs].sort()))
    expect(split.length).toBeLessThan(20)
  })
})
