// How much objects hold: how many entries a collection has, which part of its buffer a view shows. In a picture, and, as
// collections stay where they are, in the memory of the process at any later moment, at no cost to it.

import type { Heap } from './heap.ts'
import type { MemorySource } from './memory-source.ts'
import type { Traces } from './traces.ts'

/** Bytes from an object's beginning, of all versions: Map's and Set's table, an array's length, a view's parts. */
const PROPERTIES = 8
const ELEMENTS = 16
const TABLE = 24
const LENGTH = 24
const BUFFER = 24
const VIEW_OFFSET = 32
const VIEW_LENGTH = 40
/** In a hash table: how many entries it has. https://github.com/v8/v8/blob/main/src/objects/ordered-hash-table.h */
const ENTRIES = 16

/** A collection, as it can be looked at again. */
export interface Collection {
  readonly address: number
  /** The word that each object begins with: while it is the same, so is the object's kind. */
  readonly map: number
  /** Where the number of entries stands: in the object, or in the table that a field leads to, one of each of these. */
  readonly stores: readonly { readonly field: number; readonly map: number }[]
  readonly isArray: boolean
  /** Whether V8 moves it about: then there is nothing to be looked at later. */
  readonly isYoung: boolean
}

/** Which part of its buffer a view shows; bytes. */
export interface View {
  readonly byteLength: number
  readonly byteOffset: number
  readonly bufferByteLength: number
}

/** What is the same for many collections: all of a {@link Collection} that does not depend on where it is. */
type Kind = Pick<Collection, 'map' | 'stores' | 'isArray'>

/** What is noted of all collections and views while the memory is at hand. */
export interface NotedContents {
  /** Nodes of collections, ascending, and by each: which of the kinds it is of. */
  readonly collections: Uint32Array
  readonly kindOf: Uint32Array
  readonly kinds: readonly Kind[]
  /** Nodes of views, ascending, and by each: three numbers, those of {@link View} in their order. */
  readonly views: Uint32Array
  readonly viewParts: Float64Array
}

/** @param first node of the object with ordinal 0 */
export function noteContents(heap: Heap, first: number): NotedContents {
  const { types } = heap.layout
  let [collections, kindOf, count] = [new Uint32Array(1 << 10), new Uint32Array(1 << 10), 0]
  const kinds: Kind[] = []
  const known = new Map<string, number>()
  const views: number[] = []
  const viewParts: number[] = []
  let node = first - 1
  for (let word = heap.nextObject(0); word >= 0; word = heap.nextObject(word + 1)) {
    node++
    const type = heap.typeOfMap(heap.mapOf(word))
    if (type === types.JS_TYPED_ARRAY || type === types.JS_DATA_VIEW) {
      const view = viewAt(heap, word)
      if (!view) continue
      views.push(node)
      viewParts.push(view.byteLength, view.byteOffset, view.bufferByteLength)
      continue
    }
    const fields = storeFields(heap, word, type)
    if (!fields) continue
    const map = numberAt(heap, word)
    const stores = fields.map((field) => ({ field, map: numberAt(heap, heap.target(word + field / 8)) }))
    const key = `${map} ${stores.map((store) => store.map).join(' ')}`
    let kind = known.get(key)
    if (kind === undefined) {
      kind = kinds.push({ map, stores, isArray: type === types.JS_ARRAY }) - 1
      known.set(key, kind)
    }
    if (count === collections.length) [collections, kindOf] = [doubled(collections), doubled(kindOf)]
    collections[count] = node
    kindOf[count++] = kind
  }
  return {
    ...{ collections: collections.slice(0, count), kindOf: kindOf.slice(0, count), kinds },
    ...{ views: Uint32Array.from(views), viewParts: Float64Array.from(viewParts) },
  }
}

const doubled = (array: Uint32Array): Uint32Array<ArrayBuffer> => {
  const longer = new Uint32Array(2 * array.length)
  longer.set(array)
  return longer
}

