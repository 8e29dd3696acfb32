// Retained sizes against their definition, on real heaps: take the node out and see what becomes unreachable.

import { describe, expect, it } from 'vitest'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { edgeTarget, retains, type Snapshot } from '../../src/snapshot/snapshot.ts'
import { goldenCases } from '../golden/load.ts'
import { parsePieces } from '../support/heaps.ts'

const HEAPS = ['app-node26', 'weak-node22', 'worker-node20']
const SAMPLES = 40

/** By node ordinal: 1 if one of the starts reaches the node over edges that retain, with `without` taken out. */
function reach({ nodeCount, firstEdge, edges }: Snapshot, starts: readonly number[], without = -1): Uint8Array {
  const seen = new Uint8Array(nodeCount)
  const waiting: number[] = []
  function enter(node: number) {
    if (node === without || seen[node] === 1) return
    seen[node] = 1
    waiting.push(node)
  }
  for (const start of starts) enter(start)
  while (waiting.length > 0) {
    const node = waiting.pop()!
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      if (retains(edges[edge]!)) enter(edgeTarget(edges[edge]!))
    }
  }
  return seen
}

/** Nodes that no other one retains: the root, and what only weak edges lead to. */
function unretained({ nodeCount, firstEdge, edges }: Snapshot): number[] {
  const retained = new Uint8Array(nodeCount)
  for (let node = 0; node < nodeCount; node++) {
    for (const edge of edges.subarray(firstEdge[node], firstEdge[node + 1])) {
      if (retains(edge) && edgeTarget(edge) !== node) retained[edgeTarget(edge)] = 1
    }
  }
  retained[0] = 0
  return [...retained.keys()].filter((node) => retained[node] === 0)
}

/** Some of them, always the same. */
function sample(nodes: readonly number[], seed: number): number[] {
  let state = seed
  return Array.from({ length: SAMPLES }, () => {
    state = (state * 48_271) % 0x7fffffff
    return nodes[state % nodes.length]!
  })
}

describe.each(goldenCases().filter(({ name }) => HEAPS.includes(name)))('in the heap $name', async (golden) => {
  const snapshot = await parsePieces(golden.readPieces(), golden.golden.snapshot.bytes)
  const graph = new HeapGraph(snapshot)
  // Which edges retain is marked on the way to the dominators.
  const { retainedSizes } = graph
  const { shallowSize, owner } = graph.ownership
  const starts = unretained(snapshot)
  const alive = reach(snapshot, starts)
  const fromRoot = reach(snapshot, [0])
  const reachable = [...fromRoot.keys()].filter((node) => node > 0 && fromRoot[node] === 1)

  function lostWithout(node: number): number {
    const left = reach(snapshot, starts, node)
    let bytes = 0
    for (let lost = 0; lost < left.length; lost++)
      if (alive[lost] === 1 && left[lost] === 0) bytes += shallowSize[lost]!
    return bytes
  }

  it.each([
    ['any nodes', () => true],
    ['nodes that hold more than themselves', (node: number) => retainedSizes[node]! > shallowSize[node]!],
    ['nodes that hold much', (node: number) => retainedSizes[node]! > 10_000],
    ['backing stores', (node: number) => owner[node] !== node],
  ])('%s retain what nothing reaches once they are taken out', (_, isMeant: (node: number) => boolean) => {
    const nodes = sample(reachable.filter(isMeant), 2026)
    expect(nodes.map((node) => [node, retainedSizes[node]])).toEqual(nodes.map((node) => [node, lostWithout(node)]))
  })

  it('the root does not reach a few nodes, which are left aside', () => {
    expect(starts[0]).toBe(0)
    expect(reachable.length).toBeGreaterThan(0.999 * snapshot.nodeCount)
  })
})
