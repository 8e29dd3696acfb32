// Which objects are alive: those that the roots lead to, as V8's own collector would find them.

import { bitCount, checkFailed, type Heap, NOWHERE } from './heap.ts'
import type { IsolateRegions, Region } from './heap-image.ts'
import { Sizing } from './layout.ts'
import { HANDLE_BYTES, isFromPage } from './pages.ts'

/** What V8 calls the roots of one kind in its snapshots, and the words of the objects that they lead to. */
export interface RootGroup {
  readonly name: string
  readonly objects: readonly number[]
}

export interface Reached {
  readonly roots: readonly RootGroup[]
  /** Words of the living objects of some kinds, ascending: tables of WeakMaps; buffers; what may have a native side. */
  readonly tables: readonly number[]
  readonly buffers: readonly number[]
  readonly apiObjects: readonly number[]
  /** How many of the living objects are strings, and how many words all have, about. */
  readonly strings: number
  readonly words: number
  /** How many different small integers are in them, about; and how many of them are other numbers. */
  readonly integers: number
  readonly heapNumbers: number
  /** The instance type of the tables of WeakMaps; NOWHERE where there is no WeakMap. */
  readonly ephemeronType: number
  /** Living objects that stand where V8 moves them away from: the copy is of the middle of a collection. */
  readonly onFromPages: number
}

/** Of a global handle: what kind it is, in the two low bits of its flags. 1 is strong; others are free or weak. */
const HANDLE_FLAGS_AT = 11
const HANDLE_STATE = 3
const HANDLE_STRONG = 1

/** Of references in living objects, this part may lead to no object: V8 dies in the middle of what it was doing. */
const MOST_DANGLING = 1e-3

/** The word of a weak collection's table, and of what a WeakRef refers to. */
export const FIRST_OWN_FIELD = 3
/** In a hash table, behind map and length: how many entries there are, were, and there is room for. */
const CAPACITY = 4
const HASH_HEADER = 3
/** Words of a WeakCell: https://github.com/v8/v8/blob/main/src/objects/js-weak-refs.tq */
const CELL_TARGET = 2
const CELL_HOLDINGS = 4

/**
 * From here on, the heap has only the objects that are alive.
 *
 * @param regions what keeps objects of this isolate alive
 * @param stacks of all threads: only those of this isolate lead here
 * @throws LeakscopeError `heap-unreadable` if too many references lead to no object
 */
export function reach(heap: Heap, regions: IsolateRegions, stacks: Iterable<Region>): Reached {
  const strong = objectsIn(heap, [regions.isolate])
  const marker = new Marker(heap, new Set(strong.filter((object) => isNumberCache(heap, object))))
  const handles = globalHandles(heap, regions.handleBlocks)
  marker.mark(strong)
  const eternal = objectsIn(heap, regions.eternalHandles)
  marker.mark(eternal)
  marker.mark(handles)
  // What stands on a stack may be stale and would be a short and misleading way to what others hold.
  const local = objectsIn(
    heap,
    regions.localHandles.filter((region) => isAllHandles(heap, region)),
  )
  const locals = local.filter((object) => !marker.isAlive(object))
  marker.mark(locals)
  const onStacks = objectsIn(heap, stacks).filter((object) => !marker.isAlive(object))
  marker.mark(onStacks)
  const { references, dangling, tables, buffers, apiObjects, strings: stringCount, words } = marker
  const { integers, heapNumbers } = marker
  if (references === 0 || dangling > MOST_DANGLING * references) {
    throw checkFailed(heap, `${dangling} of ${references} references in living objects lead to no object`)
  }
  heap.keepOnly(marker.alive)
  for (const list of [tables, buffers, apiObjects]) list.sort((a, b) => a - b)
  return {
    ...{ tables, buffers, apiObjects, strings: stringCount, words, integers, heapNumbers },
    roots: [
      { name: '(Strong root list)', objects: strong },
      { name: '(Global handles)', objects: handles },
      { name: '(Eternal handles)', objects: eternal },
      { name: '(Handle scope)', objects: locals },
      { name: '(Stack roots)', objects: onStacks },
    ],
    ephemeronType: marker.ephemeronType,
    onFromPages: marker.onFromPages,
  }
}

/** All objects that words in these places refer to, each once. */
function objectsIn(heap: Heap, regions: Iterable<Region>): number[] {
  const found = new Set<number>()
  for (const { at, start, end } of regions) {
    for (let word = at / 8; word < (at + end - start) / 8; word++) {
      if ((heap.u32[2 * word]! & 7) !== 1) continue
      const object = heap.target(word)
      if (heap.isObject(object)) found.add(object)
    }
  }
  return [...found]
}

/** Pairs that such an array has at least. */
const LEAST_PAIRS = 64

/**
 * Whether it is V8's cache of the digits of numbers, pairs of both: V8 empties it in a full collection, so it keeps nothing
 * alive. https://github.com/v8/v8/blob/main/src/heap/factory-base.cc (NumberToString)
 */
