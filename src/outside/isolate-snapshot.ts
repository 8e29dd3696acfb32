// The heap of one isolate as columns, from a copy of its memory.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { type Locations, MAX_NODES, type Snapshot } from '../snapshot/snapshot.ts'
import { type Arena, arenaOf, arenaUint8, arenaUint32, makeArena, roomIn } from '../support/arena.ts'
import type { RunningScript } from '../support/script-sources.ts'
import { sharedFloat64 } from '../support/shared.ts'
import { Contents, type NotedContents, noteContents } from './contents.ts'
import { EdgeWriter } from './edge-writer.ts'
import { connectNodes } from './edges.ts'
import { checkFailed, Heap, sweepChecked } from './heap.ts'
import type { HeapImage, IsolateRegions } from './heap-image.ts'
import { type ScheduledFunction, scheduledBy } from './immediates.ts'
import { type JsFrame, jsStack } from './js-stack.ts'
import type { Layout } from './layout.ts'
import type { MemorySource } from './memory-source.ts'
import { findBackingStores, findNativeSides } from './native-sides.ts'
import { describeNodes } from './nodes.ts'
import { MOST_OTHERS, NumberNodes } from './numbers.ts'
import { Places } from './places.ts'
import { type Reached, reach } from './reach.ts'
import { Scopes } from './scopes.ts'
import { readScriptTexts } from './script-texts.ts'
import { type Shape, Shapes } from './shapes.ts'
import { StringColumn } from './string-column.ts'
import { Texts } from './texts.ts'
import { type Traces, traceObjects } from './traces.ts'
import { type HeapUsage, usageOf } from './usage.ts'

export interface IsolateSnapshot {
  readonly snapshot: Snapshot
  /** By which a later picture knows its objects again; only where that was asked for. */
  readonly traces: Traces | undefined
  /** What its collections and views hold; likewise. */
  readonly contents: Contents | undefined
  /** The program's scripts; the text of those that no file has. */
  readonly scripts: readonly RunningScript[]
  readonly usage: HeapUsage
  /** By thread id: the functions of this isolate that it was in, the innermost first. Threads in none are left out. */
  readonly stacks: ReadonlyMap<number, readonly JsFrame[]>
  /** What it has run in the next turn of its event loop. */
  readonly scheduled: readonly ScheduledFunction[]
  /** The last error that native code has at hand: `TypeError: …`. */
  readonly error: string | undefined
  /** Living objects on pages that V8 was moving objects away from. */
  readonly onFromPages: number
  /** Node's number for the thread, 0 for the main one; undefined where it is not to be found. */
  readonly threadId: number | undefined
}

/** Bytes that columns, and all that will be worked out from them, may take: of a node, of an edge, beside. */
const ROOM = { node: 320, edge: 24, more: 1 << 25 }
/** The part of that which is not to be missed: for all that a heap needs to be opened. */
const ENOUGH_ROOM = 0.5
/** Places for nodes of numbers beyond what was estimated: of that, and beside it. */
const MORE_NUMBERS = { share: 0.05, numbers: 1000 }
const GC_ROOTS = 1
const MOST_SCHEDULED = 1000
const FIRST_IDS = { from: 1e9, span: 1e9 }
/** Of edges, classes and functions, beside those of strings; and bytes that a string is given room for at first. */
const MORE_STRINGS = 1 << 16
const STRING_BYTES = 128

/** Columns of which the edges still wait elsewhere, until {@link PendingSnapshot.finish} when the copy has been let go. */
export interface PendingSnapshot {
  finish(): IsolateSnapshot
  /** Lets go of it instead. */
  abandon(): void
}

/**
 * @param source for texts that are not a part of the copy
 * @param isRecognizable whether its objects are to be known again later: takes 8 bytes an object, and 8 a collection
 * @throws LeakscopeError `heap-unreadable` that names the check which failed
 */
