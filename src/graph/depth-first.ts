// Numbers the nodes of a heap depth first, and on the way finds out which edges retain.

import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains, type Snapshot } from '../snapshot/snapshot.ts'
import { markForeign, markKnown } from './retaining.ts'
import { ROOT } from './roots.ts'

export interface Search {
  /** By node ordinal: its depth-first number. */
  readonly number: Uint32Array
  /** By depth-first number: the node ordinal. The `reached` nodes come first, then those of unreachable cycles. */
  readonly order: Uint32Array
  /** By depth-first number: the number of the parent in the search's tree. */
  readonly parent: Uint32Array
  /** By depth-first number: the least number that an edge leads here from, of those below its own. */
  readonly semi: Uint32Array
  /** By depth-first number, one more than nodes: how many retaining edges lead here from higher numbers. */
  readonly degree: Uint32Array
  readonly reached: number
  /** A number for each node, of no more use to the search. */
  readonly scratch: Uint32Array
}

const UNSEEN = 0xffffffff

/**
 * One walk over the edges does three things: it numbers the nodes, it takes note of what computing dominators needs to
 * know of each edge, and, by going first where the user's global objects lead, it learns which nodes are the user's,
 * on which it depends what retains (see retaining.ts; the marks are made here).
 */
export function searchDepthFirst(snapshot: Snapshot): Search {
  const { nodeCount, firstEdge, edges } = snapshot
  const number = new Uint32Array(nodeCount).fill(UNSEEN)
  const order = new Uint32Array(nodeCount)
  const parent = new Uint32Array(nodeCount)
  const semi = new Uint32Array(nodeCount)
  const degree = new Uint32Array(nodeCount + 1)
  /** By depth-first number: the edge to look at next. */
  const next = new Uint32Array(nodeCount)
  let count = 0
  /** Targets of edges that were passed over, weak ones aside. */
  const passedOver: number[] = []

  function enter(node: number, from: number): number {
    number[node] = count
    order[count] = node
    parent[count] = from
    semi[count] = from
    next[count] = firstEdge[node]!
    return count++
  }
  /** Numbers all that can be reached from `first`, which has its number already. */
  function walk(first: number): void {
    for (let v = first; ; ) {
      const end = firstEdge[order[v]! + 1]!
      let edge = next[v]!
      let found = -1
      while (edge < end) {
        const packed = edges[edge++]!
        if (!retains(packed)) {
          if (edgeType(packed) !== EdgeType.weak) passedOver.push(edgeTarget(packed))
          continue
        }
        const target = edgeTarget(packed)
        const w = number[target]!
        if (w === UNSEEN) {
          found = target
          break
        }
        if (w < v) degree[w]!++
        else if (v < semi[w]!) semi[w] = v
      }
      next[v] = edge
      if (found >= 0) v = enter(found, v)
      else if (v === first) return
      else v = parent[v]!
    }
  }

  markKnown(snapshot)
  const root = enter(ROOT, 0)
  for (let edge = firstEdge[ROOT]!; edge < firstEdge[ROOT + 1]!; edge++) {
    const target = edgeTarget(edges[edge]!)
    if (edgeType(edges[edge]!) === EdgeType.shortcut && number[target] === UNSEEN) walk(enter(target, root))
  }
  const passedBy = floodFill(snapshot, number, passedOver)
  markForeign(snapshot, (node) => number[node] !== UNSEEN || passedBy?.[node] === 1)
  walk(root)

  if (count < nodeCount) {
    const retained = new Uint8Array(nodeCount)
    for (let node = 0; node < nodeCount; node++) {
      if (number[node] !== UNSEEN) continue
      for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
        const packed = edges[edge]!
        if (retains(packed) && edgeTarget(packed) !== node) retained[edgeTarget(packed)] = 1
      }
    }
    // What nothing retains is searched as if the root did.
    for (let node = 0; node < nodeCount; node++)
      if (number[node] === UNSEEN && retained[node] === 0) walk(enter(node, root))
  }
  const reached = count
  for (let node = 0; node < nodeCount && count < nodeCount; node++) if (number[node] === UNSEEN) enter(node, root)
  return { number, order, parent, semi, degree, reached, scratch: next }
}

/**
 * What is the user's only by edges that retain nothing, such as the one from a WeakMap to a value whose key is V8's own.
 * By node ordinal: 1 if it is; undefined if there is none.
 */
function floodFill(
  { nodeCount, firstEdge, edges }: Snapshot,
  number: Uint32Array,
  starts: readonly number[],
): Uint8Array | undefined {
  const waiting = starts.filter((node) => number[node] === UNSEEN)
  if (waiting.length === 0) return undefined
  const seen = new Uint8Array(nodeCount)
  for (const node of waiting) seen[node] = 1
  while (waiting.length > 0) {
    const node = waiting.pop()!
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const target = edgeTarget(edges[edge]!)
      if (edgeType(edges[edge]!) === EdgeType.weak || number[target] !== UNSEEN || seen[target] === 1) continue
      seen[target] = 1
      waiting.push(target)
    }
  }
  return seen
}
