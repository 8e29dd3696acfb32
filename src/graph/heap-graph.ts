// One snapshot with everything that follows from its edges, each part worked out when it is first asked for.

import type { Snapshot } from '../snapshot/snapshot.ts'
import { type RawStrings, StringTable } from '../snapshot/strings.ts'
import { atOnce } from '../support/breathing.ts'
import { Scratch } from '../support/scratch.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { computeDistances, type Distances, UNREACHABLE } from './distances.ts'
import {
  type Children,
  computeChildren,
  computeDominators,
  computeRetainedSizes,
  type Dominators,
  dominatorsOf,
} from './dominators.ts'
import { IdTable } from './id-table.ts'
import { locationAt, type SourceLocation, scriptUrls } from './locations.ts'
import { findModuleScopes } from './modules.ts'
import { computeOwnership, type Ownership } from './ownership.ts'
import { callComputePaths, computePaths, type Paths } from './paths.ts'
import { callComputeRetainers, computeRetainers, edgeSource, type Retainers } from './retainers.ts'
import { ROOT } from './roots.ts'

/** Parts of a graph that need not be worked out; each may be a getter. */
export interface KnownParts {
  readonly ownership?: Ownership
  readonly dominators?: Dominators
  readonly retainedSizes?: Uint32Array | Float64Array
}

/** What a graph is made of, as another thread can be handed it: columns that stand in shared memory. */
export interface GraphParts {
  readonly snapshot: Omit<Snapshot, 'strings' | 'peekAt'>
  readonly strings: RawStrings
  readonly ownership: Ownership
  readonly order: Uint32Array
  readonly above: Uint32Array
}

export function partsOf({ snapshot, ownership, dominators }: HeapGraph): GraphParts {
  const { strings, peekAt: _, ...columns } = snapshot
  return { snapshot: columns, strings: strings.raw, ownership, order: dominators.order, above: dominators.above }
}

export function graphOf({ snapshot, strings, ownership, order, above }: GraphParts): HeapGraph {
  const { stringBytes, stringStarts } = strings
  const known = { ownership, dominators: dominatorsOf(order, above) }
  return new HeapGraph({ ...snapshot, strings: new StringTable(stringBytes, stringStarts) }, known)
}

export class HeapGraph {
  readonly snapshot: Snapshot
  /** Arrays of a number for each node. */
  readonly scratch: Scratch
  /** By ordinal of an edge from the registers of a suspended function, or the arguments of a timer: the local variable, where somebody found out. */
  readonly locals = new Map<number, string>()
  readonly #known: KnownParts
  #ownership: Ownership | undefined
  #dominators: Dominators | undefined
  #retainedSizes: Uint32Array | Float64Array | undefined
  #distances: Distances | undefined
  /** From node ordinal to row of `snapshot.locations`. */
  #locationRows: IdTable | undefined
  #scriptUrls: Map<number, string> | undefined
  #moduleScopes: Map<number, string> | undefined
  #paths: Paths | undefined
  #retainers: Retainers | undefined
  #children: Children | undefined

  /** @param known what was worked out before, or elsewhere */
  constructor(snapshot: Snapshot, known: KnownParts = {}, scratch = new Scratch(snapshot.nodeCount)) {
    this.snapshot = snapshot
    this.scratch = scratch
    this.#known = known
  }

  get ownership(): Ownership {
    this.#ownership ??= this.#known.ownership ?? computeOwnership(this.snapshot)
    return this.#ownership
  }
  get dominators(): Dominators {
    this.#dominators ??= this.#known.dominators ?? atOnce(computeDominators(this.snapshot, this.scratch))
    return this.#dominators
  }
  /** By node ordinal: bytes that would be freed with the node. */
  get retainedSizes(): Uint32Array | Float64Array {
    this.#retainedSizes ??=
      this.#known.retainedSizes ?? computeRetainedSizes(this.dominators, this.ownership.shallowSize, this.scratch)
    return this.#retainedSizes
  }
  get distances(): Distances {
    this.#distances ??= computeDistances(this.snapshot)
    return this.#distances
  }
  /** By V8's script id: the script's URL. */
  get scriptUrls(): ReadonlyMap<number, string> {
    this.#scriptUrls ??= scriptUrls(this.snapshot)
    return this.#scriptUrls
  }
  /** By node ordinal of a module's scope: the module's URL. */
  get moduleScopes(): ReadonlyMap<number, string> {
    this.#moduleScopes ??= findModuleScopes(this.snapshot, this.scriptUrls)
    return this.#moduleScopes
  }
  get paths(): Paths {
    // Which edges retain is known once the dominators are.
    this.dominators
    this.#paths ??= computePaths(this.snapshot, this.moduleScopes, this.ownership.owner, this.scratch)
    return this.#paths
  }

  /** Has {@link paths} worked out on another thread, and what names are looked up by. */
  async preparePaths(second: SecondThread): Promise<void> {
    this.dominators
    this.snapshot.strings.prepareNames(second)
    const { snapshot, moduleScopes, ownership, scratch } = this
    this.#paths ??= await callComputePaths(second, snapshot, moduleScopes, ownership.owner, scratch)
  }

  /** Has another thread work out what {@link retainers} asks for. */
  async prepareRetainers(second: SecondThread): Promise<void> {
    const retainers = await callComputeRetainers(second, this.snapshot)
    this.#retainers ??= retainers
  }

  /** Where the closure, or the constructor of the class instance, stands; undefined if V8 does not say. */
  sourceLocation(node: number): SourceLocation | undefined {
    this.#locationRows ??= new IdTable(this.snapshot.locations.node, this.scratch.arena)
    const row = this.#locationRows.position(node)
    return row < 0 ? undefined : locationAt(this.snapshot, this.scriptUrls, row)
  }
  /** Bytes of the node with the backing stores that only it owns. */
  shallowSize(node: number): number {
    return this.ownership.shallowSize[node]!
  }
  retainedSize(node: number): number {
    return this.retainedSizes[node]!
  }
  /** Ordinal of the node's immediate dominator; the root's is the root. */
  immediateDominator(node: number): number {
    return this.dominators.immediate[node]!
  }
  /** See {@link Distances.distance}. */
  distance(node: number): number {
    return this.distances.distance[node]!
  }
  /** Ordinals of the nodes on a shortest way to `node`, itself last, the global object or root first; empty if none. */
  shortestPath(node: number): number[] {
    const { distance, via } = this.distances
    const path: number[] = []
    if (distance[node] === UNREACHABLE) return path
    for (let at = node; path.push(at) && at !== ROOT && distance[at] !== 1; at = via[at]!);
    return path.reverse()
  }
  /** The edges that lead to `node`, by ordinal, and the nodes that they come from; weak ones too. */
  retainers(node: number, most = Number.POSITIVE_INFINITY): { edge: number; node: number }[] {
    return Array.from(this.edgesTo(node).subarray(0, most), (edge) => ({ edge, node: edgeSource(this.snapshot, edge) }))
  }
  /** The same without the nodes that they come from. */
  edgesTo(node: number): Uint32Array {
    this.#retainers ??= computeRetainers(this.snapshot)
    const { first, edge } = this.#retainers
    return edge.subarray(first[node]!, first[node + 1]!)
  }
  /** Ordinals of the nodes that `node` immediately dominates; the first question takes 8 bytes a node. */
  dominated(node: number): Uint32Array {
    this.#children ??= computeChildren(this.dominators, this.scratch)
    const { first, list } = this.#children
    return list.subarray(first[node]!, first[node + 1]!)
  }
}
