// The loops in TypeScript, for heaps that do not fit WebAssembly's memory; what each is for stands in loops.ts.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { EXCEPTION, edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'
import {
  COST,
  CROWD,
  ID_SEED,
  type IdColumns,
  isNamed,
  LABEL,
  LISTS,
  type Loops,
  MANY,
  NO_OWNER,
  NONE,
  PATH_BUCKETS,
  SHARED,
  UNSEEN,
  WALK,
} from './loops.ts'
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

  likely(ids, sieve, out) {
    let found = 0
    for (let i = 0; i < ids.length; i++) if (sieve[ids[i]! & 0xffff] !== 0) out[found++] = i
    return found
  },

  listMarked(marks, out) {
    let found = 0
    for (let i = 0; i < marks.length; i++) if (marks[i] !== 0) out[found++] = i
    return found
  },

  listNamed(nodeName, marks, out) {
    let found = 0
    for (let node = 0; node < nodeName.length; node++) if (marks[nodeName[node]!] !== 0) out[found++] = node
    return found
  },

  listInOrder(order, marks, out) {
    let found = 0
    for (let place = 0; place < order.length; place++) if (marks[order[place]!] !== 0) out[found++] = order[place]!
    return found
  },

  measureIds(ids, room, state) {
    let odds = 0
    for (let i = 0; i < ids.length; i++) odds += ids[i]! & 1
    const odd = 2 * odds > ids.length ? 1 : 0
    let places = 0
    let others = 0
    for (let i = 0; i < ids.length; i++) {
      const place = ids[i]! >>> odd
      if (place >= room || (ids[i]! & odd) !== odd) others++
      else if (place >= places) places = place + 1
    }
    state.set([odd, places, others])
  },

  fillIds(table) {
    const { ids, odd, small, slots } = table
    let duplicates = 0
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      const place = id >>> odd
      const isSmall = place < small.length && (id & odd) === odd
      const [entries, at] = isSmall ? [small, place] : [slots, slotOf(table, id)]
      if (entries[at] !== 0) duplicates++
      else entries[at] = i + 1
    }
    return duplicates
  },

  lookUpIds(wanted, table, found) {
    const { ids } = table
    for (let i = 0, next = 0; i < wanted.length; i++) {
      const position = next < ids.length && ids[next] === wanted[i] ? next : positionOf(table, wanted[i]!)
      found[i] = position < 0 ? NONE : position
      if (position >= 0) next = position + 1
    }
  },

  markIds(ids, bits, rest) {
    let others = 0
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      if (id >= 32 * bits.length) {
        rest[others++] = id
        continue
      }
      const bit = 1 << (id & 31)
      if ((bits[id >>> 5]! & bit) !== 0) return NONE
      bits[id >>> 5]! |= bit
    }
    return others
  },

  takeOver(was, before, now) {
    for (let node = 0; node < was.length; node++) if (was[node] !== NONE) now[node] = before[was[node]!]!
  },

  joinLineage(was, before, { sizes, born, firstSizes }, grew, step) {
    for (let node = 0; node < was.length; node++) {
      const position = was[node]!
      if (position === NONE) {
        born[node] = step + 1
        firstSizes[node] = sizes[node]!
        continue
      }
      born[node] = before.born[position]!
      firstSizes[node] = before.firstSizes[position]!
      if (sizes[node]! > before.sizes[position]!) grew[node]! |= 1 << (step & 31)
    }
  },

  markAsked({ firstEdge, edges }, owner, { sizes, born, firstSizes }, asked) {
    for (let node = 0; node < asked.length; node++) {
      if (born[node]! > 0 || sizes[node]! > firstSizes[node]!) asked[node] = 1
      const from = owner[node]! < SHARED ? owner[node]! : node
      const end = firstEdge[node + 1]!
      for (let edge = firstEdge[node]!; edge < end && asked[from] === 0; edge++) {
        if (born[edgeTarget(edges[edge]!)]! > 0) asked[from] = 1
      }
    }
  },

  askHolders(order, holder, asked) {
    for (let place = order.length - 1; place > 0; place--) {
      if (asked[order[place]!] !== 0) asked[holder[order[place]!]!] = 1
    }
  },

  addNewBytes({ order, above }, sizes, born, bytes) {
    for (let place = order.length - 1; place > 0; place--) {
      const node = order[place]!
      if (born[node]! > 0) bytes[node]! += sizes[node]!
      if (bytes[node]! > 0) bytes[order[above[place]!]!]! += bytes[node]!
    }
  },

  listGrowth(nodeType, owner, { sizes, born, firstSizes }, out) {
    let found = 0
    for (let node = 1; node < owner.length; node++) {
      if (born[node] === 0 && sizes[node]! <= firstSizes[node]!) continue
      const own = owner[node]!
      if ((own === node || own >= SHARED) && nodeType[node] !== NodeType.synthetic) out[found++] = node
    }
    return found
  },

  searchPaths(columns, cost, via) {
    const { nodeType, firstEdge, edges, edgeNameOrIndex, owner, machinery, context, previous, costs } = columns
    const buckets = Array.from({ length: PATH_BUCKETS }, () => new Bucket())
    let waiting = 0
    const offer = (node: number, total: number, from: number): void => {
      if (total >= cost[node]!) return
      cost[node] = total
      via[node] = from
      buckets[total % PATH_BUCKETS]!.push(node)
      waiting++
    }
    for (let i = 0; i < columns.starts.length; i += 2) offer(columns.starts[i]!, columns.starts[i + 1]!, ROOT)

    for (let total = 0; waiting > 0; total++) {
      const bucket = buckets[total % PATH_BUCKETS]!
      for (let i = 0; i < bucket.length; i++) {
        waiting--
        const node = bucket.nodes[i]!
        if (cost[node] !== total) continue
        const end = firstEdge[node + 1]!
        for (let edge = firstEdge[node]!; edge < end; edge++) {
          const packed = edges[edge]!
          if (!retains(packed)) continue
          const target = edgeTarget(packed)
          if (cost[target]! <= total + 1) continue
          const type = edgeType(packed)
          const kind = nodeType[target]!
          let step: keyof typeof COST = 'reference'
          if (kind === NodeType.code || kind === NodeType.objectShape) step = 'machinery'
          else if (type === EdgeType.internal) {
            const name = edgeNameOrIndex[edge]!
            if (owner[target] === owner[node] || (owner[node] !== node && owner[node]! < SHARED)) step = 'store'
            else if (name === context) step = 'closureScope'
            else if (name === previous) step = 'outerScope'
            else step = 'internal'
          } else if (type === EdgeType.hidden) step = 'hidden'
          else if (type === EdgeType.property && machinery.includes(edgeNameOrIndex[edge]!)) step = 'machinery'
          offer(target, total + costs[COST[step]]!, node)
        }
      }
      bucket.clear()
    }
    return true
  },

  countReferences(firstEdge, owner, count) {
    for (let node = 0; node < owner.length; node++) {
      const own = owner[node]! < SHARED ? owner[node]! : node
      count[own]! += firstEdge[node + 1]! - firstEdge[node]!
    }
  },

  listLargest(count, least, out) {
    let found = 0
    for (let node = 0; node < count.length; node++) if (count[node]! >= least) out[found++] = node
    return found
  },

  listEntrances({ firstEdge, edges, owner, wanted, born, old }, out) {
    let found = 0
    for (let node = 0; node < owner.length; node++) {
      const from = owner[node]! < SHARED ? owner[node]! : node
      if (wanted[from] === 0 || (born[from] !== 0 && old[node] === 0 && old[from] === 0)) continue
      for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
        const packed = edges[edge]!
        const target = edgeTarget(packed)
        if (born[target] === 0 || owner[target] === from || !retains(packed)) continue
        out[found++] = node
        break
      }
    }
    return found
  },

  listOutermost({ order, above }, born, out) {
    let found = 0
    for (let place = 1; place < order.length; place++) {
      const node = order[place]!
      if (born[node] !== 0 && born[order[above[place]!]!] === 0) out[found++] = node
    }
    return found
  },

  listBelow({ order, above }, marks, out) {
    let found = 0
    for (let place = 0; place < order.length; place++) {
      const node = order[place]!
      if (marks[node] === 0) marks[node] = marks[order[above[place]!]!]!
      if (marks[node] !== 0) out[found++] = node
    }
    return found
  },

  listTyped(nodeType, types, out) {
    let found = 0
    for (let node = 0; node < nodeType.length; node++) if (((types >>> nodeType[node]!) & 1) !== 0) out[found++] = node
    return found
  },

  sumTypes(nodeType, sizes, count, bytes) {
    for (let node = 0; node < nodeType.length; node++) {
      count[nodeType[node]!]!++
      bytes[nodeType[node]!]! += sizes[node]!
    }
  },

  countNames(list, { nodeName, sizes }, { count, size, mixed }) {
    for (const node of list) {
      const name = nodeName[node]!
      if (count[name]!++ === 0) size[name] = sizes[node]!
      else if (size[name] !== sizes[node]) mixed[name] = 1
    }
  },

  listLargestOutside(list, { nodeType, immediate, sizes }, types, out) {
    let found = 0
    for (const node of list) {
      if (((types >>> nodeType[immediate[node]!]!) & 1) !== 0) continue
      const size = sizes[node]!
      if (found === out.length && (found === 0 || size <= sizes[out[found - 1]!]!)) continue
      let at = found < out.length ? found++ : found - 1
      for (; at > 0 && sizes[out[at - 1]!]! < size; at--) out[at] = out[at - 1]!
      out[at] = node
    }
    return found
  },

  sortChildren(immediate, first, list) {
    const nodes = list.length
    for (let node = 1; node < nodes; node++) first[immediate[node]!]!++
    let sum = 0
    for (let node = 0; node < nodes; node++) {
      sum += first[node]!
      first[node] = sum
    }
    first[nodes] = sum
    for (let node = nodes - 1; node > 0; node--) list[--first[immediate[node]!]!] = node
  },

  reachNew({ firstEdge, edges, edgeNameOrIndex, born, neighbours }, marks, queue, length) {
    let found = length
    for (let i = 0; i < found; i++) {
      const node = queue[i]!
      for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
        const packed = edges[edge]!
        const target = edgeTarget(packed)
        if (!retains(packed) || marks[target] !== 0 || born[target] === 0) continue
        if (edgeType(packed) === EdgeType.property && neighbours[edgeNameOrIndex[edge]!] !== 0) continue
        marks[target] = 1
        queue[found++] = target
      }
    }
    return found
  },

  countAmong(list, of, count, first) {
    for (const node of list) if (count[of[node]!]!++ === 0) first[of[node]!] = node
  },

  listAmong(list, of, wanted, out) {
    let found = 0
    for (const node of list) if (wanted[of[node]!] !== 0) out[found++] = node
    return found
  },

  sumAmong(list, sizes, marks, wanted) {
    let total = 0
    for (const node of list) if (marks[node] === wanted) total += sizes[node]!
    return total
  },

  markAll(list, marks) {
    for (const node of list) marks[node] = 1
  },

  listRows(rows, nodeType, type, out) {
    let found = 0
    for (let row = 0; row < rows.length; row++) if (nodeType[rows[row]!] === type) out[found++] = row
    return found
  },

  listAskedRows(rows, nodeType, holder, asked, out) {
    let found = 0
    for (let row = 0; row < rows.length; row++) {
      const node = rows[row]!
      if (nodeType[node] !== NodeType.closure) continue
      if (asked[node] !== 0 || asked[holder[node]!] !== 0) out[found++] = row
    }
    return found
  },

  listScopedRows(rows, { nodeType, firstEdge, edges, edgeNameOrIndex, context, scopes }, seen, out) {
    let found = 0
    for (let row = 0; row < rows.length; row++) {
      const node = rows[row]!
      if (nodeType[node] !== NodeType.closure || seen[node] !== 0) continue
      seen[node] = 1
      for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
        const packed = edges[edge]!
        if (edgeType(packed) !== EdgeType.internal || edgeNameOrIndex[edge] !== context) continue
        const scope = edgeTarget(packed)
        if (scopes[scope] !== 0) {
          out[found++] = row
          out[found++] = scope
        }
        break
      }
    }
    return found
  },

  labelNodes(assign, columns, label, otherName) {
    const { firstEdge, edges, edgeNameOrIndex, owner, holder, wanted, globals, dictionary, known, used } = columns
    for (let node = 0; node < label.length; node++) {
      const from = owner[node]! < SHARED ? owner[node]! : node
      const isStore = from !== node
      const end = firstEdge[node + 1]!
      let properties = -1
      for (let edge = firstEdge[node]!; edge < end; edge++) {
        const packed = edges[edge]!
        const target = edgeTarget(packed)
        if (wanted[target] === 0 || !retains(packed) || owner[target] !== target) continue
        const type = edgeType(packed)
        const name = edgeNameOrIndex[edge]!
        if (holder[target] !== from) {
          if (type !== EdgeType.context && type !== EdgeType.property) continue
          if (!assign) used[name]! |= 1
          else if (known[name]! < otherName[target]!) otherName[target] = known[name]!
          continue
        }
        // The object's own references come before what its stores say of them.
        const before = label[target]!
        if (before !== LABEL.none && isStore) continue
        if (type === EdgeType.element) label[target] = LABEL.element
        else if (type === EdgeType.hidden) label[target] = LABEL.hidden
        else {
          if (type === EdgeType.internal && before !== LABEL.none) continue
          if (type === EdgeType.property) {
            if (properties < 0) properties = globals.includes(node) ? 0 : countProperties(edges, firstEdge[node]!, end)
            if (properties > dictionary) {
              label[target] = LABEL.key
              continue
            }
          }
          label[target] = assign ? known[name]! : LABEL.hidden
          if (!assign) used[name]! |= type === EdgeType.internal ? 2 : 1
        }
      }
    }
    // What several hold is owned by none of them, but is still called something.
    for (let node = 0; assign && node < label.length; node++) {
      if (label[node] === LABEL.none && otherName[node] !== NONE) label[node] = otherName[node]!
    }
  },
}

