// Stacks, one after another, put together to a tree.

import { TupleInterner } from '../support/tuple-interner.ts'
import { MAX_NODES, malformed } from './call-tree.ts'

export class StackTrie {
  readonly #file: string
  readonly #nodes = new TupleInterner(3)

  constructor(file: string) {
    this.#file = file
  }

  get size(): number {
    return this.#nodes.size
  }

  /** The node of a frame at a line, called from `parent` (-1: from nowhere). */
  below(parent: number, frame: number, line: number): number {
    const node = this.#nodes.intern(parent + 1, frame, line)
    if (node >= MAX_NODES) throw malformed(this.#file, `its stacks make more than ${MAX_NODES} nodes`)
    return node
  }

  columns(): { parent: Int32Array; frame: Uint32Array; line: Uint32Array } {
    const part = (index: number) => (_: unknown, node: number) => this.#nodes.part(node, index)
    return {
      parent: Int32Array.from({ length: this.size }, (_, node) => this.#nodes.part(node, 0) - 1),
      frame: Uint32Array.from({ length: this.size }, part(1)),
      line: Uint32Array.from({ length: this.size }, part(2)),
    }
  }
}
