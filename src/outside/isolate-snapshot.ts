// The heap of one isolate as columns, from a copy of its memory.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { MAX_NODES, packEdge, type Snapshot } from '../snapshot/snapshot.ts'
import { arenaUint8, arenaUint32, makeArena } from '../support/arena.ts'
import type { RunningScript } from '../support/script-sources.ts'
import { sharedFloat64 } from '../support/shared.ts'
import { Contents } from './contents.ts'
import { connectNodes } from './edges.ts'
import { checkFailed, Heap, type SweepCounts, sweepChecked } from './heap.ts'
import type { HeapImage, IsolateRegions } from './heap-image.ts'
import type { Layout } from './layout.ts'
import type { MemorySource } from './memory-source.ts'
import { findNativeSides } from './native-sides.ts'
import { describeNodes } from './nodes.ts'
import { MOST_OBJECTS, NumberNodes } from './numbers.ts'
import { Places } from './places.ts'
import { type Reached, reach } from './reach.ts'
import { Scopes } from './scopes.ts'
import { readScriptTexts } from './script-texts.ts'
import { Shapes } from './shapes.ts'
import { StringColumn } from './string-column.ts'
import { Texts } from './texts.ts'
import { type Traces, traceObjects } from './traces.ts'

export interface IsolateSnapshot {
  readonly snapshot: Snapshot
  /** By which a later picture knows its objects again. */
  readonly traces: Traces
  /** Keeps the copy of the memory as long as it is kept itself. */
  readonly contents: Contents
  /** The program's scripts; the text of those that no file has. */
  readonly scripts: readonly RunningScript[]
  readonly sweep: SweepCounts
  /** Living objects on pages that V8 was moving objects away from. */
  readonly onFromPages: number
  /** Node's number for the thread, 0 for the main one; undefined where it is not to be found. */
  readonly threadId: number | undefined
}

/** Bytes that columns, and all that will be worked out from them, may take: of a node, of an edge, beside. */
const ROOM = { node: 320, edge: 24, more: 1 << 25 }
const GC_ROOTS = 1
const FIRST_IDS = { from: 1e9, span: 1e9 }

/**
 * @param source for texts that are not a part of the copy
 * @throws LeakscopeError `heap-unreadable` that names the check which failed
 */
