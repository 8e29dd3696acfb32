import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { computeDominators, computeRetainedSizes } from '../../src/graph/dominators.ts'
import { EdgeType } from '../../src/snapshot/meta.ts'
import { edgeTarget, packEdge, retains, type Snapshot } from '../../src/snapshot/snapshot.ts'
import { arenaUint32, makeArena } from '../../src/support/arena.ts'
import { atOnce, breathing } from '../../src/support/breathing.ts'
import { Scratch } from '../../src/support/scratch.ts'
import { startSecondThread } from '../../src/support/second-thread.ts'
import { sharedUint32 } from '../../src/support/shared.ts'
import { buildHeap, type EdgeTypeName, plainHeap } from '../support/heaps.ts'

/** Nodes that the root reaches over retaining edges when `removed` is taken out. */
function reach(snapshot: Snapshot, removed: number): Set<number> {
  const seen = new Set(removed === 0 ? [] : [0])
  for (const node of seen) {
    for (let edge = snapshot.firstEdge[node]!; edge < snapshot.firstEdge[node + 1]!; edge++) {
      const packed = snapshot.edges[edge]!
      if (retains(packed) && edgeTarget(packed) !== removed) seen.add(edgeTarget(packed))
    }
  }
  return seen
}

/** Who dominates whom, by taking out each node in turn; only for nodes that the root reaches. */
function bruteForce(snapshot: Snapshot) {
  const reachable = reach(snapshot, -1)
  const dominators = new Map([...reachable].map((node) => [node, new Set([0, node])]))
  const retained = new Map<number, number>()
  for (const node of reachable) {
    const left = reach(snapshot, node)
    let bytes = 0
    for (const lost of reachable) {
      if (left.has(lost)) continue
      bytes += snapshot.selfSize[lost]!
      dominators.get(lost)!.add(node)
    }
    retained.set(node, bytes)
  }
  return { reachable, dominators, retained }
}

const graphs = fc.integer({ min: 1, max: 24 }).chain((nodeCount) =>
  fc.tuple(
    fc.constant(nodeCount),
    fc.array(
      fc.record({
        from: fc.integer({ min: 0, max: nodeCount - 1 }),
        to: fc.integer({ min: 0, max: nodeCount - 1 }),
        type: fc.constantFrom<EdgeTypeName>('property', 'property', 'element', 'internal', 'weak', 'shortcut'),
      }),
      { maxLength: 60 },
    ),
  ),
)

