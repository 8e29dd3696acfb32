// Promises in a heap: which wait, who resolves them, and who waits.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, isFunction, isObject, nodeName, property } from '../graph/look.ts'
import { NodeType } from '../snapshot/meta.ts'
import { edgeTarget } from '../snapshot/snapshot.ts'

export const isPromise = (graph: HeapGraph, node: number): boolean =>
  isObject(graph, node) && nodeName(graph, node) === 'Promise'

/** A promise that somebody waits for. V8 writes one that nobody waits for like one that is settled with a small number. */
export function isAwaited(graph: HeapGraph, promise: number): boolean {
  const reactions = internal(graph, promise, 'reactions_or_result')
  return reactions !== undefined && nodeName(graph, reactions) === 'system / PromiseReaction'
}

/** The promise that a function settles, if it is one of the two that `new Promise` hands out. */
export function settledBy(graph: HeapGraph, node: number): number | undefined {
  if (!isFunction(graph, node) || graph.sourceLocation(node) !== undefined) return undefined
  const context = internal(graph, node, 'context')
  if (context === undefined) return undefined
  const { firstEdge, edges } = graph.snapshot
  for (let edge = firstEdge[context]!; edge < firstEdge[context + 1]!; edge++) {
    const target = edgeTarget(edges[edge]!)
    if (isPromise(graph, target)) return target
  }
  return undefined
}

const RESOLVERS = ['resolve', '_resolve', 'reject', '_reject', 'resolver', 'done', 'callback', 'cb']

/** The promise that is kept by this: itself, by the function that settles it, or by an object with that function. */
export function promiseIn(graph: HeapGraph, node: number): number | undefined {
  if (isPromise(graph, node)) return node
  if (graph.snapshot.nodeType[node] === NodeType.closure) return settledBy(graph, node)
  if (!isObject(graph, node)) return undefined
  for (const name of RESOLVERS) {
    const resolver = property(graph, node, name)
    const promise = resolver === undefined ? undefined : settledBy(graph, resolver)
    if (promise !== undefined) return promise
  }
  const promise = property(graph, node, 'promise', '_promise')
  return promise !== undefined && isPromise(graph, promise) ? promise : undefined
}
