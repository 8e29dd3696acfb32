// The loops in WebAssembly: arrays become addresses.

import { readFileSync } from 'node:fs'
import type { Arena } from '../support/arena.ts'
import type { Loops } from './loops.ts'

type Kernel = Readonly<Record<keyof Loops, (...args: readonly number[]) => number>>

let compiled: WebAssembly.Module | undefined
const kernels = new WeakMap<Arena, Loops>()

/** The loops over arrays that stand in this memory. */
export function kernelOf(memory: Arena): Loops {
  let loops = kernels.get(memory)
  if (!loops) {
    compiled ??= new WebAssembly.Module(readFileSync(new URL('./kernel/loops.wasm', import.meta.url)))
    loops = loopsOf(new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Kernel)
    kernels.set(memory, loops)
  }
  return loops
}

/** Addresses of arrays, numbers as they are. */
const at = (...values: readonly (ArrayBufferView | number)[]): number[] =>
  values.map((value) => (typeof value === 'number' ? value : value.byteOffset))

const loopsOf = (kernel: Kernel): Loops => ({
  walk({ firstEdge, edges, number, parent, semi, degree, stack, passed, state }, until) {
    const columns = at(firstEdge, edges, number, parent, semi, degree)
    return kernel.walk(...columns, ...at(stack, stack.length, passed, passed.length, state, until)) !== 0
  },
  startLists({ first, next, lifted, counts, many, reached }, { parent, semi }, mostCrowds, state) {
    kernel.startLists(...at(first, next, parent, semi, lifted, counts, many, reached, mostCrowds, state))
  },
  fillLists({ firstEdge, edges, number }, lists, side, from, to) {
    const { lifted, reached, retainers, crowds, crowdWords, first, next } = lists
    const [places, ahead] = side === 'ends' ? [first, 1] : [next, 0]
    kernel.fillLists(
      ...at(firstEdge, edges, number, lifted, reached, retainers, crowds, crowdWords, places, ahead, from, to),
    )
  },
  findSemidominators(lists, { ancestor, label, path }, state, from, to) {
    const { first, counts, many, retainers, crowds, crowdWords } = lists
    kernel.findSemidominators(
      ...at(ancestor, label, first, counts, many, retainers, crowds, crowdWords, path, state, from, to),
    )
  },
  findDominators(above, final, reached) {
    kernel.findDominators(...at(above, final, reached))
  },
  invert(number, order) {
    kernel.invert(...at(number, order, number.length))
  },
  addUp(order, above, sizes) {
    kernel.addUp(...at(order, above, sizes, order.length))
  },
})
