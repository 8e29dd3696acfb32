// The public methods of a package's objects, as their classes have them in the heap.

import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isFunction, isObject, property } from '../graph/look.ts'
import { nodesNamed } from '../graph/named.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { packageOf } from '../support/sources.ts'
import type { Candidate } from './detector.ts'
import { callsIn, placeOfCall } from './flows.ts'
import { countClasses } from './surroundings.ts'

/** Names that libraries give to methods that end an object, the likeliest first. */
export const ENDS = [
  ...['close', 'end', 'destroy', 'dispose', 'free', 'terminate', 'disconnect', 'quit', 'shutdown', 'stop'],
  ...['unsubscribe', 'release', 'cancel', 'clear'],
]
/** Prototypes of a chain that are looked at. */
const MOST_PROTOTYPES = 6

/** Names of the public methods that an object has from its classes. */
export function methodsOf(graph: HeapGraph, node: number): Set<string> {
  const prototype = property(graph, node, '__proto__')
  return prototype === undefined ? new Set() : methodsFrom(graph, prototype)
}

function methodsFrom(graph: HeapGraph, prototype: number): Set<string> {
  const { firstEdge, edges, edgeNameOrIndex, strings } = graph.snapshot
  const names = new Set<string>()
  let at: number | undefined = prototype
  for (let depth = 0; at !== undefined && depth < MOST_PROTOTYPES; depth++) {
    // The prototype of all objects has no method of a package.
    if (property(graph, at, 'hasOwnProperty') !== undefined) break
    for (const store of [at, property(graph, at, 'properties')]) {
      if (store === undefined) continue
      for (let edge = firstEdge[store]!; edge < firstEdge[store + 1]!; edge++) {
        if (edgeType(edges[edge]!) !== EdgeType.property || !isFunction(graph, edgeTarget(edges[edge]!))) continue
        const name = strings.get(edgeNameOrIndex[edge]!)
        // A method that it inherits from a class of Node or V8, such as `off`, says nothing of it.
        const url = graph.sourceLocation(edgeTarget(edges[edge]!))?.url
        if (url !== undefined && !url.startsWith('node:') && /^[a-z]\w*$/i.test(name) && name !== 'constructor')
          names.add(name)
      }
    }
    at = property(graph, at, '__proto__')
  }
  return names
}

/** The class of which the culprit's line makes an object, with the method that ends it; undefined where it makes none. */
export function madeAt(
  graph: HeapGraph,
  culprit: Culprit | null,
  readSource: ReadSource,
): { name: string; end: string | undefined } | undefined {
  if (culprit?.package !== null) return undefined
  const sources = sourcesOf(readSource)
  const made = callsIn(sources, culprit.url).find((call) => {
    const { line, column } = placeOfCall(sources, culprit.url, call)
    return call.isNew && line === culprit.line && column === culprit.column
  })
  const name = made?.name
  if (name === undefined) return undefined
  const prototype = prototypeOf(graph, culprit.url, name)
  const methods = prototype === undefined ? new Set() : methodsFrom(graph, prototype)
  return { name, end: ENDS.find((each) => methods.has(each)) }
}

/** The prototype of a class by its name in a module: a variable of that module, or a class of a package. */
function prototypeOf(graph: HeapGraph, url: string, name: string): number | undefined {
  const { nodeType, strings } = graph.snapshot
  for (const [scope, of] of graph.moduleScopes) {
    const variable = of === url ? property(graph, scope, name) : undefined
    if (variable !== undefined && isFunction(graph, variable)) return property(graph, variable, 'prototype')
  }
  for (const node of nodesNamed(graph.snapshot, [strings.indexOf(name)])) {
    if (nodeType[node] !== NodeType.closure) continue
    const location = graph.sourceLocation(node)
    const prototype = location && packageOf(location.url) !== null ? property(graph, node, 'prototype') : undefined
    if (prototype !== undefined) return prototype
  }
  return undefined
}

/** The class of a package of which one came for each thing that leaks, if it has a method that ends it. */
export function madeEach(candidate: Candidate): { name: string; end: string } | undefined {
  const { suspect, of } = candidate
  for (const { name, count, one } of countClasses(candidate)) {
    if (count < 0.8 * suspect.count || count > 1.25 * suspect.count) continue
    const url = isObject(of.graph, one) ? of.graph.sourceLocation(one)?.url : undefined
    if (url === undefined || packageOf(url) === null) continue
    const methods = methodsOf(of.graph, one)
    const end = ENDS.find((each) => methods.has(each))
    if (end !== undefined) return { name, end }
  }
  return undefined
}
