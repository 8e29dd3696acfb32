// One snapshot with everything that follows from its edges, each part worked out when it is first asked for.

import type { Snapshot } from '../snapshot/snapshot.ts'
import { IdTable } from '../support/id-table.ts'
import { computeDistances, type Distances } from './distances.ts'
import { computeDominators, computeRetainedSizes, type Dominators } from './dominators.ts'
import { locationAt, type SourceLocation, scriptUrls } from './locations.ts'
import { findModuleScopes } from './modules.ts'
import { computeOwnership, type Ownership } from './ownership.ts'
import { computePaths, type Paths } from './paths.ts'

export class HeapGraph {
  readonly snapshot: Snapshot
  #ownership: Ownership | undefined
  #dominators: Dominators | undefined
  #retainedSizes: Float64Array | undefined
  #distances: Distances | undefined
  /** From node ordinal to row of `snapshot.locations`. */
  #locationRows: IdTable | undefined
  #scriptUrls: Map<number, string> | undefined
  #moduleScopes: Map<number, string> | undefined
  #paths: Paths | undefined

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot
  }

  get ownership(): Ownership {
    this.#ownership ??= computeOwnership(this.snapshot)
    return this.#ownership
  }
  get dominators(): Dominators {
    this.#dominators ??= computeDominators(this.snapshot)
    return this.#dominators
  }
  /** By node ordinal: bytes that would be freed with the node. */
  get retainedSizes(): Float64Array {
    this.#retainedSizes ??= computeRetainedSizes(this.dominators, this.ownership.shallowSize)
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
    this.#paths ??= computePaths(this.snapshot, this.moduleScopes, this.ownership.owner)
    return this.#paths
  }

  /** Where the closure, or the constructor of the class instance, stands; undefined if V8 does not say. */
  sourceLocation(node: number): SourceLocation | undefined {
    this.#locationRows ??= new IdTable(this.snapshot.locations.node)
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
}
