// One isolate's objects in a copy of its memory: where each begins and ends, and which word refers to which.
//
// A word is 8 bytes. Words are numbered as they stand in the image's bytes, objects by the word that they begin with;
// each object has an ordinal as well, in the order of words. What is known of objects is a few bits by word, as there
// may be tens of millions of objects: a heap's copy has eight bytes for each bit.

import { LeakscopeError } from '../errors.ts'
import { arenaOf, arenaUint32, giveBack } from '../support/arena.ts'
import type { HeapImage } from './heap-image.ts'
import { type Layout, Sizing } from './layout.ts'
import { isFromPage, isYoungPage, PAGE_ALIGNMENT, type V8Page } from './pages.ts'

export const NOWHERE = -1

/** What the sweep has found, to judge whether the objects' sizes are what we take them for. */
export interface SweepCounts {
  objects: number
  pages: number
  /** Pages of the old generation in which one object ends where the next begins, all the way, and other ones. */
  oldPages: number
  brokenOldPages: number
  /** Of each page: bytes of all objects on it. */
  readonly objectBytes: Float64Array
  /** Words of buffers, and of what may have a native side, in the old generation. */
  readonly oldBuffers: number[]
  readonly oldNatives: number[]
}

export type HeapPage = V8Page & { readonly at: number }

export class Heap {
  readonly image: HeapImage
  readonly layout: Layout
  readonly pages: readonly HeapPage[]
  /** Places of pages that have one large object, which V8 never moves. Their flag has another bit in each version. */
  readonly largePages: ReadonlySet<number>
  readonly #largePages = new Set<number>()
  readonly buffer: Buffer
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly i32: Int32Array
  readonly f64: Float64Array
  /** By slot of a hash table: the number of 256 KiB that a page has, and the word that it begins with; -1 if none. */
  readonly #keys: Int32Array
  readonly #words: Int32Array
  /** By 4 KiB of the copy: whether they are of a shared page, or of one that objects are moved away from. */
  readonly #kinds: Uint8Array
  /** What stands in the memory of the copy, for as long as that does. */
  readonly #borrowed: Uint32Array[] = []
  /** By word, a bit each: whether it is known if a map begins there, and if one does. */
  #mapKnown: Uint32Array
  #mapIs: Uint32Array
  #isSwept = false
  /** By 32 words: a bit for each, whether an object begins there; and how many objects begin before them all. */
  readonly #starts: Uint32Array
  /** By word, a bit each: whether it is an object's last one. */
  readonly #lasts: Uint32Array
  /** How many of the units that free space counts itself in make a word. */
  #freeUnit: 1 | 8 = 8
  /** How many there are of the 32 words that have bits in one number. */
  get bitWords(): number {
    return this.#lasts.length
  }
  /** How many objects there are; once it is known which are alive, of those. */
  count = 0

  /** @param heap of the isolate */
  constructor(image: HeapImage, layout: Layout, heap: number) {
    const { buffer, byteOffset, byteLength } = image.bytes
    const whole = Math.floor(byteLength / 8)
    this.image = image
    this.layout = layout
    this.largePages = this.#largePages
    this.buffer = Buffer.from(buffer, byteOffset, byteLength)
    this.u8 = image.bytes
    this.u16 = new Uint16Array(buffer, byteOffset, whole * 4)
    this.u32 = new Uint32Array(buffer, byteOffset, whole * 2)
    this.i32 = new Int32Array(buffer, byteOffset, whole * 2)
    this.f64 = new Float64Array(buffer, byteOffset, whole)
    // What all isolates share is a part of each.
    this.pages = image.pages.filter((page) => page.heap === heap || page.heap === 0)
    const slots = this.pages.reduce((sum, { bytes }) => sum + Math.ceil(bytes / PAGE_ALIGNMENT), 0)
    let size = 16
    while (size < 4 * slots) size *= 2
    this.#keys = new Int32Array(size).fill(NOWHERE)
    this.#words = new Int32Array(size)
    this.#kinds = new Uint8Array((whole >>> UNIT_SHIFT) + 1)
    for (const { address, bytes, at, flags, heap: owner } of this.pages) {
      const kind = owner === 0 ? SHARED : isFromPage(flags) ? FROM : 0
      this.#kinds.fill(kind, (at / 8) >>> UNIT_SHIFT, Math.ceil((at + bytes) / 8 / (1 << UNIT_SHIFT)))
      for (let part = 0; part < bytes; part += PAGE_ALIGNMENT)
        this.#put((address + part) / PAGE_ALIGNMENT, (at + part) / 8)
    }
    const bits = Math.ceil(whole / 32) + 1
    this.#mapKnown = this.borrow(bits)
    this.#mapIs = this.borrow(bits)
    this.#starts = this.borrow(2 * bits)
    this.#lasts = this.borrow(bits)
  }

