// Says of every node in which kind of place it stands, so that nodes of different snapshots can be compared.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { LABEL, NONE } from '../graph/loops.ts'
import { ROOT, userRoots } from '../graph/roots.ts'
import { NodeType } from '../snapshot/meta.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'
import type { Slices } from '../support/breathing.ts'
import { TupleInterner } from '../support/tuple-interner.ts'
import type { Classes } from './classes.ts'

/** Above so many properties an object is taken for a dictionary, whose keys are data and no names. */
const DICTIONARY_PROPERTIES = 64

/** So many levels of a tree's nodes, with what is between them, make one round: `.children`, entry, `.children`. */
const MOST_LEVELS = 8

/** How the internal references of a table to what it has are called. */
const ENTRY = /^\d+($| \/ part of key )/

/**
 * The vocabulary that snapshots share: classes and labels numbered alike in all of them, and places.
 *
 * A **place** is where a node stands in the tree of owners: the place of its owner, the label of the reference from
 * there, and its kind: its class or, for functions, where they stand. The owner is the immediate dominator with backing stores left out. All elements of one array
 * stand in the same place, and so do all nodes of a linked list, whatever its length: a reference that repeats (`.next`
 * to a node like the one before) leads to the same place. Nodes of a tree stand in as many places as there are ways to
 * go on from one (`.left`, `.right`): a reference that some node above was held by as well leads to the place of that.
 */
export class Places {
  readonly #labels = new Map<string, number>()
  readonly #classes = new Map<string, number>()
  readonly #places = new TupleInterner(3)
  /** By place: the topmost place of the tree that it is one of. */
  readonly #trees = new Map<number, number>()

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

  /** The topmost place of the tree that a place is one of; undefined where it is in none. */
  treeOf(place: number): number | undefined {
    return this.#trees.get(place)
  }