export const snapshotIsolate = (
  image: HeapImage,
  layout: Layout,
  isolate: IsolateRegions,
  source: MemorySource,
  isRecognizable = false,
): IsolateSnapshot => collectIsolate(image, layout, isolate, source, isRecognizable).finish()

/** The same in two steps: nothing of the copy is needed for the second. */
export function collectIsolate(
  image: HeapImage,
  layout: Layout,
  isolate: IsolateRegions,
  source: MemorySource,
  isRecognizable = false,
): PendingSnapshot {
  const heap = new Heap(image, layout, isolate.heap)
  const sweep = sweepChecked(heap)
  const reached = reach(heap, isolate, image.stacks.values())
  const strings = new StringColumn(reached.strings + MORE_STRINGS, STRING_BYTES * reached.strings, arenaOf(image.bytes))
  const texts = new Texts(heap, source, strings)
  const out = new EdgeWriter()
  try {
    const scopes = new Scopes(heap, texts)
    const shapes = new Shapes(heap, texts, scopes)
    const groups = reached.roots.filter(({ objects }) => objects.length > 0)
    const natives = findNativeSides(heap, reached)
    const stores = findBackingStores(heap, reached)
    const firstObject = GC_ROOTS + 1 + groups.length
    const firstNumber = firstObject + heap.count + natives.objects.length + stores.bytes.length
    if (firstNumber >= MOST_OTHERS)
      throw checkFailed(heap, `it has ${firstNumber} nodes, more than leakscope can number`)
    // How many numbers there are shows only when all edges are known. Room that is not used costs nothing.
    const room = firstNumber + numbersIn(reached)
    // Everything in one memory that the loops in WebAssembly can work in. No object has many more edges than words.
    const arena = arenaFor(image, room * ROOM.node + reached.words * ROOM.edge + ROOM.more)
    const both = arenaUint32(arena, 2 * room)
    const [name, narrowSize] = [both.subarray(0, room), both.subarray(room)]
    const type = arenaUint8(arena, room)
    const firstEdge = arenaUint32(arena, room + 1)
    const size = stores.bytes.some((bytes) => bytes > 0xffffffff) ? sharedFloat64(room) : narrowSize
    const columns = describeNodes(heap, shapes, texts, firstObject, { type, name, size })
    for (let node = 0; node < firstObject; node++) type[node] = NodeType.synthetic
    name[GC_ROOTS] = strings.intern('(GC roots)')
    for (const [i, group] of groups.entries()) name[GC_ROOTS + 1 + i] = strings.intern(group.name)

    // The ids of two captures have nothing to do with each other, and so must not be alike by chance. All have ten digits,
    // so that they can be replaced where they stand in names.
    const firstId = FIRST_IDS.from + 2 * Math.floor((Math.random() * FIRST_IDS.span) / 2) + 1
    const idOf = (node: number): number => firstId + 2 * node
    const nodeOf = (object: number): number => firstObject + heap.ordinalAt(object)
    const { globals } = columns
    out.push(EdgeType.element, 1, GC_ROOTS)
    // The global objects: what leakscope and DevTools take for the program's own roots.
    for (const [i, word] of globals.entries()) out.push(EdgeType.shortcut, strings.intern(String(2 + i)), nodeOf(word))
    // As in V8's own, what native code keeps is held beside the program's roots.
    for (const [i, object] of natives.objects.entries()) {
      if (natives.held.has(object)) out.push(EdgeType.element, 2 + globals.length + i, columns.end + i)
    }
    firstEdge[1] = out.count
    for (let i = 0; i < groups.length; i++) out.push(EdgeType.element, i + 1, GC_ROOTS + 1 + i)
    firstEdge[2] = out.count
    for (const [i, { objects }] of groups.entries()) {
      for (const [j, object] of objects.entries()) out.push(EdgeType.element, j + 1, nodeOf(object))
      firstEdge[GC_ROOTS + 2 + i] = out.count
    }
    const numbers = new NumberNodes(strings)
    connectNodes(heap, reached, columns, { shapes, scopes, texts, natives, stores, numbers }, out, firstEdge, idOf)
    for (const [i, object] of natives.objects.entries()) {
      type[columns.end + i] = NodeType.native
      name[columns.end + i] = strings.intern(`Node / ${strings.get(name[nodeOf(object)]!)}`)
    }
    const storeName = strings.intern('system / JSArrayBufferData')
    for (const [i, bytes] of stores.bytes.entries()) {
      const node = columns.end + natives.objects.length + i
      type[node] = NodeType.native
      name[node] = storeName
      size[node] = bytes
    }
    numbers.finish()
    const nodeCount = firstNumber + numbers.count
    if (nodeCount >= MAX_NODES) throw checkFailed(heap, `it has ${nodeCount} nodes, more than leakscope can number`)
    const used = {
      ...{ nodeType: withLength(type, nodeCount), nodeName: withLength(name, nodeCount) },
      ...{ selfSize: withLength(size, nodeCount), firstEdge: withLength(firstEdge, nodeCount + 1) },
    }
    const [integer, value] = [strings.intern('smi number'), strings.intern('value')]
    for (let i = 0; i < numbers.count; i++) {
      const isDigits = numbers.isDigits(i)
      used.nodeType[firstNumber + i] = isDigits ? NodeType.string : NodeType.number
      used.nodeName[firstNumber + i] = isDigits ? numbers.textOf(i) : integer
      if (!isDigits) out.push(EdgeType.internal, value, numbers.digitsOfNode(i))
      used.firstEdge[firstNumber + i + 1] = out.count
    }
    const places = new Places(heap, texts, scopes)
    let threadId: number | undefined
    const others = new Set<Shape>()
    const immediate = strings.intern('Immediate')
    const scheduled: ScheduledFunction[] = []
    let node = firstObject - 1
    for (let word = heap.nextObject(0); word >= 0; word = heap.nextObject(word + 1)) {
      node++
      const map = heap.mapOf(word)
      const instanceType = heap.typeOfMap(map)
      if (instanceType <= layout.types.JS_PROXY) continue
      if (instanceType >= layout.functions.first && instanceType <= layout.functions.last) places.add(node, word)
      else {
        const shape = shapes.of(map)
        const { name: className, maker } = shapes.classOf(word, shape)
        if (maker >= 0) places.add(node, maker)
        if (instanceType !== layout.types.JS_OBJECT) continue
        threadId ??= threadIdIn(heap, word, shape, shapes, others)
        if (className === immediate && scheduled.length < MOST_SCHEDULED) {
          const called = scheduledBy(heap, word, shape, shapes, places)
          if (called) scheduled.push(called)
        }
      }
    }
    const stacks = new Map<number, readonly JsFrame[]>()
    for (const [thread, region] of image.stacks) {
      const frames = jsStack(heap, region, places, shapes)
      if (frames.length > 0) stacks.set(thread, frames)
    }
    const error = errorIn(heap, isolate, shapes, texts)
    strings.forget()
    const { name: file, fileBytes } = source
    const pending = waiting(
      { file, fileBytes, nodeCount, ...used },
      {
        ...{ arena, firstId, firstNumber, out, strings, locations: places.finish() },
        ...(isRecognizable
          ? { traces: traceObjects(heap, firstObject, firstId), noted: noteContents(heap, firstObject) }
          : { traces: undefined, noted: undefined }),
      },
      {
        ...{ scripts: readScriptTexts(heap, texts), usage: usageOf(heap, sweep, stores) },
        ...{ onFromPages: reached.onFromPages, threadId, stacks, scheduled, error },
      },
    )
    heap.release()
    return pending
  } catch (error) {
    out.close()
    throw error
  } finally {
    texts.close()
  }
}

