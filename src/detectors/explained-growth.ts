// How much of an isolate's growth the findings account for.

import type { Suspect } from '../analysis/suspect.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { arenaOf, arenaUint8 } from '../support/arena.ts'
import type { IsolateHeap } from './detector.ts'

export class ExplainedGrowth {
  readonly of: IsolateHeap
  readonly #known: Uint8Array
  readonly #shares = new Map<Suspect, { readonly share: number; readonly bytes: number }>()
  bytes = 0

  constructor(of: IsolateHeap) {
    this.of = of
    const { edges, nodeCount } = of.graph.snapshot
    this.#known = arenaUint8(arenaOf(edges), nodeCount)
  }

  /** The part of a suspect's bytes that findings account for, from 0 to 1. */
  shareKnown(suspect: Suspect): number {
    const { reached } = suspect
    // Every detector asks, and the answer stays the same until one of them takes something.
    const before = this.#shares.get(suspect)
    if (before?.bytes === this.bytes) return before.share
    const { shallowSize } = this.of.graph.ownership
    const loops = loopsFor(reached, shallowSize, this.#known)
    const known = loops.sumAmong(reached, shallowSize, this.#known, 1)
    const all = known + loops.sumAmong(reached, shallowSize, this.#known, 0)
    const share = all === 0 ? 0 : known / all
    this.#shares.set(suspect, { share, bytes: this.bytes })
    return share
  }

  take({ reached, bytes }: Suspect): void {
    if (reached.length === 0) this.bytes += bytes
    const { shallowSize } = this.of.graph.ownership
    const loops = loopsFor(reached, shallowSize, this.#known)
    this.bytes += loops.sumAmong(reached, shallowSize, this.#known, 0)
    loops.markAll(reached, this.#known)
  }
}
