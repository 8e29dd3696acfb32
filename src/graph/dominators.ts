// The dominator tree of the heap, and the retained sizes that follow from it.

import { edgeTarget, NOT_RETAINING, type Snapshot } from '../snapshot/snapshot.ts'
import { ROOT } from './roots.ts'

export interface Dominators {
  /** By node ordinal: ordinal of the immediate dominator; the root's is the root. */
  readonly immediate: Uint32Array
  /** All node ordinals, each behind its immediate dominator; the root first. */
  readonly order: Uint32Array
}

/**
 * Computes immediate dominators over the edges that retain (see `markRetaining`).
 *
 * The algorithm is SEMI-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems", 2005): semi-
 * dominators by path compression as Lengauer and Tarjan find them, then each immediate dominator as the nearest common
 * ancestor on the way up the tree built so far. Everything is numbered by the depth-first search, which keeps what
 * belongs together close in memory. O(edges · log nodes) at worst, linear on real heaps; no recursion.
 *
 * A node that the root does not reach is given to the root: if no edge retains it, as if the root had an edge to it;
 * if it is part of an unreachable cycle, by itself and without a word on what it points to. So does Chrome DevTools.
 */
export function computeDominators(snapshot: Snapshot): Dominators {
  const { nodeCount, firstEdge, edges } = snapshot
  const { number, order, parent, reached, orphans } = depthFirst(snapshot)

  // All arrays from here on are indexed by depth-first number and hold such numbers.
  // Of an edge v → w, only those from a higher number need the forest of the main loop: for the others, among them the
  // tree's own, the semidominator is at most v itself.
  const semi = parent.slice(0, reached)
  const firstRetainer = new Uint32Array(reached + 1)
  for (let v = 0; v < reached; v++) {
    const node = order[v]!
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) {
      const packed = edges[edge]!
      if (packed & NOT_RETAINING) continue
      const w = number[edgeTarget(packed)]!
      if (v > w) firstRetainer[w + 1]!++
      else if (v < semi[w]!) semi[w] = v
    }
  }
  for (const orphan of orphans) semi[orphan] = 0
  for (let w = 0; w < reached; w++) firstRetainer[w + 1]! += firstRetainer[w]!
  const retainers = new Uint32Array(firstRetainer[reached]!)
  const free = firstRetainer.slice(0, reached)
  for (let v = 0; v < reached; v++) {
    const node = order[v]!
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) {
      const packed = edges[edge]!
      if (packed & NOT_RETAINING) continue
      const w = number[edgeTarget(packed)]!
      if (v > w) retainers[free[w]!++] = v
    }
  }

  // `ancestor` and `label` are the paper's forest: all vertices above the current one are linked to their parents, and
  // label is the least semidominator on the compressed way up.
  const ancestor = parent.slice(0, reached)
  const label = semi.slice()
  const path = free
  function evaluate(v: number, last: number): number {
    let height = 0
    let top = v
    while (ancestor[top]! > last) {
      path[height++] = top
      top = ancestor[top]!
    }
    let least = label[top]!
    const above = ancestor[top]!
    while (height > 0) {
      const vertex = path[--height]!
      if (label[vertex]! < least) least = label[vertex]!
      else label[vertex] = least
      ancestor[vertex] = above
    }
    return least
  }
  for (let w = reached - 1; w > 0; w--) {
    let least = semi[w]!
    const end = firstRetainer[w + 1]!
    for (let i = firstRetainer[w]!; i < end && least > 0; i++) {
      const candidate = evaluate(retainers[i]!, w)
      if (candidate < least) least = candidate
    }
    semi[w] = least
    label[w] = least
  }

  const dominator = parent
  for (let w = 1; w < reached; w++) {
    let candidate = dominator[w]!
    while (candidate > semi[w]!) candidate = dominator[candidate]!
    dominator[w] = candidate
  }
  const immediate = number
  for (let w = 0; w < nodeCount; w++) immediate[order[w]!] = w < reached ? order[dominator[w]!]! : ROOT
  return { immediate, order }
}

/**
 * By node ordinal: bytes that would be freed with the node: its shallow size and that of all it dominates. Doubles hold
 * sums up to 2⁵³ exactly.
 */
export function computeRetainedSizes(
  { immediate, order }: Dominators,
  shallowSize: Uint32Array | Float64Array,
): Float64Array {
  const retained = Float64Array.from(shallowSize)
  for (let i = order.length - 1; i > 0; i--) {
    const node = order[i]!
    retained[immediate[node]!]! += retained[node]!
  }
  return retained
}

interface Search {
  /** By node ordinal: its depth-first number. */
  readonly number: Uint32Array
  /** By depth-first number: the node ordinal. The `reached` nodes come first, then those of unreachable cycles. */
  readonly order: Uint32Array
  /** By depth-first number: the number of the parent in the search's tree. */
  readonly parent: Uint32Array
  readonly reached: number
  /** Depth-first numbers of nodes that no edge retains, besides the root. */
  readonly orphans: readonly number[]
}

function depthFirst(snapshot: Snapshot): Search {
  const { nodeCount, firstEdge, edges } = snapshot
  const unseen = 0xffffffff
  const number = new Uint32Array(nodeCount).fill(unseen)
  const order = new Uint32Array(nodeCount)
  const parent = new Uint32Array(nodeCount)
  /** By depth-first number: the edge to look at next. */
  const next = new Uint32Array(nodeCount)
  let count = 0

  function enter(node: number, from: number): number {
    number[node] = count
    order[count] = node
    parent[count] = from
    next[count] = firstEdge[node]!
    return count++
  }
  function search(start: number): void {
    let v = enter(start, 0)
    const first = v
    for (;;) {
      const end = firstEdge[order[v]! + 1]!
      let edge = next[v]!
      let found = -1
      while (edge < end) {
        const packed = edges[edge++]!
        if (packed & NOT_RETAINING) continue
        const target = edgeTarget(packed)
        if (number[target] === unseen) {
          found = target
          break
        }
      }
      next[v] = edge
      if (found >= 0) v = enter(found, v)
      else if (v === first) return
      else v = parent[v]!
    }
  }

  search(ROOT)
  const orphans: number[] = []
  if (count < nodeCount) {
    const retained = new Uint8Array(nodeCount)
    for (let node = 0; node < nodeCount; node++) {
      if (number[node] !== unseen) continue
      for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
        const packed = edges[edge]!
        if (!(packed & NOT_RETAINING)) retained[edgeTarget(packed)] = 1
      }
    }
    for (let node = 0; node < nodeCount; node++) {
      if (number[node] !== unseen || retained[node] === 1) continue
      orphans.push(count)
      search(node)
    }
  }
  const reached = count
  for (let node = 0; node < nodeCount && count < nodeCount; node++) if (number[node] === unseen) enter(node, 0)
  return { number, order, parent, reached, orphans }
}