function isNumberCache(heap: Heap, word: number): boolean {
  const { types, firstNonstring } = heap.layout
  const type = heap.typeAt(word)
  if (type < types.FIXED_ARRAY || type >= types.BYTE_ARRAY) return false
  const length = heap.lengthOf(word)
  if (length < 2 * LEAST_PAIRS || length % 2 !== 0) return false
  let pairs = 0
  for (let at = word + 2; at < word + 2 + length; at += 2) {
    const digits = heap.typeAt(heap.target(at + 1))
    const isNumber = heap.isSmi(at) || heap.typeAt(heap.target(at)) === types.HEAP_NUMBER
    if (isNumber && digits >= 0 && digits < firstNonstring) pairs++
    else if (!heap.isSmi(at + 1) && digits !== types.ODDBALL && digits !== heap.layout.hole) return false
  }
  return pairs > 0
}

function globalHandles(heap: Heap, blocks: readonly Region[]): number[] {
  const found = new Set<number>()
  for (const { at, start, end } of blocks) {
    for (let handle = at; handle < at + end - start; handle += HANDLE_BYTES) {
      if ((heap.u8[handle + HANDLE_FLAGS_AT]! & HANDLE_STATE) !== HANDLE_STRONG) continue
      const object = heap.target(handle / 8)
      if (heap.isObject(object)) found.add(object)
    }
  }
  return [...found]
}

/** Whether nothing but handles stands there: references to objects, and small integers. */
function isAllHandles(heap: Heap, { at, start, end }: Region): boolean {
  for (let word = at / 8; word < (at + end - start) / 8; word++) {
    const low = heap.u32[2 * word]!
    if (low !== 0 && ((low & 7) !== 1 || heap.wordAt(low, heap.u32[2 * word + 1]!) < 0)) return false
  }
  return true
}

/** Tells about how many different numbers there were: linear counting. https://dl.acm.org/doi/10.1145/78922.78925 */
export class Tally {
  readonly #bits = new Uint32Array(TALLY_BITS / 32)

  add(value: number): void {
    const bit = Math.imul(value ^ (value >>> 16), 0x9e3779b1) >>> 8
    this.#bits[bit >>> 5] = this.#bits[bit >>> 5]! | (1 << (bit & 31))
  }
  estimate(): number {
    let clear = 0
    for (const bits of this.#bits) clear += 32 - bitCount(bits)
    return Math.ceil(TALLY_BITS * Math.log(TALLY_BITS / Math.max(1, clear)))
  }
}
const TALLY_BITS = 2 ** 24

class Marker {
  /** By word, a bit each: whether a living object begins there. */
  readonly alive: Uint32Array
  readonly ephemeronType: number
  readonly tables: number[] = []
  readonly buffers: number[] = []
  readonly apiObjects: number[] = []
  /** What FinalizationRegistries have of objects. */
  readonly #cells: number[] = []
  strings = 0
  words = 0
  heapNumbers = 0
  references = 0
  dangling = 0
  onFromPages = 0
  #count = 0
  readonly #heap: Heap
  /** Words of objects that were reached and whose references were not followed yet. */
  #worklist = new Uint32Array(1 << 16)
  #waiting = 0
  readonly #integers = new Tally()
  readonly #mayMove: boolean
  /** Words of objects that keep nothing alive. */
  readonly #caches: ReadonlySet<number>

  constructor(heap: Heap, caches: ReadonlySet<number>) {
    this.#heap = heap
    this.#caches = caches
    this.alive = heap.borrow(heap.bitWords)
    this.ephemeronType = findEphemeronType(heap)
    this.#mayMove = heap.pages.some(({ flags }) => isFromPage(flags))
  }

  get integers(): number {
    return this.#integers.estimate()
  }

  isAlive(object: number): boolean {
    return (this.alive[object >>> 5]! & (1 << (object & 31))) !== 0
  }

