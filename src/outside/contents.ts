// How much objects hold: how many entries a collection has, which part of its buffer a view shows. In a picture, and, as
// collections stay where they are, in the memory of the process at any later moment, at no cost to it.

import type { Snapshot } from '../snapshot/snapshot.ts'
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

export class Contents {
  readonly #heap: Heap
  readonly #traces: Traces
  readonly #snapshot: Snapshot

  constructor(heap: Heap, traces: Traces, snapshot: Snapshot) {
    this.#heap = heap
    this.#traces = traces
    this.#snapshot = snapshot
  }

  /** The collection with that id; undefined if there is none, or its size is not to be had in this way. */
  collection(id: number): Collection | undefined {
    const found = this.#find(id)
    if (!found) return undefined
    const heap = this.#heap
    const { word, address, isYoung } = found
    const { types, dictionaryElements } = heap.layout
    const type = heap.typeAt(word)
    const common = { address, isYoung, map: numberAt(heap, word) }
    if (type === types.JS_ARRAY) return { ...common, stores: [], isArray: true }
    const store = (field: number) => ({ field, map: numberAt(heap, heap.target(word + field / 8)) })
    if (type === types.JS_MAP || type === types.JS_SET) return { ...common, stores: [store(TABLE)], isArray: false }
    if (type !== types.JS_OBJECT) return undefined
    const map = heap.mapOf(word)
    const { dictionaryBit, bitField3Byte, bitField2Byte, elementsKindMask, elementsKindShift } = heap.layout.map
    const isDictionary = ((heap.u32[(8 * map + bitField3Byte) >> 2]! >>> dictionaryBit) & 1) === 1
    const elementsKind = (heap.u8[8 * map + bitField2Byte]! & elementsKindMask) >>> elementsKindShift
    const hasTable = elementsKind === dictionaryElements
    const elements = heap.target(word + ELEMENTS / 8)
    if (!isDictionary || (!hasTable && heap.lengthOf(elements) > 0)) return undefined
    return { ...common, stores: [store(PROPERTIES), ...(hasTable ? [store(ELEMENTS)] : [])], isArray: false }
  }

  view(id: number): View | undefined {
    const found = this.#find(id)
    if (!found) return undefined
    const heap = this.#heap
    const { types, fields } = heap.layout
    const { word } = found
    const type = heap.typeAt(word)
    if (type !== types.JS_TYPED_ARRAY && type !== types.JS_DATA_VIEW) return undefined
    const buffer = heap.target(word + BUFFER / 8)
    if (heap.typeAt(buffer) !== types.JS_ARRAY_BUFFER || fields.bufferBytes < 0) return undefined
    const [byteOffset, byteLength] = [numberAt(heap, word + VIEW_OFFSET / 8), numberAt(heap, word + VIEW_LENGTH / 8)]
    const bufferByteLength = numberAt(heap, buffer + fields.bufferBytes)
    // Else these fields are no longer where they were in all known versions.
    return byteOffset + byteLength <= bufferByteLength ? { byteLength, byteOffset, bufferByteLength } : undefined
  }

  #find(id: number): { word: number; address: number; isYoung: boolean } | undefined {
    const { pages, first, word } = this.#traces
    const node = this.#snapshot.nodeId.indexOf(id)
    const page = node < 0 ? undefined : pages.find((it) => node >= it.first && node < it.end)
    if (!page) return undefined
    const address = page.address + 8 * word[node - first]!
    const found = this.#heap.wordAt(address % 2 ** 32, Math.floor(address / 2 ** 32))
    return { word: found, address, isYoung: page.isYoung }
  }
}

const numberAt = ({ u32 }: Heap, word: number): number => (word < 0 ? 0 : u32[2 * word]! + u32[2 * word + 1]! * 2 ** 32)

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
