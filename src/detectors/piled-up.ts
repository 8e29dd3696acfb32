// A candidate's objects, one by one.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName } from '../graph/look.ts'
import { elementCount, isUnnamed, isVariable, labelOfStep } from '../graph/retaining-path.ts'
import { HANDLE_OWNER } from '../node-internals/handles.ts'
import { edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'
import type { Candidate } from './detector.ts'

/** The new objects of the class that piles up, `most` at most; only the sample where no others are known. */
export function piledUp({ suspect, of }: Candidate, most = 500): number[] {
  const { classes } = of.heap.opened
  const nodes: number[] = []
  for (const node of suspect.reached) {
    if (classes.of[node] !== classes.of[suspect.sample]) continue
    nodes.push(node)
    if (nodes.length === Math.min(most, suspect.count)) break
  }
  return nodes.length > 0 ? nodes : [suspect.sample]
}

/** The objects on the path to what leaks, without their stores. */
export function ownersOnWay({ way, of }: Candidate): number[] {
  const { owner } = of.graph.ownership
  return way.filter((node) => owner[node] === node)
}

/** Whether the object came after the first snapshot, or that is not known. */
export const isNew = ({ of }: Candidate, node: number): boolean => (of.heap.lineage?.born[node] ?? 1) > 0

/** The first item of the largest group; groups have the same key, and items without a key are in none. */
export function mostCommon<T>(items: readonly T[], key: (item: T) => string | undefined): T | undefined {
  const groups = new Map<string, { count: number; first: T }>()
  let best: { count: number; first: T } | undefined
  for (const item of items) {
    const name = key(item)
    if (name === undefined) continue
    const group = groups.get(name) ?? { count: 0, first: item }
    groups.set(name, group)
    group.count++
    if (!best || group.count > best.count) best = group
  }
  return best?.first
}

/** A node's references that retain, its own and those of its stores. */
export function* held(graph: HeapGraph, node: number): Generator<{ edge: number; type: number; target: number }> {
  const { firstEdge, edges } = graph.snapshot
  const { owner } = graph.ownership
  const stores = [node]
  for (let at = stores.pop(); at !== undefined; at = stores.pop()) {
    for (let edge = firstEdge[at]!; edge < firstEdge[at + 1]!; edge++) {
      const packed = edges[edge]!
      const target = edgeTarget(packed)
      if (!retains(packed) || target === node) continue
      if (owner[target] === node) {
        if (stores.length < 64) stores.push(target)
      } else yield { edge, type: edgeType(packed), target }
    }
  }
}

/** Whether nothing is taken out again, as far as the counts show; from a queue, things are taken out. */
export function onlyGains({ suspect }: Candidate): boolean {
  const { trend, counted, counts, count } = suspect
  if (trend === 'steady' || trend === 'unknown') return true
  if (trend !== 'turning' || counted !== 'entries') return false
  // Unevenly, but nothing went.
  return counts.at(-1)! - counts[0]! >= 0.95 * count
}

/** How many elements an array has; undefined for anything else. */
export const elementsOf = (graph: HeapGraph, node: number): number | undefined =>
  nodeName(graph, node) === 'Array' ? elementCount(graph, node) : undefined

/**
 * What a step of a path is called, as the program would write it: `shutdown.signal`, from the last variable on;
 * undefined if it has no name.
 */
export function nameUpTo({ path }: Pick<Candidate, 'path'>, ordinal: number): string | undefined {
  const at = path.findIndex((step) => step.ordinal === ordinal)
  const steps = path.slice(0, at + 1)
  const variable = steps.findLastIndex(({ reference }) => isVariable(reference))
  // Names in front of an unnamed reference of V8 or Node do not belong to what is behind it.
  const unnamed = steps.findLastIndex(({ reference }) => isUnnamed(reference))
  const names = steps
    .slice(Math.max(0, variable, unnamed))
    .map(labelOfStep)
    .filter((name) => name !== undefined && name !== HANDLE_OWNER && name !== '__proto__')
  return names.length === 0 ? undefined : names.slice(-3).join('.').replace(/#/g, '')
}
