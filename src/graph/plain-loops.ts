// The loops in TypeScript, for heaps that do not fit WebAssembly's memory; what each is for stands in loops.ts.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { EXCEPTION, edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'
import { CROWD, isNamed, LISTS, type Loops, MANY, NO_OWNER, NONE, SHARED, UNSEEN, WALK } from './loops.ts'
import { ROOT } from './roots.ts'

export const plainLoops: Loops = {
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

  sum(values) {
    let total = 0
    for (let i = 0; i < values.length; i++) total += values[i]!
    return total
  },

  markForeign({ firstEdge, edges, number }, passedBy) {
    const isUsers = (node: number) => number[node] !== UNSEEN || passedBy[node] !== 0
    for (let node = ROOT + 1; node < number.length; node++) {
      if (isUsers(node)) continue
      for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
        const packed = edges[edge]!
        if (retains(packed) && isUsers(edgeTarget(packed))) edges[edge] = (packed | EXCEPTION) >>> 0
      }
    }
  },

  findStores({ nodeType, nodeName }, externalStringData, owner) {
    let stores = 0
    for (let node = 0; node < owner.length; node++) {
      const type = nodeType[node]
      const isStore =
        type === NodeType.hidden ||
        type === NodeType.array ||
        (type === NodeType.native && nodeName[node] === externalStringData)
      owner[node] = isStore ? NO_OWNER : node
      if (isStore) stores++
    }
    return stores
  },

  spreadOwners({ firstEdge, edges }, owner, worklist) {
    let height = 0
    const spread = (node: number): void => {
      const own = owner[node]!
      const end = firstEdge[node + 1]!
      for (let edge = firstEdge[node]!; edge < end; edge++) {
        const packed = edges[edge]!
        const target = edgeTarget(packed)
        const current = owner[target]!
        if (current === target || current === own || current === SHARED || edgeType(packed) === EdgeType.weak) continue
        owner[target] = current === NO_OWNER ? own : SHARED
        worklist[height++] = target
      }
    }
    for (let node = 0; node < owner.length; node++) if (owner[node] === node) spread(node)
    while (height > 0) spread(worklist[--height]!)
  },

  moveSizes(nodeType, sizes, owner) {
    for (let node = 0; node < owner.length; node++) {
      const own = owner[node]!
      if (own === node || own >= SHARED || own === ROOT || nodeType[own] === NodeType.synthetic) continue
      const total = sizes[own]! + sizes[node]!
      if (total > 0xffffffff && sizes instanceof Uint32Array) return node
      sizes[own] = total
      sizes[node] = 0
    }
    return owner.length
  },

  findImmediate(order, above, immediate) {
    for (let place = 0; place < order.length; place++) immediate[order[place]!] = order[above[place]!]!
  },

  findHolders(order, above, owner, holder) {
    for (let place = 0; place < order.length; place++) {
      const over = order[above[place]!]!
      holder[order[place]!] = owner[over] === over || owner[over]! >= SHARED ? over : holder[over]!
    }
  },

  firstOfKinds({ nodeType, nodeName }, { byType, byName }, first) {
    let found = 0
    for (let node = 0; node < nodeType.length; node++) {
      const type = nodeType[node]!
      const [table, kind] = isNamed(type) ? [byName, nodeName[node]!] : [byType, type]
      if (table[kind] !== NONE) continue
      table[kind] = 0
      first[found++] = node
    }
    return found
  },

  assignClasses({ nodeType, nodeName }, { byType, byName }, of) {
    for (let node = 0; node < of.length; node++) {
      const type = nodeType[node]!
      of[node] = isNamed(type) ? byName[nodeName[node]!]! : byType[type]!
    }
  },

  totalClasses(of, sizes, count, bytes) {
    for (let node = 0; node < of.length; node++) {
      const size = sizes[node]!
      if (size === 0) continue
      const number = of[node]!
      count[number]!++
      bytes[number]! += size
    }
  },

  growClassTree({ group, firstChild, nextSibling }, { order, above }, sizes, of) {
    firstChild.fill(NONE)
    nextSibling[0] = NONE
    for (let place = order.length - 1; place >= 0; place--) {
      const node = order[place]!
      group[place] = sizes[node] === 0 ? NONE : of[node]!
      if (place === 0) break
      const parent = above[place]!
      nextSibling[place] = firstChild[parent]!
      firstChild[parent] = place
    }
  },

  retainByClass({ group, firstChild, nextSibling }, { order, above }, retained, onTheWay, bytes) {
    for (let place = 0; ; ) {
      const own = group[place]!
      if (own !== NONE && onTheWay[own] === 0) bytes[own]! += retained[order[place]!]!
      let next = firstChild[place]!
      if (next !== NONE) {
        if (own !== NONE) onTheWay[own]!++
      } else {
        // Up, until there is a sibling of what was left.
        for (next = nextSibling[place]!; next === NONE; next = nextSibling[place]!) {
          if (place === 0) return
          place = above[place]!
          if (group[place] !== NONE) onTheWay[group[place]!]!--
        }
      }
      place = next
    }
  },
}
