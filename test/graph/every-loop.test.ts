// Each loop in WebAssembly does to random arrays what the same loop in TypeScript does to them; and what is known of the
// loops outside of their source is what stands there.

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loopsFor } from '../../src/graph/kernel-loops.ts'
import { SIGNATURES } from '../../src/graph/kernel-table.ts'
import * as loops from '../../src/graph/loops.ts'
import {
  COST,
  type Loops,
  MANY,
  NONE,
  PATH_BUCKETS,
  type RetainerLists,
  SHARED,
  UNSEEN,
  WALK,
} from '../../src/graph/loops.ts'
import { plainLoops } from '../../src/graph/plain-loops.ts'
import { EdgeType, NodeType } from '../../src/snapshot/meta.ts'
import { EXCEPTION, edgeTarget, packEdge, retains } from '../../src/snapshot/snapshot.ts'
import { type Arena, arenaFloat64, arenaUint8, arenaUint16, arenaUint32, makeArena } from '../../src/support/arena.ts'

const ROUNDS = 100
const NAMES = 30
const CLASSES = 9
const ARENA_BYTES = 1 << 26

/** Draws the same in each run (Mulberry32). */
class Draw {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }
  /** 0 to `n` - 1. */
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n)
  }
  chance(part: number): boolean {
    return this.below(1000) < 1000 * part
  }
  uint32(length: number, each: (i: number) => number): Uint32Array {
    return Uint32Array.from({ length }, (_, i) => each(i))
  }
  uint16(length: number, below: number): Uint16Array {
    return Uint16Array.from({ length }, () => this.below(below))
  }
  /** Zeros, and some that are not. */
  marks(length: number, part = 0.4, below = 2): Uint8Array {
    return Uint8Array.from({ length }, () => (this.chance(part) ? 1 + this.below(below - 1) : 0))
  }
  /** Some of the numbers below `n`, in any order, each once. */
  some(n: number): Uint32Array {
    const all = Array.from({ length: n }, (_, i) => i)
    for (let i = n - 1; i > 0; i--) {
      const other = this.below(i + 1)
      ;[all[i], all[other]] = [all[other]!, all[i]!]
    }
    return Uint32Array.from(all.slice(0, this.below(n + 1)))
  }
}

/** The columns of a heap that means nothing, with all that follows from them. */
function drawHeap(draw: Draw) {
  // Now and then one that many lead to, or in which much depends on few.
  const hub = draw.chance(0.2)
  const nodes = hub ? 500 + draw.below(300) : 2 + draw.below(draw.chance(0.5) ? 10 : 90)
  const largePart = draw.chance(0.3) ? 0.3 : 0
  const edgesOf = Array.from({ length: nodes }, (_, node) => (hub && node > 1 ? [packEdge(1, EdgeType.property)] : []))
  for (let node = 0; node < nodes; node++) {
    if (hub && node > 0) edgesOf[draw.below(node)]!.push(packEdge(node, EdgeType.property))
    for (let i = draw.chance(0.2) ? 0 : draw.below(7); i > 0; i--) {
      edgesOf[node]!.push((packEdge(draw.below(nodes), draw.below(8)) | (draw.chance(0.1) ? EXCEPTION : 0)) >>> 0)
    }
  }
  const edges = Uint32Array.from(edgesOf.flat())
  const firstEdge = new Uint32Array(nodes + 1)
  edgesOf.forEach((own, node) => {
    firstEdge[node + 1] = firstEdge[node]! + own.length
  })
  const nodeType = Uint8Array.from({ length: nodes }, () => draw.below(NodeType.unknown + 1))
  const columns = {
    ...{ nodes, firstEdge, edges, nodeType },
    nodeName: draw.uint32(nodes, () => draw.below(NAMES)),
    edgeNameOrIndex: draw.uint32(edges.length, () => draw.below(NAMES)),
    // Some sums take more than 32 bits.
    sizes: draw.uint32(nodes, () => (draw.chance(0.3) ? 0 : draw.chance(largePart) ? 0xf0000000 : draw.below(1000))),
    born: draw.uint16(nodes, 4),
  }
  const owner = new Uint32Array(nodes)
  const stores = plainLoops.findStores(columns, draw.below(NAMES), owner)
  const unowned = owner.slice()
  plainLoops.spreadOwners(columns, owner, new Uint32Array(2 * stores))
  const order = Uint32Array.from({ length: nodes }, (_, i) => i)
  for (let place = nodes - 1; place > 1; place--) {
    const other = 1 + draw.below(place)
    ;[order[place], order[other]] = [order[other]!, order[place]!]
  }
  const tops = { order, above: draw.uint32(nodes, (place) => draw.below(Math.max(1, place))) }
  const immediate = new Uint32Array(nodes)
  plainLoops.findImmediate(tops.order, tops.above, immediate)
  const holder = new Uint32Array(nodes)
  plainLoops.findHolders(tops.order, tops.above, owner, holder)
  return { ...columns, owner, unowned, stores, tops, immediate, holder, ...{ of: draw.uint16(nodes, CLASSES) } }
}
type Heap = ReturnType<typeof drawHeap>

