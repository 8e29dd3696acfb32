// Objects that belong to an object of native code: sockets, timers, parsers, … of which the memory has a pointer.
//
// Node keeps the pointer in an internal field of the object that the program knows:
// https://github.com/nodejs/node/blob/main/src/base_object.h

import { type Heap, NOWHERE } from './heap.ts'
import { FIRST_OWN_FIELD, type Reached } from './reach.ts'

export interface NativeSides {
  /** Words of the objects that have a native side, ascending; their nodes follow those of all objects, in this order. */
  readonly objects: readonly number[]
  /** Of these, the ones that native code keeps alive. */
  readonly held: ReadonlySet<number>
  /** By word of an object: its place among them; undefined for others. */
  readonly place: ReadonlyMap<number, number>
}

const LOWEST_ADDRESS = 4096
const HIGHEST_ADDRESS_HALF = 0x7fff

export function findNativeSides(heap: Heap, { apiObjects, roots }: Reached): NativeSides {
  const objects = apiObjects.filter((word) => hasPointer(heap, word, heap.sizeAt(word)))
  const strong = new Set(roots.find(({ name }) => name === '(Global handles)')?.objects)
  return {
    objects,
    held: new Set(objects.filter((object) => strong.has(object))),
    place: new Map(objects.map((object, i) => [object, i])),
  }
}

/** Whether one of its fields is an address outside of the heap: no small integer, whose lower half is zero. */
function hasPointer(heap: Heap, word: number, size: number): boolean {
  for (let at = word + FIRST_OWN_FIELD; at < word + size; at++) {
    const low = heap.u32[2 * at]!
    const high = heap.u32[2 * at + 1]!
    if ((low & 7) !== 0 || low === 0 || high > HIGHEST_ADDRESS_HALF || (high === 0 && low < LOWEST_ADDRESS)) continue
    if (heap.wordAt(low, high) === NOWHERE) return true
  }
  return false
}

/** The memory outside of the heap that buffers have, which several may share. */
export interface BackingStores {
  /** By word of a buffer: the place of its memory in `bytes`; only of buffers that have any. */
  readonly place: ReadonlyMap<number, number>
  readonly addresses: readonly number[]
  readonly bytes: readonly number[]
}

export function findBackingStores(heap: Heap, { buffers }: Reached): BackingStores {
  const { bufferBytes, bufferStore } = heap.layout.fields
  const number = (at: number): number => heap.u32[2 * at]! + heap.u32[2 * at + 1]! * 2 ** 32
  const place = new Map<number, number>()
  const bytes: number[] = []
  const byAddress = new Map<number, number>()
  if (bufferBytes < 0 || bufferStore < 0) return { place, addresses: [], bytes }
  for (const word of buffers) {
    const address = number(word + bufferStore)
    const size = number(word + bufferBytes)
    if (address === 0 || size === 0 || !Number.isSafeInteger(size)) continue
    let store = byAddress.get(address)
    if (store === undefined) {
      store = bytes.push(size) - 1
      byAddress.set(address, store)
    }
    place.set(word, store)
  }
  return { place, addresses: [...byAddress.keys()], bytes }
}
