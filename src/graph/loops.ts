// The loops over all nodes and edges, each of them twice: in WebAssembly, which is at full speed at once, where a young
// process still waits for V8 to compile its TypeScript; and in TypeScript, for heaps that do not fit its memory.

import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains, type Snapshot } from '../snapshot/snapshot.ts'
import { arenaOf } from '../support/arena.ts'
import { kernelOf } from './kernel-loops.ts'

export const UNSEEN = 0xffffffff

/** Where a walk stands; see depth-first.ts for the columns. */
export interface Walk {
  readonly firstEdge: Uint32Array
  readonly edges: Uint32Array
  readonly number: Uint32Array
  readonly parent: Uint32Array
  readonly semi: Uint32Array
  readonly degree: Uint32Array
  /**
   * The way from where the walk began down to the node before the current one, three words each: its number, the edge
   * to look at next, and where its edges end.
   */
  stack: Uint32Array
  /** Targets of edges that were passed over, weak ones aside. */
  readonly passed: Uint32Array
  /** See {@link WALK}. */
  readonly state: Uint32Array
}
/** What stands where in a walk's state: nodes numbered so far; the current one's number, its next edge, and where they end. */
export const WALK = { count: 0, current: 1, edge: 2, end: 3, depth: 4, passed: 5 } as const

/** In the ends of lists: from here on, the number of a crowd. */
export const CROWD = 0xff000000
/** In the lengths of lists: so many or more. */
export const MANY = 255

/** For each vertex, who retains it, as far as dominators need it; see dominators.ts. All by depth-first number. */
export interface RetainerLists {
  /** Where each list ends, or CROWD and the number of its crowd; once filled, where it starts or its halves meet. */
  readonly first: Uint32Array
  /** Where each list starts, for who fills it from there. */
  readonly next: Uint32Array
  readonly lifted: Uint32Array
  /** How long each list is, or MANY. */
  readonly counts: Uint8Array
  /** The lengths of those that are longer. */
  readonly many: Uint32Array
  /** The lists of sources, one behind the other in the order of what they lead to. */
  readonly retainers: Uint32Array
  /** The sources of what very many lead to, as an object's map in V8: a bit for each number that is one. */
  readonly crowds: Uint32Array
  /** Words of each crowd. */
  readonly crowdWords: number
  readonly reached: number
}
/** What stands where in the state of lists: where those that are left end; how many long ones are; how many crowds. */
export const LISTS = { end: 0, many: 1, crowds: 2 } as const

type Columns = Pick<Snapshot, 'firstEdge' | 'edges'> & { readonly number: Uint32Array }
type Begun = Pick<RetainerLists, 'first' | 'next' | 'lifted' | 'counts' | 'many' | 'reached'>

export interface Loops {
  /**
   * Goes on until `until` nodes are numbered, or stack or list of passed edges are full. True when all that can be
   * reached from where it started has been.
   */
  walk(walk: Walk, until: number): boolean
  /** Turns the counts in `lists.first` into where lists end. */
  startLists(lists: Begun, tree: Pick<Walk, 'parent' | 'semi'>, mostCrowds: number, state: Uint32Array): void
  /** Puts the nodes `from` to below `to` into the lists of what they retain, from the lists' ends or from their starts. */
  fillLists(columns: Columns, lists: RetainerLists, side: 'ends' | 'starts', from: number, to: number): void
  /** The semidominators of the numbers below `from` down to `to`, into `lists.first` and `label`. */
  findSemidominators(lists: RetainerLists, forest: Forest, state: Uint32Array, from: number, to: number): void
  /** Turns parents into immediate dominators, given semidominators. */
  findDominators(above: Uint32Array, final: Uint32Array, reached: number): void
  /** Turns the numbers of nodes into the nodes of numbers. */
  invert(number: Uint32Array, order: Uint32Array): void
  /** Adds each node's size to its dominator's. */
  addUp(order: Uint32Array, above: Uint32Array, sizes: Uint32Array | Float64Array): void
}

/** The paper's forest: all vertices above the current one are linked to their parents. */
export interface Forest {
  readonly ancestor: Uint32Array
  /** The least semidominator on the compressed way up. */
  readonly label: Uint32Array
  /** Room for the longest way up. */
  readonly path: Uint32Array
}

/** For arrays all of which a loop works on. */
export function loopsFor(...arrays: readonly ArrayBufferView[]): Loops {
  const memory = arenaOf(...arrays)
  return memory ? kernelOf(memory) : inTypeScript
}