/** The same ones each time (Numerical Recipes' linear congruential generator). */
function randomNumbers(): (below: number) => number {
  let state = 1
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** The same heap where WebAssembly can reach it. */
function inArena(snapshot: Snapshot): { snapshot: Snapshot; scratch: () => Scratch } {
  const { nodeCount, edgeCount } = snapshot
  const arena = makeArena(200 * nodeCount + 20 * edgeCount + 1e6)
  const firstEdge = arenaUint32(arena, nodeCount + 1)
  const edges = arenaUint32(arena, edgeCount)
  firstEdge.set(snapshot.firstEdge)
  edges.set(snapshot.edges)
  return { snapshot: { ...snapshot, firstEdge, edges }, scratch: () => new Scratch(nodeCount, arena) }
}

describe('the dominator tree', () => {
  it('agrees with taking nodes out one by one, on random graphs', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, async ([nodeCount, edges]) => {
        const sketch = plainHeap(nodeCount, [])
        // A user's global object would bring the rule about foreign edges in, which the golden heaps check.
        const usable = edges.filter(({ from, type }) => !(from === 0 && type === 'shortcut'))
        const snapshot = await buildHeap({
          ...sketch,
          edges: usable.map((edge) => ({ ...edge, name: edge.type === 'element' ? 0 : 'p' })),
        })
        // The search marks which edges retain, so it goes first.
        const tree = atOnce(computeDominators(snapshot, new Scratch(snapshot.nodeCount)))
        const same = inArena(snapshot)
        const { order, above } = atOnce(computeDominators(same.snapshot, same.scratch()))
        expect([order, above]).toEqual([tree.order, tree.above])
        const { reachable, dominators, retained } = bruteForce(snapshot)
        const sizes = computeRetainedSizes(tree, snapshot.selfSize, new Scratch(snapshot.nodeCount))
        expect([...tree.order].sort((a, b) => a - b)).toEqual(Array.from({ length: nodeCount }, (_, i) => i))
        const orphaned = [...Array(nodeCount).keys()].some((node) => !reachable.has(node))
        for (const node of reachable) {
          const chain = new Set([node])
          for (let at = node; at !== 0; at = tree.immediate[at]!) chain.add(tree.immediate[at]!)
          // Nodes that the root does not reach are given to it, and what they point to is then held by two.
          if (!orphaned) {
            expect(chain).toEqual(dominators.get(node))
            expect(sizes[node]).toBe(retained.get(node))
          }
        }
        expect(sizes[0]).toBe(Array.from(snapshot.selfSize).reduce((a, b) => a + b, 0))
      }),
      { numRuns: 2000 },
    )
  })

  it('is the same by two threads as by one, however they come to share the nodes', async () => {
    const nodeCount = 300_000
    // Forward edges alone would need no forest; hubs that thousands or nearly all lead to are kept in other ways.
    const random = randomNumbers()
    const targets = Array.from({ length: nodeCount }, (_, node) => [
      Math.min(nodeCount - 1, node + 1 + random(3)),
      random(nodeCount),
      Math.max(1, node - random(50)),
      ...(node % 3 === 0 ? [nodeCount >> 1] : []),
      ...(node % 500 === 0 ? [nodeCount >> 2] : []),
    ])
    const snapshot: Snapshot = {
      ...(await buildHeap(plainHeap(1, []))),
      nodeCount,
      edgeCount: targets.flat().length,
      firstEdge: sharedUint32(nodeCount + 1),
      edges: sharedUint32(targets.flat().length),
    }
    let edge = 0
    for (const [node, each] of targets.entries()) {
      for (const to of each) snapshot.edges[edge++] = packEdge(to, EdgeType.property)
      snapshot.firstEdge[node + 1] = edge
    }
    const alone = atOnce(computeDominators(snapshot, new Scratch(nodeCount)))
    const second = startSecondThread()
    try {
      const same = inArena(snapshot)
      for (let round = 0; round < 6; round++) {
        const scratch = round < 3 ? new Scratch(nodeCount) : same.scratch()
        // Memory that lies side by side, and is in use no more.
        const both = sharedUint32(2 * nodeCount).fill(7)
        scratch.give(both.subarray(0, nodeCount), both.subarray(nodeCount))
        const together = await breathing(computeDominators(round < 3 ? snapshot : same.snapshot, scratch, second))
        for (const part of ['order', 'above'] as const) {
          expect(together[part].every((value, place) => value === alone[part][place])).toBe(true)
        }
      }
    } finally {
      await second?.close()
    }
  })

  it('goes down a chain of a million nodes without recursion', async () => {
    const nodeCount = 1_000_000
    const root = await buildHeap(plainHeap(1, []))
    const snapshot: Snapshot = {
      ...root,
      nodeCount,
      edgeCount: nodeCount - 1,
      firstEdge: Uint32Array.from({ length: nodeCount + 1 }, (_, i) => Math.min(i, nodeCount - 1)),
      edges: Uint32Array.from({ length: nodeCount - 1 }, (_, i) => packEdge(i + 1, EdgeType.property)),
    }
    const tree = atOnce(computeDominators(snapshot, new Scratch(snapshot.nodeCount)))
    const same = inArena(snapshot)
    expect(atOnce(computeDominators(same.snapshot, same.scratch())).above.at(-1)).toBe(nodeCount - 2)
    const sizes = computeRetainedSizes(tree, new Uint32Array(nodeCount).fill(4_000_000), new Scratch(nodeCount))
    expect(tree.immediate[nodeCount - 1]).toBe(nodeCount - 2)
    // Far beyond 2³², and exact.
    expect(sizes[0]).toBe(4_000_000_000_000)
    expect(sizes[500_000]).toBe(2_000_000_000_000)
  })

  it('gives nodes that nothing retains to the root, with what they hold', async () => {
    const snapshot = await buildHeap(
      plainHeap(5, [
        [0, 1],
        [2, 3],
        [3, 4],
      ]),
    )
    expect([...atOnce(computeDominators(snapshot, new Scratch(snapshot.nodeCount))).immediate]).toEqual([0, 0, 0, 2, 3])
  })

  it('gives each node of an unreachable cycle to the root by itself', async () => {
    const snapshot = await buildHeap(
      plainHeap(5, [
        [0, 1],
        [2, 3],
        [3, 2],
        [3, 4],
      ]),
    )
    expect([...atOnce(computeDominators(snapshot, new Scratch(snapshot.nodeCount))).immediate]).toEqual([0, 0, 0, 0, 0])
  })
})
