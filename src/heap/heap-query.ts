// Asks one heap, or the last of a series: what a node is, what it refers to, who holds it, why, and how it grew.

import type { ClassRow } from '../analysis/classes.ts'
import { entriesOf as countEntries, inEntries } from '../analysis/collection-entries.ts'
import { type HeapSeries, openSeries, type SeriesOptions } from '../analysis/compare.ts'
import { contentsById } from '../analysis/contents.ts'
import { type Matching, type SnapshotTotals, totalsOf } from '../analysis/following.ts'
import { type OpenedSnapshot, openSnapshot } from '../analysis/open-snapshot.ts'
import { LeakscopeError } from '../errors.ts'
import { largest } from '../graph/largest.ts'
import { locationAt, type SourceLocation } from '../graph/locations.ts'
import { nodesWithIds } from '../graph/named.ts'
import { edgeSource } from '../graph/retainers.ts'
import {
  type PathReference,
  type PathStep,
  referenceOf,
  retainingPath,
  stringText,
  type Thing,
  thingOf,
} from '../graph/retaining-path.ts'
import { ROOT } from '../graph/roots.ts'
import { tableOf } from '../graph/tables.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'
import { type ClassFilter, type ClassHistory, type ClassInstances, chooseClasses, sortByClass } from './class-list.ts'
import { entriesIn } from './entries.ts'
import { endOf, isOnPage, type Page, type PageOptions, pageOf, pageThrough } from './page.ts'
import { cutReferences } from './what-if.ts'

/** An object, string, function, … of the heap. */
export interface HeapNode {
  /** Its number in this snapshot, by which all questions name it. */
  readonly ordinal: number
  /** V8's, the same for one object in all snapshots of one visit. */
  readonly id: number
  readonly className: string
  /** What it is, with its name, and an array's length. */
  readonly thing: Thing
  /** Bytes of the object and of the backing stores that are its own. */
  readonly shallowBytes: number
  /** Bytes that would be freed with it. */
  readonly retainedBytes: number
  /** The object that a backing store belongs to, as its ordinal; undefined for all other nodes, and for a shared one. */
  readonly owner: number | undefined
}

/** A reference, and the node at its other end. */
export interface HeapReference {
  /** As on a retaining path, or `weak`. */
  readonly kind: PathReference['kind'] | 'weak'
  /** Of the property, variable or internal field; index of the element; key of the entry, if it is a string. */
  readonly name: string | undefined
  /** Whether it keeps its target alive, as retained sizes have it. */
  readonly retains: boolean
  readonly node: HeapNode
}

export interface HeapEntry {
  /** Undefined for a small integer, of which V8 writes nothing. */
  readonly key: HeapNode | undefined
  /** The same; and undefined for the entries of a Set. */
  readonly value: HeapNode | undefined
}

export interface HeapElement {
  readonly index: number
  readonly node: HeapNode
}

export interface HeapClass {
  /** The same for the same class in every snapshot of one process. */
  readonly key: string
  readonly name: string
  /** Where the constructor stands, if V8 says. */
  readonly location: SourceLocation | undefined
  readonly count: number
  readonly shallowBytes: number
  /** Bytes that would be freed with all of them. */
  readonly retainedBytes: number
  /** The same in each snapshot of a series; undefined for a single one. */
  readonly history: readonly Pick<ClassRow, 'count' | 'shallowBytes' | 'retainedBytes'>[] | undefined
}

/** What has become of one object over a series. */
export interface NodeGrowth {
  /** Number of the snapshot in which it was first seen; 0 for the first. */
  readonly born: number
  /** Bytes of the object itself, with its backing stores, when it was first seen. */
  readonly firstShallowBytes: number
  readonly shallowBytes: number
  /** Bytes that came after the first snapshot, among those that would be freed with it. */
  readonly newBytes: number
  /**
   * About how many elements, entries or properties it had in each snapshot, worked out from its references then; undefined
   * where it was not there, or had fewer than twelve references, and for what is no collection.
   */
  readonly entries: readonly (number | undefined)[]
}

export interface WhatIf {
  /** Bytes that would be freed. */
  readonly freedBytes: number
  /**
   * The first references that go on holding the object; then nothing is freed. Where something is freed: references of
   * V8's own or of a debugger, which retained sizes leave out, but which may hold it all the same.
   */
  readonly remaining: readonly HeapReference[]
}