export function snapshotIsolate(
  image: HeapImage,
  layout: Layout,
  isolate: IsolateRegions,
  source: MemorySource,
): IsolateSnapshot {
  const heap = new Heap(image, layout, isolate.heap)
  const sweep = sweepChecked(heap)
  const reached = reach(heap, isolate, image.stacks.values())
  if (reached.count >= MOST_OBJECTS)
    throw checkFailed(heap, `it has ${reached.count} objects, more than leakscope can number`)
  const strings = new StringColumn()
  const texts = new Texts(heap, source, strings)
  try {
    const scopes = new Scopes(heap, texts)
    const shapes = new Shapes(heap, texts, scopes)
    const groups = reached.roots.filter(({ objects }) => objects.length > 0)
    const natives = findNativeSides(heap, reached)
    const firstObject = GC_ROOTS + 1 + groups.length
    const columns = describeNodes(heap, reached, shapes, texts, {
      first: firstObject,
      more: natives.objects.length + countBuffers(heap),
    })
    const { nodeOf, name, type, globals } = columns
    for (let node = 0; node < firstObject; node++) type[node] = NodeType.synthetic
    name[GC_ROOTS] = strings.intern('(GC roots)')
    for (const [i, group] of groups.entries()) name[GC_ROOTS + 1 + i] = strings.intern(group.name)

    // The ids of two captures have nothing to do with each other, and so must not be alike by chance. All have ten digits,
    // so that they can be replaced where they stand in names.
    const firstId = FIRST_IDS.from + 2 * Math.floor((Math.random() * FIRST_IDS.span) / 2) + 1
    const idOf = (node: number): number => firstId + 2 * node
    const element = (node: number, index: number) => ({ type: EdgeType.element as number, name: index, node })
    const rootEdges = [
      element(GC_ROOTS, 1),
      // The global objects: what leakscope and DevTools take for the program's own roots.
      ...globals.map((word, i) => ({
        type: EdgeType.shortcut as number,
        name: strings.intern(String(2 + i)),
        node: nodeOf[heap.ordinalAt(word)]!,
      })),
      // As in V8's own, what native code keeps is held beside the program's roots.
      ...natives.objects.flatMap((object, i) =>
        natives.held.has(object) ? element(columns.end + i, 2 + globals.length + i) : [],
      ),
    ]
    const groupEdges = [
      rootEdges,
      groups.map((_, i) => element(GC_ROOTS + 1 + i, i + 1)),
      ...groups.map(({ objects }) => objects.map((object, i) => element(nodeOf[object]!, i + 1))),
    ]
    const numbers = new NumberNodes(strings)
    const firstEdge = new Uint32Array(type.length + 1)
    const connected = connectNodes(
      heap,
      reached,
      columns,
      { shapes, scopes, texts, natives, numbers },
      groupEdges,
      firstEdge,
      idOf,
    )
    const { stores } = connected
    const firstNumber = columns.end + natives.objects.length + stores.length
    numbers.finish()
    const nodeCount = firstNumber + numbers.count
    if (nodeCount >= MAX_NODES) throw checkFailed(heap, `it has ${nodeCount} nodes, more than leakscope can number`)
    let edgeCount = connected.count
    for (let i = 0; i < numbers.count; i++) if (!numbers.isDigits(i)) edgeCount++
    for (const [i, object] of natives.objects.entries()) {
      type[columns.end + i] = NodeType.native
      name[columns.end + i] = strings.intern(`Node / ${strings.get(name[nodeOf[object]!]!)}`)
    }
    let size = columns.size
    const storeName = strings.intern('system / JSArrayBufferData')
    for (const { node, bytes } of stores) {
      type[node] = NodeType.native
      name[node] = storeName
      if (bytes > 0xffffffff && size instanceof Uint32Array) size = Float64Array.from(size)
      size[node] = bytes
    }

    const places = new Places(heap, texts, scopes)
    for (let object = 0; object < heap.count; object++) {
      if (reached.alive[object] === 0) continue
      const word = heap.objectWord[object]!
      const instanceType = heap.typeAt(word)
      if (instanceType <= layout.types.JS_PROXY) continue
      if (instanceType >= layout.functions.first && instanceType <= layout.functions.last)
        places.add(nodeOf[object]!, word)
      else {
        const { maker } = shapes.classOf(word, shapes.of(heap.mapOf(word)))
        if (maker >= 0) places.add(nodeOf[object]!, maker)
      }
    }

    // Everything in one memory that the loops in WebAssembly can work in.
    const arena = makeArena(nodeCount * ROOM.node + edgeCount * ROOM.edge + ROOM.more)
    const both = arenaUint32(arena, 2 * nodeCount)
    const [nodeName, narrowSize] = [both.subarray(0, nodeCount), both.subarray(nodeCount)]
    nodeName.set(name.subarray(0, firstNumber))
    if (size instanceof Uint32Array) narrowSize.set(size.subarray(0, firstNumber))
    const nodeType = arenaUint8(arena, nodeCount)
    nodeType.set(type.subarray(0, firstNumber))
    const nodeId = arenaUint32(arena, nodeCount)
    for (let node = 0; node < nodeCount; node++) nodeId[node] = idOf(node)
    const edges = arenaUint32(arena, edgeCount)
    const edgeNameOrIndex = arenaUint32(arena, edgeCount)
    connected.moveTo(edges, edgeNameOrIndex, firstNumber)
    const first = arenaUint32(arena, nodeCount + 1)
    first.set(firstEdge.subarray(0, firstNumber + 1))
    const integer = strings.intern('smi number')
    const value = strings.intern('value')
    for (let i = 0, edge = connected.count; i < numbers.count; i++) {
      const isDigits = numbers.isDigits(i)
      nodeType[firstNumber + i] = isDigits ? NodeType.string : NodeType.number
      nodeName[firstNumber + i] = isDigits ? numbers.textOf(i) : integer
      if (!isDigits) {
        edges[edge] = packEdge(firstNumber + numbers.digitsOfNode(i), EdgeType.internal)
        edgeNameOrIndex[edge++] = value
      }
      first[firstNumber + i + 1] = edge
    }
    const table = strings.finish()
    const traces = traceObjects(heap, reached, nodeOf, firstId)
    const snapshot: Snapshot = {
      file: source.name,
      fileBytes: source.fileBytes,
      packed: false,
      stringBytesAt: 0,
      nodeCount,
      edgeCount,
      extraNativeBytes: 0,
      nodeType,
      nodeName,
      nodeId,
      selfSize: size instanceof Uint32Array ? narrowSize : lengthened(size.subarray(0, firstNumber), nodeCount),
      firstEdge: first,
      edges,
      edgeNameOrIndex,
      locations: places.finish(),
      strings: table,
    }
    return {
      snapshot,
      traces,
      contents: new Contents(heap, traces, snapshot),
      scripts: readScriptTexts(heap, reached, texts),
      sweep,
      onFromPages: reached.onFromPages,
      threadId: findThreadId(heap, reached, shapes),
    }
  } finally {
    texts.close()
  }
}

/**
 * What Node's own module for workers says: an object with `threadId` and, beside it, `isMainThread`.
 * https://github.com/nodejs/node/blob/main/lib/internal/worker.js
 */
function findThreadId(heap: Heap, { alive }: Reached, shapes: Shapes): number | undefined {
  const plain = heap.layout.types.JS_OBJECT
  for (let object = 0; object < heap.count; object++) {
    if (alive[object] === 0) continue
    const word = heap.objectWord[object]!
    if (heap.typeAt(word) !== plain) continue
    const shape = shapes.of(heap.mapOf(word))
    if (shape.isDictionary || !shapes.hasOwn(shape, 'threadId') || !shapes.hasOwn(shape, 'isMainThread')) continue
    const at = shapes.ownValue(word, shape, 'threadId')
    if (at >= 0 && heap.isSmi(at)) return heap.smi(at)
  }
  return undefined
}

function lengthened(values: Float64Array, length: number): Float64Array {
  const more = sharedFloat64(length)
  more.set(values)
  return more
}

/** How many buffers there are, dead ones too. */
function countBuffers(heap: Heap): number {
  let count = 0
  for (let object = 0; object < heap.count; object++) {
    if (heap.typeAt(heap.objectWord[object]!) === heap.layout.types.JS_ARRAY_BUFFER) count++
  }
  return count
}
