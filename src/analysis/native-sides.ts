// Objects that stand for memory outside of the heap, of which a snapshot shows a pointer and no size.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName } from '../graph/look.ts'
import { isNodesNative, TO_NATIVE } from '../node-internals/handles.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { classCounts } from './class-counts.ts'
import type { Classes } from './classes.ts'

/** Who made the native part: V8 (Intl, WebAssembly, buffers that grow), Node itself, or an addon. */
export type NativeMaker = 'v8' | 'node' | 'addon'

export interface NativeSide {
  /** Of the object that the program knows, not of the handle that Node keeps in it. */
  readonly className: string
  readonly maker: NativeMaker
  readonly count: number
  /** Ordinal of one object of the class that is counted. */
  readonly one: number
}

/** What addons call an object of theirs that is a mere pointer (`napi_create_external`). */
const EXTERNAL = 'External'
/** Fewer say nothing of what each costs. */
const FEWEST = 3
/** Fields of an object that are looked at. */
const MOST_FIELDS = 60
/** What keeps things without being what they are of. */
const PLAIN = /^(Object|Array|Map|Set|WeakMap|system \/ .*|\(.*\))$/

/** Of the nodes, those with a native side, by class; those first of which there are most. */
export function nativeSides(
  graph: HeapGraph,
  classes: Classes,
  nodes: Uint32Array,
  sample: number | undefined,
): NativeSide[] {
  const sides = new Map<string, NativeSide>()
  for (const { name, count, one } of classCounts(classes, nodes)) {
    if (count < FEWEST) break
    // Externals go by the name of plain objects, so that only the sample tells them apart.
    const example = sample !== undefined && classes.of[sample] === classes.of[one] ? sample : one
    const maker = makerOf(graph, example)
    if (!maker) continue
    const className = isExternal(graph, example) ? EXTERNAL : knownName(graph, example, name)
    if ((sides.get(className)?.count ?? 0) < count) sides.set(className, { className, maker, count, one: example })
  }
  // An addon's object has an external in it, and says more.
  const isExternalOnly = ({ className }: NativeSide) => className === EXTERNAL
  return [...sides.values()].sort((a, b) => Number(isExternalOnly(a)) - Number(isExternalOnly(b)) || b.count - a.count)
}

interface Field {
  /** Of an element or a hidden field, empty. */
  readonly name: string
  readonly target: number
}

/** What a node itself refers to, V8's own parts of it included. */
function fieldsOf({ snapshot }: HeapGraph, node: number): Field[] {
  const { firstEdge, edges, edgeNameOrIndex, strings } = snapshot
  const fields: Field[] = []
  const end = Math.min(firstEdge[node + 1]!, firstEdge[node]! + MOST_FIELDS)
  for (let edge = firstEdge[node]!; edge < end; edge++) {
    const type = edgeType(edges[edge]!)
    const isNamed = type !== EdgeType.element && type !== EdgeType.hidden
    fields.push({ name: isNamed ? strings.get(edgeNameOrIndex[edge]!) : '', target: edgeTarget(edges[edge]!) })
  }
  return fields
}

const field = (fields: readonly Field[], wanted: string): number | undefined =>
  fields.find(({ name }) => name === wanted)?.target

function makerOf(graph: HeapGraph, node: number): NativeMaker | undefined {
  const name = nodeName(graph, node)
  if (graph.snapshot.nodeType[node] === NodeType.native) return isNodesNative(name) ? 'node' : undefined
  if (!isObject(graph, node)) return undefined
  const fields = fieldsOf(graph, node)
  if (field(fields, '<symbol node:napi:wrapper>') !== undefined) return 'addon'
  if (field(fields, TO_NATIVE) !== undefined) return 'node'
  if (fields.some(({ target }) => isForeign(graph, target)) || isGrowable(graph, fields)) return 'v8'
  return isExternal(graph, node) ? 'addon' : undefined
}

/** V8's box around a pointer of its own, such as to an ICU formatter. */
const isForeign = (graph: HeapGraph, node: number): boolean =>
  graph.snapshot.nodeType[node] === NodeType.hidden && /^system \/ (Foreign|Managed)/.test(nodeName(graph, node))

/** Of a buffer that V8 has mapped itself the snapshot says that it has no bytes. */
function isGrowable(graph: HeapGraph, fields: readonly Field[]): boolean {
  const store = field(fields, 'backing_store')
  return store !== undefined && graph.snapshot.selfSize[store] === 0
}

/** What `napi_create_external` gives: an object without a prototype, and without a constructor that its map would name. */
function isExternal(graph: HeapGraph, node: number): boolean {
  const fields = fieldsOf(graph, node)
  if (!isObject(graph, node) || nodeName(graph, node) !== 'Object' || fields.length > 2) return false
  const [prototype, map] = [field(fields, '__proto__'), field(fields, 'map')]
  if (prototype === undefined || map === undefined || nodeName(graph, prototype) !== 'null') return false
  return field(fieldsOf(graph, map), 'constructor') === undefined
}

/** Node keeps its handles in the objects that programs have: `Zlib` in a `Deflate`. */
function knownName(graph: HeapGraph, node: number, className: string): string {
  const holder = graph.immediateDominator(node)
  const isHandle = graph.snapshot.nodeType[node] === NodeType.native || isHandleOf(graph, holder, node)
  const holderName = nodeName(graph, holder)
  if (isHandle && isObject(graph, holder) && !PLAIN.test(holderName)) return holderName
  return className.replace(/^Node \/ /, '')
}

const HANDLE = /^(_handle|context|<symbol (k?[hH]andle)>)$/

const isHandleOf = (graph: HeapGraph, holder: number, node: number): boolean =>
  fieldsOf(graph, holder).some(({ name, target }) => target === node && HANDLE.test(name))
