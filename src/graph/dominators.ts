// The dominator tree of the heap, and the retained sizes that follow from it.

import { edgeTarget, retains, type Snapshot } from '../snapshot/snapshot.ts'
import { atOnce, type Slices } from '../support/breathing.ts'
import { setLazily } from '../support/lazily.ts'
import type { Scratch } from '../support/scratch.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { sharedFloat64, sharedUint32 } from '../support/shared.ts'
import { grown, type Search, searchDepthFirst } from './depth-first.ts'

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
  // `ancestor` and `label` are the paper's forest: all vertices above the current one are linked to their parents, and
  // label is the least semidominator on the compressed way up.
  const ancestor = scratch.take()
  if (meanwhile) yield meanwhile
  // Where the second thread puts retainers; then, the numbers' other way round.
  const order = scratch.take()
  const { retainers, crowds, counts, manyOf } = yield* collectRetainers(
    snapshot,
    search,
    ancestor,
    order,
    scratch,
    second,
  )
  const inverted = second?.call<void>(import.meta.url, 'invert', number, order)
  inverted?.catch(() => {})
  if (!inverted) invert(number, order)
  ancestor.set(parent)
  // The least semidominator known so far is a label, too; once it is final it stands where its list did.
  const label = semi
  const final = first
  let path = new Uint32Array(1024)
  function evaluate(v: number, last: number): number {
    let height = 0
    let top = v
    while (ancestor[top]! > last) {
      if (height === path.length) path = grown(path)
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
  /** Where the current number's list ends, which is where the one before starts. */
  let listEnd = retainers.length
  function findSemidominators(from: number, to: number): void {
    for (let w = from - 1; w >= to; w--) {
      let least = label[w]!
      if (first[w]! >= CROWD) {
        const crowd = crowds[first[w]! - CROWD]!
        for (let part = w >>> 5; part < crowd.length && least > 0; part++) {
          for (let bits = crowd[part]!; bits !== 0 && least > 0; bits &= bits - 1) {
            const candidate = evaluate(32 * part + 31 - Math.clz32(bits & -bits), w)
            if (candidate < least) least = candidate
          }
        }
      } else if (counts[w]! > 0) {
        const end = listEnd
        listEnd -= counts[w]! < MANY ? counts[w]! : manyOf.get(w)!
        for (let i = listEnd; i < end && least > 0; i++) {
          const candidate = evaluate(retainers[i]!, w)
          if (candidate < least) least = candidate
        }
      }
      final[w] = least
      label[w] = least
    }
  }
  for (let from = reached; from > 1; from -= SLICE) {
    findSemidominators(from, Math.max(1, from - SLICE))
    yield undefined
  }

  const above = parent
  for (let w = 1; w < reached; w++) {
    let candidate = above[w]!
    while (candidate > final[w]!) candidate = above[candidate]!
    above[w] = candidate
  }
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
    const immediate = sharedUint32(order.length)
    for (let place = 0; place < order.length; place++) immediate[order[place]!] = order[above[place]!]!
    return immediate
  })
  return dominators
}

interface RetainersJob extends Retainers {
  readonly nodeCount: number
  readonly firstEdge: Uint32Array
  readonly edges: Uint32Array
  readonly number: Uint32Array
  /**
   * By number: the nearest vertex on the way up, itself included, that has more than one retainer. What has only its
   * parent adds nothing to what can be reached around any vertex above the parent, so an edge from it counts as one
   * from there, and fewer ways up have to be gone.
   */
  readonly lifted: Uint32Array
  readonly reached: number
  /** By number: where its list ends, or that it has a crowd; one thread fills lists from there to where they start. */
  readonly first: Uint32Array
  /** By number: where its list starts; another thread fills them from there. */
  readonly next: Uint32Array
  /** Whether no other thread has a part in this. */
  readonly alone: boolean
  /** How many slices of the nodes are taken. */
  readonly taken: Int32Array
}

/** On the second thread: its part of {@link takeSlices}. */
export const fillFromStarts = (job: RetainersJob): void => atOnce(takeSlices(job, 'starts'))

/** Fills lists from their ends or from their starts, with what a slice of the nodes retains, until no slice is left. */
function* takeSlices(job: RetainersJob, from: 'ends' | 'starts'): Slices<void> {
  const [places, ahead] = from === 'ends' ? ([job.first, 1] as const) : ([job.next, 0] as const)
  for (;;) {
    const node = SMALL_SLICE * Atomics.add(job.taken, 0, 1)
    if (node >= job.nodeCount) return
    fillRetainers(job, places, ahead, node, Math.min(job.nodeCount, node + SMALL_SLICE))
    yield undefined
  }
}