/** Of what holds an object on, so many are told. */
const MOST_REMAINING = 10
const NO_SIZES = { count: 0, shallowBytes: 0, retainedBytes: 0 }
const STRINGS: ReadonlySet<number> = new Set([NodeType.string, NodeType.consString, NodeType.slicedString])

/**
 * Opens a heap snapshot, or several of one process in order of time, to be asked; the last one answers, and the others say
 * how it became so.
 * @throws LeakscopeError `file-…`, `snapshot-malformed`, `snapshot-mismatch` for different processes
 */
export async function openHeap(files: string | readonly string[], options: SeriesOptions = {}): Promise<HeapQuery> {
  const all = typeof files === 'string' ? [files] : files
  if (all.length === 0) throw new LeakscopeError('usage-invalid', 'there is no snapshot to open')
  if (all.length === 1) return new HeapQuery(await openSnapshot(all[0]!, options))
  const series = await openSeries(all, options)
  return new HeapQuery(series.opened, series)
}

/**
 * A heap that answers one question at a time. Nodes are named by their ordinals, which every answer has. An answer costs
 * what its rows cost, unless it says otherwise; indexes are built when they are first needed, see {@link prepare}.
 */
export class HeapQuery {
  readonly #opened: OpenedSnapshot
  readonly #series: HeapSeries | undefined
  #contents: ReturnType<typeof contentsById> | undefined
  #instances: ClassInstances | undefined

  constructor(opened: OpenedSnapshot, series?: HeapSeries) {
    this.#opened = opened
    this.#series = series
  }

