// Numbers the nodes of a heap depth first, and on the way finds out which edges retain.

import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains, type Snapshot } from '../snapshot/snapshot.ts'
import { arenaUint8, arenaUint32 } from '../support/arena.ts'
import type { Slices } from '../support/breathing.ts'
import type { Scratch } from '../support/scratch.ts'
import { loopsFor } from './kernel-loops.ts'
import { UNSEEN, WALK } from './loops.ts'
import { markKnown } from './retaining.ts'
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
  /** Room for the longest way up the tree. */
  readonly stack: Uint32Array
}

/** Nodes that are numbered between two breaths. */
const SLICE = 1 << 18
/** Frames that the stack of a walk has at first, and edges that it can pass over between two breaths. */
const FRAMES = 1 << 12
const PASSED = 1 << 12

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
  const { arena } = scratch
  const state = arenaUint32(arena, 6)
  const passed = arenaUint32(arena, PASSED)
  const walk = { firstEdge, edges, number, parent, semi, degree, stack: arenaUint32(arena, 3 * FRAMES), passed, state }
  let passedOver: number[] | undefined = []

  function enter(node: number, from: number): number {
    const own = state[WALK.count]!++
    number[node] = own
    parent[own] = from
    semi[own] = from
    return own
  }
  /** Numbers all that can be reached from a node that has its number. */
  function* walkOn(node: number, own: number): Slices<void> {
    state[WALK.current] = own
    state[WALK.edge] = firstEdge[node]!
    state[WALK.end] = firstEdge[node + 1]!
    for (let done = false; !done; ) {
      const loops = loopsFor(firstEdge, edges, number, parent, semi, degree, walk.stack, passed, state)
      done = loops.walk(walk, state[WALK.count]! + SLICE)
      for (const target of passed.subarray(0, state[WALK.passed]!)) passedOver?.push(target)
      state[WALK.passed] = 0
      if (3 * state[WALK.depth]! === walk.stack.length) {
        const larger = arenaUint32(arena, 2 * walk.stack.length)
        larger.set(walk.stack)
        walk.stack = larger
      }
      if (!done) yield undefined
    }
  }
  const walkFrom = (node: number): Slices<void> => walkOn(node, enter(node, 0))

  markKnown(snapshot)
  enter(ROOT, 0)
  for (let at = firstEdge[ROOT]!; at < firstEdge[ROOT + 1]!; at++) {
    const target = edgeTarget(edges[at]!)
    if (edgeType(edges[at]!) === EdgeType.shortcut && number[target] === UNSEEN) yield* walkFrom(target)
  }
  const passedBy = arenaUint8(arena, nodeCount)
  floodFill(snapshot, number, passedOver, passedBy)
  passedOver = undefined
  loopsFor(firstEdge, edges, number, passedBy).markForeign({ firstEdge, edges, number }, passedBy)
  yield* walkOn(ROOT, 0)

  if (state[WALK.count]! < nodeCount) {
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
      if (number[node] === UNSEEN && retained[node] === 0) yield* walkFrom(node)
  }
  const reached = state[WALK.count]!
  for (let node = 0; node < nodeCount && state[WALK.count]! < nodeCount; node++)
    if (number[node] === UNSEEN) enter(node, 0)
  return { number, parent, semi, degree, reached, stack: walk.stack }
}

/**
 * What is the user's only by edges that retain nothing, such as the one from a WeakMap to a value whose key is V8's own.
 * @param seen by node ordinal: becomes 1 if it is
 */
function floodFill(
  { firstEdge, edges }: Snapshot,
  number: Uint32Array,
  starts: readonly number[],
  seen: Uint8Array,
): void {
  const waiting = starts.filter((node) => number[node] === UNSEEN)
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
}
