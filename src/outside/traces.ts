// What is noted of each object so that a later picture of the same heap can know it again: where it stood, and a hash of
// what it has in itself.

import { arenaOf, arenaUint32 } from '../support/arena.ts'
import type { Heap } from './heap.ts'
import { isYoungPage } from './pages.ts'

export interface TracePage {
  readonly address: number
  readonly bytes: number
  /** Whether V8 moves objects away from it all the time. */
  readonly isYoung: boolean
  readonly isLarge: boolean
  /** Its objects' nodes: those from the first up to, not including, the end. */
  readonly first: number
  readonly end: number
}

export interface Traces {
  /** The id of the first node as the capture has given it; each later node's is 2 more. */
  readonly firstId: number
  /** In ascending order of addresses. */
  readonly pages: readonly TracePage[]
  /** The first node that is an object, and the one behind the last. */
  readonly first: number
  readonly end: number
  /** By node less `first`: how many words behind the page's address it begins. */
  readonly word: Uint32Array
  /** By node less `first`: a hash of its small integers, numbers and shape; not of what it refers to. */
  readonly content: Uint32Array
}

/** Words of all JavaScript objects: what stands there may be a hash that comes when it is first asked for. */
const PROPERTIES_OR_HASH = 1
const ARRAY_LENGTH = 3

/** @param first node of the object with ordinal 0 */
export function traceObjects(heap: Heap, first: number, firstId: number): Traces {
  const arena = arenaOf(heap.u8)
  const word = arenaUint32(arena, heap.count)
  const content = arenaUint32(arena, heap.count)
  const pages: TracePage[] = []
  for (const [i, { at, bytes, address, flags }] of heap.pages.entries()) {
    const start = at / 8
    const behind = (at + bytes) / 8
    let object = heap.nextObject(start)
    if (object < 0 || object >= behind) continue
    const before = heap.ordinalAt(object)
    let ordinal = before
    for (; object >= 0 && object < behind; object = heap.nextObject(object + 1)) {
      word[ordinal] = object - start
      content[ordinal++] = contentOf(heap, object)
    }
    const page = { address, bytes, isYoung: isYoungPage(flags), isLarge: heap.largePages.has(i) }
    pages.push({ ...page, first: first + before, end: first + ordinal })
  }
  return { firstId, pages, first, end: first + heap.count, word, content }
}

const mixed = (hash: number, value: number): number => {
  const product = Math.imul(hash ^ value, 0x9e3779b1)
  return product ^ (product >>> 15)
}

/** What may change although the object stays the same is left out where it is known, such as an array's length. */
function contentOf(heap: Heap, word: number): number {
  const { layout, u32 } = heap
  const { types } = layout
  const type = heap.typeOfMap(heap.mapOf(word))
  // Nodes of strings have their text as a name; of long ones that is only the beginning.
  if (type < layout.firstNonstring) return mixed(1, u32[2 * word + 3]!) >>> 0
  const size = heap.sizeAt(word)
  let hash = type
  if (type === types.HEAP_NUMBER || type === types.FIXED_DOUBLE_ARRAY || type === types.BYTE_ARRAY) {
    for (let at = 2 * word + 2; at < 2 * (word + size); at++) hash = mixed(hash, u32[at]!)
    return hash >>> 0
  }
  const isJavaScript = type > types.JS_PROXY
  if (isJavaScript) hash = mixed(mixed(hash, u32[2 * word]!), u32[2 * word + 1]!)
  for (let field = 1; field < size; field++) {
    const low = u32[2 * (word + field)]!
    if ((low & 1) === 1) continue
    if (isJavaScript && (field === PROPERTIES_OR_HASH || (field === ARRAY_LENGTH && type === types.JS_ARRAY))) continue
    hash = mixed(mixed(hash, u32[2 * (word + field) + 1]! ^ low), field)
  }
  return hash >>> 0
}
