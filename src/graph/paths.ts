// The retaining path that a person would tell: not the shortest through V8's insides, but the one through the program.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains, type Snapshot } from '../snapshot/snapshot.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { sharedUint32 } from '../support/shared.ts'
import { SHARED } from './ownership.ts'
import { ROOT, userRoots } from './roots.ts'

/** What a step costs: the program's own references little, V8's bookkeeping much; at most MAX_COST. */
const COST = {
  reference: 2,
  store: 1,
  closureScope: 4,
  internal: 7,
  hidden: 10,
  outerScope: 12,
  machinery: 24,
} as const
const MAX_COST = 31
/** What starting at a place costs: the program's modules first, V8's roots last. */
const START = { module: 0, dependency: 3, global: 4, nodeModule: 9, root: 18 } as const

/** Property names that lead from anything to everything of its kind. */
const MACHINERY = ['__proto__', 'constructor', 'prototype']

export const NOT_REACHED = 0xffffffff

export interface Paths {
  /** By node ordinal: ordinal of the node in front of it on its path; ROOT where a path starts, or NOT_REACHED. */
  readonly via: Uint32Array
}

type PathColumns = Pick<Snapshot, 'nodeCount' | 'nodeType' | 'firstEdge' | 'edges' | 'edgeNameOrIndex'> & {
  readonly owner: Uint32Array
  /** Where to start, and at which cost. */
  readonly starts: readonly (readonly [node: number, cost: number])[]
  /** Names of references. */
  readonly machinery: ReadonlySet<number>
  readonly context: number
  readonly previous: number
}

/** @param moduleScopes as `findModuleScopes` gives them */
function pathColumns(snapshot: Snapshot, moduleScopes: ReadonlyMap<number, string>, owner: Uint32Array): PathColumns {
  const { nodeCount, nodeType, firstEdge, edges, edgeNameOrIndex, strings } = snapshot
  const starts: [number, number][] = [...moduleScopes].map(([scope, url]) => [scope, startCost(url)])
  for (const node of userRoots(snapshot)) starts.push([node, START.global])
  starts.push([ROOT, START.root])
  return {
    ...{ nodeCount, nodeType, firstEdge, edges, edgeNameOrIndex, owner, starts },
    machinery: new Set(MACHINERY.map((name) => strings.indexOf(name))),
    context: strings.indexOf('context'),
    previous: strings.indexOf('previous'),
  }
}

export const computePaths = (...heap: Parameters<typeof pathColumns>): Paths => findPaths(pathColumns(...heap))

/** {@link computePaths} on the second thread. */
export const callComputePaths = (second: SecondThread, ...heap: Parameters<typeof pathColumns>): Promise<Paths> =>
  second.call(import.meta.url, 'findPaths', pathColumns(...heap))

/**
 * For every node the cheapest way from where programs keep things: the scopes of modules, the global objects, and only
 * then the root of the heap. Dijkstra's algorithm with Dial's buckets ("Algorithm 360", 1969), as costs are small
 * whole numbers: O(nodes + edges).
 */
export function findPaths(columns: PathColumns): Paths {
  const { nodeCount, nodeType, firstEdge, edges, edgeNameOrIndex, owner, machinery, context, previous } = columns
  const cost = new Uint32Array(nodeCount).fill(NOT_REACHED)
  const via = sharedUint32(nodeCount).fill(NOT_REACHED)
  const buckets = Array.from({ length: MAX_COST + 1 }, () => new Bucket())
  let waiting = 0

  const offer = (node: number, total: number, from: number): void => {
    if (total >= cost[node]!) return
    cost[node] = total
    via[node] = from
    buckets[total & MAX_COST]!.push(node)
    waiting++
  }
  for (const [node, total] of columns.starts) offer(node, total, ROOT)

  for (let total = 0; waiting > 0; total++) {
    const bucket = buckets[total & MAX_COST]!
    for (let i = 0; i < bucket.length; i++) {
      waiting--
      const node = bucket.nodes[i]!
      if (cost[node] !== total) continue
      const end = firstEdge[node + 1]!
      for (let edge = firstEdge[node]!; edge < end; edge++) {
        const packed = edges[edge]!
        if (!retains(packed)) continue
        const target = edgeTarget(packed)
        if (cost[target]! <= total + 1) continue
        const type = edgeType(packed)
        const kind = nodeType[target]!
        let step: number = COST.reference
        if (kind === NodeType.code || kind === NodeType.objectShape) step = COST.machinery
        else if (type === EdgeType.internal) {
          const name = edgeNameOrIndex[edge]!
          if (owner[target] === owner[node] || (owner[node] !== node && owner[node]! < SHARED)) step = COST.store
          else if (name === context) step = COST.closureScope
          else if (name === previous) step = COST.outerScope
          else step = COST.internal
        } else if (type === EdgeType.hidden) step = COST.hidden
        else if (type === EdgeType.property && machinery.has(edgeNameOrIndex[edge]!)) step = COST.machinery
        offer(target, total + step, node)
      }
    }
    bucket.clear()
  }
  return { via }
}

function startCost(url: string): number {
  if (url.startsWith('node:')) return START.nodeModule
  return url.includes('/node_modules/') ? START.dependency : START.module
}

/** A growing list of node ordinals. */
class Bucket {
  nodes = new Uint32Array(64)
  length = 0

  push(node: number): void {
    if (this.length === this.nodes.length) {
      const larger = new Uint32Array(2 * this.length)
      larger.set(this.nodes)
      this.nodes = larger
    }
    this.nodes[this.length++] = node
  }
  clear(): void {
    this.length = 0
  }
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