/**
 * Puts the nodes `node` to below `last` into the lists of what they retain.
 * @param places by number: where its list goes on; 1 `ahead` of there if it grows downwards, 0 if upwards
 */
function fillRetainers(job: RetainersJob, places: Uint32Array, ahead: 0 | 1, node: number, last: number): void {
  const { firstEdge, edges, number, lifted, reached, retainers, crowds, alone } = job
  const step = 1 - ahead
  for (; node < last; node++) {
    const v = number[node]!
    // The edges of an unreachable cycle say nothing.
    if (v >= reached) continue
    const high = lifted[v]!
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) {
      const packed = edges[edge]!
      if (!retains(packed)) continue
      const w = number[edgeTarget(packed)]!
      if (w >= v) continue
      const source = high > w ? high : v
      const at = places[w]!
      if (at >= CROWD) {
        const crowd = crowds[at - CROWD]!
        const bit = 1 << (source & 31)
        if (alone) crowd[source >>> 5]! |= bit
        // The other thread may be at the same word; most bits are there already.
        else if ((crowd[source >>> 5]! & bit) === 0) Atomics.or(crowd, source >>> 5, bit)
      } else {
        retainers[at - ahead] = source
        places[w] = at - ahead + step
      }
    }
  }
}

/** Turns the numbers of nodes into the nodes of numbers. */
export function invert(number: Uint32Array, order: Uint32Array): void {
  for (let node = 0; node < number.length; node++) order[number[node]!] = node
}

/** In the ends of lists: from here on, the number of a crowd. */
const CROWD = 0xff000000
const MAX_CROWDS = 0xffff

interface Retainers {
  /** The lists of sources, one behind the other in the order of what they lead to. */
  readonly retainers: Uint32Array
  /** The sources of what very many lead to, as an object's map in V8: a bit for each number that is one. */
  readonly crowds: readonly Uint32Array[]
}

/** In the lengths of lists: so many or more. */
const MANY = 255

interface RetainerLists extends Retainers {
  /** By number: how long its list is, or MANY. */
  readonly counts: Uint8Array
  /** The same for the longer ones. */
  readonly manyOf: ReadonlyMap<number, number>
}

/**
 * For each w, the sources v of retaining edges v → w that come from a higher number, of which `degree` has the count
 * before; where a bit for each number takes less room than the list, that. Only those need the forest: for the
 * others, among them the tree's own, the semidominator is at most v itself, which the search has seen to. Each of two
 * threads looks at the edges of about half of the nodes, and fills each list from one of its ends, till they meet.
 * @param lifted memory for {@link RetainersJob.lifted}
 * @param next memory for where the second thread puts what it finds
 */
function* collectRetainers(
  { nodeCount, firstEdge, edges }: Snapshot,
  { number, parent, semi, degree: first, reached }: Search,
  lifted: Uint32Array,
  next: Uint32Array,
  scratch: Scratch,
  second: SecondThread | undefined,
): Slices<RetainerLists> {
  const crowds: Uint32Array[] = []
  let sum = 0
  const counts = new Uint8Array(reached)
  const manyOf = new Map<number, number>()
  lifted[0] = 0
  // Each count becomes where its list ends.
  for (let w = 0; w < reached; w++) {
    const count = first[w]!
    if (w > 0) lifted[w] = count === 0 && semi[w] === parent[w] ? lifted[parent[w]!]! : w
    if (32 * count > reached && crowds.length < MAX_CROWDS) {
      first[w] = CROWD + crowds.push(sharedUint32(Math.ceil(reached / 32))) - 1
      next[w] = first[w]!
    } else {
      counts[w] = Math.min(count, MANY)
      if (count >= MANY) manyOf.set(w, count)
      next[w] = sum
      sum += count
      first[w] = sum
    }
  }
  const retainers = scratch.takeLong(sum)
  const taken = new Int32Array(new SharedArrayBuffer(4))
  const alone = second === undefined
  const job = { nodeCount, firstEdge, edges, number, lifted, reached, first, next, retainers, crowds, alone, taken }
  const others = second?.call<void>(import.meta.url, 'fillFromStarts', job)
  // If something else fails first, nobody waits for it.
  others?.catch(() => {})
  yield* takeSlices(job, 'ends')
  if (others) yield others
  return { retainers, crowds, counts, manyOf }
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
  let sum = 0
  for (let node = 0; node < length; node++) sum += shallowSize[node]!
  const retained = sum > 0xffffffff ? sharedFloat64(length) : scratch.take()
  retained.set(shallowSize)
  for (let w = length - 1; w > 0; w--) retained[order[above[w]!]!]! += retained[order[w]!]!
  return retained
}
