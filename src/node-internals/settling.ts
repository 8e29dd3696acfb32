// Which pending promises something in the heap could still settle. One that nothing could is no matter of patience: it will
// never be settled, and whatever waits for it waits as long as the promise is kept.
//
// What settles a promise refers to it: the scope of the two functions that `new Promise` hands out, the reaction of the
// promise that it was derived from, the async function or generator that returned it, V8's and Node's own insides. A
// variable or a property that has the promise cannot. Once the former are gone, V8 has collected them, and they are not
// in the snapshot. (V8: builtins/promise-constructor.tq, promise-abstract-operations.tq, objects/js-promise.tq)

import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodesNamed } from '../graph/named.ts'
import { ROOT } from '../graph/roots.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { nativeSide } from './handles.ts'
import { GENERATOR_REQUEST, REACTION } from './promises.ts'

const known = new WeakMap<HeapGraph, (promise: number) => boolean>()

/** Tells of a pending promise whether something could still settle it. The first question costs O(nodes + edges). */
export function settleable(graph: HeapGraph): (promise: number) => boolean {
  const asked = known.get(graph) ?? workOut(graph)
  known.set(graph, asked)
  return asked
}

const REACHED = 1
/** Bits by node ordinal: it is a pending promise; something that is reached could settle it. */
const PENDING = 2
const SETTLES = 4

/**
 * Goes through the heap from its roots, but from a pending promise to its reactions only once something was met that could
 * settle it: what only they lead to, such as the `resolve` in the scope of a function that awaits the promise itself, comes
 * too late. References of all kinds count but weak ones, so that an error is on the side of patience.
 */
function workOut(graph: HeapGraph): (promise: number) => boolean {
  const { nodeCount, firstEdge, edges, strings } = graph.snapshot
  const state = new Uint8Array(nodeCount)
  const queue = new Uint32Array(nodeCount)
  let length = 0
  const reach = (node: number): void => {
    if ((state[node]! & REACHED) !== 0) return
    state[node]! |= REACHED
    queue[length++] = node
  }
  const goOn = (from: number, follow: (node: number, edge: number) => void): void => {
    for (let i = from; i < length; i++) {
      const node = queue[i]!
      for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
        if (edgeType(edges[edge]!) !== EdgeType.weak) follow(node, edge)
      }
    }
  }
  reach(ROOT)
  goOn(0, (_, edge) => reach(edgeTarget(edges[edge]!)))
  // What nothing in the snapshot leads to, Node has hold of in a way that V8 does not tell: it may settle anything.
  const orphans: number[] = []
  for (let node = 0; node < nodeCount; node++) if (state[node] === 0) orphans.push(node)

  state.fill(0)
  length = 0
  const reaction = strings.indexOf(REACTION)
  const isReaction = (node: number): boolean => graph.snapshot.nodeName[node] === reaction
  for (const promise of nodesNamed(graph.snapshot, [strings.indexOf('Promise')])) {
    if (graph.snapshot.nodeType[promise] !== NodeType.object) continue
    for (let edge = firstEdge[promise]!; edge < firstEdge[promise + 1]!; edge++) {
      if (isReaction(edgeTarget(edges[edge]!))) state[promise] = PENDING
    }
  }
  const reactTo = (promise: number): void => {
    for (let edge = firstEdge[promise]!; edge < firstEdge[promise + 1]!; edge++) {
      if (isReaction(edgeTarget(edges[edge]!))) reach(edgeTarget(edges[edge]!))
    }
  }
  const couldSettle = settlesBy(graph)
  const follow = (node: number, edge: number): void => {
    const target = edgeTarget(edges[edge]!)
    if ((state[target]! & PENDING) !== 0 && (state[target]! & SETTLES) === 0 && couldSettle(node, edge)) {
      state[target]! |= SETTLES
      if ((state[target]! & REACHED) !== 0) reactTo(target)
    }
    if ((state[node]! & (PENDING | SETTLES)) !== PENDING || !isReaction(target)) reach(target)
  }
  reach(ROOT)
  for (const orphan of orphans) reach(orphan)
  goOn(0, follow)
  return (promise) => (state[promise]! & (PENDING | SETTLES)) !== PENDING
}

/** Whether a reference to a promise is one of those by which it is settled, rather than a place where it is kept. */
function settlesBy(graph: HeapGraph): (node: number, edge: number) => boolean {
  const { nodeType, nodeName, edges, strings } = graph.snapshot
  const { owner } = graph.ownership
  const settling = new Set([REACTION, GENERATOR_REQUEST].map((name) => strings.indexOf(name)))
  return (node, edge) => {
    if (settling.has(nodeName[node]!)) return true
    const keeper = owner[node]!
    // A store of an object's, such as the elements of an array, or the registers of a function that waits.
    if (keeper !== node) return nodeType[keeper] !== NodeType.object && nodeType[keeper] !== NodeType.closure
    if (nodeType[node] !== NodeType.object && nodeType[node] !== NodeType.closure) return true
    // Node's requests have theirs as a property: `promise` of an FSReqPromise (Node: src/node_file-inl.h).
    if (nativeSide(graph, node) !== undefined) return true
    // Scopes of V8's own functions, async functions and generators refer to theirs by numbers, without a name.
    return edgeType(edges[edge]!) === EdgeType.hidden
  }
}