/** Where an id stands, or -1. */
export function positionOf(table: IdColumns, id: number): number {
  const { odd, small, slots } = table
  const place = id >>> odd
  if (place < small.length && (id & odd) === odd) return small[place]! - 1
  return slots[slotOf(table, id)]! - 1
}

/** The slot that holds `id`, or the empty one where it would go. */
function slotOf({ ids, slots }: IdColumns, id: number): number {
  const mask = slots.length - 1
  // All bits of the hash count, however large the table (MurmurHash3's finalizer; Austin Appleby, public domain).
  let hash = id ^ ID_SEED
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  let slot = (hash ^ (hash >>> 16)) & mask
  for (;;) {
    const entry = slots[slot]!
    if (entry === 0 || ids[entry - 1] === id) return slot
    slot = (slot + 1) & mask
  }
}

/** A growing list of node ordinals. */
class Bucket {
  nodes = new Uint32Array(64)
  length = 0

  push(node: number): void {
    if (this.length === this.nodes.length) {
      const larger = new Uint32Array(2 * this.length)
      larger.set(this.nodes)
      this.nodes = larger
    }
    this.nodes[this.length++] = node
  }
  clear(): void {
    this.length = 0
  }
}

function countProperties(edges: Uint32Array, from: number, to: number): number {
  let count = 0
  for (let edge = from; edge < to; edge++) if (edgeType(edges[edge]!) === EdgeType.property) count++
  return count
}
