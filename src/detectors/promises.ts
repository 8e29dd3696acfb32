// The promise that an object of a program stands for.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, property } from '../graph/look.ts'
import { isPromise, settledBy } from '../node-internals/promises.ts'
import { NodeType } from '../snapshot/meta.ts'

const RESOLVERS = ['resolve', '_resolve', 'reject', '_reject', 'resolver', 'done', 'callback', 'cb']

/** The promise that a node stands for: it is the promise, the function that settles it, or an object with one of these. */
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