  get #graph() {
    return this.#opened.graph
  }

  /** In order of time; the last one is asked. */
  get snapshots(): readonly SnapshotTotals[] {
    return this.#series?.series.map(({ totals }) => totals) ?? [totalsOf(this.#graph)]
  }
  /** How objects of one snapshot were found in another; undefined for a single one. */
  get matching(): Matching | undefined {
    return this.#series?.matching
  }

  /**
   * Builds the indexes, on a second thread as far as there is one, so that no question has to wait for them: who refers to
   * whom (4 bytes a reference and a node), paths (4 bytes a node), who dominates whom (12 bytes a node), where functions
   * stand, and the nodes by class (4 bytes a node).
   */
  async prepare(signal?: AbortSignal): Promise<void> {
    await this.#opened.preparePaths(signal)
    await this.#opened.prepareRetainers(signal)
    signal?.throwIfAborted()
    this.why(ROOT)
    this.retainers(ROOT)
    signal?.throwIfAborted()
    this.dominated(ROOT)
    this.location(ROOT)
    signal?.throwIfAborted()
    this.#instances ??= sortByClass(this.#opened)
  }
  /** Lets go of files and threads. What was not asked for before cannot be had any more. */
  close(): Promise<void> {
    return this.#opened.close()
  }

  /** The node that has an id of V8's; undefined where none has. Looks through all ids, at some 1 ms a million. */
  node(id: number): HeapNode | undefined {
    const found = nodesWithIds(this.#graph.snapshot, new Set([id]))[0]
    return found && this.nodeAt(found[0])
  }
  /** Goes through the elements of an array to count them. */
  nodeAt(node: number): HeapNode {
    this.#check(node)
    const { snapshot, ownership } = this.#graph
    const owner = ownership.owner[node]!
    return {
      ordinal: node,
      id: snapshot.nodeId[node]!,
      className: this.className(node),
      thing: thingOf(this.#graph, node),
      shallowBytes: this.#graph.shallowSize(node),
      retainedBytes: this.#graph.retainedSize(node),
      owner: owner === node || owner >= snapshot.nodeCount ? undefined : owner,
    }
  }
  className(node: number): string {
    this.#check(node)
    const { names, of } = this.#opened.classes
    return names[of[node]!]!
  }
  /** Where a function, or the constructor of an instance, stands; undefined if V8 does not say. */
  location(node: number): SourceLocation | undefined {
    this.#check(node)
    return this.#graph.sourceLocation(node)
  }
  /**
   * The text of a string, as much of it as the snapshot has and `max` characters at most, then with `…` at the end; undefined
   * for what is no string. V8 cuts texts at 1,024 characters.
   */
  stringValue(node: number, max = 1024): string | undefined {
    this.#check(node)
    return STRINGS.has(this.#graph.snapshot.nodeType[node]!) ? stringText(this.#graph, node, max) : undefined
  }

  /** What a node refers to, in V8's order: backing stores are nodes of their own here, whose `owner` says whose they are. */
  references(node: number, options: PageOptions = {}): Page<HeapReference> {
    this.#check(node)
    const { firstEdge, edges } = this.#graph.snapshot
    const first = firstEdge[node]!
    return pageOf(firstEdge[node + 1]! - first, options, (i) =>
      this.#reference(node, first + i, edgeTarget(edges[first + i]!)),
    )
  }
  /** Who refers to a node, weakly too; each with the node that the reference comes from. */
  retainers(node: number, options: PageOptions = {}): Page<HeapReference> {
    this.#check(node)
    const edges = this.#graph.edgesTo(node)
    return pageOf(edges.length, options, (i) => this.#retainer(edges[i]!))
  }
  /**
   * The entries of a Map or Set, or of what extends one, in their order; undefined for other nodes. Those of which neither
   * key nor value is more than a small integer are in no snapshot, and not in `total`. Goes through all entries.
   */
  entries(node: number, options: PageOptions = {}): Page<HeapEntry> | undefined {
    this.#check(node)
    const table = tableOf(this.#graph, node)
    if (!table) return undefined
    const tell = (part: number | undefined) => (part === undefined ? undefined : this.nodeAt(part))
    return pageThrough(entriesIn(this.#graph, table), options, ({ key, value }) => ({
      ...{ key: tell(key), value: tell(value) },
    }))
  }
  /**
   * The elements of an array, or of what else has some, as far as they are more than small integers. Goes through all
   * references of the node.
   */
  elements(node: number, options: PageOptions = {}): Page<HeapElement> {
    this.#check(node)
    const { firstEdge, edges, edgeNameOrIndex } = this.#graph.snapshot
    const found: number[] = []
    let total = 0
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      if (edgeType(edges[edge]!) !== EdgeType.element) continue
      if (isOnPage(total, options)) found.push(edge)
      total++
    }
    const rows = found.map((edge) => ({
      index: edgeNameOrIndex[edge]!,
      node: this.nodeAt(edgeTarget(edges[edge]!)),
    }))
    return { rows, total }
  }

  /**
   * The retaining path from where the program keeps the node, backing stores left out and repeated steps folded; empty if
   * nothing that retains leads there. The first question looks at the whole heap, unless {@link prepare} has done so.
   */
  why(node: number): readonly PathStep[] {
    this.#check(node)
    return retainingPath(this.#graph, node)
  }
  /**
   * The nodes that would be freed with this one and with nothing below it, the largest first; what hangs below a backing store
   * of its own counts as its own. The retained bytes of all and the shallow bytes of the node make the retained bytes of the
   * node. Goes through all of them.
   */
  dominated(node: number, options: PageOptions = {}): Page<HeapNode> {
    this.#check(node)
    return this.#largest(this.#dominated(node), options)
  }
  /** The node without which this one would be freed, the nearest one; undefined for the root. */
  dominator(node: number): HeapNode | undefined {
    this.#check(node)
    const above = this.#graph.immediateDominator(node)
    return above === node ? undefined : this.nodeAt(above)
  }
  /**
   * What would be freed if a node were not there, or if all references from one node to another were not: those from the
   * backing stores of the first one included.
   * @throws LeakscopeError `usage-invalid` where there is no such reference that holds anything
   */
  whatIf(without: { readonly node: number } | { readonly from: number; readonly to: number }): WhatIf {
    if ('node' in without) {
      this.#check(without.node)
      return { freedBytes: this.#graph.retainedSize(without.node), remaining: [] }
    }
    const { from, to } = without
    this.#check(from)
    this.#check(to)
    const { references, freedBytes, remaining } = cutReferences(this.#graph, from, to, MOST_REMAINING)
    if (references === 0) {
      throw new LeakscopeError('usage-invalid', `node ${from} has no reference that holds node ${to}`, {
        hint: 'retainers() says which nodes have one.',
      })
    }
    return { freedBytes, remaining: remaining.map((edge) => this.#retainer(edge)) }
  }

  /**
   * What has become of an object over a series; undefined for a single snapshot, and where objects were not matched by id.
   * The first question counts the references of all objects.
   */
  growthOf(node: number): NodeGrowth | undefined {
    this.#check(node)
    if (!this.#series?.lineage) return undefined
    const { series, lineage, newBytes } = this.#series
    this.#contents ??= contentsById(series.map(({ contents }) => contents))
    return {
      born: lineage.born[node]!,
      firstShallowBytes: lineage.firstSizes[node]!,
      shallowBytes: lineage.sizes[node]!,
      newBytes: newBytes![node]!,
      entries: this.#entriesThen(node, this.#contents(this.#graph.snapshot.nodeId[node]!)),
    }
  }
  /**
   * The classes that a filter lets through. In a series, a class that has nothing left in the last snapshot is none of them.
   * @throws LeakscopeError `usage-invalid` where a single snapshot is asked what grew
   */
  classes(filter: ClassFilter = {}): Page<HeapClass> {
    const { snapshot, scriptUrls } = this.#graph
    const series = this.#series?.series
    const historyOf = series && ((key: string): ClassHistory => series.map(({ classes }) => classes.get(key)))
    const rows = chooseClasses(this.#opened.classRows, historyOf, filter)
    return pageOf(rows.length, filter, (i): HeapClass => {
      const { key, name, location, count, shallowBytes, retainedBytes } = rows[i]!
      return {
        ...{ key, name, count, shallowBytes, retainedBytes },
        location: location < 0 ? undefined : locationAt(snapshot, scriptUrls, location),
        history: historyOf?.(key).map((row) => {
          const { count, shallowBytes, retainedBytes } = row ?? NO_SIZES
          return { count, shallowBytes, retainedBytes }
        }),
      }
    })
  }
  /**
   * The nodes of a class, those that retain most first. Goes through all of them.
   * @param key as {@link classes} gives it
   * @throws LeakscopeError `usage-invalid` where there is no such class
   */
  instances(key: string, options: PageOptions = {}): Page<HeapNode> {
    const number = this.#opened.classes.keys.indexOf(key)
    if (number < 0) throw new LeakscopeError('usage-invalid', `there is no class ${JSON.stringify(key)} in this heap`)
    this.#instances ??= sortByClass(this.#opened)
    const { first, list } = this.#instances
    return this.#largest(list.subarray(first[number]!, first[number + 1]!), options)
  }

  /** @param references how many it had in each snapshot */
  #entriesThen(node: number, references: readonly (number | undefined)[]): (number | undefined)[] {
    const [now, entries] = [references.at(-1), countEntries(this.#graph, node, () => false)]
    return references.map((then) =>
      then === undefined || now === undefined || !entries ? undefined : inEntries([then, now], entries)[0],
    )
  }

  #check(node: number): void {
    const { nodeCount } = this.#graph.snapshot
    if (Number.isInteger(node) && node >= 0 && node < nodeCount) return
    throw new LeakscopeError('usage-invalid', `there is no node ${node}: ordinals go from 0 to ${nodeCount - 1}`, {
      hint: 'node() finds a node by its id.',
    })
  }

  #retainer(edge: number): HeapReference {
    const source = edgeSource(this.#graph.snapshot, edge)
    return this.#reference(source, edge, source)
  }
  /** @param end the node that goes with it */
  #reference(source: number, edge: number, end: number): HeapReference {
    const { edges, edgeNameOrIndex, strings } = this.#graph.snapshot
    const packed = edges[edge]!
    const told = { retains: retains(packed), node: this.nodeAt(end) }
    if (edgeType(packed) === EdgeType.weak) {
      return { kind: 'weak', name: strings.get(edgeNameOrIndex[edge]!), ...told }
    }
    return { ...referenceOf(this.#graph, source, edge), ...told }
  }

  #largest(nodes: Uint32Array, options: PageOptions): Page<HeapNode> {
    const rows = largest(nodes, this.#graph.retainedSizes, endOf(options))
    return { ...pageOf(rows.length, options, (i) => this.nodeAt(rows[i]!)), total: nodes.length }
  }
  /** What a node immediately dominates, with what its own backing stores do in their place. */
  #dominated(node: number): Uint32Array {
    const { owner } = this.#graph.ownership
    const parts = [this.#graph.dominated(node)]
    let total = parts[0]!.length
    for (const part of parts) {
      for (let i = 0; i < part.length; i++) {
        if (owner[part[i]!] !== node) continue
        const below = this.#graph.dominated(part[i]!)
        parts.push(below)
        total += below.length - 1
      }
    }
    if (parts.length === 1) return parts[0]!
    const all = new Uint32Array(total)
    let length = 0
    for (const part of parts) for (const child of part) if (owner[child] !== node) all[length++] = child
    return all
  }
}
