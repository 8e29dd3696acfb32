// The retaining path to a node, step by step: what each node is, and how one refers to the next.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'
import { blockVariable } from './block-scope.ts'
import type { HeapGraph } from './heap-graph.ts'
import { internal } from './look.ts'
import { nodesNamed } from './named.ts'
import { pathTo } from './paths.ts'
import { ROOT } from './roots.ts'
import { suspendedBy, suspendedName } from './suspended.ts'
import { tableOf } from './tables.ts'

/**
 * How a node refers to the next one on a path. By kind:
 * - `start`: the path begins here;
 * - `property`: a property, or a private field, whose name begins with `#`; `symbol`: one that goes by a symbol;
 * - `variable`: of a scope; `local`: of a suspended function;
 * - `element`: by an index; `entry`: of a Map or Set;
 * - `closure`: a function's scope; `outer scope`: the one around a scope;
 * - `WeakMap value`: the reference of a key to its value;
 * - `internal`, `hidden`: V8's and Node's own, with a name and without.
 */
export interface PathReference {
  readonly kind:
    | ('start' | 'property' | 'symbol' | 'variable' | 'local' | 'element' | 'entry')
    | ('closure' | 'outer scope' | 'WeakMap value' | 'internal' | 'hidden')
  /** Of the property, symbol, variable or internal field; index of the element; key of the entry, if it is a string. */
  readonly name: string | undefined
}

/** What a node is; `skipped` stands for the middle of a path that is too long to show. */
export interface Thing {
  readonly kind:
    | ('root' | 'module' | 'function' | 'suspended function' | 'scope' | 'object' | 'array')
    | ('string' | 'symbol' | 'regexp' | 'other' | 'skipped')
  /** Of the class, function or symbol; URL of the module; the first characters of the string. */
  readonly name: string
  /** How many elements an array has. */
  readonly length?: number
  /** What an object is, or extends, if that is a collection. */
  readonly collection?: 'Map' | 'Set'
}

export interface PathStep {
  /** How the node of the step before refers to this one. */
  readonly reference: PathReference
  readonly thing: Thing
  readonly ordinal: number
  readonly nodeId: number
  /** How many steps of the same kind follow each other here, as in a linked list; 1 for a step by itself. */
  readonly times: number
}

/** Whether a property of this name may be written as `.name`. */
export const isIdentifier = (name: string): boolean => /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u.test(name)

const MAX_NAME = 80
/** Parts of one string that are looked at without finding any text; one that was added to a million times is so deep. */
const MAX_PARTS = 1 << 20
/** The same where the text only says which string it is. */
const MAX_PARTS_ON_PATH = 10_000

/** Steps of a path that are kept at each end; between them may be ten million. */
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
 * The retaining path to `node`, backing stores left out and repeated steps folded; of a path with thousands of
 * different steps, the middle is one step. Empty if nothing that retains leads there.
 */
export const retainingPath = (graph: HeapGraph, node: number): PathStep[] => pathAlong(graph, pathTo(graph.paths, node))

/** The same along nodes that are known: ordinals, each of a node that refers to the next. */
export function pathAlong(graph: HeapGraph, nodes: readonly number[]): PathStep[] {
  const runs = runsOf(graph, nodes)
  const cut = runs.slice(MAX_STEPS, -MAX_STEPS)
  if (cut.length < 2) return stepsOf(graph, runs)
  const { nodeId } = graph.snapshot
  const last = cut.at(-1)!.node
  const times = cut.reduce((sum, run) => sum + run.times, 0)
  return [
    ...stepsOf(graph, runs.slice(0, MAX_STEPS)),
    { reference: START, thing: { kind: 'skipped', name: '' }, ordinal: last, nodeId: nodeId[last]!, times },
    ...stepsOf(graph, runs.slice(-MAX_STEPS)),
  ]
}

