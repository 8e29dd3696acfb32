// The best source line known for growth: what runs when, where it is put, or who holds it.

import type { PathStep } from '../graph/describe.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { packageOf, type ReadSource } from '../support/sources.ts'

/** A line of source, 1-based, and how it is tied to the growth. */
export interface Culprit {
  readonly function: string | null
  readonly url: string
  readonly line: number
  readonly column: number
  /** npm package of the file, from its URL; null for the program's own. */
  readonly package: string | null
  /** `callback`: the function that the leaked object calls; `retainer`: where it is put, or the class that holds it. */
  readonly basis: 'callback' | 'retainer'
}

const MAX_MODULES = 200

/**
 * Looks for the line, best first: a function of the program's that only the object leads to (a timer's callback, a
 * listener); the statement that puts things where the path ends, found by name in the module's source; the class of the
 * object; functions and classes along the path, nearest first.
 */
export function findCulprit(
  graph: HeapGraph,
  node: number,
  path: readonly PathStep[],
  readSource: ReadSource | undefined,
): Culprit | undefined {
  const callback = findCallback(graph, node)
  if (callback) return callback
  const put = readSource && findStatement(graph, path, readSource)
  if (put) return put
  for (let i = path.length - 1; i >= 0; i--) {
    const found = locate(graph, path[i]!.ordinal, 'retainer')
    if (found) return found
  }
  return undefined
}

/** The object itself if it is a function, or, for an object of one of Node's own classes, what it is to call. */
function findCallback(graph: HeapGraph, node: number): Culprit | undefined {
  const { nodeType, firstEdge, edges } = graph.snapshot
  if (nodeType[node] === NodeType.closure) return locate(graph, node, 'callback')
  if (!graph.sourceLocation(node)?.url.startsWith('node:')) return undefined
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    const target = edgeTarget(edges[edge]!)
    const type = edgeType(edges[edge]!)
    if (nodeType[target] !== NodeType.closure || (type !== EdgeType.property && type !== EdgeType.element)) continue
    if (graph.immediateDominator(target) !== node) continue
    const found = locate(graph, target, 'callback')
    if (found) return found
  }
  return undefined
}

/** The place of a closure or of a class's constructor, unless it is Node's own. */
function locate(graph: HeapGraph, node: number, basis: Culprit['basis']): Culprit | undefined {
  const location = graph.sourceLocation(node)
  if (!location || location.url.startsWith('node:')) return undefined
  const { nodeName, strings } = graph.snapshot
  return { function: strings.get(nodeName[node]!) || null, ...location, package: packageOf(location.url), basis }
}

/** Methods that put something into a collection. */
const PUTS = 'push|unshift|set|add|append|enqueue|splice'

/**
 * Finds `logs.push(` in the module for a path that ends `module … → context variable 'Logging' → .logs → [12]`. A path
 * that starts at the global object does not say which module to look in, so all of the program's are tried.
 */
function findStatement(graph: HeapGraph, path: readonly PathStep[], readSource: ReadSource): Culprit | undefined {
  const start = path[0]
  if (!start) return undefined
  // The last name that is not the element's own: what was put is not where it was put.
  const name = path
    .slice(1, -1)
    .map(({ edge }) => /^(?:\.|context variable ')([\p{ID_Continue}$]+)'?$/u.exec(edge)?.[1])
    .findLast((found) => found !== undefined)
  if (!name) return undefined
  const own = graph.moduleScopes.get(start.ordinal)
  const modules = own === undefined ? [...new Set(graph.moduleScopes.values())] : [own]
  for (const url of modules.filter((each) => isProgram(each) || each === own).slice(0, MAX_MODULES)) {
    if (url.startsWith('node:')) continue
    const source = readSource(url)
    const found = source === undefined ? undefined : searchSource(url, source, name, own !== undefined)
    if (found) return found
  }
  return undefined
}

/** Whether a script is the program's own, neither Node's nor a dependency's. */
const isProgram = (url: string): boolean => !url.startsWith('node:') && packageOf(url) === null

/** @param declared whether the line that declares or assigns the variable will do, if nothing is put into it by name */
function searchSource(url: string, source: string, variable: string, declared: boolean): Culprit | undefined {
  const lines = source.split('\n')
  const name = variable.replace(/\$/g, '\\$')
  const search = (pattern: RegExp): Culprit | undefined => {
    const at = lines.findIndex((line) => pattern.test(line) && !/^\s*(\/\/|\*)/.test(line))
    if (at < 0) return undefined
    const column = pattern.exec(lines[at]!)!.index + 1
    return { function: null, url, line: at + 1, column, package: packageOf(url), basis: 'retainer' }
  }
  return (
    search(new RegExp(`(?<![\\w$])${name}\\s*(\\?\\.|\\.)\\s*(${PUTS})\\s*\\(`)) ??
    search(new RegExp(`(?<![\\w$])${name}\\s*\\[[^\\]]+\\]\\s*(\\?\\?|\\|\\|)?=(?!=)`)) ??
    (declared ? search(new RegExp(`(?<![\\w$])${name}(?![\\w$])\\s*(\\?\\?|\\|\\|)?[=:](?!=)`)) : undefined)
  )
}
