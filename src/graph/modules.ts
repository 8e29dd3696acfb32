// The scopes of modules: the contexts that hold what a source file declares at its top, and which file that is.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, type Snapshot } from '../snapshot/snapshot.ts'
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

  const outermost = new Set<number>()
  for (const node of nodesNamed(snapshot, strings.startingWith('system / Context'))) {
    if (nodeType[node] !== NodeType.object) continue
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const packed = edges[edge]!
      if (edgeType(packed) !== EdgeType.internal || edgeNameOrIndex[edge] !== previous) continue
      if (outermostNames.has(nodeName[edgeTarget(packed)]!)) outermost.add(node)
    }
  }

  const scopes = new Map<number, string>()
  // Of a closure that has several places, the first counts; going through its edges for each would take for ever.
  const seen = new Uint8Array(nodeCount)
  for (let row = 0; row < locations.node.length; row++) {
    const node = locations.node[row]!
    if (nodeType[node] !== NodeType.closure || seen[node] === 1) continue
    seen[node] = 1
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const packed = edges[edge]!
      if (edgeType(packed) !== EdgeType.internal || edgeNameOrIndex[edge] !== context) continue
      const scope = edgeTarget(packed)
      const url = urls.get(locations.script[locations.site[row]!]!)
      if (url !== undefined && outermost.has(scope) && !scopes.has(scope)) scopes.set(scope, url)
      break
    }
  }
  return scopes
}
