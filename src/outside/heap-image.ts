// A copy of what a heap graph needs of a process's memory: V8's pages, and the places outside that keep objects alive.

import { LeakscopeError } from '../errors.ts'
import { type Mapping, type MemorySource, mappingAt } from './memory-source.ts'
import {
  findEternalHandles,
  findHandleBlocks,
  findPages,
  HANDLE_BLOCK_BYTES,
  ISOLATE,
  mayHavePages,
  readPage,
  type V8Page,
} from './pages.ts'

/** A part of the process's memory that stands in the image. */
export interface Region {
  readonly start: number
  readonly end: number
  /** Offset in the image's bytes, a multiple of 8. */
  readonly at: number
}

/** What keeps objects of one isolate alive. */
export interface IsolateRegions {
  readonly heap: number
  readonly isolate: Region
  readonly handleBlocks: readonly Region[]
  readonly eternalHandles: readonly Region[]
  /** The handles of native code that is running: from the block's start up to the next free one. */
  readonly localHandles: readonly Region[]
}

export interface HeapImage {
  /** What it is of, for messages. */
  readonly name: string
  readonly bytes: Uint8Array
  /** By address; each stands in `bytes` as a whole, with zeros where it was given no memory. */
  readonly pages: readonly (V8Page & { readonly at: number })[]
  readonly isolates: readonly IsolateRegions[]
  /** By thread id: the living part of its stack. */
  readonly stacks: ReadonlyMap<number, Region>
  readonly mappings: readonly Mapping[]
}

/** What has been found out while the process runs, so that it need not stand still for it. */
export interface CopyPlan {
  readonly mappings: readonly Mapping[]
  /** By address. */
  readonly pages: Map<number, V8Page>
  readonly bytes: Uint8Array
}

const MARGIN = { factor: 1.1, bytes: 24e6 }
/** Of one read, so that the time can be looked at in between. */
const PIECE_BYTES = 8 << 20
/** All addresses of words in a copy must fit 31 bits. */
const MOST_BYTES = 2 ** 32 - 2 ** 20

/**
 * Finds V8's pages and makes room for a copy.
 * @throws LeakscopeError `target-not-node` where there is none
 */
export function planCopy(source: MemorySource): CopyPlan {
  const mappings = source.mappings()
  const pages = new Map<number, V8Page>()
  let bytes = 0
  for (const mapping of mappings.filter(mayHavePages)) {
    for (const page of findPages(source, mapping)) {
      pages.set(page.address, page)
      bytes += page.bytes
    }
  }
  if (pages.size === 0) {
    throw new LeakscopeError('heap-unreadable', `no page of V8's heap was found in the memory of ${source.name}`)
  }
  // Looked for once already, as code that runs for the first time takes ten times as long, and then the process waits.
  for (const heap of heapsOf(pages.values())) {
    findHandleBlocks(source, heap)
    findEternalHandles(source, heap)
  }
  return { mappings, pages, bytes: makeRoom(source, bytes * MARGIN.factor + MARGIN.bytes) }
}

const heapsOf = (pages: Iterable<V8Page>): number[] =>
  [...new Set(Array.from(pages, ({ heap }) => heap))].filter((heap) => heap !== 0)

function makeRoom(source: MemorySource, wanted: number): Uint8Array {
  const bytes = Math.ceil(wanted / 4096) * 4096
  try {
    if (bytes > MOST_BYTES) throw new RangeError('more than 4 GiB')
    return new Uint8Array(bytes)
  } catch (cause) {
    throw new LeakscopeError(
      'price-too-high',
      `the heap of ${source.name} takes ${Math.round(wanted / 1e6)} MB, more than leakscope can hold`,
      { cause },
    )
  }
}

/** Has the system give the room its memory now, as that takes as long as copying. */
export function touch({ bytes }: CopyPlan): void {
  for (let at = 0; at < bytes.length; at += 4096) bytes[at] = 0
}

/**
 * Copies what belongs to the heap. The process must not run meanwhile, or it has to be shown afterwards that it did not.
 * @param onPiece called after every few megabytes; may throw to end it
 */
