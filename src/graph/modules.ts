// The scopes of modules: the contexts that hold what a source file declares at its top, and which file that is.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, type Snapshot } from '../snapshot/snapshot.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'
import { loopsFor } from './kernel-loops.ts'
import { nodesNamed } from './named.ts'

/**
 * By node ordinal of a module's scope (an ES module's context, or that of the function that Node wraps a CommonJS
 * module in): the module's URL. Such a context is one whose outer scope is the native or a script context, and the
 * closures that were made in it tell the script.
 */
export function findModuleScopes(snapshot: Snapshot, urls: ReadonlyMap<number, string>): Map<number, string> {
  const { nodeCount, nodeType, nodeName, firstEdge, edges, edgeNameOrIndex, strings, locations } = snapshot
  const previous = strings.indexOf('previous')
  const context = strings.indexOf('context')
  // Newer versions of V8 append the scope's or the global object's name.
  const outermostNames = new Set([
    ...strings.startingWith('system / NativeContext'),
    ...strings.startingWith('system / ScriptContext'),
  ])

  const arena = arenaOf(edges)
  const scopes = arenaUint8(arena, nodeCount)
  for (const node of nodesNamed(snapshot, strings.startingWith('system / Context'))) {
    if (nodeType[node] !== NodeType.object) continue
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const packed = edges[edge]!
      if (edgeType(packed) !== EdgeType.internal || edgeNameOrIndex[edge] !== previous) continue
      if (outermostNames.has(nodeName[edgeTarget(packed)]!)) scopes[node] = 1
    }
  }

  // Of a closure that has several places, the first counts; going through its edges for each would take for ever.
  const seen = arenaUint8(arena, nodeCount)
  const rows = locations.node
  const list = arenaUint32(arena, 2 * rows.length)
  const columns = { nodeType, firstEdge, edges, edgeNameOrIndex, context, scopes }
  const loops = loopsFor(rows, nodeType, firstEdge, edges, edgeNameOrIndex, scopes, seen, list)
  const found = loops.listScopedRows(rows, columns, seen, list)
  const urlOf = new Map<number, string>()
  for (let i = 0; i < found; i += 2) {
    const scope = list[i + 1]!
    const url = urlOf.has(scope) ? undefined : urls.get(locations.script[locations.site[list[i]!]!]!)
    if (url !== undefined) urlOf.set(scope, url)
  }
  return urlOf
}
