// Looks into single objects of a heap: their properties, numbers, elements, by name.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import type { HeapGraph } from './heap-graph.ts'

export interface Reference {
  /** The name of a property, a context variable or an internal field; empty for an element. */
  readonly name: string
  readonly type: number
  readonly target: number
}

/** Ordinals of what a node refers to, as {@link referencesOf} has it. */
export function targetsOf(graph: HeapGraph, node: number, most = 10_000): number[] {
  const { firstEdge, edges } = graph.snapshot
  const { owner } = graph.ownership
  const stores = [node]
  const targets: number[] = []
  for (let at = stores.pop(); at !== undefined; at = stores.pop()) {
    for (let edge = firstEdge[at]!; edge < firstEdge[at + 1]! && targets.length < most; edge++) {
      const target = edgeTarget(edges[edge]!)
      if (owner[target] !== node || target === node) targets.push(target)
      else if (stores.length < 64) stores.push(target)
    }
  }
  return targets
}

/** All that a node refers to, those through its backing stores included; of one with a million elements, the first `most`. */
export function* referencesOf(graph: HeapGraph, node: number, most = 10_000): Generator<Reference> {
  const { firstEdge, edges, edgeNameOrIndex, strings } = graph.snapshot
  const { owner } = graph.ownership
  const stores = [node]
  let count = 0
  for (let at = stores.pop(); at !== undefined; at = stores.pop()) {
    for (let edge = firstEdge[at]!; edge < firstEdge[at + 1]!; edge++) {
      const target = edgeTarget(edges[edge]!)
      const type = edgeType(edges[edge]!)
      if (owner[target] === node && target !== node) {
        if (stores.length < 64) stores.push(target)
        continue
      }
      if (count++ === most) return
      const name = type === EdgeType.element || type === EdgeType.hidden ? '' : strings.get(edgeNameOrIndex[edge]!)
      yield { name, type, target }
    }
  }
}

/** What the node's own property (or private field, `#name`; or `Symbol(name)`) refers to; undefined if it has none. */
export function property(graph: HeapGraph, node: number, ...names: readonly string[]): number | undefined {
  const { firstEdge, edges, edgeNameOrIndex } = graph.snapshot
  for (const name of names) {
    const indexes = spellingsOf(graph, name)
    if (indexes.length === 0) continue
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const type = edgeType(edges[edge]!)
      if (type !== EdgeType.property && type !== EdgeType.context) continue
      if (indexes.includes(edgeNameOrIndex[edge]!)) return edgeTarget(edges[edge]!)
    }
  }
  return undefined
}

/** By graph and name: see {@link spellingsOf}. */
const spellings = new WeakMap<HeapGraph, Map<string, readonly number[]>>()

/** Indexes of the strings that a property of this name goes by. */
function spellingsOf(graph: HeapGraph, name: string): readonly number[] {
  let known = spellings.get(graph)
  if (!known) {
    known = new Map()
    spellings.set(graph, known)
  }
  let indexes = known.get(name)
  if (!indexes) {
    const { strings } = graph.snapshot
    const all = [name, `<symbol ${name}>`, `<symbol Symbol(${name})>`]
    indexes = all.map((each) => strings.indexOf(each)).filter((index) => index >= 0)
    known.set(name, indexes)
  }
  return indexes
}

/** What V8 itself keeps in a field of the node: `table`, `context`, `backing_store`, … */
export function internal(graph: HeapGraph, node: number, name: string): number | undefined {
  const { firstEdge, edges, edgeNameOrIndex, strings } = graph.snapshot
  const index = strings.indexOf(name)
  if (index < 0) return undefined
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    if (edgeType(edges[edge]!) === EdgeType.internal && edgeNameOrIndex[edge] === index) return edgeTarget(edges[edge]!)
  }
  return undefined
}

/** The worth of a number node, where numbers were captured. */
export function numberOf({ snapshot }: Pick<HeapGraph, 'snapshot'>, node: number | undefined): number | undefined {
  const { nodeType, nodeName, firstEdge, edges, strings } = snapshot
  if (node === undefined || nodeType[node] !== NodeType.number) return undefined
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    if (edgeType(edges[edge]!) !== EdgeType.internal) continue
    const value = Number(strings.get(nodeName[edgeTarget(edges[edge]!)]!))
    return Number.isNaN(value) ? undefined : value
  }
  return undefined
}

/** The number that a property has; undefined where it is none, or numbers were not captured. */
export const numberAt = (graph: HeapGraph, node: number, ...names: readonly string[]): number | undefined =>
  numberOf(graph, property(graph, node, ...names))

/** What V8 calls undefined, null, true and false: each by its name from Node 24 on, before by one name. */
export const ODDBALLS = ['system / Oddball', 'undefined', 'null', 'true', 'false'] as const

const oddballs = new Set<string>(ODDBALLS)

/** Whether it is none of the program's objects, but undefined, null, true or false. */
export const isOddball = (graph: HeapGraph, node: number): boolean =>
  graph.snapshot.nodeType[node] === NodeType.hidden && oddballs.has(nodeName(graph, node))

/** V8's name for the node: of objects, the constructor's. */
export const nodeName = ({ snapshot }: HeapGraph, node: number): string =>
  snapshot.strings.get(snapshot.nodeName[node]!)

export const isFunction = ({ snapshot }: HeapGraph, node: number): boolean =>
  snapshot.nodeType[node] === NodeType.closure

export const isObject = ({ snapshot }: HeapGraph, node: number): boolean => snapshot.nodeType[node] === NodeType.object