const room = ({ nodes }: Heap): Uint32Array => new Uint32Array(nodes)

const drawWalk = ({ nodes, firstEdge, edges }: Heap, stackFrames: number, passed: number) => ({
  ...{ firstEdge, edges, number: new Uint32Array(nodes).fill(UNSEEN).fill(0, 0, 1) },
  ...{ parent: new Uint32Array(nodes), semi: new Uint32Array(nodes), degree: new Uint32Array(nodes) },
  ...{ stack: new Uint32Array(3 * stackFrames), passed: new Uint32Array(passed) },
  state: Uint32Array.from([1, 0, 0, firstEdge[1]!, 0, 0]),
})

/** On the way to dominators, as `computeDominators` goes it: the lists before they are filled. */
function drawLists(draw: Draw, heap: Heap) {
  const { nodes, edges } = heap
  const walk = drawWalk(heap, nodes, edges.length)
  plainLoops.walk(walk, nodes + 1)
  const reached = walk.state[WALK.count]!
  let next = reached
  for (let node = 0; node < nodes; node++) if (walk.number[node] === UNSEEN) walk.number[node] = next++
  const begun = {
    ...{ first: walk.degree, next: room(heap), lifted: room(heap), counts: new Uint8Array(reached), reached },
    many: new Uint32Array(Math.ceil(edges.length / MANY)),
  }
  return { walk, begun, mostCrowds: draw.chance(0.3) ? 0 : 1 + draw.below(9), state: new Uint32Array(3) }
}

function filledLists(draw: Draw, heap: Heap, fill: boolean) {
  const { walk, begun, mostCrowds, state } = drawLists(draw, heap)
  plainLoops.startLists(begun, walk, mostCrowds, state)
  const [end, , crowds] = state
  const crowdWords = Math.ceil(begun.reached / 32)
  const lists: RetainerLists = {
    ...{ ...begun, crowdWords, crowds: new Uint32Array(crowdWords * crowds!), retainers: new Uint32Array(end!) },
  }
  if (fill) plainLoops.fillLists(walk, lists, 'ends', 0, heap.nodes)
  const forest = { ancestor: walk.parent.slice(), label: walk.semi, path: walk.stack }
  return { walk, lists, state, forest }
}

function drawIds(draw: Draw) {
  const ids = draw.uint32(draw.below(200), () => {
    const id = draw.chance(0.1) ? draw.below(2 ** 32) : draw.below(900)
    return draw.chance(0.9) ? id | 1 : id
  })
  const state = new Uint32Array(3)
  plainLoops.measureIds(ids, 3 * ids.length, state)
  const [odd, places, others] = state
  let size = 16
  while (size < others! * 1.5) size *= 2
  return { ids, odd: odd!, small: new Uint32Array(places!), slots: new Uint32Array(size) }
}

const drawHistory = (draw: Draw, { nodes, born, sizes }: Heap) => ({
  ...{ born, sizes, firstSizes: draw.uint32(nodes, (node) => (draw.chance(0.5) ? sizes[node]! : draw.below(500))) },
})

