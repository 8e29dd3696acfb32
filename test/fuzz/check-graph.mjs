// Whether what the graph says of a heap can be true, worked out again in the plainest way.

import { ok, deepStrictEqual as same } from 'node:assert'
import { pathTo } from '../../dist/graph/paths.js'
import { EdgeType, NodeType } from '../../dist/snapshot/meta.js'
import { retains } from '../../dist/snapshot/snapshot.js'

/** @throws if something is wrong */
export function checkGraph(graph, random) {
  const { snapshot } = graph
  checkOwnership(graph)
  const heap = plainHeap(snapshot)
  // Which edges retain is known once the dominators are.
  ok(graph.dominators)
  checkMarks(snapshot, heap)
  checkDominators(graph, heap, random)
  checkDistances(graph)
  checkPaths(graph, heap, random)
}

const sum = (numbers) => Number(numbers.reduce((total, number) => total + BigInt(number), 0n))

function checkOwnership({ ownership: { owner, shallowSize }, snapshot: { selfSize, nodeCount } }) {
  same(sum([...shallowSize]), sum([...selfSize]), 'shallow sizes add up')
  for (let node = 0; node < nodeCount; node++) {
    const own = owner[node]
    ok(own === node || own >= 0xfffffffe || owner[own] === own, `owner of ${node}`)
    if (own !== node) ok(shallowSize[node] === 0 || shallowSize[node] === selfSize[node], `shallow size of ${node}`)
    else ok(shallowSize[node] >= selfSize[node], `shallow size of ${node}`)
  }
}

/** By node: the targets of the edges that retain, by DevTools' rules, read off the columns anew. */
function plainHeap(snapshot) {
  const { nodeCount, firstEdge, edges, edgeNameOrIndex, nodeId, strings } = snapshot
  const type = (edge) => edges[edge] & 7
  const target = (edge) => edges[edge] >>> 4
  const out = (node) => Array.from({ length: firstEdge[node + 1] - firstEdge[node] }, (_, i) => firstEdge[node] + i)
  const user = new Set(
    out(0)
      .filter((edge) => type(edge) === EdgeType.shortcut)
      .map(target),
  )
  // No user's object is the root, and nothing is the user's because one leads there.
  user.delete(0)
  for (const node of user) {
    for (const edge of out(node)) if (type(edge) !== EdgeType.weak && target(edge) !== 0) user.add(target(edge))
  }
  const holds = (node, edge) => {
    const to = target(edge)
    if (type(edge) === EdgeType.weak || to === node) return false
    if (type(edge) === EdgeType.shortcut && node !== 0) return false
    if (node !== 0 && !user.has(node) && user.has(to)) return false
    if (type(edge) !== EdgeType.internal) return true
    const name = strings.get(edgeNameOrIndex[edge])
    const pair = /^\d+ \/ part of key \(.*? @\d+\) -> value \(.*? @\d+\) pair in WeakMap \(table @(\d+)\)$/s
    return name.length > 4096 || Number(pair.exec(name)?.[1] ?? Number.NaN) !== nodeId[node]
  }
  return Array.from({ length: nodeCount }, (_, node) =>
    out(node).map((edge) => ({ edge, to: target(edge), retains: holds(node, edge) })),
  )
}

function checkMarks({ edges }, heap) {
  heap.forEach((own, node) => {
    for (const { edge, to, retains: expected } of own) {
      // Whether a node holds itself, or the root, makes no difference to anything.
      if (to !== node && to !== 0) same(retains(edges[edge]), expected, `edge ${edge} of node ${node} retains`)
    }
  })
}

/** What can be reached from `start` without passing `removed`. */
function reach(targets, start, removed = -1) {
  const seen = new Set(start === removed ? [] : [start])
  for (const node of seen) for (const to of targets[node]) if (to !== removed) seen.add(to)
  return seen
}

function checkDominators(graph, heap, random) {
  const { dominators, retainedSizes: retained, ownership, snapshot } = graph
  const { immediate, order } = dominators
  const { nodeCount } = snapshot
  const shallow = ownership.shallowSize
  same(immediate[0], 0)
  same(order[0], 0)
  const rank = new Map([...order].map((node, i) => [node, i]))
  same(rank.size, nodeCount, 'each node is in the order once')
  const below = Array.from(shallow)
  for (let i = nodeCount - 1; i > 0; i--) {
    const node = order[i]
    ok(rank.get(immediate[node]) < i, `node ${node} stands behind its dominator`)
    below[immediate[node]] += below[node]
  }
  same([...retained], below, 'retained sizes add up')
  same(retained[0], sum([...snapshot.selfSize]), 'the root retains all')

  // Nodes that nothing retains hang below the root; so do, one by one, those of unreachable cycles.
  const targets = heap.map((own) => own.filter(({ retains }) => retains).map(({ to }) => to))
  const fromRoot = reach(targets, 0)
  const held = new Set()
  for (let node = 0; node < nodeCount; node++) if (!fromRoot.has(node)) for (const to of targets[node]) held.add(to)
  const full = targets.map((list) => list)
  full[0] = [...full[0]]
  for (let node = 0; node < nodeCount; node++) if (!fromRoot.has(node) && !held.has(node)) full[0].push(node)
  const all = reach(full, 0)
  for (let node = 0; node < nodeCount; node++) if (!all.has(node)) same(immediate[node], 0, `node ${node} of a cycle`)
  // Taking a node out: what can no longer be reached is what it dominates.
  const tested =
    nodeCount <= 24 ? [...Array(nodeCount).keys()] : Array.from({ length: 4 }, () => random.below(nodeCount))
  const chain = (node, above) => {
    for (let at = node; ; at = immediate[at]) {
      if (at === above) return true
      if (at === 0) return false
    }
  }
  for (const removed of tested) {
    if (removed === 0) continue
    const left = reach(full, 0, removed)
    for (const node of all) same(chain(node, removed), !left.has(node), `whether ${removed} dominates ${node}`)
  }
}

function checkDistances({ distances: { distance, via }, snapshot: { nodeCount, firstEdge, edges } }) {
  for (let node = 0; node < nodeCount; node++) {
    if (node === 0 || distance[node] < 0 || (distance[node] === 1 && via[node] === 0)) continue
    if (via[node] !== 0) same(distance[node], distance[via[node]] + 1, `distance of ${node}`)
    const out = edges.subarray(firstEdge[via[node]], firstEdge[via[node] + 1])
    ok(
      out.some((packed) => packed >>> 4 === node && (packed & 7) !== EdgeType.weak),
      `the edge to ${node}`,
    )
  }
}

function checkPaths(graph, heap, random) {
  const { paths, snapshot, moduleScopes } = graph
  const targets = heap.map((own) => own.filter(({ retains }) => retains).map(({ to }) => to))
  const roots = heap[0].map(({ to }) => to).filter((to) => snapshot.nodeType[to] !== NodeType.synthetic)
  const starts = new Set([...roots, ...moduleScopes.keys(), ...targets[0]])
  const reachable = new Set([...starts].flatMap((start) => [...reach(targets, start)]))
  for (let i = 0; i < 30; i++) {
    const node = random.below(snapshot.nodeCount)
    if (node === 0) continue
    const path = pathTo(paths, node)
    same(path.length > 0, reachable.has(node), `whether a path leads to ${node}`)
    if (path.length === 0) continue
    same(path.at(-1), node)
    ok(starts.has(path[0]), `the path to ${node} starts at a root`)
    for (let at = 1; at < path.length; at++) ok(targets[path[at - 1]].includes(path[at]), `step ${at} to ${node}`)
  }
}
