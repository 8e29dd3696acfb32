// Says in words what a node is and how one node holds another.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'
import { formatCount } from '../support/format.ts'
import { blockVariable } from './block-scope.ts'
import type { HeapGraph } from './heap-graph.ts'
import { nodesNamed } from './named.ts'
import { pathTo } from './paths.ts'
import { ROOT } from './roots.ts'
import { suspendedBy, suspendedName } from './suspended.ts'

/** One step of a retaining path: what the node in front calls this one, and what this one is. */
export interface PathStep {
  /** `context variable 'logs'`, `.user`, `[12]`, `entry "key"`, or empty at the start of a path. */
  readonly edge: string
  /** `Map`, `function onData`, `module file:///app/chat.mjs`, `Array[48,211]`, … */
  readonly node: string
  readonly ordinal: number
  readonly nodeId: number
  /** How many steps of the same kind follow each other here, as in a linked list; 1 for a step by itself. */
  readonly times: number
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u
const MAX_NAME = 80
/** Parts of one string that are looked at without finding any text; one that was added to a million times is so deep. */
const MAX_PARTS = 1 << 20
/** The same where the text is only a word among others. */
const MAX_PARTS_IN_WORDS = 10_000

/** Steps of a path that are put into words at each end; between them may be ten million. */
const MAX_STEPS = 200

/** Some of a path's nodes in a row that look alike from afar: of one type and one name, behind edges of one type and name. */
interface Run {
  /** The last one's edge, or -1, and where that comes from. */
  edge: number
  holder: number
  /** Ordinal of the last one. */
  node: number
  times: number
}

/**
 * The retaining path to `node` in words, backing stores left out and repeated steps folded; of a path with thousands of
 * different steps, the middle is one step named `…`. Empty if nothing that retains leads there.
 */
export const describePath = (graph: HeapGraph, node: number): PathStep[] =>
  describeWay(graph, pathTo(graph.paths, node))

/** The same for a way that is known: ordinals, each of a node that refers to the next. */
export function describeWay(graph: HeapGraph, way: readonly number[]): PathStep[] {
  const runs = runsOf(graph, way)
  const cut = runs.slice(MAX_STEPS, -MAX_STEPS)
  if (cut.length < 2) return wordsOf(graph, runs)
  const { nodeId } = graph.snapshot
  const last = cut.at(-1)!.node
  const times = cut.reduce((sum, run) => sum + run.times, 0)
  return [
    ...wordsOf(graph, runs.slice(0, MAX_STEPS)),
    { edge: '', node: '…', ordinal: last, nodeId: nodeId[last]!, times },
    ...wordsOf(graph, runs.slice(-MAX_STEPS)),
  ]
}

function runsOf(graph: HeapGraph, way: readonly number[]): Run[] {
  const { snapshot, moduleScopes } = graph
  const { nodeType, nodeName, edges, edgeNameOrIndex } = snapshot
  const { owner } = graph.ownership
  const runs: Run[] = []
  let before = ROOT
  for (const at of way) {
    const edge = before === ROOT ? -1 : findEdge(graph, before, at)
    const holder = before
    before = at
    // An object and its stores are one thing to the reader: the step is told where it leaves the store.
    if (owner[at] !== at && owner[at] === owner[holder] && at !== way.at(-1)) continue
    const last = runs.at(-1)
    if (
      last &&
      last.edge >= 0 &&
      edge >= 0 &&
      nodeType[at] === nodeType[last.node] &&
      nodeName[at] === nodeName[last.node] &&
      edgeType(edges[edge]!) === edgeType(edges[last.edge]!) &&
      (edgeNameOrIndex[edge] === edgeNameOrIndex[last.edge] || edgeType(edges[edge]!) === EdgeType.element) &&
      !moduleScopes.has(at) &&
      !moduleScopes.has(last.node)
    ) {
      last.edge = edge
      last.holder = holder
      last.node = at
      last.times++
    } else runs.push({ edge, holder, node: at, times: 1 })
  }
  return runs
}

function wordsOf(graph: HeapGraph, runs: readonly Run[]): PathStep[] {
  const steps: PathStep[] = []
  for (const { edge, holder, node, times } of runs) {
    const step = {
      edge: edge < 0 ? '' : describeEdge(graph, holder, edge),
      node: describeNode(graph, node),
      ordinal: node,
      nodeId: graph.snapshot.nodeId[node]!,
      times,
    }
    const last = steps.at(-1)
    if (last && foldable(last.edge) === foldable(step.edge) && sameKind(last.node, step.node)) {
      steps[steps.length - 1] = { ...step, times: last.times + times }
    } else steps.push(step)
  }
  return steps
}

const foldable = (edge: string): string => edge.replace(/\d+/g, '')
const sameKind = (a: string, b: string): boolean => a.replace(/[\d,]+/g, '') === b.replace(/[\d,]+/g, '')

/** What the node is, in a few words. */
export function describeNode(graph: HeapGraph, node: number): string {
  const { snapshot, moduleScopes } = graph
  const { nodeType, nodeName, strings } = snapshot
  if (node === ROOT) return '(GC root)'
  const url = moduleScopes.get(node)
  if (url !== undefined) return `module ${url}`
  const name = strings.get(nodeName[node]!).trim()
  const short = name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 1)}…` : name
  switch (nodeType[node]) {
    case NodeType.closure:
      return `function ${short || '(anonymous)'}`
    case NodeType.string:
    case NodeType.consString:
    case NodeType.slicedString:
      return `string ${JSON.stringify(stringText(graph, node, MAX_NAME, MAX_PARTS_IN_WORDS))}`
    case NodeType.object: {
      if (name.startsWith('system / Context')) return 'scope'
      const suspended = suspendedName(graph, node)
      if (suspended !== undefined) return `suspended function ${suspended || '(anonymous)'}`
      if (name === 'Array') return `Array[${formatCount(elementCount(graph, node))}]`
      return short
    }
    case NodeType.symbol:
      return `symbol ${short}`
    case NodeType.regexp:
      return `RegExp ${short}`
    default:
      return short
  }
}

/**
 * A string's text, as much of it as the snapshot has, `max` characters at most (then with `…` at the end). V8 cuts
 * texts at 1,024 characters, and of a concatenated string it writes only what its parts are.
 */
export function stringText({ snapshot }: HeapGraph, node: number, max = 1024, maxParts = MAX_PARTS): string {
  const { nodeCount, nodeType, nodeName, firstEdge, edges, edgeNameOrIndex, strings } = snapshot
  const parts = ['first', 'second', 'parent'].map((name) => strings.indexOf(name))
  let text = ''
  // The right part waits while the left one, which may be a million parts deep, is taken apart.
  const waiting = [node]
  // Parts without a text that hold each other never end; each part of a real string has at most an empty one beside it.
  const patience = Math.min(maxParts, 2 * nodeCount)
  let barren = patience
  while (waiting.length > 0 && text.length <= max) {
    if (barren-- === 0) return `${text}…`
    const at = waiting.pop()!
    const length = text.length
    if (nodeType[at] === NodeType.string) text += strings.get(nodeName[at]!)
    if (text.length > length) barren = patience
    const below: number[] = []
    if (nodeType[at] === NodeType.consString || nodeType[at] === NodeType.slicedString) {
      for (let edge = firstEdge[at]!; edge < firstEdge[at + 1]!; edge++) {
        const part = parts.indexOf(edgeNameOrIndex[edge]!)
        if (part >= 0 && edgeType(edges[edge]!) === EdgeType.internal) below[part] = edgeTarget(edges[edge]!)
      }
    }
    for (let part = below.length - 1; part >= 0; part--) if (below[part] !== undefined) waiting.push(below[part]!)
  }
  return text.length > max ? `${text.slice(0, max - 1)}…` : text
}

/** How `holder` (or the store of its that the edge leaves) refers to the edge's target. */
function describeEdge(graph: HeapGraph, holder: number, edge: number): string {
  const { edges, edgeNameOrIndex, strings } = graph.snapshot
  const name = edgeNameOrIndex[edge]!
  switch (edgeType(edges[edge]!)) {
    case EdgeType.element: {
      const local = graph.locals.get(edge)
      return local === undefined ? `[${name}]` : `local variable '${local}'`
    }
    case EdgeType.hidden: {
      const variable = blockVariable(graph.snapshot, holder, edge)
      return variable === undefined ? '(hidden)' : `context variable '${variable}'`
    }
    case EdgeType.context:
      return `context variable '${strings.get(name)}'`
    case EdgeType.property:
    case EdgeType.shortcut: {
      const property = strings.get(name)
      if (IDENTIFIER.test(property)) return `.${property}`
      return property.startsWith('<symbol')
        ? `[${property.slice(1, -1)}]`
        : `[${JSON.stringify(property.slice(0, MAX_NAME))}]`
    }
    default: {
      const internal = strings.get(name)
      const local = graph.locals.get(edge)
      if (local !== undefined) return `local variable '${local}'`
      if (/^\d+$/.test(internal))
        return suspendedBy(graph, holder) === undefined ? entryKey(graph, holder, edge) : '(local variable)'
      if (internal === 'context') return 'closed over'
      if (internal === 'previous') return 'outer scope'
      if (internal === 'value') {
        const exported = exportsOf(graph).get(holder)
        if (exported !== undefined) return `context variable '${exported}'`
      }
      return /^\d+ \/ part of key /.test(internal) ? '(WeakMap value)' : `(${internal})`
    }
  }
}

const exported = new WeakMap<HeapGraph, ReadonlyMap<number, string>>()

/** By node ordinal of the cell that an ES module keeps a variable in which it exports: the name that it exports it by. */
export function exportsOf(graph: HeapGraph): ReadonlyMap<number, string> {
  const known = exported.get(graph)
  if (known) return known
  const { nodeType, nodeName, firstEdge, edges, edgeNameOrIndex, strings } = graph.snapshot
  const cell = strings.indexOf('system / Cell')
  const names = new Map<number, string>()
  for (const node of nodesNamed(graph.snapshot, [strings.indexOf('system / SourceTextModule')])) {
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const table = edgeTarget(edges[edge]!)
      if (nodeType[table] !== NodeType.array) continue
      // A hash table: behind the slot of each name is that of its cell.
      for (let slot = firstEdge[table]! + 1; slot < firstEdge[table + 1]!; slot++) {
        const [key, value] = [edgeTarget(edges[slot - 1]!), edgeTarget(edges[slot]!)]
        if (nodeName[value] !== cell || nodeType[key] !== NodeType.string) continue
        const [at, next] = [slot - 1, slot].map((each) => Number(strings.get(edgeNameOrIndex[each]!)))
        if (next === at! + 1) names.set(value, strings.get(nodeName[key]!))
      }
    }
  }
  exported.set(graph, names)
  return names
}

/** The slot of a Map's or Set's hash table: its key, if that is a string; the key stands in the slot in front. */
function entryKey(graph: HeapGraph, table: number, edge: number): string {
  const { firstEdge, edges, edgeNameOrIndex, strings, nodeType, nodeName } = graph.snapshot
  const slot = Number(strings.get(edgeNameOrIndex[edge]!))
  for (let other = Math.max(firstEdge[table]!, edge - 2); other < edge; other++) {
    // What other edges have may be an index, and no name.
    if (edgeType(edges[other]!) !== EdgeType.internal) continue
    const target = edgeTarget(edges[other]!)
    if (Number(strings.get(edgeNameOrIndex[other]!)) === slot - 1 && nodeType[target] === NodeType.string) {
      return `entry ${JSON.stringify(strings.get(nodeName[target]!).slice(0, MAX_NAME))}`
    }
  }
  return 'entry'
}

/** The edge by which `holder` retains `target`; the one that a person would name, if there are several; -1 if none. */
export function findEdge({ snapshot }: HeapGraph, holder: number, target: number): number {
  const { firstEdge, edges } = snapshot
  let found = -1
  for (let edge = firstEdge[holder]!; edge < firstEdge[holder + 1]!; edge++) {
    const packed = edges[edge]!
    if (edgeTarget(packed) !== target) continue
    // A WeakMap's table refers to its values too, though it is their keys that they live by.
    if (!retains(packed)) {
      if (found < 0) found = edge
      continue
    }
    const type = edgeType(packed)
    if (type === EdgeType.property || type === EdgeType.context || type === EdgeType.element) return edge
    if (found < 0 || !retains(edges[found]!)) found = edge
  }
  return found
}

function elementCount({ snapshot: { firstEdge, edges } }: HeapGraph, node: number): number {
  let count = 0
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    if (edgeType(edges[edge]!) === EdgeType.element) count++
  }
  return count
}