function drawTree({ nodes, tops, sizes, of }: Heap) {
  const tree = {
    ...{ group: new Uint32Array(nodes), firstChild: new Uint32Array(nodes), nextSibling: new Uint32Array(nodes) },
  }
  plainLoops.growClassTree(tree, tops, sizes, of)
  return tree
}

const drawTables = (draw: Draw, value?: number) => ({
  byType: draw.uint32(32, () => value ?? draw.below(CLASSES)),
  byName: draw.uint32(NAMES, () => value ?? draw.below(CLASSES)),
})

/** For each loop, what it is called with. */
const CALLS: { readonly [K in keyof Loops]: (draw: Draw, heap: Heap) => Parameters<Loops[K]> } = {
  walk: (draw, heap) => [drawWalk(heap, 1 + draw.below(heap.nodes), 1 + draw.below(20)), 2 + draw.below(heap.nodes)],
  startLists(draw, heap) {
    const { walk, begun, mostCrowds, state } = drawLists(draw, heap)
    return [begun, walk, mostCrowds, state]
  },
  fillLists(draw, heap) {
    const { walk, lists } = filledLists(draw, heap, false)
    return [walk, lists, draw.chance(0.5) ? 'ends' : 'starts', 0, heap.nodes]
  },
  findSemidominators(draw, heap) {
    const { lists, forest, state } = filledLists(draw, heap, true)
    return [lists, forest, state, lists.reached, 1]
  },
  findDominators(draw, heap) {
    const { walk, lists, forest, state } = filledLists(draw, heap, true)
    plainLoops.findSemidominators(lists, forest, state, lists.reached, 1)
    return [walk.parent, lists.first, lists.reached]
  },
  invert: (_, { tops, nodes }) => [tops.order, new Uint32Array(nodes)],
  sum: (_, { sizes }) => [sizes],
  markForeign: (draw, heap) => [
    { ...heap, number: draw.uint32(heap.nodes, () => (draw.chance(0.5) ? UNSEEN : 7)) },
    draw.marks(heap.nodes),
  ],
  findStores: (draw, heap) => [heap, draw.below(NAMES), room(heap)],
  spreadOwners: (_, heap) => [heap, heap.unowned, new Uint32Array(2 * heap.stores)],
  moveSizes: (_, { nodeType, sizes, owner }) => [nodeType, sizes, owner],
  findImmediate: (_, heap) => [heap.tops.order, heap.tops.above, room(heap)],
  findHolders: (_, heap) => [heap.tops.order, heap.tops.above, heap.owner, room(heap)],
  firstOfKinds: (draw, heap) => [heap, drawTables(draw, NONE), new Uint32Array(32 + NAMES)],
  assignClasses: (draw, heap) => [heap, drawTables(draw), new Uint16Array(heap.nodes)],
  totalClasses: (_, { of, sizes }) => [of, sizes, new Uint32Array(CLASSES), new Float64Array(CLASSES)],
  growClassTree: (_, heap) => [
    { group: room(heap), firstChild: room(heap), nextSibling: room(heap) },
    ...([heap.tops, heap.sizes, heap.of] as const),
  ],
  retainByClass: (_, heap) => [
    ...([drawTree(heap), heap.tops, heap.sizes, new Uint32Array(CLASSES), new Float64Array(CLASSES)] as const),
  ],
  likely(draw) {
    const { ids } = drawIds(draw)
    const sieve = new Uint8Array(1 << 16)
    for (const id of ids) if (draw.chance(0.3)) sieve[id & 0xffff] = 1
    return [ids, sieve, new Uint32Array(ids.length)]
  },
  listMarked: (draw, heap) => [draw.marks(heap.nodes), room(heap)],
  listNamed: (draw, heap) => [heap.nodeName, draw.marks(NAMES), room(heap)],
  listInOrder: (draw, heap) => [heap.tops.order, draw.marks(heap.nodes), room(heap)],
  measureIds(draw) {
    const { ids } = drawIds(draw)
    return [ids, draw.below(4 * ids.length + 1), new Uint32Array(3)]
  },
  fillIds: (draw) => [drawIds(draw)],
  lookUpIds(draw) {
    const table = drawIds(draw)
    plainLoops.fillIds(table)
    const wanted = draw.uint32(150, (i) => (draw.chance(0.6) && table.ids[i]) || draw.below(1000))
    return [wanted, table, new Uint32Array(150)]
  },
  markIds(draw) {
    // Where one is there twice, the loop ends.
    const ids = draw.chance(0.5) ? drawIds(draw).ids : draw.some(400)
    return [ids, new Uint32Array(10), new Uint32Array(ids.length)]
  },
  takeOver: (draw, heap) => [drawPositions(draw, heap), draw.uint32(50, () => draw.below(9)), room(heap)],
  joinLineage(draw, heap) {
    const before = {
      ...{ sizes: draw.uint32(50, () => draw.below(900)), born: draw.uint16(50, 4) },
      firstSizes: draw.uint32(50, () => draw.below(900)),
    }
    const now = { sizes: heap.sizes, born: new Uint16Array(heap.nodes), firstSizes: room(heap) }
    return [drawPositions(draw, heap), before, now, room(heap), draw.below(70)]
  },
  markAsked: (draw, heap) => [heap, heap.owner, drawHistory(draw, heap), new Uint8Array(heap.nodes)],
  askHolders: (draw, heap) => [heap.tops.order, heap.holder, draw.marks(heap.nodes, 0.1)],
  addNewBytes: (_, heap) => [heap.tops, heap.sizes, heap.born, new Float64Array(heap.nodes)],
  listGrowth: (draw, heap) => [heap.nodeType, heap.owner, drawHistory(draw, heap), room(heap)],
  searchPaths(draw, heap) {
    const starts = Uint32Array.from([...draw.some(heap.nodes).slice(0, 3)].flatMap((node) => [node, draw.below(19)]))
    const names = Array.from({ length: 5 }, () => draw.below(NAMES))
    const [a, b, c, context, previous] = names as [number, number, number, number, number]
    const costs = draw.uint32(Object.keys(COST).length, () => 1 + draw.below(PATH_BUCKETS - 8))
    return [
      { ...heap, starts, machinery: [a, b, c], context, previous, costs },
      ...([room(heap).fill(UNSEEN), room(heap).fill(UNSEEN)] as const),
      { buckets: new Uint32Array(2 * PATH_BUCKETS), entries: new Uint32Array(2 * (20 * heap.nodes + 1024)) },
    ]
  },
  labelNodes: (draw, heap) => [
    draw.chance(0.5),
    {
      ...{ ...heap, holder: drawHolders(draw, heap), wanted: draw.marks(heap.nodes, 0.8) },
      globals: draw.some(heap.nodes).slice(0, 4),
      ...{ dictionary: draw.below(4), known: draw.uint32(NAMES, () => 8 + draw.below(20)) },
      used: new Uint8Array(NAMES),
    },
    ...([room(heap), room(heap).fill(NONE)] as const),
  ],
  countReferences: (_, heap) => [heap.firstEdge, heap.owner, room(heap)],
  listLargest: (draw, heap) => [draw.uint32(heap.nodes, () => draw.below(9)), draw.below(9), room(heap)],
  listEntrances: (draw, heap) => [
    { ...heap, wanted: draw.marks(heap.nodes), old: draw.marks(heap.nodes, 0.1) },
    room(heap),
  ],
  listOutermost: (_, heap) => [heap.tops, heap.born, room(heap)],
  listBelow: (draw, heap) => [heap.tops, draw.marks(heap.nodes, 0.1, 5), room(heap)],
  listTyped: (draw, heap) => [heap.nodeType, draw.below(2 ** 17), room(heap)],
  sumTypes: (_, { nodeType, sizes }) => [nodeType, sizes, new Uint32Array(32), new Float64Array(32)],
  countNames: (draw, heap) => [
    draw.some(heap.nodes),
    heap,
    { count: new Uint32Array(NAMES), size: new Uint32Array(NAMES), mixed: new Uint8Array(NAMES) },
  ],
  listLargestOutside: (draw, heap) => [
    ...([draw.some(heap.nodes), heap, draw.below(2 ** 17), new Uint32Array(1 + draw.below(12))] as const),
  ],
  sortChildren: (_, heap) => [heap.immediate, new Uint32Array(heap.nodes + 1), room(heap)],
  reachNew(draw, heap) {
    const marks = new Uint8Array(heap.nodes)
    const queue = room(heap)
    const length = Math.min(2, heap.nodes)
    for (let i = 0; i < length; i++) marks[i] = 1
    queue.set([0, 1].slice(0, length))
    return [{ ...heap, neighbours: draw.marks(NAMES) }, marks, queue, length]
  },
  countAmong: (draw, heap) => [
    ...([draw.some(heap.nodes), heap.of, new Uint32Array(CLASSES), new Uint32Array(CLASSES)] as const),
  ],
  listAmong: (draw, heap) => [draw.some(heap.nodes), heap.of, draw.marks(CLASSES), room(heap)],
  sumAmong: (draw, heap) => [
    ...([draw.some(heap.nodes), heap.sizes, draw.marks(heap.nodes), draw.chance(0.5) ? 1 : 0] as const),
  ],
  markAll: (draw, heap) => [draw.some(heap.nodes), new Uint8Array(heap.nodes)],
  listRows: (draw, heap) => {
    const rows = draw.some(heap.nodes)
    return [rows, heap.nodeType, draw.below(NodeType.unknown), new Uint32Array(rows.length)]
  },
  listAskedRows(draw, heap) {
    const rows = draw.some(heap.nodes)
    return [rows, closures(draw, heap), heap.holder, draw.marks(heap.nodes), new Uint32Array(rows.length)]
  },
  listScopedRows(draw, heap) {
    const rows = draw.some(heap.nodes)
    const columns = { ...heap, nodeType: closures(draw, heap), context: draw.below(4), scopes: draw.marks(heap.nodes) }
    columns.edgeNameOrIndex = draw.uint32(heap.edges.length, () => draw.below(4))
    return [rows, columns, new Uint8Array(heap.nodes), new Uint32Array(2 * rows.length)]
  },
  addUp: (_, { tops, sizes }) => [tops.order, tops.above, sizes.map((size) => size % 1000)],
}

