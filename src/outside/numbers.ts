// Nodes for small integers, which are no objects, and for the digits of all numbers: what V8's snapshots have when they
// are asked for numeric values.
//
// https://github.com/v8/v8/blob/main/src/profiler/heap-snapshot-generator.cc (V8HeapExplorer::ExtractNumberReference)

import type { StringColumn } from './string-column.ts'

/** Where such nodes will stand shows only when all others are known: until then they have numbers from here on. */
const PROVISIONAL = 2 ** 27
export const MOST_OBJECTS = PROVISIONAL

export class NumberNodes {
  readonly #strings: StringColumn
  /** By small integer, and by number of a text: the node, less PROVISIONAL. */
  readonly #integers = new Map<number, number>()
  readonly #digits = new Map<number, number>()
  /** By node, less PROVISIONAL: the number of the text that it is of, and whether that is all it is. */
  readonly #texts: number[] = []
  readonly #isText: boolean[] = []

  constructor(strings: StringColumn) {
    this.#strings = strings
  }

  get count(): number {
    return this.#texts.length
  }

  /** The node of a small integer. */
  ofInteger(value: number): number {
    let node = this.#integers.get(value)
    if (node === undefined) {
      node = this.#texts.length
      this.#integers.set(value, node)
      this.#texts.push(value < 0 ? this.#strings.intern(String(value)) : this.#strings.internNumber(value))
      this.#isText.push(false)
    }
    return PROVISIONAL + node
  }

  /** The node of the digits of a number. */
  digitsOf(value: number): number {
    return PROVISIONAL + this.#digitsNode(this.#strings.intern(String(value)))
  }
  #digitsNode(text: number): number {
    let node = this.#digits.get(text)
    if (node === undefined) {
      node = this.#texts.length
      this.#digits.set(text, node)
      this.#texts.push(text)
      this.#isText.push(true)
    }
    return node
  }

  /** Gives each integer a node for its digits; no node is added afterwards. */
  finish(): void {
    for (let node = 0; node < this.#texts.length; node++) if (!this.#isText[node]) this.#digitsNode(this.#texts[node]!)
  }
  isDigits(node: number): boolean {
    return this.#isText[node]!
  }
  textOf(node: number): number {
    return this.#texts[node]!
  }
  /** The node, less PROVISIONAL, of the digits of an integer's node. */
  digitsOfNode(node: number): number {
    return this.#digits.get(this.#texts[node]!)!
  }
}

/** The number that a node has in the end, where these nodes begin with `first`. */
export const settledNode = (node: number, first: number): number =>
  node >= PROVISIONAL ? node - PROVISIONAL + first : node