/** The memory of the copy where there is room beside it: the columns then follow in its place. */
function arenaFor({ bytes }: HeapImage, wanted: number): Arena | undefined {
  const arena = arenaOf(bytes)
  return arena && roomIn(arena) >= ENOUGH_ROOM * wanted ? arena : makeArena(wanted)
}

/** How many nodes for numbers there may be: two of each small integer, one of each other number. */
function numbersIn({ integers, heapNumbers }: Reached): number {
  const numbers = 2 * integers + heapNumbers
  return Math.min(Math.ceil(numbers * (1 + MORE_NUMBERS.share)) + MORE_NUMBERS.numbers, MAX_NODES)
}

/** The column's beginning; where it is too short, a longer one in a memory of its own. */
function withLength<T extends Uint8Array | Uint32Array | Float64Array>(column: T, length: number): T {
  if (length <= column.length) return column.subarray(0, length) as T
  const Column = column.constructor as new (memory: SharedArrayBuffer) => T
  const longer = new Column(new SharedArrayBuffer(length * column.BYTES_PER_ELEMENT))
  longer.set(column)
  return longer
}

/** A function of its own, as functions keep all that stands around them: the copy. */
function waiting(
  columns: Pick<Snapshot, 'file' | 'fileBytes' | 'nodeCount' | 'nodeType' | 'nodeName' | 'selfSize' | 'firstEdge'>,
  rest: {
    readonly arena: Arena | undefined
    readonly firstId: number
    readonly firstNumber: number
    readonly out: EdgeWriter
    readonly strings: StringColumn
    readonly locations: Locations
    readonly traces: Traces | undefined
    readonly noted: NotedContents | undefined
  },
  facts: Omit<IsolateSnapshot, 'snapshot' | 'traces' | 'contents'>,
): PendingSnapshot {
  const { arena, firstId, firstNumber, out, strings, locations, traces, noted } = rest
  return {
    abandon: () => out.close(),
    finish() {
      const nodeId = arenaUint32(arena, columns.nodeCount)
      for (let node = 0; node < nodeId.length; node++) nodeId[node] = firstId + 2 * node
      const edgeCount = out.count
      const edges = arenaUint32(arena, edgeCount)
      const edgeNameOrIndex = arenaUint32(arena, edgeCount)
      out.moveTo(edges, edgeNameOrIndex, strings, firstNumber)
      const snapshot: Snapshot = {
        ...{ packed: false, stringBytesAt: 0, extraNativeBytes: 0, locations, strings: strings.finish() },
        ...{ ...columns, nodeId, edgeCount, edges, edgeNameOrIndex },
      }
      return { snapshot, traces, contents: noted && new Contents(noted, nodeId), ...facts }
    },
  }
}

