// The dominator tree of the heap, and the retained sizes that follow from it.

import type { Snapshot } from '../snapshot/snapshot.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'
import { atOnce, type Slices } from '../support/breathing.ts'
import { setLazily } from '../support/lazily.ts'
import type { Scratch } from '../support/scratch.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { sharedFloat64 } from '../support/shared.ts'
import { type Search, searchDepthFirst } from './depth-first.ts'
import { loopsFor } from './kernel-loops.ts'
import { LISTS, MANY, type RetainerLists } from './loops.ts'

export interface Dominators {
  /** By node ordinal: ordinal of the immediate dominator; the root's is the root. */
  readonly immediate: Uint32Array
  /** All node ordinals, each behind its immediate dominator; the root first. */
  readonly order: Uint32Array
  /** By place in `order`: the place of the immediate dominator; the root's is 0. */
  readonly above: Uint32Array
}

/** Numbers that are worked through between two breaths. */
const SLICE = 1 << 19
/** The same where two threads share them. */
const SMALL_SLICE = 1 << 16

/**
 * Computes immediate dominators over the edges that retain (see `retaining.ts`).
 *
 * The algorithm is SEMI-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems", 2005): semi-
 * dominators by path compression as Lengauer and Tarjan find them, then each immediate dominator as the nearest common
 * ancestor on the way up the tree built so far. Everything is numbered by the depth-first search, which keeps what
 * belongs together close in memory. O(edges · log nodes) at worst, linear on real heaps; no recursion. Memory beside
 * the result: 12 bytes a node and at most 4 bytes an edge that leads to a lower number.
 *
 * A node that the root does not reach is given to the root: if no edge retains it, as if the root had an edge to it;
 * if it is part of an unreachable cycle, by itself and without a word on what it points to. So does Chrome DevTools.
 * @param second collects half of the retainers
 * @param meanwhile what goes on there meanwhile, to be waited for before more memory is taken
 */
export function* computeDominators(
  snapshot: Snapshot,
  scratch: Scratch,
  second?: SecondThread,
  meanwhile?: Promise<unknown>,
): Slices<Dominators> {
  const search = yield* searchDepthFirst(snapshot, scratch)
  const { number, parent, semi, degree: first, reached } = search

  // All arrays from here on are indexed by depth-first number and hold such numbers.
  const ancestor = scratch.take()
  if (meanwhile) yield meanwhile
  // Where the second thread puts retainers; then, the numbers' other way round.
  const order = scratch.take()
  const state = arenaUint32(scratch.arena, 3)
  const lists = yield* collectRetainers(snapshot, search, { lifted: ancestor, next: order, state }, scratch, second)
  const { retainers } = lists
  const inverted = second?.call<void>(import.meta.url, 'invert', number, order)
  inverted?.catch(() => {})
  if (!inverted) invert(number, order)
  ancestor.set(parent)
  // The least semidominator known so far is a label, too; once it is final it stands where its list did.
  const label = semi
  const forest = { ancestor, label, path: search.stack }
  const { counts, many, crowds } = lists
  const loops = loopsFor(ancestor, label, search.stack, first, counts, many, retainers, crowds, state)
  for (let from = reached; from > 1; from -= SLICE) {
    loops.findSemidominators(lists, forest, state, from, Math.max(1, from - SLICE))
    yield undefined
  }

  const above = parent
  loopsFor(above, first).findDominators(above, first, reached)
  above.fill(0, reached)
  if (inverted) yield inverted
  scratch.give(label, ancestor, first, number)
  scratch.giveLong(retainers)
  return dominatorsOf(order, above)
}

/** Who dominates whom, by ordinal, is worked out when it is first asked for. */
export function dominatorsOf(order: Uint32Array, above: Uint32Array): Dominators {
  const dominators = { order, above } as Dominators
  setLazily(dominators, 'immediate', () => {
    const immediate = arenaUint32(arenaOf(order, above), order.length)
    loopsFor(order, above, immediate).findImmediate(order, above, immediate)
    return immediate
  })
  return dominators
}

/** The nodes that each node immediately dominates: the dominator tree from its root down. */
export interface Children {
  /** By node ordinal, one more than nodes: where the node's part of `list` starts. */
  readonly first: Uint32Array
  /** Ordinals. */
  readonly list: Uint32Array
}

