// The history of a heap's objects over a series of snapshots, in memory for one snapshot however long the series is.

import { IdTable } from '../support/id-table.ts'

type Sizes = Uint32Array | Float64Array

/**
 * What the latest snapshot's objects have behind them; an object that is gone is forgotten. Some 30 bytes a node.
 * V8 gives no id twice as long as ids last, so an object that is there again was there all the time.
 */
export class Lineage {
  /** How many snapshots came before the latest. */
  readonly steps: number
  readonly table: IdTable
  /** By node ordinal of the latest: number of the first snapshot that it is in. */
  readonly born: Uint16Array
  /** By node ordinal of the latest: bytes of the object and its stores when it was first seen. */
  readonly firstSize: Sizes
  readonly #size: Sizes
  /** By step divided by 32, then by node ordinal: a bit for each step in which it became larger. */
  readonly #grew: readonly Uint32Array[]

  /**
   * @param ids by node ordinal: V8's object id
   * @param shallowSize by node ordinal: bytes
   * @param before that of the snapshot before, which is of no use afterwards
   */
  constructor(ids: Uint32Array, shallowSize: Sizes, before?: Lineage) {
    const { length } = ids
    this.steps = before ? before.steps + 1 : 0
    this.table = new IdTable(ids)
    this.#size = shallowSize
    this.born = new Uint16Array(length)
    this.firstSize = before ? shallowSize.slice() : shallowSize
    this.#grew = Array.from({ length: Math.ceil(this.steps / 32) }, () => new Uint32Array(length))
    if (!before) return
    const step = this.steps - 1
    for (let node = 0; node < length; node++) {
      const was = before.table.position(ids[node]!)
      if (was < 0) {
        this.born[node] = this.steps
        continue
      }
      this.born[node] = before.born[was]!
      this.firstSize[node] = before.firstSize[was]!
      for (let word = 0; word < before.#grew.length; word++) this.#grew[word]![node] = before.#grew[word]![was]!
      if (shallowSize[node]! > before.#size[was]!) this.#grew[step >>> 5]![node]! |= 1 << (step & 31)
    }
  }

  /** Whether a node of the latest snapshot became larger in a step (0 is the first). */
  grewIn(step: number, node: number): boolean {
    return ((this.#grew[step >>> 5]![node]! >>> (step & 31)) & 1) === 1
  }
}
