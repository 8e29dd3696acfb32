// Names of variables that live in a block, `{ const seen = [] … }`: V8 names only those of functions and modules.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, type Snapshot } from '../snapshot/snapshot.ts'

/** Variables of a block, and fields of what describes it, that are looked at. V8 keeps the names of more than 75 elsewhere. */
const MOST = 80

/**
 * The variable of a block's scope that an edge stands for; undefined where the edge is none of these, or which one it is
 * cannot be told.
 *
 * A block's context refers to its variables by hidden edges, numbered in their order
 * (https://github.com/v8/v8/blob/main/src/profiler/heap-snapshot-generator.cc, `IndexedReferencesExtractor`), and its
 * ScopeInfo has their names in the same order. Variables with small numbers have no edge and are not counted, so where
 * there are fewer edges than names, a name is certain only by those around it.
 */
export function blockVariable(snapshot: Snapshot, context: number, edge: number): string | undefined {
  const { edges, edgeNameOrIndex, nodeType, nodeName, strings } = snapshot
  if (edgeType(edges[edge]!) !== EdgeType.hidden || !strings.get(nodeName[context]!).startsWith('system / Context')) {
    return undefined
  }
  const names = localNames(snapshot, context)
  const slots = hiddenEdges(snapshot, context)
  const at = slots.indexOf(edge)
  if (names.length === 0 || at < 0 || slots.length > names.length) return undefined
  const index = (i: number): number => edgeNameOrIndex[slots[i]!]!
  // A function that is declared in the block has the name of its variable.
  const known = slots.map((slot) => {
    const target = edgeTarget(edges[slot]!)
    return nodeType[target] === NodeType.closure ? names.indexOf(strings.get(nodeName[target]!)) : -1
  })
  let least = 0
  for (let i = 0; i <= at; i++) {
    const apart = i === 0 ? index(0) : least + index(i) - index(i - 1)
    least = Math.max(apart, known[i]!)
  }
  let most = names.length - 1
  for (let i = slots.length - 1; i >= at; i--) {
    const apart = i === slots.length - 1 ? most : most - (index(i + 1) - index(i))
    most = known[i]! >= 0 ? Math.min(apart, known[i]!) : apart
  }
  return least === most ? names[least] : undefined
}

/** Names of a block's variables in their order, by what describes it; empty for other scopes. */
export function localNames(snapshot: Snapshot, context: number): string[] {
  const { firstEdge, edges, edgeNameOrIndex, nodeType, nodeName, strings } = snapshot
  const names: string[] = []
  for (let edge = firstEdge[context]!; edge < firstEdge[context + 1]!; edge++) {
    // Those that V8 names itself are all of their scope.
    if (edgeType(edges[edge]!) === EdgeType.context) return []
    if (edgeType(edges[edge]!) !== EdgeType.internal) continue
    if (strings.get(edgeNameOrIndex[edge]!) !== 'scope_info') continue
    for (const field of hiddenEdges(snapshot, edgeTarget(edges[edge]!))) {
      const target = edgeTarget(edges[field]!)
      if (nodeType[target] !== NodeType.string || edgeNameOrIndex[field] !== names.length) break
      names.push(strings.get(nodeName[target]!))
    }
  }
  return names
}

/** In order of their numbers. */
function hiddenEdges({ firstEdge, edges, edgeNameOrIndex }: Snapshot, node: number): number[] {
  const found: number[] = []
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]! && found.length <= MOST; edge++) {
    if (edgeType(edges[edge]!) === EdgeType.hidden) found.push(edge)
  }
  return found.sort((a, b) => edgeNameOrIndex[a]! - edgeNameOrIndex[b]!)
}