  /** Zeros, until {@link release}. */
  borrow(length: number): Uint32Array {
    const array = arenaUint32(arenaOf(this.image.bytes), length)
    this.#borrowed.push(array)
    return array
  }
  /** Afterwards nothing can be asked of the heap any more. */
  release(): void {
    for (const array of this.#borrowed.splice(0)) giveBack(array)
  }

  #put(key: number, word: number): void {
    const mask = this.#keys.length - 1
    let slot = Math.imul(key, 0x9e3779b1) & mask
    while (this.#keys[slot] !== NOWHERE) slot = (slot + 1) & mask
    this.#keys[slot] = key
    this.#words[slot] = word
  }

  /** The word that stands for an address, given by its halves; NOWHERE if that is on no page. */
  wordAt(low: number, high: number): number {
    if (high > 0x7fff) return NOWHERE
    const key = high * 16384 + (low >>> 18)
    const keys = this.#keys
    const mask = keys.length - 1
    let slot = Math.imul(key, 0x9e3779b1) & mask
    for (;;) {
      const found = keys[slot]!
      if (found === key) return this.#words[slot]! + ((low & (PAGE_ALIGNMENT - 1)) >>> 3)
      if (found === NOWHERE) return NOWHERE
      slot = (slot + 1) & mask
    }
  }

  /** The word that a strong reference in `word` leads to, or NOWHERE. */
  target(word: number): number {
    const low = this.u32[2 * word]!
    return (low & 7) === 1 ? this.wordAt(low, this.u32[2 * word + 1]!) : NOWHERE
  }
  /** The same for a weak reference. */
  weakTarget(word: number): number {
    const low = this.u32[2 * word]!
    return (low & 7) === 3 ? this.wordAt(low, this.u32[2 * word + 1]!) : NOWHERE
  }
  isSmi(word: number): boolean {
    return (this.u32[2 * word]! & 1) === 0
  }
  /** The small integer in `word`; only if it is one. */
  smi(word: number): number {
    return this.i32[2 * word + 1]!
  }

  /** Whether a map begins at the word: its own map is a map of maps, which is its own or another such map's. */
  isMap(word: number): boolean {
    if (word < 0) return false
    const bit = 1 << (word & 31)
    const at = word >>> 5
    if ((this.#mapKnown[at]! & bit) !== 0) return (this.#mapIs[at]! & bit) !== 0
    let is = false
    const mapsMap = this.target(word)
    if (mapsMap >= 0 && this.typeOfMap(mapsMap) === this.layout.types.MAP) {
      const above = this.target(mapsMap)
      is =
        above === mapsMap ||
        (above >= 0 && this.typeOfMap(above) === this.layout.types.MAP && this.target(above) === above)
    }
    this.#mapKnown[at] = this.#mapKnown[at]! | bit
    if (is) this.#mapIs[at] = this.#mapIs[at]! | bit
    return is
  }
  /** The map of what begins at `word`, or NOWHERE if nothing can begin there. */
  mapOf(word: number): number {
    if (this.#isSwept) return this.isObject(word) ? this.target(word) : NOWHERE
    const map = this.target(word)
    return this.isMap(map) ? map : NOWHERE
  }
  /** The instance type that a map has. */
  typeOfMap(map: number): number {
    return this.u16[4 * map + (this.layout.map.typeByte >> 1)]!
  }
  /** The instance type of what begins at `word`; NOWHERE if nothing does. */
  typeAt(word: number): number {
    if (word < 0) return NOWHERE
    const map = this.mapOf(word)
    return map < 0 ? NOWHERE : this.typeOfMap(map)
  }

  /** Ordinal of the object that begins at `word`, or NOWHERE if none does. */
  ordinalAt(word: number): number {
    if (word < 0) return NOWHERE
    const at = (word >>> 5) << 1
    const bits = this.#starts[at]!
    const bit = 1 << (word & 31)
    return (bits & bit) === 0 ? NOWHERE : this.#starts[at + 1]! + bitCount(bits & (bit - 1))
  }

  /** Whether an object begins at `word`. */
  isObject(word: number): boolean {
    return word >= 0 && (this.#starts[(word >>> 5) << 1]! & (1 << (word & 31))) !== 0
  }
  /** The first word from `word` on with which an object begins, or NOWHERE. */
  nextObject(word: number): number {
    const starts = this.#starts
    let at = (word >>> 5) << 1
    if (at >= starts.length) return NOWHERE
    let bits = starts[at]! & (-1 << (word & 31))
    while (bits === 0) {
      at += 2
      if (at === starts.length) return NOWHERE
      bits = starts[at]!
    }
    return 16 * at + lowestBit(bits)
  }
  /** Words of the object that begins at `word`; 0 if none does. */
  sizeAt(word: number): number {
    if (!this.isObject(word)) return 0
    const lasts = this.#lasts
    let at = word >>> 5
    let bits = lasts[at]! & (-1 << (word & 31))
    while (bits === 0) bits = lasts[++at]!
    return 32 * at + lowestBit(bits) - word + 1
  }
  /** Forgets all objects but those that begin where bits are set, by word; ordinals are other ones then. */
  keepOnly(alive: Uint32Array): void {
    for (let i = 0; i < alive.length; i++) this.#starts[2 * i] = alive[i]!
    this.#number()
  }
  #number(): void {
    const starts = this.#starts
    let before = 0
    for (let at = 0; at < starts.length; at += 2) {
      starts[at + 1] = before
      before += bitCount(starts[at]!)
    }
    this.count = before
  }

  /** How many elements the array that begins at `word` has; never more than it has room for. */
  lengthOf(word: number): number {
    if (!this.isObject(word) || !this.isSmi(word + 1)) return 0
    return Math.max(0, Math.min(this.smi(word + 1), this.sizeAt(word) - 2))
  }

  /** Words of the object that begins at `word`, 0 if only the next object tells. */
  #sizeOf(word: number, map: number): number {
    const { i32, u16, u8, layout } = this
    const words = u8[8 * map + layout.map.sizeByte]!
    if (words !== 0) return words
    switch (layout.sizing[this.typeOfMap(map)]) {
      case Sizing.oneByteString:
        return 2 + ((i32[2 * word + 3]! + 7) >>> 3)
      case Sizing.twoByteString:
        return 2 + ((2 * i32[2 * word + 3]! + 7) >>> 3)
      case Sizing.elements:
        return 2 + i32[2 * word + 3]!
      case Sizing.bytes:
        return 2 + ((i32[2 * word + 3]! + 7) >>> 3)
      case Sizing.bytecode:
        return (layout.bytecodeDataByte + i32[2 * word + 3]! + 7) >>> 3
      case Sizing.propertyArray:
        return 2 + (i32[2 * word + 3]! & 0x3ff)
      case Sizing.descriptors:
        return layout.fields.descriptorsHeader + 3 * u16[4 * word + 4]!
      case Sizing.list:
        return 3 + i32[2 * word + 3]!
      case Sizing.freeSpace:
        return Math.floor(i32[2 * word + 3]! / this.#freeUnit)
      case Sizing.preparseData:
        return 2 + ((i32[2 * word + 2]! + 7) >>> 3) + i32[2 * word + 3]!
      default:
        return 0
    }
  }

  /**
   * Whether free space says its size in bytes or, as of V8 14, in words: that of the two behind which more often the
   * next object begins.
   */
  #findFreeUnit(): 1 | 8 {
    let balance = 0
    let seen = 0
    let words = 0
    for (const { address, at, areaStart, areaEnd, flags } of this.pages) {
      if (isYoungPage(flags)) continue
      if (words > ENOUGH_WORDS) break
      words += (areaEnd - areaStart) / 8
      const end = (at + areaEnd - address) / 8
      for (let word = (at + areaStart - address) / 8; word < end; word++) {
        const map = this.mapOf(word)
        if (map < 0 || this.typeOfMap(map) !== this.layout.types.FREE_SPACE || !this.isSmi(word + 1)) continue
        const stated = this.smi(word + 1)
        const lands = (size: number): number => (size > 0 && word + size < end && this.mapOf(word + size) >= 0 ? 1 : 0)
        balance += lands(stated >>> 3) - lands(stated)
        if (++seen === ENOUGH_FREE_SPACES) return balance >= 0 ? 8 : 1
      }
    }
    return balance >= 0 ? 8 : 1
  }

  /** Finds all objects, dead ones too, by walking each page from its first to its last. */
  sweep(): SweepCounts {
    const { types, apiObjects } = this.layout
    const { u32 } = this
    this.#freeUnit = this.#findFreeUnit()
    const counts: SweepCounts = {
      ...{ objects: 0, pages: this.pages.length, oldPages: 0, brokenOldPages: 0 },
      ...{ objectBytes: new Float64Array(this.pages.length), oldBuffers: [], oldNatives: [] },
    }
    const starts = this.#starts
    const lasts = this.#lasts
    for (const [page, { address, at, areaStart, areaEnd, flags, bytes }] of this.pages.entries()) {
      const isOld = !isYoungPage(flags)
      let words = 0
      let largest = 0
      const end = Math.min((at + areaEnd - address) / 8, Math.floor((at + bytes) / 8))
      let broken = false
      for (let word = (at + areaStart - address) / 8; word < end; ) {
        const map = this.mapOf(word)
        if (map < 0) {
          // Memory that was never used is zero; anything else is no object, and the next one has to be looked for.
          if (u32[2 * word] !== 0 || u32[2 * word + 1] !== 0) broken = true
          word++
          while (word < end && (u32[2 * word]! & 7) !== 1) word++
          continue
        }
        let size = this.#sizeOf(word, map)
        if (size === 0) {
          size = 1
          while (word + size < end && this.mapOf(word + size) < 0) size++
        }
        if (size < 1 || word + size > end) {
          broken = true
          word++
          continue
        }
        const type = this.typeOfMap(map)
        if (type !== types.FREE_SPACE && type !== types.FREE_SPACE - 1) {
          starts[(word >>> 5) << 1] = starts[(word >>> 5) << 1]! | (1 << (word & 31))
          const last = word + size - 1
          lasts[last >>> 5] = lasts[last >>> 5]! | (1 << (last & 31))
          words += size
          largest = Math.max(largest, size)
          if (isOld && type === types.JS_ARRAY_BUFFER) counts.oldBuffers.push(word)
          else if (isOld && type >= apiObjects.first && type < apiObjects.behind) counts.oldNatives.push(word)
        }
        word += size
      }
      counts.objectBytes[page] = 8 * words
      if (largest > MOST_REGULAR_WORDS && largest === words) this.#largePages.add(page)
      // In the young generation, what lies behind the last object is whatever was there before.
      if (!isOld) continue
      counts.oldPages++
      if (broken) counts.brokenOldPages++
    }
    this.#number()
    counts.objects = this.count
    // From now on the objects tell: what begins with a map is one of them.
    this.#isSwept = true
    this.#mapKnown = this.#mapIs = new Uint32Array(0)
    return counts
  }

  /**
   * The first word of the object that a word refers to, strongly or weakly; NOWHERE if it refers to none. While V8 moves
   * objects, the old place has the address of the new one, which is followed.
   */
  referent(word: number): number {
    const low = this.u32[2 * word]!
    const tag = low & 7
    if (tag !== 1 && tag !== 3) return NOWHERE
    const to = this.wordAt(low, this.u32[2 * word + 1]!)
    if (to < 0) return NOWHERE
    return this.isObject(to) ? to : this.#forwarded(to)
  }
  /** The same object's ordinal. */
  referentOrdinal(word: number): number {
    const low = this.u32[2 * word]!
    const tag = low & 7
    if (tag !== 1 && tag !== 3) return NOWHERE
    const to = this.wordAt(low, this.u32[2 * word + 1]!)
    if (to < 0) return NOWHERE
    const ordinal = this.ordinalAt(to)
    return ordinal >= 0 ? ordinal : this.ordinalAt(this.#forwarded(to))
  }
  #forwarded(word: number): number {
    const low = this.u32[2 * word]!
    if ((low & 7) !== 0 || low === 0) return NOWHERE
    const to = this.wordAt(low, this.u32[2 * word + 1]!)
    return this.isObject(to) ? to : NOWHERE
  }
  /** Whether a word looks like a reference to this heap and leads to no object. */
  dangles(word: number): boolean {
    const low = this.u32[2 * word]!
    const tag = low & 7
    if (tag !== 1 && tag !== 3) return false
    return this.wordAt(low, this.u32[2 * word + 1]!) >= 0 && this.referent(word) < 0
  }

  /** Whether the word is on a page that all isolates share and nobody changes. */
  isShared(word: number): boolean {
    return this.#kinds[word >>> UNIT_SHIFT] === SHARED
  }
  isOnFromPage(word: number): boolean {
    return this.#kinds[word >>> UNIT_SHIFT] === FROM
  }
}
/** A larger object has a page of its own: kMaxRegularHeapObjectSize in V8's src/common/globals.h. */
const MOST_REGULAR_WORDS = PAGE_ALIGNMENT / 2 / 8
/** Pages begin and end at multiples of 4 KiB, in words. */
const UNIT_SHIFT = 9
const SHARED = 1
const FROM = 2

/**
 * Sweeps, and makes sure that objects fill the pages of the old generation: else V8's layout is not what we take it for.
 * @throws LeakscopeError `heap-unreadable`
 */
export function sweepChecked(heap: Heap): SweepCounts {
  const counts = heap.sweep()
  const { oldPages, brokenOldPages, objects } = counts
  if (objects === 0 || brokenOldPages > MOST_BROKEN.pages + MOST_BROKEN.share * oldPages) {
    throw checkFailed(
      heap,
      `the sizes of objects do not fill its pages (${brokenOldPages} of ${oldPages} do not come out even)`,
    )
  }
  return counts
}
/** Free spaces that are looked at to find out how they count. */
const ENOUGH_FREE_SPACES = 200
const ENOUGH_WORDS = 1 << 21
/** A page that is being swept or compacted may look broken. */
const MOST_BROKEN = { pages: 2, share: 0.1 }

export function checkFailed(heap: Heap, check: string): LeakscopeError {
  return new LeakscopeError('heap-unreadable', `the heap of ${heap.image.name} cannot be read from outside: ${check}`, {
    hint: 'V8 may have been in the middle of a garbage collection, which trying again shows, or be of a build that leakscope does not know.',
  })
}

/** How many bits are set (Warren, Hacker's Delight, figure 5-2). */
export function bitCount(value: number): number {
  let bits = value - ((value >>> 1) & 0x55555555)
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
/** The number of the lowest bit that is set. */
const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits)