const inTypeScript: Loops = {
  walk({ firstEdge, edges, number, parent, semi, degree, stack, passed, state }, until) {
    const most = Math.floor(stack.length / 3)
    let count = state[WALK.count]!
    let v = state[WALK.current]!
    let next = state[WALK.edge]!
    let last = state[WALK.end]!
    let depth = state[WALK.depth]!
    let passing = state[WALK.passed]!
    let done = false
    for (;;) {
      let found = -1
      let full = false
      while (next < last) {
        const packed = edges[next++]!
        const target = edgeTarget(packed)
        if (!retains(packed)) {
          if (edgeType(packed) === EdgeType.weak) continue
          if (passing === passed.length) {
            full = true
            next--
            break
          }
          passed[passing++] = target
          continue
        }
        const w = number[target]!
        if (w === UNSEEN) {
          found = target
          break
        }
        if (w < v) degree[w]!++
        else if (v < semi[w]!) semi[w] = v
      }
      if (full) break
      if (found >= 0) {
        if (depth === most) {
          next--
          break
        }
        stack[3 * depth] = v
        stack[3 * depth + 1] = next
        stack[3 * depth + 2] = last
        depth++
        number[found] = count
        parent[count] = v
        semi[count] = v
        v = count++
        next = firstEdge[found]!
        last = firstEdge[found + 1]!
        if (v >= until) break
      } else {
        if (depth === 0) {
          done = true
          break
        }
        depth--
        v = stack[3 * depth]!
        next = stack[3 * depth + 1]!
        last = stack[3 * depth + 2]!
      }
    }
    state.set([count, v, next, last, depth, passing])
    return done
  },

  startLists({ first, next, lifted, counts, many, reached }, { parent, semi }, mostCrowds, state) {
    let sum = 0
    let crowds = 0
    let manyCount = 0
    lifted[0] = 0
    for (let w = 0; w < reached; w++) {
      const count = first[w]!
      if (w > 0) lifted[w] = count === 0 && semi[w] === parent[w] ? lifted[parent[w]!]! : w
      if (32 * count > reached && crowds < mostCrowds) {
        first[w] = CROWD + crowds
        next[w] = CROWD + crowds
        crowds++
      } else {
        counts[w] = Math.min(count, MANY)
        if (count >= MANY) many[manyCount++] = count
        next[w] = sum
        sum += count
        first[w] = sum
      }
    }
    state.set([sum, manyCount, crowds])
  },

  fillLists({ firstEdge, edges, number }, lists, side, from, to) {
    const { lifted, reached, retainers, crowds, crowdWords, first, next } = lists
    const [places, ahead] = side === 'ends' ? [first, 1] : [next, 0]
    const step = 1 - ahead
    for (let node = from; node < to; node++) {
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
          const word = (at - CROWD) * crowdWords + (source >>> 5)
          const bit = 1 << (source & 31)
          // The other thread may be at the same word; most bits are there already.
          if ((crowds[word]! & bit) === 0) Atomics.or(crowds, word, bit)
        } else {
          retainers[at - ahead] = source
          places[w] = at - ahead + step
        }
      }
    }
  },

  findSemidominators(lists, { ancestor, label, path }, state, from, to) {
    const { first, counts, many, retainers, crowds, crowdWords } = lists
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
    let listEnd = state[LISTS.end]!
    let manyLeft = state[LISTS.many]!
    for (let w = from - 1; w >= to; w--) {
      let least = label[w]!
      if (first[w]! >= CROWD) {
        const start = (first[w]! - CROWD) * crowdWords
        for (let part = w >>> 5; part < crowdWords && least > 0; part++) {
          for (let bits = crowds[start + part]!; bits !== 0 && least > 0; bits &= bits - 1) {
            const candidate = evaluate(32 * part + 31 - Math.clz32(bits & -bits), w)
            if (candidate < least) least = candidate
          }
        }
      } else if (counts[w]! > 0) {
        const end = listEnd
        listEnd -= counts[w]! < MANY ? counts[w]! : many[--manyLeft]!
        for (let i = listEnd; i < end && least > 0; i++) {
          const candidate = evaluate(retainers[i]!, w)
          if (candidate < least) least = candidate
        }
      }
      first[w] = least
      label[w] = least
    }
    state[LISTS.end] = listEnd
    state[LISTS.many] = manyLeft
  },

  findDominators(above, final, reached) {
    for (let w = 1; w < reached; w++) {
      let candidate = above[w]!
      while (candidate > final[w]!) candidate = above[candidate]!
      above[w] = candidate
    }
  },

  invert(number, order) {
    for (let node = 0; node < number.length; node++) order[number[node]!] = node
  },

  addUp(order, above, sizes) {
    for (let w = order.length - 1; w > 0; w--) sizes[order[above[w]!]!]! += sizes[order[w]!]!
  },
}
