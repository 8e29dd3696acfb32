// Functions that wait: generators and async functions, which V8 keeps as objects with the values of their local variables.

import type { HeapGraph } from './heap-graph.ts'
import { internal, nodeName } from './look.ts'

/** V8: JSGeneratorObject, which async functions have as well (src/objects/js-generator.tq). */
const REGISTERS = 'parameters_and_registers'

/** The array of its parameters and local variables; undefined for what is no function that waits, or has none. */
export const registersOf = (graph: HeapGraph, node: number): number | undefined => internal(graph, node, REGISTERS)

/** Of an array of registers, the function that waits; undefined for other nodes. */
export function suspendedBy(graph: HeapGraph, registers: number): number | undefined {
  const owner = graph.ownership.owner[registers]!
  if (owner === registers || owner >= graph.snapshot.nodeCount) return undefined
  return registersOf(graph, owner) === registers ? owner : undefined
}

/** The name of the function, empty for one that has none; undefined for what is no function that waits. */
export function suspendedName(graph: HeapGraph, node: number): string | undefined {
  if (registersOf(graph, node) === undefined) return undefined
  const called = internal(graph, node, 'function')
  return called === undefined ? '' : nodeName(graph, called)
}
