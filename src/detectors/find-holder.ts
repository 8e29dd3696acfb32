// Which of the places in which Node or V8 keep things a leak is held by: by the references of its retaining path, the innermost first.

import type { ClassCount } from '../analysis/class-counts.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isFunction, isObject, nodeName, numberAt, property } from '../graph/look.ts'
import { findEdge } from '../graph/retaining-path.ts'
import { ROOT } from '../graph/roots.ts'
import { isNodesNative } from '../node-internals/handles.ts'
import { type Holder, NODE_INTERNALS, type NodeInternal } from '../node-internals/holders.ts'
import { isTimerList } from '../node-internals/timers.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeType } from '../snapshot/snapshot.ts'

/** A leak as it is held; a candidate is one. */
export interface Held {
  readonly graph: HeapGraph
  readonly suspect: Pick<Suspect, 'kind' | 'container' | 'holders' | 'sample' | 'count' | 'bytes' | 'reached'>
  /** Ordinals, from where it is kept to the sample. */
  readonly way: readonly number[]
  /** Classes of all that came with it. */
  readonly classes: readonly ClassCount[]
}

export interface FoundHolder {
  readonly row: NodeInternal
  /** As it is called in the heap: `storageList`; undefined where only what is kept tells. */
  readonly name: string | undefined
  /** Ordinal of the object whose field it is. */
  readonly owner?: number
  /** Ordinal of V8's table that holds the things, where the retaining path is another one. */
  readonly table?: number
  /** How many are kept, where that is not how many references came. */
  readonly count?: number
  /** How many it keeps at the most, where that is known. */
  readonly bound?: number
}

/** Of those that are kept, so many must have a thing of the class beside them. */
const BESIDE = 0.3
/** An object with fewer properties of a kind has them for itself. */
const LEAST_MARKS = 16
/** Of what a leak holds, so much must be objects with such properties. */
const MOSTLY_MARKED = 0.6
/** An object that has grown by properties is larger, in bytes. */
const GROWN_BYTES = 1024
const MOST_LOOKED_AT = 20_000

type Named = 'variable' | 'field' | 'slot' | 'native'
/** By the kind of place and its name. */
const BY_NAME = new Map<string, { row: NodeInternal; holder: Holder }[]>()
for (const row of NODE_INTERNALS) {
  for (const holder of row.holders) {
    for (const [kind, name] of Object.entries(holder)) {
      if (typeof name !== 'string' || kind === 'open') continue
      const key = `${kind} ${name}`
      BY_NAME.set(key, [...(BY_NAME.get(key) ?? []), { row, holder }])
    }
  }
}
const SLOTS = NODE_INTERNALS.flatMap((row) =>
  row.holders.flatMap((holder) => ('slot' in holder ? [{ name: holder.slot, row }] : [])),
)
const MOST_RETAINERS = 16
const rowsNamed = (kind: Named, name: string) => BY_NAME.get(`${kind} ${name}`) ?? []

/** @param isCalled whether the program calls one of a row's public calls; asked only where the place alone does not tell */
export function findHolder(held: Held, isCalled: (row: NodeInternal) => boolean): FoundHolder | undefined {
  return onTheWay(held) ?? amongHolders(held) ?? byNodeAlone(held, isCalled)
}

/** Goes up from what things pile up in, as far as nothing of the program's is in between. */
function onTheWay({ graph, way, suspect }: Held): FoundHolder | undefined {
  for (let i = lastOf(graph, way, suspect.container); i > 0; i--) {
    const found = bySteps(graph, way, i)
    if (found) return found
    if (isPrograms(graph, way[i]!)) return undefined
  }
  return undefined
}

/** Index of the container on the path; the last node's where it is not on it. */
function lastOf({ ownership: { owner } }: HeapGraph, way: readonly number[], container: number): number {
  const at = way.findLastIndex((node) => node === container || owner[node] === container)
  return at < 0 ? way.length - 1 : at
}