/** Of most nodes, one that refers to them, by itself or by a store of its own. */
function drawHolders(draw: Draw, { nodes, firstEdge, edges, owner, holder }: Heap): Uint32Array {
  const holders = holder.slice()
  for (let node = 0; node < nodes; node++) {
    const from = owner[node]! < SHARED ? owner[node]! : node
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      if (from !== node || draw.chance(0.3)) holders[edgeTarget(edges[edge]!)] = from
    }
  }
  return holders
}

const closures = (draw: Draw, { nodes }: Heap): Uint8Array =>
  Uint8Array.from({ length: nodes }, () => (draw.chance(0.7) ? NodeType.closure : NodeType.object))

const drawPositions = (draw: Draw, { nodes }: Heap): Uint32Array =>
  draw.uint32(nodes, () => (draw.chance(0.3) ? NONE : draw.below(50)))

/** The same arguments with other arrays, in an arena or not; one that stands there twice is one array again. */
function copyOf<T>(value: T, arena: Arena | undefined, done = new Map<unknown, unknown>()): T {
  if (typeof value !== 'object' || value === null) return value
  if (done.has(value)) return done.get(value) as T
  const copy = ArrayBuffer.isView(value)
    ? copyOfArray(value as unknown as Column, arena)
    : Array.isArray(value)
      ? value.map((each) => copyOf(each, arena, done))
      : Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copyOf(each, arena, done)]))
  done.set(value, copy)
  return copy as T
}

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array

