// Says of every node in which kind of place it stands, so that nodes of different snapshots can be compared.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { SHARED } from '../graph/ownership.ts'
import { ROOT, userRoots } from '../graph/roots.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains, type Snapshot } from '../snapshot/snapshot.ts'
import { arenaOf, arenaUint32 } from '../support/arena.ts'
import type { Slices } from '../support/breathing.ts'
import { TupleInterner } from '../support/tuple-interner.ts'
import type { Classes } from './classes.ts'

/** Above so many properties an object is taken for a dictionary, whose keys are data and no names. */
const DICTIONARY_PROPERTIES = 64

const NO_NAME = 0xffffffff

/** Kinds of labels, in the upper bits of a label's number; those of a name are numbered within. */
const LABEL = { none: 0, element: 1, entry: 2, key: 3, hidden: 4, named: 8 } as const

/**
 * The vocabulary that snapshots share: classes and labels numbered alike in all of them, and places.
 *
 * A **place** is where a node stands in the tree of owners: the place of its owner, the label of the reference from
 * there, and its kind: its class or, for functions, where they stand. The owner is the immediate dominator with backing stores left out. All elements of one array
 * stand in the same place, and so do all nodes of a linked list, whatever its length: a reference that repeats (`.next`
 * to a node like the one before) leads to the same place.
 */
export class Places {
  readonly #labels = new Map<string, number>()
  readonly #classes = new Map<string, number>()
  readonly #places = new TupleInterner(3)

  constructor() {
    // Place 0 is the root's; it is its own parent.
    this.#places.intern(0, 0, 0)
  }

  get size(): number {
    return this.#places.size
  }

  /** The place that holds this one; 0 for those at the root, and for the root. */
  parent(place: number): number {
    return this.#places.part(place, 0)
  }

  /**
   * The place of every node of a snapshot, or of some; O(nodes + edges).
   * @param holder as {@link findHolders} gives it
   * @param asked by node ordinal: 1 for those that somebody will ask about; becomes 1 for those that hold them, too
   */
  *locate(graph: HeapGraph, classes: Classes, holder = findHolders(graph), asked?: Uint8Array): Slices<PlacedNodes> {
    const { nodeCount } = graph.snapshot
    const { order } = graph.dominators
    // Each node is behind its holder.
    for (let i = nodeCount - 1; asked && i > 0; i--) if (asked[order[i]!] === 1) asked[holder[order[i]!]!] = 1
    const wanted = asked ?? new Uint8Array(nodeCount).fill(1)
    yield undefined
    const label = this.#labelNodes(graph, holder, wanted)
    yield undefined
    const kind = this.#kindsOf(graph, classes, holder, wanted)
    yield undefined

    const of = new Uint32Array(nodeCount)
    for (const node of order) {
      if (wanted[node] === 0 || node === ROOT) continue
      const place = of[holder[node]!]!
      const nodeLabel = label[node]!
      const nodeClass = kind[node]!
      const repeats =
        this.#places.part(place, 1) === nodeLabel && this.#places.part(place, 2) === nodeClass && place !== 0
      of[node] = repeats ? place : this.#places.intern(place, nodeLabel, nodeClass)
    }
    return { of, holder, wanted }
  }