/** Of the handles of running native code the newest error, with its message. */
function errorIn(heap: Heap, { localHandles }: IsolateRegions, shapes: Shapes, texts: Texts): string | undefined {
  for (const { at, start, end } of localHandles) {
    for (let word = (at + end - start) / 8 - 1; word >= at / 8; word--) {
      const object = heap.referent(word)
      if (heap.typeAt(object) !== heap.layout.types.JS_ERROR) continue
      const shape = shapes.of(heap.mapOf(object))
      const held = shapes.ownValue(object, shape, 'message')
      const message = held < 0 ? -1 : heap.referent(held)
      const name = texts.strings.get(shapes.classOf(object, shape).name)
      return message >= 0 && texts.isString(message) ? `${name}: ${texts.text(message)}` : name
    }
  }
  return undefined
}

/**
 * What Node's own module for workers says: an object with `threadId` and, beside it, `isMainThread`.
 * https://github.com/nodejs/node/blob/main/lib/internal/worker.js
 */
function threadIdIn(
  heap: Heap,
  word: number,
  shape: Shape,
  shapes: Shapes,
  /** Shapes that are known not to be of such an object. */
  others: Set<Shape>,
): number | undefined {
  if (others.has(shape)) return undefined
  if (shape.isDictionary || !shapes.hasOwn(shape, 'threadId') || !shapes.hasOwn(shape, 'isMainThread')) {
    others.add(shape)
    return undefined
  }
  const at = shapes.ownValue(word, shape, 'threadId')
  return at >= 0 && heap.isSmi(at) ? heap.smi(at) : undefined
}