export function copyHeap(source: MemorySource, plan: CopyPlan, onPiece: () => void = () => {}): HeapImage {
  const mappings = source.mappings()
  const pages = pagesNow(source, plan, mappings)
  const needed = pages.reduce((sum, page) => sum + page.bytes, 0) + MARGIN.bytes / 2
  const copier = new Copier(
    source,
    needed > plan.bytes.length ? makeRoom(source, needed * MARGIN.factor) : plan.bytes,
    onPiece,
  )
  // Pages first, and those that lie next to each other in one go.
  const placed: (V8Page & { at: number })[] = []
  for (let i = 0; i < pages.length; ) {
    let end = pages[i]!.address + pages[i]!.bytes
    let behind = i + 1
    while (behind < pages.length && pages[behind]!.address === end) end += pages[behind++]!.bytes
    const { at, start } = copier.copy(pages[i]!.address, end)
    for (; i < behind; i++) placed.push({ ...pages[i]!, at: at + pages[i]!.address - start })
  }
  const isolates = heapsOf(pages).map((heap): IsolateRegions => {
    const start = Math.floor((heap - ISOLATE.before) / 8) * 8
    const isolate = copier.copy(start, heap + ISOLATE.behind)
    return {
      heap,
      isolate,
      handleBlocks: findHandleBlocks(source, heap).map((block) => copier.copy(block, block + HANDLE_BLOCK_BYTES)),
      eternalHandles: findEternalHandles(source, heap).map(([from, to]) => copier.copy(from, to)),
      localHandles: findLocalHandles(copier.bytes, isolate, mappings, pages).map(([from, to]) => copier.copy(from, to)),
    }
  })
  const stacks = new Map<number, Region>()
  for (const [thread, pointer] of source.stackPointers()) {
    const stack = mappingAt(mappings, pointer)
    if (stack) stacks.set(thread, copier.copy(Math.floor(pointer / 8) * 8, stack.end))
  }
  return { name: source.name, bytes: copier.bytes.subarray(0, copier.end), pages: placed, isolates, stacks, mappings }
}

/** The pages of the plan that are still there, and those that came since. */
function pagesNow(source: MemorySource, plan: CopyPlan, mappings: readonly Mapping[]): V8Page[] {
  const known = new Set(plan.mappings.map(({ start, end }) => `${start}-${end}`))
  const pages: V8Page[] = []
  for (const mapping of mappings.filter(mayHavePages)) {
    if (!known.has(`${mapping.start}-${mapping.end}`)) pages.push(...findPages(source, mapping))
  }
  for (const { address } of plan.pages.values()) {
    const mapping = mappingAt(mappings, address)
    if (!mapping || !known.has(`${mapping.start}-${mapping.end}`)) continue
    const page = readPage(source, address)
    if (page) pages.push(page)
  }
  pages.sort((a, b) => a.address - b.address)
  // What seems to be a page inside of another is a part of a large object.
  return pages.filter(({ address }, i) => i === 0 || address >= pages[i - 1]!.address + pages[i - 1]!.bytes)
}

class Copier {
  readonly #source: MemorySource
  readonly #onPiece: () => void
  bytes: Uint8Array
  end = 0

  constructor(source: MemorySource, bytes: Uint8Array, onPiece: () => void) {
    this.#source = source
    this.bytes = bytes
    this.#onPiece = onPiece
  }

  /** Copies what there is between two addresses; the rest of the room stays zero. */
  copy(start: number, end: number): Region {
    const at = this.end
    const length = Math.ceil((end - start) / 8) * 8
    if (at + length > this.bytes.length) this.#grow(at + length)
    this.end = at + length
    for (const [from, to] of this.#source.resident(start, end)) {
      for (let piece = from; piece < to; piece += PIECE_BYTES) {
        this.#source.read(piece, this.bytes, at + piece - start, Math.min(PIECE_BYTES, to - piece))
        this.#onPiece()
      }
    }
    return { start, end, at }
  }

  #grow(least: number): void {
    const larger = makeRoom(this.#source, least * MARGIN.factor + MARGIN.bytes)
    larger.set(this.bytes.subarray(0, this.end))
    this.bytes = larger
  }
}

/** Bytes of a block of handles. https://github.com/v8/v8/blob/main/src/handles/handles.h (kHandleBlockSize) */
const LOCAL_BLOCK_BYTES = 1022 * 8

/**
 * Where the handles of running native code stand: the isolate has, next to each other, the next free place and the end
 * of its block. What looks like that by chance is found as well; what is in it is held against the heap later.
 */
function findLocalHandles(
  bytes: Uint8Array,
  { at, start, end }: Region,
  mappings: readonly Mapping[],
  pages: readonly V8Page[],
): [number, number][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const address = (offset: number): number => view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32
  const found: [number, number][] = []
  for (let offset = at; offset + 16 <= at + end - start; offset += 8) {
    const next = address(offset)
    const limit = address(offset + 8)
    if (next < 4096 || next % 8 !== 0 || limit % 8 !== 0 || limit < next || limit - next > LOCAL_BLOCK_BYTES) continue
    const first = limit - LOCAL_BLOCK_BYTES
    const mapping = mappingAt(mappings, next)
    if (next === first || !mapping?.writable || mapping.hasFile || first < mapping.start) continue
    if (!pages.some((page) => next >= page.address && next < page.address + page.bytes)) found.push([first, next])
  }
  return found
}