function bySteps(graph: HeapGraph, way: readonly number[], i: number): FoundHolder | undefined {
  const { edges, edgeNameOrIndex, strings, nodeType } = graph.snapshot
  const [from, node] = [way[i - 1]!, way[i]!]
  if (nodeType[node] === NodeType.native) {
    const [native] = rowsNamed('native', nodeName(graph, node))
    if (native) return { row: native.row, name: undefined }
  }
  const edge = findEdge(graph, from, node)
  if (edge < 0) return undefined
  const type = edgeType(edges[edge]!)
  if (type === EdgeType.element || type === EdgeType.hidden) return undefined
  const name = strings.get(edgeNameOrIndex[edge]!)
  if (type === EdgeType.context) {
    const url = graph.moduleScopes.get(from)
    if (!url?.startsWith('node:')) return undefined
    const found = rowsNamed('variable', name).find(
      ({ holder }) => !('module' in holder) || !holder.module || holder.module.test(url),
    )
    if (!found) return undefined
    const { row } = found
    const bound = row.bound === undefined ? undefined : numberAt(graph, from, row.bound)
    return { row, name, ...(bound !== undefined && { bound }) }
  }
  if (type === EdgeType.internal) {
    const [found] = rowsNamed('slot', name)
    return found && { row: found.row, name }
  }
  const plain = plainName(name)
  const rows = rowsNamed('field', plain)
  if (rows.length === 0) return undefined
  const owner = namedOwner(graph, way, i - 1)
  if (owner === undefined) return undefined
  const found = rows.find(({ holder }) => 'of' in holder && holder.of.test(nodeName(graph, owner)))
  return found && { row: found.row, name: plain, owner }
}

/** `queue` of `<symbol Symbol(queue)>` and of `#queue`. */
const plainName = (name: string): string => name.replace(/^<symbol (?:Symbol\()?(.*?)\)?>$/, '$1').replace(/^#/, '')

/** The object of Node's own that a field is of: plain objects inside of it are looked through. */
function namedOwner(graph: HeapGraph, way: readonly number[], from: number): number | undefined {
  for (let i = from; i >= 0; i--) {
    if (isPrograms(graph, way[i]!)) return undefined
    const name = nodeName(graph, way[i]!)
    if (isFunction(graph, way[i]!) || (isObject(graph, way[i]!) && !/^(Object|Array|Map|Set)$/.test(name)))
      return way[i]
  }
  return undefined
}

/** Whether a node is a module, a function or an instance of the program's or of a package's. */
function isPrograms(graph: HeapGraph, node: number): boolean {
  const url = graph.moduleScopes.get(node) ?? graph.sourceLocation(node)?.url
  return url !== undefined && !url.startsWith('node:')
}

/** The path shows one of several holders: V8's own tables have names. */
function amongHolders({ graph, suspect }: Held): FoundHolder | undefined {
  const { edges, edgeNameOrIndex, strings } = graph.snapshot
  const slots = SLOTS.flatMap(({ name, row }) => {
    const index = strings.indexOf(name)
    return index < 0 ? [] : [{ index, name, row }]
  })
  if (slots.length === 0) return undefined
  for (const { node: holder } of graph.retainers(suspect.sample, MOST_RETAINERS)) {
    for (const { edge } of graph.retainers(holder, MOST_RETAINERS)) {
      if (edgeType(edges[edge]!) !== EdgeType.internal) continue
      const found = slots.find(({ index }) => index === edgeNameOrIndex[edge])
      if (found) return { row: found.row, name: found.name, table: holder }
    }
  }
  return undefined
}

/** What no JavaScript holds, but Node's native side does. */
function byNodeAlone(
  { graph, suspect, classes }: Held,
  isCalled: (row: NodeInternal) => boolean,
): FoundHolder | undefined {
  const { container, sample, count } = suspect
  if (container !== ROOT && graph.snapshot.nodeType[container] !== NodeType.synthetic) return undefined
  const own = nodeName(graph, sample)
  for (const row of NODE_INTERNALS) {
    for (const holder of row.holders) {
      if (!('open' in holder)) continue
      const beside = isNodesNative(holder.open) ? classes.find(({ name }) => name === holder.open) : undefined
      const isIt = own === holder.open || (beside !== undefined && beside.count >= BESIDE * count)
      if (!isIt || (row.onlyWithCall && !isCalled(row))) continue
      return { row, name: undefined, count: Math.min(count, beside?.count ?? count) }
    }
  }
  return undefined
}

/** The row by whose properties most of what came has grown. */
export function findMarks({ graph, suspect }: Held): NodeInternal | undefined {
  const { container, kind, sample, reached, bytes } = suspect
  const { shallowSize } = graph.ownership
  for (const row of NODE_INTERNALS) {
    if (row.marks === undefined) continue
    const name = graph.snapshot.strings.indexOf(`<symbol ${row.marks}>`)
    if (name < 0) continue
    if (isMarked(graph, container, name) || (kind === 'grown' && isMarked(graph, sample, name))) return row
    let marked = 0
    for (const node of reached.subarray(0, MOST_LOOKED_AT)) {
      if (shallowSize[node]! >= GROWN_BYTES && isMarked(graph, node, name)) marked += shallowSize[node]!
    }
    if (marked >= MOSTLY_MARKED * bytes) return row
  }
  return undefined
}

/** Whether a good part of an object's properties go by a name. */
function isMarked({ snapshot }: HeapGraph, node: number, name: number): boolean {
  const { firstEdge, edges, edgeNameOrIndex } = snapshot
  let marks = 0
  let others = 0
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    if (edgeType(edges[edge]!) !== EdgeType.property) continue
    if (edgeNameOrIndex[edge] === name) marks++
    else others++
  }
  return marks >= LEAST_MARKS && marks >= others
}