  /**
   * By node ordinal: number of the node's class, in which functions are told apart by where they stand in the source,
   * and objects of Node's own classes (timers, requests) by the function of the program's that they hold.
   */
  #kindsOf(graph: HeapGraph, classes: Classes, holder: Uint32Array, wanted: Uint8Array): Uint32Array {
    const { locations, nodeType } = graph.snapshot
    const shared = Uint32Array.from(classes.keys, (key) => numberFor(this.#classes, key))
    const kind = new Uint32Array(classes.of.length)
    for (let node = 0; node < kind.length; node++) kind[node] = shared[classes.of[node]!]!
    const urlOfSite: string[] = []
    const kindOfSite: number[] = []
    for (let row = 0; row < locations.node.length; row++) {
      const node = locations.node[row]!
      if (nodeType[node] !== NodeType.closure || (wanted[node] === 0 && wanted[holder[node]!] === 0)) continue
      const site = locations.site[row]!
      urlOfSite[site] ??= graph.scriptUrls.get(locations.script[site]!) ?? ''
      const url = urlOfSite[site]!
      if (url === '' || url.startsWith('node:')) continue
      const place = () => `${url}:${locations.line[site]}:${locations.column[site]}`
      kindOfSite[site] ??= numberFor(this.#classes, place())
      kind[node] = kindOfSite[site]!
      const caller = holder[node]!
      if (nodeType[caller] === NodeType.object && graph.sourceLocation(caller)?.url.startsWith('node:')) {
        kind[caller] = numberFor(this.#classes, `${classes.keys[classes.of[caller]!]} of ${place()}`)
      }
    }
    return kind
  }

  /** By node ordinal: number of the label that its holder's reference to it has. */
  #labelNodes(graph: HeapGraph, holder: Uint32Array, wanted: Uint8Array): Uint32Array {
    const { snapshot } = graph
    const { nodeCount, firstEdge, edges, edgeNameOrIndex } = snapshot
    const { owner } = graph.ownership
    const named = new LabelNumbers(snapshot, this.#labels)
    const global = new Set(userRoots(snapshot))
    const label = new Uint32Array(nodeCount)
    /** By node ordinal: the least number of the names that others than the holder have for the node. */
    const otherName = new Uint32Array(nodeCount).fill(NO_NAME)
    for (let node = 0; node < nodeCount; node++) {
      const from = owner[node]! < SHARED ? owner[node]! : node
      const isStore = from !== node
      const end = firstEdge[node + 1]!
      let properties = -1
      for (let edge = firstEdge[node]!; edge < end; edge++) {
        const packed = edges[edge]!
        const target = edgeTarget(packed)
        if (wanted[target] === 0 || !retains(packed) || owner[target] !== target) continue
        const type = edgeType(packed)
        if (holder[target] !== from) {
          if (type === EdgeType.context || type === EdgeType.property) {
            const name = named.name(edgeNameOrIndex[edge]!)
            if (name < otherName[target]!) otherName[target] = name
          }
          continue
        }
        // The object's own references come before what its stores say of them.
        const known = label[target]!
        if (known !== LABEL.none && isStore) continue
        if (type === EdgeType.element) label[target] = LABEL.element
        else if (type === EdgeType.hidden) label[target] = LABEL.hidden
        else if (type === EdgeType.internal) {
          if (known === LABEL.none) label[target] = named.internal(edgeNameOrIndex[edge]!)
        } else {
          if (properties < 0 && type === EdgeType.property) {
            properties = global.has(node) ? 0 : countProperties(snapshot, node)
          }
          label[target] =
            type === EdgeType.property && properties > DICTIONARY_PROPERTIES
              ? LABEL.key
              : named.name(edgeNameOrIndex[edge]!)
        }
      }
    }
    // What several hold is owned by none of them, but is still called something.
    for (let node = 0; node < nodeCount; node++) {
      if (label[node] === LABEL.none && otherName[node] !== NO_NAME) label[node] = otherName[node]!
    }
    return label
  }
}

/** By node ordinal: the owner, the nearest dominator that is no backing store. */
export function findHolders({ snapshot, dominators, ownership }: HeapGraph): Uint32Array {
  const { order, above } = dominators
  const { owner } = ownership
  const holder = arenaUint32(arenaOf(order), snapshot.nodeCount)
  loopsFor(order, above, owner, holder).findHolders(order, above, owner, holder)
  return holder
}

export interface PlacedNodes {
  /** By node ordinal: number of its place; where nobody was to ask about it, anything. */
  readonly of: Uint32Array
  /** By node ordinal: 1 where somebody was. */
  readonly wanted: Uint8Array
  /** As {@link findHolders} gives it. */
  readonly holder: Uint32Array
}

/** Numbers for a snapshot's names, shared with other snapshots through their texts; each text is decoded once. */
class LabelNumbers {
  readonly #snapshot: Snapshot
  readonly #shared: Map<string, number>
  /** By string index: the label's number, or 0 if not looked up yet. */
  readonly #known: Uint32Array

  constructor(snapshot: Snapshot, shared: Map<string, number>) {
    this.#snapshot = snapshot
    this.#shared = shared
    this.#known = new Uint32Array(snapshot.strings.count)
  }

  name(index: number): number {
    let number = this.#known[index]!
    if (number === 0) {
      number = LABEL.named + numberFor(this.#shared, this.#snapshot.strings.get(index))
      this.#known[index] = number
    }
    return number
  }

  /** Internal references that are numbered, or name both sides of a WeakMap's pair, are entries of a table. */
  internal(index: number): number {
    if (this.#known[index] === 0 && /^\d+($| \/ part of key )/.test(this.#snapshot.strings.get(index))) {
      this.#known[index] = LABEL.entry
    }
    return this.name(index)
  }
}

function numberFor(numbers: Map<string, number>, text: string): number {
  let number = numbers.get(text)
  if (number === undefined) {
    number = numbers.size
    numbers.set(text, number)
  }
  return number
}

function countProperties({ firstEdge, edges }: Snapshot, node: number): number {
  let count = 0
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    if (edgeType(edges[edge]!) === EdgeType.property) count++
  }
  return count
}