/** Which fields of a collection lead to tables that have its entries; undefined for other objects. */
function storeFields(heap: Heap, word: number, type: number): readonly number[] | undefined {
  const { types, dictionaryElements } = heap.layout
  if (type === types.JS_ARRAY) return NO_FIELDS
  if (type === types.JS_MAP || type === types.JS_SET) return TABLE_FIELDS
  if (type !== types.JS_OBJECT) return undefined
  const map = heap.mapOf(word)
  const { dictionaryBit, bitField3Byte, bitField2Byte, elementsKindMask, elementsKindShift } = heap.layout.map
  if (((heap.u32[(8 * map + bitField3Byte) >> 2]! >>> dictionaryBit) & 1) === 0) return undefined
  const elementsKind = (heap.u8[8 * map + bitField2Byte]! & elementsKindMask) >>> elementsKindShift
  if (elementsKind === dictionaryElements) return DICTIONARY_FIELDS
  return heap.lengthOf(heap.target(word + ELEMENTS / 8)) > 0 ? undefined : PROPERTY_FIELDS
}
const NO_FIELDS: readonly number[] = []
const TABLE_FIELDS = [TABLE]
const PROPERTY_FIELDS = [PROPERTIES]
const DICTIONARY_FIELDS = [PROPERTIES, ELEMENTS]

function viewAt(heap: Heap, word: number): View | undefined {
  const { types, fields } = heap.layout
  const buffer = heap.target(word + BUFFER / 8)
  if (heap.typeAt(buffer) !== types.JS_ARRAY_BUFFER || fields.bufferBytes < 0) return undefined
  const [byteOffset, byteLength] = [numberAt(heap, word + VIEW_OFFSET / 8), numberAt(heap, word + VIEW_LENGTH / 8)]
  const bufferByteLength = numberAt(heap, buffer + fields.bufferBytes)
  // Else these fields are no longer where they were in all known versions.
  return byteOffset + byteLength <= bufferByteLength ? { byteLength, byteOffset, bufferByteLength } : undefined
}

const numberAt = ({ u32 }: Heap, word: number): number => (word < 0 ? 0 : u32[2 * word]! + u32[2 * word + 1]! * 2 ** 32)

export class Contents {
  readonly #noted: NotedContents
  readonly #traces: Traces
  readonly #nodeId: Uint32Array

  constructor(noted: NotedContents, traces: Traces, nodeId: Uint32Array) {
    this.#noted = noted
    this.#traces = traces
    this.#nodeId = nodeId
  }

  /** The collection with that id; undefined if there is none, or its size is not to be had in this way. */
  collection(id: number): Collection | undefined {
    const { collections, kindOf, kinds } = this.#noted
    const { pages, first, word } = this.#traces
    const node = this.#nodeId.indexOf(id)
    const found = placeOf(collections, node)
    const page = found < 0 ? undefined : pages.find((it) => node >= it.first && node < it.end)
    if (!page) return undefined
    return { ...kinds[kindOf[found]!]!, address: page.address + 8 * word[node - first]!, isYoung: page.isYoung }
  }

  view(id: number): View | undefined {
    const { views, viewParts } = this.#noted
    const found = placeOf(views, this.#nodeId.indexOf(id))
    if (found < 0) return undefined
    const [byteLength, byteOffset, bufferByteLength] = viewParts.subarray(3 * found, 3 * found + 3)
    return { byteLength: byteLength!, byteOffset: byteOffset!, bufferByteLength: bufferByteLength! }
  }
}

/** Where a node stands among ascending ones, by bisection; -1 if it does not. */
function placeOf(nodes: Uint32Array, node: number): number {
  let low = 0
  let high = nodes.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    if (nodes[middle] === node) return middle
    if (nodes[middle]! < node) low = middle + 1
    else high = middle - 1
  }
  return -1
}

const WORD = Buffer.alloc(8)

/**
 * How many entries a collection has now; undefined where it is not there any more, or was just about to change. Nothing
 * is stopped for it: each of these numbers is one word, which is written at once.
 */
export function sizeNow(
  source: MemorySource,
  { address, map, stores, isArray, isYoung }: Collection,
): number | undefined {
  if (isYoung || numberIn(source, address) !== map) return undefined
  if (isArray) return integerIn(source, address + LENGTH)
  let size = 0
  for (const store of stores) {
    // The lowest bit of a reference is set.
    const table = (numberIn(source, address + store.field) ?? 0) - 1
    if (table < 0 || numberIn(source, table) !== store.map) return undefined
    const entries = integerIn(source, table + ENTRIES)
    if (entries === undefined) return undefined
    size += entries
  }
  return numberIn(source, address) === map ? size : undefined
}

function numberIn(source: MemorySource, address: number): number | undefined {
  if (source.read(address, WORD, 0, 8) < 8) return undefined
  return WORD.readUInt32LE(0) + WORD.readUInt32LE(4) * 2 ** 32
}
function integerIn(source: MemorySource, address: number): number | undefined {
  if (source.read(address, WORD, 0, 8) < 8 || WORD.readUInt32LE(0) !== 0) return undefined
  return WORD.readInt32LE(4)
}