/** A variable of one of Node's modules, or a field of an object of Node's that has no public name, which is in no row. */
export interface UnknownHolder {
  /** The script of Node's that it is of: `node:internal/perf/observe`. */
  readonly url: string
  readonly name: string
  /** Ordinal of the object, of a field. */
  readonly owner: number | undefined
}

/**
 * A collection that is the value of a variable of Node's own, or a part of that, or in a hidden field of an object of
 * Node's: what is in the collection may be the program's, and is looked at no further.
 */
export function findUnknownHolder({
  graph,
  way,
  suspect,
}: Pick<Held, 'graph' | 'way' | 'suspect'>): UnknownHolder | undefined {
  const { edges, edgeNameOrIndex, strings } = graph.snapshot
  const { owner } = graph.ownership
  for (let i = lastOf(graph, way, suspect.container); i > 0; i--) {
    const [from, node] = [way[i - 1]!, way[i]!]
    // What is made by the program, or may be had by it, such as `process`, the program may have put things on.
    if (isPrograms(graph, node) || isFunction(graph, node) || nodeName(graph, node) === 'process') return undefined
    const edge = findEdge(graph, from, node)
    if (edge < 0) return undefined
    const type = edgeType(edges[edge]!)
    const name = type === EdgeType.element ? '' : strings.get(edgeNameOrIndex[edge]!)
    if (type === EdgeType.context) {
      const url = graph.moduleScopes.get(from)
      return url?.startsWith('node:') ? { url, name, owner: undefined } : undefined
    }
    if (type === EdgeType.property) {
      const url = graph.sourceLocation(from)?.url
      if (url?.startsWith('node:') && isHiddenName(graph, name)) return { url, name: plainName(name), owner: from }
    } else if (owner[node] !== owner[from]) return undefined
  }
  return undefined
}

/** A private field, or a symbol that is a variable of one of Node's modules: other symbols may be the program's. */
function isHiddenName(graph: HeapGraph, name: string): boolean {
  if (name.startsWith('#')) return true
  if (!name.startsWith('<symbol ')) return false
  const plain = plainName(name)
  for (const [scope, url] of graph.moduleScopes) {
    if (!url.startsWith('node:')) continue
    const value = property(graph, scope, plain)
    if (value !== undefined && graph.snapshot.nodeType[value] === NodeType.symbol) return true
  }
  return false
}

/** Whether nobody takes anything out of what things pile up in by hand. */
export const isInsideOfNode = (held: Pick<Held, 'graph' | 'way' | 'suspect'>): boolean =>
  isTimerList(held.graph, held.suspect.container) || findUnknownHolder(held) !== undefined
