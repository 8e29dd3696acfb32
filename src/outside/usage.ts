// What the pages of one isolate's heap consist of: what is alive, garbage that waits for its collection, and free space.

import type { Heap, SweepCounts } from './heap.ts'
import { mappingAt } from './memory-source.ts'
import type { BackingStores } from './native-sides.ts'
import { isYoungPage } from './pages.ts'

/** `old` has all that V8 moves only to fill gaps, in later versions also what it trusts; `code` large code as well. */
export const SPACES = ['young', 'old', 'large', 'code', 'read-only'] as const
export type Space = (typeof SPACES)[number]

export interface SpaceUsage {
  readonly space: Space
  readonly pages: number
  /** Of the pages; the rest adds up to it. */
  readonly bytes: number
  readonly livingBytes: number
  /** Of objects that nothing leads to. In the young space also of what has been moved away since. */
  readonly garbageBytes: number
  /** Room for objects between others and behind them, and what V8 has of a page for itself. */
  readonly freeBytes: number
  /** Bytes of the pages that are free or garbage to a half and more, without those that hold one large object. */
  readonly sparsePageBytes: number
}

export interface HeapUsage {
  readonly spaces: readonly SpaceUsage[]
  /** Memory of living buffers outside of the heap, each once: where it is, and how long. */
  readonly stores: { readonly addresses: readonly number[]; readonly bytes: readonly number[] }
  /** The same of buffers in the old generation that are garbage; some of it may have been given back already. */
  readonly deadStoreBytes: number
  /** Objects of native code, in the old generation, that are garbage. */
  readonly deadNatives: number
}

const HALF = 0.5

/** @param sweep before the dead were forgotten */
export function usageOf(heap: Heap, sweep: SweepCounts, stores: BackingStores): HeapUsage {
  const living = livingBytes(heap)
  const sums = new Map<Space, { -readonly [Key in keyof SpaceUsage]: SpaceUsage[Key] }>()
  for (const [i, page] of heap.pages.entries()) {
    const space = spaceOf(heap, i)
    const { bytes } = page
    const swept = Math.max(living[i]!, sweep.objectBytes[i]!)
    const sum = sums.get(space) ?? {
      ...{ space, pages: 0, bytes: 0, livingBytes: 0, garbageBytes: 0, freeBytes: 0, sparsePageBytes: 0 },
    }
    sum.pages++
    sum.bytes += bytes
    sum.livingBytes += living[i]!
    sum.garbageBytes += swept - living[i]!
    sum.freeBytes += Math.max(0, bytes - swept)
    if (!heap.largePages.has(i) && living[i]! <= HALF * bytes) sum.sparsePageBytes += bytes
    sums.set(space, sum)
  }
  const dead = sweep.oldBuffers.filter((word) => !heap.isObject(word))
  const { bufferBytes, bufferStore } = heap.layout.fields
  const number = (at: number): number => heap.u32[2 * at]! + heap.u32[2 * at + 1]! * 2 ** 32
  const alive = new Set(stores.addresses)
  const deadStores = new Map<number, number>()
  if (bufferBytes >= 0 && bufferStore >= 0) {
    for (const word of dead) {
      const [address, bytes] = [number(word + bufferStore), number(word + bufferBytes)]
      if (address !== 0 && Number.isSafeInteger(bytes) && !alive.has(address)) deadStores.set(address, bytes)
    }
  }
  return {
    spaces: SPACES.flatMap((space) => sums.get(space) ?? []),
    stores: { addresses: stores.addresses, bytes: stores.bytes },
    deadStoreBytes: [...deadStores.values()].reduce((sum, bytes) => sum + bytes, 0),
    deadNatives: sweep.oldNatives.reduce((count, word) => count + (heap.isObject(word) ? 0 : 1), 0),
  }
}

/** Of each page, as the heap has them. */
function livingBytes(heap: Heap): Float64Array {
  const bytes = new Float64Array(heap.pages.length)
  const inOrder = heap.pages
    .map(({ at, bytes }, page) => ({ page, end: (at + bytes) / 8 }))
    .sort((a, b) => a.end - b.end)
  let i = 0
  for (let word = heap.nextObject(0); word >= 0; word = heap.nextObject(word + 1)) {
    while (word >= inOrder[i]!.end) i++
    const { page } = inOrder[i]!
    bytes[page] = bytes[page]! + 8 * heap.sizeAt(word)
  }
  return bytes
}

function spaceOf(heap: Heap, place: number): Space {
  const { areaStart, flags, heap: owner } = heap.pages[place]!
  if (owner === 0) return 'read-only'
  if (mappingAt(heap.image.mappings, areaStart)?.executable) return 'code'
  if (isYoungPage(flags)) return 'young'
  return heap.largePages.has(place) ? 'large' : 'old'
}
