// A retaining path with the names of variables, functions and classes that the source has.

import { localNames } from '../graph/block-scope.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, nodeName } from '../graph/look.ts'
import type { PathReference, PathStep } from '../graph/retaining-path.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import type { OriginalNames } from '../source/original-names.ts'
import { isOwn } from '../source/origins.ts'

export interface NamedPath {
  readonly path: readonly PathStep[]
  /** What has another name in the source, by its name in the script; one that stands for several is left out. */
  readonly names: ReadonlyMap<string, string>
}

export class PathNames {
  readonly #graph: HeapGraph
  readonly #names: OriginalNames
  readonly #makersOf = new Map<number, readonly number[]>()

  constructor(graph: HeapGraph, names: OriginalNames) {
    this.#graph = graph
    this.#names = names
  }

  /** The path with the names of variables, functions and classes that its scripts' maps know. */
  path(path: readonly PathStep[]): NamedPath {
    const own = new Set([...this.#graph.scriptUrls.values()].filter(isOwn))
    if (![...own].some((url) => this.#names.hasMap(url))) return { path, names: new Map() }
    const names = new Map<string, string | undefined>()
    const note = (name: string, original: string): void => {
      const known = names.has(name) ? names.get(name) : original
      names.set(name, known === original ? original : undefined)
    }
    const named = path.map((step, i): PathStep => {
      const before = path[i - 1]?.ordinal
      const original = before === undefined ? undefined : this.#reference(before, step.reference)
      if (original !== undefined) note(step.reference.name!, original)
      const reference = original === undefined ? step.reference : { ...step.reference, name: original }
      const called = this.#nameOfNode(step.ordinal)
      if (called === undefined) return { ...step, reference }
      note(nodeName(this.#graph, step.ordinal), called)
      return { ...step, reference, thing: { ...step.thing, name: called } }
    })
    return { path: named, names: new Map([...names].flatMap(([name, to]) => (to === undefined ? [] : [[name, to]]))) }
  }

  /** The name of a variable or of a private field, which begins with `#`. */
  #reference(holder: number, { kind, name }: PathReference): string | undefined {
    if (name === undefined) return undefined
    if (kind === 'local') return this.#local(holder, name)
    if (kind === 'variable') return this.#variable(holder, name)
    if (kind !== 'property' || !name.startsWith('#')) return undefined
    const place = this.#graph.sourceLocation(holder)
    const original = place && this.#names.privateOf(place, name.slice(1))
    return original === undefined ? undefined : `#${original}`
  }

  /** Of a function, or of an instance of a class. */
  #nameOfNode(node: number): string | undefined {
    const { nodeType } = this.#graph.snapshot
    if (nodeType[node] !== NodeType.closure && nodeType[node] !== NodeType.object) return undefined
    const place = this.#graph.sourceLocation(node)
    return place && this.#names.nameAt(place, nodeName(this.#graph, node))
  }

  /** A local variable of a function that is suspended, or of a module that awaits at its top. */
  #local(suspended: number, name: string): string | undefined {
    const place = this.#graph.sourceLocation(suspended)
    return place && this.#names.localOf(place, name)
  }

  #variable(context: number, name: string): string | undefined {
    for (const closure of this.#makers(context)) {
      const place = this.#graph.sourceLocation(closure)
      const found = place && this.#names.variableAround(place, name, variablesOf(this.#graph, context))
      if (found !== null) return found
    }
    return undefined
  }

  /** A few functions that were made in a context: among its own variables, or else the first that the snapshot has. */
  #makers(context: number): readonly number[] {
    const known = this.#makersOf.get(context)
    if (known) return known
    const { firstEdge, edges, locations, nodeType } = this.#graph.snapshot
    const makers: number[] = []
    this.#makersOf.set(context, makers)
    const note = (node: number): void => {
      if (nodeType[node] === NodeType.closure && internal(this.#graph, node, 'context') === context) makers.push(node)
    }
    for (let edge = firstEdge[context]!; edge < firstEdge[context + 1]! && makers.length < MOST_MAKERS; edge++) {
      note(edgeTarget(edges[edge]!))
    }
    const rows = makers.length > 0 ? 0 : locations.node.length
    for (let row = 0; row < rows && makers.length < MOST_MAKERS; row++) note(locations.node[row]!)
    return makers
  }
}

/** Functions of one scope that are asked where that is. */
const MOST_MAKERS = 5

/** Variables that nobody declares. */
const IMPLICIT = /^(?:\.|(?:this|arguments|new\.target)$)/

/** Names of the variables that a context keeps. */
function variablesOf({ snapshot }: HeapGraph, context: number): string[] {
  const { firstEdge, edges, edgeNameOrIndex, strings } = snapshot
  const names: string[] = []
  for (let edge = firstEdge[context]!; edge < firstEdge[context + 1]!; edge++) {
    if (edgeType(edges[edge]!) !== EdgeType.context) continue
    const name = strings.get(edgeNameOrIndex[edge]!)
    if (!IMPLICIT.test(name)) names.push(name)
  }
  return names.length > 0 ? names : localNames(snapshot, context)
}
