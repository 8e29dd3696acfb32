// How much objects hold: how many entries a collection has, which part of its buffer a view shows. In a picture, and, as
// collections stay where they are, in the memory of the process at any later moment, at no cost to it.

import type { Heap, HeapPage } from './heap.ts'
import type { MemorySource } from './memory-source.ts'
import { isYoungPage } from './pages.ts'

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

/** What is the same for many collections. */
type Kind = Omit<Collection, 'address'>

/** What is noted of all collections and views while the memory is at hand. */
export interface NotedContents {
  /** Nodes of collections, ascending, and by each: where it stands, and which of the kinds it is of. */
  readonly collections: Uint32Array
  readonly address: Float64Array
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
  let address = new Float64Array(1 << 10)
  let page: HeapPage | undefined
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
    if (!page || word < page.at / 8 || word >= (page.at + page.bytes) / 8) {
      page = heap.pages.find(({ at, bytes }) => word >= at / 8 && word < (at + bytes) / 8)!
    }
    const isYoung = isYoungPage(page.flags)
    const key = `${map} ${isYoung} ${stores.map((store) => store.map).join(' ')}`
    let kind = known.get(key)
    if (kind === undefined) {
      kind = kinds.push({ map, stores, isArray: type === types.JS_ARRAY, isYoung }) - 1
      known.set(key, kind)
    }
    if (count === collections.length) {
      ;[collections, kindOf] = [doubled(collections), doubled(kindOf)]
      const longer = new Float64Array(2 * count)
      longer.set(address)
      address = longer
    }
    collections[count] = node
    address[count] = page.address + 8 * word - page.at
    kindOf[count++] = kind
  }
  return {
    ...{ collections: collections.slice(0, count), kindOf: kindOf.slice(0, count), kinds },
    address: address.slice(0, count),
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
  /** By node, until they are settled. */
  #nodeId: Uint32Array | undefined
  /** Of the collections, and of the views. */
  #collectionId = new Uint32Array(0)
  #viewId = new Uint32Array(0)

  constructor(noted: NotedContents, nodeId: Uint32Array) {
    this.#noted = noted
    this.#nodeId = nodeId
  }

  /** To be called when no id changes any more: the picture itself can be let go. */
  settle(): void {
    const nodeId = this.#nodeId
    if (!nodeId) return
    this.#collectionId = this.#noted.collections.map((node) => nodeId[node]!)
    this.#viewId = this.#noted.views.map((node) => nodeId[node]!)
    this.#nodeId = undefined
  }

  /** The collection with that id; undefined if there is none, or its size is not to be had in this way. */
  collection(id: number): Collection | undefined {
    this.settle()
    const found = this.#collectionId.indexOf(id)
    if (found < 0) return undefined
    const { address, kindOf, kinds } = this.#noted
    return { ...kinds[kindOf[found]!]!, address: address[found]! }
  }

  view(id: number): View | undefined {
    this.settle()
    const found = this.#viewId.indexOf(id)
    if (found < 0) return undefined
    const [byteLength, byteOffset, bufferByteLength] = this.#noted.viewParts.subarray(3 * found, 3 * found + 3)
    return { byteLength: byteLength!, byteOffset: byteOffset!, bufferByteLength: bufferByteLength! }
  }
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