function runsOf(graph: HeapGraph, nodes: readonly number[]): Run[] {
  const { snapshot, moduleScopes } = graph
  const { nodeType, nodeName, edges, edgeNameOrIndex } = snapshot
  const { owner } = graph.ownership
  const runs: Run[] = []
  let before = ROOT
  for (const at of nodes) {
    const edge = before === ROOT ? -1 : findEdge(graph, before, at)
    const holder = before
    before = at
    // An object and its stores are one thing to the reader: the step is the one that leaves the store.
    if (owner[at] !== at && owner[at] === owner[holder] && at !== nodes.at(-1)) continue
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

function stepsOf(graph: HeapGraph, runs: readonly Run[]): PathStep[] {
  const steps: PathStep[] = []
  for (const { edge, holder, node, times } of runs) {
    const step = {
      reference: edge < 0 ? START : referenceOf(graph, holder, edge),
      thing: thingOf(graph, node),
      ordinal: node,
      nodeId: graph.snapshot.nodeId[node]!,
      times,
    }
    const last = steps.at(-1)
    if (last && areAlike(last.reference, step.reference) && areAlike(last.thing, step.thing)) {
      steps[steps.length - 1] = { ...step, times: last.times + times }
    } else steps.push(step)
  }
  return steps
}

const START: PathReference = { kind: 'start', name: undefined }

/** Whether they differ in numbers at most, as the elements of an array do. */
const areAlike = (a: PathReference | Thing, b: PathReference | Thing): boolean =>
  a.kind === b.kind && a.name?.replace(/\d+/g, '') === b.name?.replace(/\d+/g, '')

export function thingOf(graph: HeapGraph, node: number): Thing {
  const { snapshot, moduleScopes } = graph
  const { nodeType, nodeName, strings } = snapshot
  if (node === ROOT) return { kind: 'root', name: '' }
  const url = moduleScopes.get(node)
  if (url !== undefined) return { kind: 'module', name: url }
  const whole = strings.get(nodeName[node]!).trim()
  const name = whole.length > MAX_NAME ? `${whole.slice(0, MAX_NAME - 1)}…` : whole
  switch (nodeType[node]) {
    case NodeType.closure:
      return { kind: 'function', name }
    case NodeType.string:
    case NodeType.consString:
    case NodeType.slicedString:
      return { kind: 'string', name: stringText(graph, node, MAX_NAME, MAX_PARTS_ON_PATH) }
    case NodeType.object: {
      if (whole.startsWith('system / Context')) return { kind: 'scope', name: '' }
      const suspended = suspendedName(graph, node)
      if (suspended !== undefined) return { kind: 'suspended function', name: suspended }
      if (whole === 'Array') return { kind: 'array', name, length: elementCount(graph, node) }
      const table = tableOf(graph, node)
      return { kind: 'object', name, ...(table && { collection: table.slots === 3 ? 'Map' : 'Set' }) }
    }
    case NodeType.symbol:
      return { kind: 'symbol', name }
    case NodeType.regexp:
      return { kind: 'regexp', name }
    default:
      return { kind: 'other', name }
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
export function referenceOf(graph: HeapGraph, holder: number, edge: number): PathReference {
  const { edges, edgeNameOrIndex, strings } = graph.snapshot
  const index = edgeNameOrIndex[edge]!
  const type = edgeType(edges[edge]!)
  const local = type === EdgeType.element || type === EdgeType.internal ? graph.locals.get(edge) : undefined
  if (local !== undefined) return { kind: 'local', name: local }
  switch (type) {
    case EdgeType.element:
      return { kind: 'element', name: String(index) }
    case EdgeType.hidden: {
      const variable = blockVariable(graph.snapshot, holder, edge)
      return variable === undefined ? { kind: 'hidden', name: undefined } : { kind: 'variable', name: variable }
    }
    case EdgeType.context:
      return { kind: 'variable', name: strings.get(index) }
    case EdgeType.property:
    case EdgeType.shortcut: {
      const name = strings.get(index)
      if (name.startsWith('<symbol')) return { kind: 'symbol', name: name.slice('<symbol '.length, -1) }
      return { kind: 'property', name: isIdentifier(name) ? name : name.slice(0, MAX_NAME) }
    }
    default: {
      const name = strings.get(index)
      if (/^\d+$/.test(name)) {
        if (suspendedBy(graph, holder) !== undefined) return { kind: 'local', name: undefined }
        return isEntryTable(graph, holder)
          ? { kind: 'entry', name: entryKey(graph, holder, edge) }
          : { kind: 'internal', name }
      }
      if (name === 'context') return { kind: 'closure', name: undefined }
      if (name === 'previous') return { kind: 'outer scope', name: undefined }
      const exported = name === 'value' ? exportsOf(graph).get(holder) : undefined
      if (exported !== undefined) return { kind: 'variable', name: exported }
      const isValue = /^\d+ \/ part of key /.test(name)
      return isValue ? { kind: 'WeakMap value', name: undefined } : { kind: 'internal', name }
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

/** Whether it is the hash table of a Map or Set: slots of other stores are no entries, and have no keys beside them. */
function isEntryTable(graph: HeapGraph, store: number): boolean {
  const owner = graph.ownership.owner[store]!
  return owner !== store && owner < graph.snapshot.nodeCount && internal(graph, owner, 'table') === store
}

/** The key of a slot of a Map's or Set's hash table, if that is a string; it stands in the slot in front. */
function entryKey(graph: HeapGraph, table: number, edge: number): string | undefined {
  const { firstEdge, edges, edgeNameOrIndex, strings, nodeType, nodeName } = graph.snapshot
  const slot = Number(strings.get(edgeNameOrIndex[edge]!))
  for (let other = Math.max(firstEdge[table]!, edge - 2); other < edge; other++) {
    // What other edges have may be an index, and no name.
    if (edgeType(edges[other]!) !== EdgeType.internal) continue
    const target = edgeTarget(edges[other]!)
    if (Number(strings.get(edgeNameOrIndex[other]!)) === slot - 1 && nodeType[target] === NodeType.string) {
      return strings.get(nodeName[target]!).slice(0, MAX_NAME)
    }
  }
  return undefined
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

export function elementCount({ snapshot: { firstEdge, edges } }: HeapGraph, node: number): number {
  let count = 0
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    if (edgeType(edges[edge]!) === EdgeType.element) count++
  }
  return count
}

type Step = Pick<PathStep, 'reference'> | undefined

/** What the program calls a step: a property, field, symbol or variable. Keys that are no identifiers are no names. */
export function nameOfStep(step: Step): string | undefined {
  const name = step && HAVE_NAMES.has(step.reference.kind) ? step.reference.name : undefined
  return name !== undefined && NAME.test(name) && !/^\d+$/.test(name) ? name : undefined
}

/** The same with keys: of entries, and those that are any text. */
export function labelOfStep(step: Step): string | undefined {
  if (!step) return undefined
  const { kind, name } = step.reference
  return name !== '' && (HAVE_NAMES.has(kind) || kind === 'entry') ? name : undefined
}

const HAVE_NAMES = new Set<PathReference['kind']>(['property', 'symbol', 'variable', 'local'])
const NAME = /^[#\p{ID_Continue}$.]+$/u

/** Whether a property goes by a name, one of several where more are given. */
export const isProperty = ({ kind, name }: PathReference, ...names: readonly string[]): boolean =>
  kind === 'property' && name !== undefined && names.includes(name)

/** Whether it is a variable that has a name; names in front of it belong to something else. */
export const isVariable = ({ kind, name }: PathReference): boolean =>
  kind === 'variable' || (kind === 'local' && name !== undefined)

/** Whether V8 or Node refers to it on their own account: names in front of it are of something else. */
export const isUnnamed = ({ kind, name }: PathReference): boolean =>
  kind === 'hidden' || kind === 'internal' || (kind === 'local' && name === undefined)
