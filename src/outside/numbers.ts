// Nodes for small integers, which are no objects, and for the digits of all numbers: what V8's snapshots have when they
// are asked for numeric values.
//
// https://github.com/v8/v8/blob/main/src/profiler/heap-snapshot-generator.cc (V8HeapExplorer::ExtractNumberReference)

import { TupleInterner } from '../support/tuple-interner.ts'
import type { StringColumn } from './string-column.ts'

/** Where such nodes will stand shows only when all others are known: until then they have numbers from here on. */
const PROVISIONAL = 2 ** 27
export const MOST_OTHERS = PROVISIONAL

/** What a node is of: a small integer, or the text with that number. */
const INTEGER = 0
const DIGITS = 1

export class NumberNodes {
  readonly #strings: StringColumn
  /** What each node is, and of what; by node, less PROVISIONAL. */
  readonly #nodes = new TupleInterner(2)
  /** By node of an integer, less PROVISIONAL: the node of its digits, less PROVISIONAL. */
  #digits = new Uint32Array(0)

  constructor(strings: StringColumn) {
    this.#strings = strings
  }

  get count(): number {
    return this.#nodes.size
  }

  /** The node of a small integer. */
  ofInteger(value: number): number {
    return PROVISIONAL + this.#nodes.intern(INTEGER, value >>> 0)
  }

  /** The node of the digits of a number. */
  digitsOf(value: number): number {
    return PROVISIONAL + this.#nodes.intern(DIGITS, this.#strings.internRare(String(value)))
  }

  /** Gives each integer a node for its digits; no node is added afterwards. */
  finish(): void {
    this.#digits = new Uint32Array(this.count)
    for (let node = 0; node < this.#digits.length; node++) {
      if (this.isDigits(node)) continue
      const value = this.#nodes.part(node, 1) | 0
      const text = value < 0 ? this.#strings.internRare(String(value)) : this.#strings.internNumber(value)
      this.#digits[node] = this.#nodes.intern(DIGITS, text)
    }
  }
  isDigits(node: number): boolean {
    return this.#nodes.part(node, 0) === DIGITS
  }
  /** The number of the text of a node that is digits. */
  textOf(node: number): number {
    return this.#nodes.part(node, 1)
  }
  /** The node of the digits of an integer's node. */
  digitsOfNode(node: number): number {
    return PROVISIONAL + this.#digits[node]!
  }
}

/** The number that a node has in the end, where these nodes begin with `first`. */
export const settledNode = (node: number, first: number): number =>
  node >= PROVISIONAL ? node - PROVISIONAL + first : node