  /** The place above that is held in the same way by one like the one here: the same over again, as in a tree. */
  #again(place: number, label: number, ofClass: number): number | undefined {
    const holderClass = this.#places.part(place, 2)
    let at = place
    for (let levels = 0; at !== 0 && levels < MOST_LEVELS; levels++, at = this.parent(at)) {
      if (this.#places.part(at, 1) !== label || this.#places.part(at, 2) !== ofClass) continue
      const above = this.parent(at)
      if (above === 0 || this.#places.part(above, 2) !== holderClass) continue
      if (!this.#trees.has(place)) {
        // Branches to the left and to the right are one tree with the node that has both.
        const top = this.#trees.get(above) ?? (holderClass === ofClass ? above : at)
        for (let each = place; each !== top; each = this.parent(each)) this.#trees.set(each, top)
        this.#trees.set(top, top)
      }
      return at
    }
    return undefined
  }

  /**
   * The place of every node of a snapshot, or of some; O(nodes + edges).
   * @param holder as {@link findHolders} gives it
   * @param asked by node ordinal: 1 for those that somebody will ask about; becomes 1 for those that hold them, too
   */
  *locate(graph: HeapGraph, classes: Classes, holder = findHolders(graph), asked?: Uint8Array): Slices<PlacedNodes> {
    const { nodeCount } = graph.snapshot
    const { order } = graph.dominators
    const arena = arenaOf(order)
    const wanted = asked ?? arenaUint8(arena, nodeCount).fill(1)
    if (asked) loopsFor(order, holder, asked).askHolders(order, holder, asked)
    yield undefined
    const label = this.#labelNodes(graph, holder, wanted)
    yield undefined
    const kind = this.#kindsOf(graph, classes, holder, wanted)
    yield undefined

    const { scratch } = graph
    const { nodeType, nodeName, strings } = graph.snapshot
    const scopes = new Set(strings.startingWith('system / '))
    // Functions and their scopes hold each other in turn, and are no tree.
    const isThing = (node: number): boolean => nodeType[node] === NodeType.object && !scopes.has(nodeName[node]!)
    const of = scratch.take().fill(0)
    const list = scratch.take()
    const count = loopsFor(order, wanted, list).listInOrder(order, wanted, list)
    for (let i = 0; i < count; i++) {
      const node = list[i]!
      if (node === ROOT) continue
      const place = of[holder[node]!]!
      const nodeLabel = label[node]!
      const own = kind.own[node]!
      const nodeClass = own === 0 ? kind.ofClass[classes.of[node]!]! : own - 1
      const repeats =
        this.#places.part(place, 1) === nodeLabel && this.#places.part(place, 2) === nodeClass && place !== 0
      const again = repeats || own > 0 || !isThing(node) ? undefined : this.#again(place, nodeLabel, nodeClass)
      of[node] = repeats ? place : (again ?? this.#places.intern(place, nodeLabel, nodeClass))
    }
    scratch.give(list, label, kind.own)
    return { of, holder, wanted }
  }

  /**
   * By node ordinal: number of the node's class, in which functions are told apart by where they stand in the source,
   * and objects of Node's own classes (timers, requests) by the function of the program's that they hold.
   */
  #kindsOf(
    graph: HeapGraph,
    classes: Classes,
    holder: Uint32Array,
    wanted: Uint8Array,
  ): { readonly ofClass: Uint32Array; readonly own: Uint32Array } {
    const { locations, nodeType } = graph.snapshot
    const ofClass = Uint32Array.from(classes.keys, (key) => numberFor(this.#classes, key))
    /** By node ordinal: 0, or 1 and the number where it is not that of the class. */
    const own = graph.scratch.take().fill(0)
    const urlOfSite: string[] = []
    const kindOfSite: number[] = []
    const rows = locations.node
    const list = arenaUint32(arenaOf(holder), rows.length)
    const loops = loopsFor(rows, nodeType, holder, wanted, list)
    for (const row of list.subarray(0, loops.listAskedRows(rows, nodeType, holder, wanted, list))) {
      const node = rows[row]!
      const site = locations.site[row]!
      urlOfSite[site] ??= graph.scriptUrls.get(locations.script[site]!) ?? ''
      const url = urlOfSite[site]!
      if (url === '' || url.startsWith('node:')) continue
      const place = () => `${url}:${locations.line[site]}:${locations.column[site]}`
      kindOfSite[site] ??= numberFor(this.#classes, place())
      own[node] = kindOfSite[site]! + 1
      const caller = holder[node]!
      if (nodeType[caller] === NodeType.object && graph.sourceLocation(caller)?.url.startsWith('node:')) {
        own[caller] = numberFor(this.#classes, `${classes.keys[classes.of[caller]!]} of ${place()}`) + 1
      }
    }
    return { ofClass, own }
  }

  /** By node ordinal: number of the label that its holder's reference to it has. */
  #labelNodes({ snapshot, ownership, scratch }: HeapGraph, holder: Uint32Array, wanted: Uint8Array): Uint32Array {
    const { firstEdge, edges, edgeNameOrIndex, strings } = snapshot
    const { owner } = ownership
    const arena = arenaOf(edges)
    const roots = [...userRoots(snapshot)]
    const globals = arenaUint32(arena, roots.length)
    globals.set(roots)
    const known = arenaUint32(arena, strings.count)
    const used = arenaUint8(arena, strings.count)
    const label = scratch.take().fill(LABEL.none)
    /** By node ordinal: the least number of the names that others than the holder have for the node. */
    const otherName = scratch.take().fill(NONE)
    const columns = {
      ...{ firstEdge, edges, edgeNameOrIndex, owner, holder, wanted, globals, known, used },
      dictionary: DICTIONARY_PROPERTIES,
    }
    const heap = [firstEdge, edges, edgeNameOrIndex, owner, holder, wanted, globals, known, used]
    const loops = loopsFor(...heap, label, otherName)
    loops.labelNodes(false, columns, label, otherName)
    const names = arenaUint32(arena, strings.count)
    for (const name of names.subarray(0, loopsFor(used, names).listMarked(used, names))) {
      const text = strings.get(name)
      // Internal references that are numbered, or name both sides of a WeakMap's pair, are entries of a table.
      known[name] = used[name] === 2 && ENTRY.test(text) ? LABEL.entry : LABEL.named + numberFor(this.#labels, text)
    }
    loops.labelNodes(true, columns, label.fill(LABEL.none), otherName)
    scratch.give(otherName)
    return label
  }
}

/** By node ordinal: the owner, the nearest dominator that is no backing store. */
export function findHolders({ dominators, ownership, scratch }: HeapGraph): Uint32Array {
  const { order, above } = dominators
  const { owner } = ownership
  const holder = scratch.take()
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

function numberFor(numbers: Map<string, number>, text: string): number {
  let number = numbers.get(text)
  if (number === undefined) {
    number = numbers.size
    numbers.set(text, number)
  }
  return number
}
