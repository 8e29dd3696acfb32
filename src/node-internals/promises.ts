// Promises in a heap: whether something waits for them, what settles them, and what they wait for.
//
// V8 keeps them so in Node 18 to 26: https://github.com/v8/v8/blob/main/src/objects/promise.tq and js-promise.tq beside it.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, isFunction, isObject, nodeName, targetsOf } from '../graph/look.ts'
import { registersOf } from '../graph/suspended.ts'

/** What waits for a promise: one then(), await or race. They are linked to a list. */
export const REACTION = 'system / PromiseReaction'
/** A call of an async generator's next() that waits. */
export const GENERATOR_REQUEST = 'system / AsyncGeneratorRequest'
const REACTIONS = 'reactions_or_result'
const MOST_REFERENCES = 20

export const isReaction = (graph: HeapGraph, node: number): boolean => nodeName(graph, node) === REACTION

/** The function that a reaction calls, as far as it has one: V8 gives its fields no names in a snapshot. */
export const handlerOf = (graph: HeapGraph, reaction: number): number | undefined =>
  targetsOf(graph, reaction, MOST_REFERENCES).find((each) => isFunction(graph, each))

export const isPromise = (graph: HeapGraph, node: number): boolean =>
  isObject(graph, node) && nodeName(graph, node) === 'Promise'

/** Whether something waits for a promise. V8 writes one that nothing waits for like one that is settled with a small number. */
export function isAwaited(graph: HeapGraph, promise: number): boolean {
  const reaction = internal(graph, promise, REACTIONS)
  return reaction !== undefined && isReaction(graph, reaction)
}

/** The promise that waits for this one, by its first reaction. */
export function waiterOf(graph: HeapGraph, promise: number): number | undefined {
  const reaction = internal(graph, promise, REACTIONS)
  if (reaction === undefined) return undefined
  return targetsOf(graph, reaction, MOST_REFERENCES).find((each) => isPromise(graph, each))
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
  return isReaction(graph, node) && owner !== node && owner < graph.snapshot.nodeCount ? owner : undefined
}