function copyOfArray(array: Column, arena: Arena | undefined): Column {
  const make =
    array instanceof Uint8Array
      ? arenaUint8
      : array instanceof Uint16Array
        ? arenaUint16
        : array instanceof Uint32Array
          ? arenaUint32
          : arenaFloat64
  const copy = make(arena, array.length)
  copy.set(array)
  return copy
}

function arraysIn(value: unknown, path = ''): [path: string, array: Column][] {
  if (ArrayBuffer.isView(value)) return [[path, value as unknown as Column]]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, each]) => arraysIn(each, `${path}.${key}`))
}

/** Arrays of the arguments that are only room, in which what is left behind means nothing. */
const ROOM = new Set(['.3.buckets', '.3.entries'])

describe('a loop in WebAssembly does what that in TypeScript does', () => {
  const arena = makeArena(ARENA_BYTES)!

  it.each(Object.keys(CALLS) as (keyof Loops)[])('%s', (name) => {
    const outcomes = new Set<string>()
    for (let round = 0; round < ROUNDS; round++) {
      const draw = new Draw(1000 * round + name.length)
      const args = CALLS[name](draw, drawHeap(draw))
      const [fast, plain] = [copyOf(args, arena), copyOf(args, undefined)]
      const arrays = arraysIn(fast)
      const inArena = loopsFor(...arrays.map(([, array]) => array))
      expect(inArena).not.toBe(plainLoops)
      const call = (of: Loops, given: unknown) =>
        (of[name] as (...given: unknown[]) => unknown)(...(given as unknown[]))
      const [gives, should] = [call(inArena, fast), call(plainLoops, plain)]
      expect({ round, gives }).toEqual({ round, gives: should })
      const others = new Map(arraysIn(plain))
      const before = new Map(arraysIn(args))
      for (const [path, array] of arrays) {
        if (ROOM.has(path)) continue
        // Many numbers are compared at once.
        expect({ round, path, is: String(array) }).toEqual({ round, path, is: String(others.get(path)) })
        if (String(array) !== String(before.get(path))) outcomes.add(path)
      }
      if (gives !== undefined) outcomes.add(`gives ${gives}`)
    }
    // It has something to do.
    expect(outcomes.size).toBeGreaterThan(0)
  })
})

