// Promises in a heap: whether something waits for them, what settles them, and what they wait for.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, isFunction, isObject, nodeName, property, targetsOf } from '../graph/look.ts'
import { registersOf } from '../graph/suspended.ts'
import { NodeType } from '../snapshot/meta.ts'

const REACTION = 'system / PromiseReaction'

export const isPromise = (graph: HeapGraph, node: number): boolean =>
  isObject(graph, node) && nodeName(graph, node) === 'Promise'

/** Whether something waits for a promise. V8 writes one that nothing waits for like one that is settled with a small number. */
export function isAwaited(graph: HeapGraph, promise: number): boolean {
  const reactions = internal(graph, promise, 'reactions_or_result')
  return reactions !== undefined && nodeName(graph, reactions) === REACTION
}

/** The promise that a function settles, if it is the `resolve` or `reject` of a `new Promise`. */
export function settledBy(graph: HeapGraph, node: number): number | undefined {
  if (!isFunction(graph, node) || graph.sourceLocation(node) !== undefined) return undefined
  const context = internal(graph, node, 'context')
  return context === undefined ? undefined : targetsOf(graph, context).find((each) => isPromise(graph, each))
}

/** How many promises are followed, each of which waits for the next. */
const FAR = 100

/** The last promise of those that this one waits for, directly and indirectly. */
export function stuckAt(graph: HeapGraph, promise: number): number {
  let at = promise
  const seen = new Set<number>()
  for (let depth = 0; depth < FAR && !seen.has(at); depth++) {
    seen.add(at)
    const next = waitsFor(graph, at)
    if (next === undefined) break
    at = next
  }
  return at
}

/** The promise whose reaction settles this one, or for which the async function waits that returns to it. */
function waitsFor(graph: HeapGraph, promise: number): number | undefined {
  for (const { node } of graph.retainers(promise)) {
    const parent = reactsTo(graph, node)
    if (parent !== undefined && parent !== promise) return parent
    if (registersOf(graph, node) === undefined) continue
    for (const { node: context } of graph.retainers(node)) {
      if (!nodeName(graph, context).startsWith('system / Context')) continue
      for (const { node: resume } of graph.retainers(context)) {
        const reaction = isFunction(graph, resume) ? graph.retainers(resume) : []
        const awaited = reaction.map((each) => reactsTo(graph, each.node)).find((each) => each !== undefined)
        if (awaited !== undefined && awaited !== promise) return awaited
      }
    }
  }
  return undefined
}

/** The promise that a reaction belongs to. */
function reactsTo(graph: HeapGraph, node: number): number | undefined {
  const owner = graph.ownership.owner[node]!
  return nodeName(graph, node) === REACTION && owner !== node && owner < graph.snapshot.nodeCount ? owner : undefined
}

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