  mark(objects: readonly number[]): void {
    for (const object of objects) this.#push(object)
    do this.#drain()
    while (this.#markEphemerons())
  }

  #push(object: number): void {
    const bit = 1 << (object & 31)
    const bits = this.alive[object >>> 5]!
    if ((bits & bit) !== 0) return
    this.alive[object >>> 5] = bits | bit
    this.#count++
    if (this.#waiting === this.#worklist.length) {
      const longer = new Uint32Array(2 * this.#waiting)
      longer.set(this.#worklist)
      this.#worklist = longer
    }
    this.#worklist[this.#waiting++] = object
  }

  #follow(at: number): void {
    const object = this.#heap.referent(at)
    this.references++
    if (object >= 0) this.#push(object)
    else if (this.#heap.dangles(at)) this.dangling++
  }

  #drain(): void {
    const heap = this.#heap
    const { u32, layout } = heap
    const { types, firstNonstring } = layout
    const { native } = layout.contexts
    const hasWeakFields = (type: number): boolean =>
      type === types.JS_WEAK_REF || type === types.WEAK_CELL || type === types.ALLOCATION_SITE || type === native
    while (this.#waiting > 0) {
      const word = this.#worklist[--this.#waiting]!
      if (this.#mayMove && heap.isOnFromPage(word)) this.onFromPages++
      this.#follow(word)
      const type = heap.typeOfMap(heap.mapOf(word))
      const size = heap.sizeAt(word)
      this.words += size
      if (this.#caches.has(word)) continue
      if (type === this.ephemeronType) {
        this.tables.push(word)
        continue
      }
      if (type < firstNonstring) this.strings++
      else if (type === types.HEAP_NUMBER) this.heapNumbers++
      else if (type === types.JS_ARRAY_BUFFER) this.buffers.push(word)
      else if (isApiObject(heap, type)) this.apiObjects.push(word)
      const [from, to] = taggedWords(heap, word, size, type)
      const special = hasWeakFields(type)
      const isCell = type === types.WEAK_CELL
      if (isCell) this.#cells.push(word)
      for (let at = from; at < to; at++) {
        if (u32[2 * at] === 0) this.#integers.add(u32[2 * at + 1]!)
        // What a registry is to be told of an object goes when that has gone.
        if (isCell && at === word + CELL_HOLDINGS) continue
        if ((u32[2 * at]! & 7) !== 1 || (special && isWeakField(heap, type, at - word, at, size))) continue
        this.#follow(at)
      }
    }
  }

  /** The values of whose keys and tables are alive are so as well; says whether there were any new. */
  #markEphemerons(): boolean {
    const before = this.#count
    for (let i = 0; i < this.tables.length; i++) {
      for (const at of ephemeronsIn(this.#heap, this.tables[i]!)) {
        const key = this.#heap.target(at)
        if (this.#heap.isObject(key) && this.isAlive(key)) this.#follow(at + 1)
      }
    }
    for (const cell of this.#cells) {
      const target = this.#heap.target(cell + CELL_TARGET)
      if (this.#heap.isObject(target) && this.isAlive(target)) this.#follow(cell + CELL_HOLDINGS)
    }
    return this.#count > before
  }
}

/** Whether objects of that instance type were made by native code, and so may have a side of that. */
export const isApiObject = ({ layout: { apiObjects } }: Heap, type: number): boolean =>
  type >= apiObjects.first && type < apiObjects.behind

/** The words of an object, behind its map, that hold references or small integers: the first, and the one behind. */
export function taggedWords(heap: Heap, word: number, size: number, type: number): readonly [number, number] {
  const { layout, i32 } = heap
  const { types } = layout
  switch (layout.sizing[type]) {
    case Sizing.oneByteString:
    case Sizing.twoByteString:
    case Sizing.bytes:
    case Sizing.freeSpace:
      return [word, word]
    case Sizing.bytecode:
      return [word + 2, word + (layout.bytecodeDataByte >> 3)]
    case Sizing.preparseData:
      return [word + 2 + ((i32[2 * word + 2]! + 7) >>> 3), word + size]
  }
  if (
    type === types.HEAP_NUMBER ||
    type === types.FIXED_DOUBLE_ARRAY ||
    type === layout.bigInt ||
    type === types.FOREIGN ||
    type === types.FEEDBACK_METADATA
  ) {
    return [word, word]
  }
  // Behind its first fields are instructions.
  if (type === types.INSTRUCTION_STREAM) return [word + 1, word + Math.min(4, size)]
  return [word + 1, word + size]
}

/** Fields that V8 does not follow although they look like the others. */
export function isWeakField(heap: Heap, type: number, field: number, at: number, size: number): boolean {
  const { types, contexts } = heap.layout
  if (type === types.JS_WEAK_REF) return field === FIRST_OWN_FIELD
  // finalization registry, target, unregister token
  if (type === types.WEAK_CELL) return field === CELL_TARGET || field === 3
  // Its last field chains all sites.
  if (type === types.ALLOCATION_SITE) return field === size - 1
  // The list of all contexts.
  return type === contexts.native && heap.typeAt(heap.target(at)) === contexts.native
}

/** The words of a WeakMap's table that have a key; its value stands behind it. */
export function* ephemeronsIn(heap: Heap, word: number): Generator<number> {
  const size = heap.sizeAt(word)
  if (size < 2 + HASH_HEADER || !heap.isSmi(word + CAPACITY)) return
  const first = word + size - 2 * heap.smi(word + CAPACITY)
  if (first < word + 2 + HASH_HEADER || first > word + size) return
  const { types } = heap.layout
  for (let at = first; at + 1 < word + size; at += 2) {
    const type = heap.typeAt(heap.target(at))
    if (type === types.SYMBOL || type >= types.JS_PROXY) yield at
  }
}

function findEphemeronType(heap: Heap): number {
  const { types } = heap.layout
  for (let word = heap.nextObject(0); word >= 0; word = heap.nextObject(word + 1)) {
    if (heap.typeAt(word) !== types.JS_WEAK_MAP) continue
    const type = heap.typeAt(heap.target(word + FIRST_OWN_FIELD))
    if (type > types.FIXED_ARRAY && type < types.BYTE_ARRAY) return type
  }
  return NOWHERE
}
