import { describe, expect, it } from 'vitest'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { EdgeType } from '../../src/snapshot/meta.ts'
import { edgeTarget, edgeType } from '../../src/snapshot/snapshot.ts'
import { goldenCases } from '../golden/load.ts'
import { parseBytes } from '../support/heaps.ts'

describe.each(goldenCases().filter(({ nodeMajor }) => nodeMajor === 24))('in the heap $name', async (golden) => {
  const snapshot = await parseBytes(golden.readSnapshot())
  const graph = new HeapGraph(snapshot)
  const { nodeCount, edgeCount, firstEdge, edges } = snapshot

  it('every edge is among the retainers of its target, with its source, and nothing else is', () => {
    let seen = 0
    for (let node = 0; node < nodeCount; node++) {
      for (const { edge, node: source } of graph.retainers(node)) {
        seen++
        if (edgeTarget(edges[edge]!) !== node || edge < firstEdge[source]! || edge >= firstEdge[source + 1]!) {
          expect({ node, edge, source }).toBe('an edge from the source to the node')
        }
      }
    }
    expect(seen).toBe(edgeCount)
  })

  it('a shortest path has as many nodes as its distance says, and a step is an edge that is not weak', () => {
    for (const { ordinal } of [...golden.golden.sampleNodes, ...golden.golden.topNodes]) {
      const path = graph.shortestPath(ordinal)
      const distance = graph.distance(ordinal)
      if (distance < 0) expect(path).toEqual([])
      else if (distance < 100_000_000) expect(path).toHaveLength(distance)
      else expect(path).toHaveLength(distance - 100_000_000 + 1)
      for (const [i, node] of path.slice(1).entries()) {
        const ways = graph.retainers(node).filter(({ node: source }) => source === path[i])
        expect(ways.some(({ edge }) => edgeType(edges[edge]!) !== EdgeType.weak)).toBe(true)
      }
    }
  })
})