/** O(nodes). */
export function computeChildren({ immediate }: Dominators, scratch: Scratch): Children {
  const first = arenaUint32(arenaOf(immediate), immediate.length + 1)
  const list = scratch.take()
  loopsFor(immediate, first, list).sortChildren(immediate, first, list)
  return { first, list }
}

interface RetainersJob extends Pick<Snapshot, 'nodeCount' | 'firstEdge' | 'edges'> {
  readonly number: Uint32Array
  readonly lists: RetainerLists
  /** How many slices of the nodes are taken. */
  readonly taken: Int32Array
}

/** On the second thread: its part of {@link takeSlices}. */
export const fillFromStarts = (job: RetainersJob): void => atOnce(takeSlices(job, 'starts'))

/** Fills lists from their ends or from their starts, with what a slice of the nodes retains, until no slice is left. */
function* takeSlices(job: RetainersJob, side: 'ends' | 'starts'): Slices<void> {
  const { nodeCount, firstEdge, edges, number, lists, taken } = job
  const { lifted, retainers, crowds, first, next } = lists
  const loops = loopsFor(firstEdge, edges, number, lifted, retainers, crowds, first, next)
  for (;;) {
    const node = SMALL_SLICE * Atomics.add(taken, 0, 1)
    if (node >= nodeCount) return
    loops.fillLists(job, lists, side, node, Math.min(nodeCount, node + SMALL_SLICE))
    yield undefined
  }
}

/** On either thread: see `Loops.invert`. */
export const invert = (number: Uint32Array, order: Uint32Array): void => loopsFor(number, order).invert(number, order)

const MAX_CROWDS = 0xffff

/**
 * For each w, the sources v of retaining edges v → w that come from a higher number, of which `degree` has the count
 * before; where a bit for each number takes less room than the list, that. Only those need the forest: for the
 * others, among them the tree's own, the semidominator is at most v itself, which the search has seen to. Each of two
 * threads looks at the edges of about half of the nodes, and fills each list from one of its ends, till they meet.
 * @param room memory for what is to be found
 */
function* collectRetainers(
  { nodeCount, edgeCount, firstEdge, edges }: Snapshot,
  { number, parent, semi, degree: first, reached }: Search,
  { lifted, next, state }: { lifted: Uint32Array; next: Uint32Array; state: Uint32Array },
  scratch: Scratch,
  second: SecondThread | undefined,
): Slices<RetainerLists> {
  const { arena } = scratch
  const counts = arenaUint8(arena, reached)
  const many = arenaUint32(arena, Math.ceil(edgeCount / MANY))
  const begun = { first, next, lifted, counts, many, reached }
  const loops = loopsFor(first, next, lifted, counts, many, parent, semi, state)
  loops.startLists(begun, { parent, semi }, MAX_CROWDS, state)
  const crowdWords = Math.ceil(reached / 32)
  const lists = {
    ...begun,
    crowdWords,
    crowds: arenaUint32(arena, crowdWords * state[LISTS.crowds]!),
    retainers: scratch.takeLong(state[LISTS.end]!),
  }
  const taken = new Int32Array(new SharedArrayBuffer(4))
  const job = { nodeCount, firstEdge, edges, number, lists, taken }
  const others = second?.call<void>(import.meta.url, 'fillFromStarts', job)
  // If something else fails first, nobody waits for it.
  others?.catch(() => {})
  yield* takeSlices(job, 'ends')
  if (others) yield others
  return lists
}

/**
 * By node ordinal: bytes that would be freed with the node: its shallow size and that of all it dominates. Doubles hold
 * sums up to 2⁵³ exactly; where 32 bits hold the sum of all, they do.
 */
export function computeRetainedSizes(
  { order, above }: Dominators,
  shallowSize: Uint32Array | Float64Array,
  scratch: Scratch,
): Uint32Array | Float64Array {
  const { length } = order
  const sum = loopsFor(shallowSize).sum(shallowSize)
  const retained = sum > 0xffffffff ? sharedFloat64(length) : scratch.take()
  retained.set(shallowSize)
  loopsFor(order, above, retained).addUp(order, above, retained)
  return retained
}
