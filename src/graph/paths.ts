// The retaining path that a person would tell: not the shortest through V8's insides, but the one through the program.

import type { Snapshot } from '../snapshot/snapshot.ts'
import { arenaOf, arenaUint32 } from '../support/arena.ts'
import type { Scratch } from '../support/scratch.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { loopsFor } from './kernel-loops.ts'
import { COST, PATH_BUCKETS, type PathColumns } from './loops.ts'
import { plainLoops } from './plain-loops.ts'
import { ROOT, userRoots } from './roots.ts'

/** What a step costs: the program's own references little, V8's bookkeeping much; less than PATH_BUCKETS. */
const COSTS: Readonly<Record<keyof typeof COST, number>> = {
  reference: 2,
  store: 1,
  closureScope: 4,
  internal: 7,
  hidden: 10,
  outerScope: 12,
  machinery: 24,
}
/** What starting at a place costs: the program's modules first, V8's roots last. */
const START = { module: 0, dependency: 3, global: 4, nodeModule: 9, root: 18 } as const

/** Property names that lead from anything to everything of its kind. */
const MACHINERY = ['__proto__', 'constructor', 'prototype'] as const

export const NOT_REACHED = 0xffffffff

export interface Paths {
  /** By node ordinal: ordinal of the node in front of it on its path; ROOT where a path starts, or NOT_REACHED. */
  readonly via: Uint32Array
}

/** Memory for what is to be found, by node ordinal. */
interface Room {
  readonly cost: Uint32Array
  readonly via: Uint32Array
}

/** @param moduleScopes as `findModuleScopes` gives them */
function pathColumns(
  snapshot: Snapshot,
  moduleScopes: ReadonlyMap<number, string>,
  owner: Uint32Array,
  scratch: Scratch,
): PathColumns & Room & { readonly scratch: Scratch } {
  const { nodeType, firstEdge, edges, edgeNameOrIndex, strings } = snapshot
  const first = [...moduleScopes].flatMap(([scope, url]) => [scope, startCost(url)])
  for (const node of userRoots(snapshot)) first.push(node, START.global)
  first.push(ROOT, START.root)
  const arena = arenaOf(edges)
  const starts = arenaUint32(arena, first.length)
  starts.set(first)
  const costs = arenaUint32(arena, Object.keys(COST).length)
  for (const [step, at] of Object.entries(COST)) costs[at] = COSTS[step as keyof typeof COST]
  const [a, b, c] = MACHINERY
  return {
    ...{ nodeType, firstEdge, edges, edgeNameOrIndex, owner, starts, costs },
    ...{ scratch, cost: scratch.take(), via: scratch.take() },
    machinery: [strings.indexOf(a), strings.indexOf(b), strings.indexOf(c)],
    context: strings.indexOf('context'),
    previous: strings.indexOf('previous'),
  }
}

type Heap = Parameters<typeof pathColumns>

export function computePaths(...heap: Heap): Paths {
  const columns = pathColumns(...heap)
  const paths = findPaths(columns)
  columns.scratch.give(columns.cost)
  return paths
}

/** {@link computePaths} on the second thread. */
export async function callComputePaths(second: SecondThread, ...heap: Heap): Promise<Paths> {
  const { scratch, ...columns } = pathColumns(...heap)
  const paths = await second.call<Paths>(import.meta.url, 'findPaths', columns)
  scratch.give(columns.cost)
  return paths
}

/**
 * For every node the cheapest way from where programs keep things: the scopes of modules, the global objects, and only
 * then the root of the heap. Dijkstra's algorithm with Dial's buckets ("Algorithm 360", 1969), as costs are small
 * whole numbers: O(nodes + edges).
 */
export function findPaths(columns: PathColumns & Room): Paths {
  const { cost, via, nodeType, firstEdge, edges, edgeNameOrIndex, owner, starts, costs } = columns
  const arena = arenaOf(edges)
  for (const column of [cost, via]) column.fill(NOT_REACHED)
  const buckets = arenaUint32(arena, 2 * PATH_BUCKETS)
  // Some nodes are offered several times before it is their turn.
  const entries = arenaUint32(arena, 2 * (2 * cost.length + 1024))
  const heap = [nodeType, firstEdge, edges, edgeNameOrIndex, owner, starts, costs]
  const loops = loopsFor(...heap, cost, via, buckets, entries)
  if (!loops.searchPaths(columns, cost, via, { buckets, entries })) {
    for (const column of [cost, via]) column.fill(NOT_REACHED)
    plainLoops.searchPaths(columns, cost, via, { buckets, entries })
  }
  return { via }
}

function startCost(url: string): number {
  if (url.startsWith('node:')) return START.nodeModule
  return url.includes('/node_modules/') ? START.dependency : START.module
}

/** The ordinals on the way to `node`, the start first, `node` last; empty if nothing that retains leads there. */
export function pathTo({ via }: Paths, node: number): number[] {
  const path: number[] = []
  for (let at = node; at !== ROOT; at = via[at]!) {
    if (via[at] === NOT_REACHED) return []
    path.push(at)
  }
  return path.reverse()
}