describe('the source of the loops', () => {
  const source = readFileSync('src/graph/kernel/loops.as.ts', 'utf8')

  it('has the functions and arguments of the table', () => {
    const gives = { void: 'nothing', u32: 'count', f64: 'sum', bool: 'flag' } as const
    const found = [...source.matchAll(/^export function (\w+)\(([^)]*)\): (\w+)/gm)].map(([, name, args, type]) => [
      name!,
      {
        gives: gives[type as keyof typeof gives],
        takes: args!
          .split(',')
          .map((each) => each.replace(/:.*/s, '').trim())
          .filter((each) => each !== '')
          .join(' '),
      },
    ])
    expect(Object.fromEntries(found)).toEqual(SIGNATURES)
    expect(found.map(([name]) => name).toSorted()).toEqual(Object.keys(plainLoops).toSorted())
  })

  it('has the constants of TypeScript', () => {
    const constants = [...source.matchAll(/^const (\w+): u32 = (\w+)$/gm)].map(([, name, value]) => [
      name!,
      Number(value!.replaceAll('_', '')),
    ])
    const { CROWD, NO_OWNER, LABEL } = loops
    expect(Object.fromEntries(constants)).toEqual({
      ...{ UNSEEN, CROWD, MANY, NONE, NO_OWNER, SHARED, EXCEPTION },
      ...{ LABEL_ELEMENT: LABEL.element, LABEL_KEY: LABEL.key, LABEL_HIDDEN: LABEL.hidden },
      ...{ HIDDEN: NodeType.hidden, ARRAY: NodeType.array, OBJECT: NodeType.object, CODE: NodeType.code },
      ...{ CLOSURE: NodeType.closure, NATIVE: NodeType.native, SYNTHETIC: NodeType.synthetic },
      OBJECT_SHAPE: NodeType.objectShape,
      ...{ WEAK: EdgeType.weak, CONTEXT: EdgeType.context, ELEMENT: EdgeType.element, PROPERTY: EdgeType.property },
      ...{ INTERNAL: EdgeType.internal, HIDDEN_EDGE: EdgeType.hidden },
      RETAINS: retaining(),
    })
  })
})

/** A bit for each flag and type with which an edge retains, by `retains`. */
function retaining(): number {
  let bits = 0
  for (let word = 0; word < 16; word++) if (retains(word)) bits |= 1 << word
  return bits
}
