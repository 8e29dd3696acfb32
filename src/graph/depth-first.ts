// Numbers the nodes of a heap depth first, and on the way finds out which edges retain.

import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains, type Snapshot } from '../snapshot/snapshot.ts'
import type { Slices } from '../support/breathing.ts'
import type { Scratch } from '../support/scratch.ts'
import { markForeign, markKnown } from './retaining.ts'
import { ROOT } from './roots.ts'

export interface Search {
  /** By node ordinal: its depth-first number. The `reached` nodes come first, then those of unreachable cycles. */
  readonly number: Uint32Array
  /** By depth-first number: the number of the parent in the search's tree. */
  readonly parent: Uint32Array
  /** By depth-first number: the least number that an edge leads here from, of those below its own. */
  readonly semi: Uint32Array
  /** By depth-first number: how many retaining edges lead here from higher numbers. */
  readonly degree: Uint32Array
  readonly reached: number
}

const UNSEEN = 0xffffffff
/** Nodes that are numbered between two breaths. */
const SLICE = 1 << 18

/**
 * One walk over the edges does three things: it numbers the nodes, it takes note of what computing dominators needs to
 * know of each edge, and, by going first where the user's global objects lead, it learns which nodes are the user's,
 * on which it depends what retains (see retaining.ts; the marks are made here).
 */
export function* searchDepthFirst(snapshot: Snapshot, scratch: Scratch): Slices<Search> {
  const { nodeCount, firstEdge, edges } = snapshot
  const number = scratch.take().fill(UNSEEN)
  const parent = scratch.take()
  const semi = scratch.take()
  const degree = scratch.take().fill(0)
  let count = 0
  /** Targets of edges that were passed over, weak ones aside. */
  const passedOver: number[] = []

  // The way from where the walk began down to the node before the current one: each one's number, the edge to look at
  // next, and where its edges end.
  let stackNumber = new Uint32Array(1024)
  let stackEdge = new Uint32Array(1024)
  let stackEnd = new Uint32Array(1024)
  let depth = 0
  // The current node's.
  let current = 0
  let edge = 0
  let end = 0

  function enter(node: number, from: number): number {
    number[node] = count
    parent[count] = from
    semi[count] = from
    return count++
  }
  function start(node: number, from: number): void {
    current = enter(node, from)
    edge = firstEdge[node]!
    end = firstEdge[node + 1]!
  }
  /** Goes on until `until` nodes are numbered, or all that can be reached from where it started: then it says true. */
  function walk(until: number): boolean {
    let v = current
    let next = edge
    let last = end
    for (;;) {
      let found = -1
      while (next < last) {
        const packed = edges[next++]!
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
      if (found >= 0) {
        if (depth === stackNumber.length) {
          stackNumber = grown(stackNumber)
          stackEdge = grown(stackEdge)
          stackEnd = grown(stackEnd)
        }
        stackNumber[depth] = v
        stackEdge[depth] = next
        stackEnd[depth] = last
        depth++
        v = enter(found, v)
        next = firstEdge[found]!
        last = firstEdge[found + 1]!
        if (v >= until) break
      } else {
        if (depth === 0) return true
        depth--
        v = stackNumber[depth]!
        next = stackEdge[depth]!
        last = stackEnd[depth]!
      }
    }
    current = v
    edge = next
    end = last
    return false
  }
  function* walkFrom(node: number, from: number): Slices<void> {
    start(node, from)
    while (!walk(count + SLICE)) yield undefined
  }

  markKnown(snapshot)
  enter(ROOT, 0)
  for (let at = firstEdge[ROOT]!; at < firstEdge[ROOT + 1]!; at++) {
    const target = edgeTarget(edges[at]!)
    if (edgeType(edges[at]!) === EdgeType.shortcut && number[target] === UNSEEN) yield* walkFrom(target, 0)
  }
  const passedBy = floodFill(snapshot, number, passedOver)
  markForeign(snapshot, (node) => number[node] !== UNSEEN || passedBy?.[node] === 1)
  current = 0
  edge = firstEdge[ROOT]!
  end = firstEdge[ROOT + 1]!
  while (!walk(count + SLICE)) yield undefined

  if (count < nodeCount) {
    const retained = new Uint8Array(nodeCount)
    for (let node = 0; node < nodeCount; node++) {
      if (number[node] !== UNSEEN) continue
      for (let at = firstEdge[node]!; at < firstEdge[node + 1]!; at++) {
        const packed = edges[at]!
        if (retains(packed) && edgeTarget(packed) !== node) retained[edgeTarget(packed)] = 1
      }
    }
    // What nothing retains is searched as if the root did.
    for (let node = 0; node < nodeCount; node++)
      if (number[node] === UNSEEN && retained[node] === 0) yield* walkFrom(node, 0)
  }
  const reached = count
  for (let node = 0; node < nodeCount && count < nodeCount; node++) if (number[node] === UNSEEN) enter(node, 0)
  return { number, parent, semi, degree, reached }
}

export function grown(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length)
  larger.set(array)
  return larger
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
