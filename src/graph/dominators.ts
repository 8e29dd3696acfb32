// The dominator tree of the heap, and the retained sizes that follow from it.

import { edgeTarget, retains, type Snapshot } from '../snapshot/snapshot.ts'
import type { Slices } from '../support/breathing.ts'
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
  if (meanwhile) yield meanwhile
  const { number, order, parent, semi, degree: first, reached } = search

  // All arrays from here on are indexed by depth-first number and hold such numbers.
  // `ancestor` and `label` are the paper's forest: all vertices above the current one are linked to their parents, and
  // label is the least semidominator on the compressed way up.
  const ancestor = liftSingles(search, scratch)
  const { retainers, crowds } = yield* collectRetainers(snapshot, search, ancestor, second)
  ancestor.set(parent)
  // The numbers have served; their memory serves on.
  const label = number
  label.set(semi)
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
  /** Where the list of the number before the current one starts, which is where the current one's ends. */
  let listEnd = retainers.length
  function findSemidominators(from: number, to: number): void {
    for (let w = from - 1; w >= to; w--) {
      let i = first[w]!
      let least = semi[w]!
      if (i >= CROWD) {
        const crowd = crowds[i - CROWD]!
        for (let part = w >>> 5; part < crowd.length && least > 0; part++) {
          for (let bits = crowd[part]!; bits !== 0 && least > 0; bits &= bits - 1) {
            const candidate = evaluate(32 * part + 31 - Math.clz32(bits & -bits), w)
            if (candidate < least) least = candidate
          }
        }
      } else {
        const end = listEnd
        listEnd = i
        if (i === end) continue
        for (; i < end && least > 0; i++) {
          const candidate = evaluate(retainers[i]!, w)
          if (candidate < least) least = candidate
        }
      }
      semi[w] = least
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
    while (candidate > semi[w]!) candidate = above[candidate]!
    above[w] = candidate
  }
  above.fill(0, reached)
  scratch.give(label, semi, ancestor, first)
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

/**
 * By depth-first number: the nearest vertex on the way up, itself included, that has more than one retainer. What has
 * only its parent adds nothing to what can be reached around any vertex above the parent, so an edge from it counts as
 * one from there, and fewer ways up have to be gone.
 */
function liftSingles({ parent, semi, degree, reached }: Search, scratch: Scratch): Uint32Array {
  const lifted = scratch.take()
  lifted[0] = 0
  for (let v = 1; v < reached; v++) {
    lifted[v] = degree[v] === 0 && semi[v] === parent[v] ? lifted[parent[v]!]! : v
  }
  return lifted
}

interface RetainersJob extends Retainers {
  readonly nodeCount: number
  readonly firstEdge: Uint32Array
  readonly edges: Uint32Array
  readonly number: Uint32Array
  readonly first: Uint32Array
  readonly lifted: Uint32Array
  readonly reached: number
}

/** Fills the lists of numbers `from` to below `to` with what nodes `node` to below `lastNode` retain. */
export function fillRetainers(job: RetainersJob, from: number, to: number, node = 0, lastNode = job.nodeCount): void {
  const { firstEdge, edges, number, first, lifted, reached, retainers, crowds } = job
  for (; node < lastNode; node++) {
    const v = number[node]!
    // The edges of an unreachable cycle say nothing.
    if (v >= reached) continue
    const high = lifted[v]!
    const end = firstEdge[node + 1]!
    for (let edge = firstEdge[node]!; edge < end; edge++) {
      const packed = edges[edge]!
      if (!retains(packed)) continue
      const w = number[edgeTarget(packed)]!
      if (w < from || w >= to || w >= v) continue
      const source = high > w ? high : v
      const at = first[w]!
      if (at >= CROWD) crowds[at - CROWD]![source >>> 5]! |= 1 << (source & 31)
      else {
        retainers[at - 1] = source
        first[w] = at - 1
      }
    }
  }
}

/** In the starts of lists: from here on, the number of a crowd. */
const CROWD = 0xff000000
const MAX_CROWDS = 0xffff

interface Retainers {
  /** The lists of sources, one behind the other in the order of what they lead to. */
  readonly retainers: Uint32Array
  /** The sources of what very many lead to, as an object's map in V8: a bit for each number that is one. */
  readonly crowds: readonly Uint32Array[]
}

/**
 * For each w, the sources v of retaining edges v → w that come from a higher number, from `first[w]` on, which has their
 * count before; where a bit for each number takes less room than the list, that. Only those need the forest: for the
 * others, among them the tree's own, the semidominator is at most v itself, which the search has seen to. Each of two
 * threads takes the lists of half of all edges.
 */
function* collectRetainers(
  { nodeCount, firstEdge, edges }: Snapshot,
  { number, degree: first, reached }: Search,
  lifted: Uint32Array,
  second: SecondThread | undefined,
): Slices<Retainers> {
  const crowds: Uint32Array[] = []
  let total = 0
  for (let w = 0; w < reached; w++) total += first[w]!
  let sum = 0
  let before = 0
  /** The second thread's lists are those of lower numbers. */
  let middle = 0
  // Each count becomes where its list ends; filling the lists from their ends turns that into where they start.
  for (let w = 0; w < reached; w++) {
    const count = first[w]!
    if (second && 2 * before < total) middle = w + 1
    before += count
    if (32 * count > reached && crowds.length < MAX_CROWDS) {
      first[w] = CROWD + crowds.push(sharedUint32(Math.ceil(reached / 32))) - 1
    } else {
      sum += count
      first[w] = sum
    }
  }
  const job = { nodeCount, firstEdge, edges, number, first, lifted, reached, retainers: sharedUint32(sum), crowds }
  const others = second?.call<void>(import.meta.url, 'fillRetainers', job, 0, middle)
  // If something else fails first, nobody waits for it.
  others?.catch(() => {})
  for (let node = 0; node < nodeCount; node += SLICE) {
    fillRetainers(job, middle, reached, node, Math.min(nodeCount, node + SLICE))
    yield undefined
  }
  if (others) yield others
  return job
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
