// A copy of what a heap graph needs of a process's memory: V8's pages, and the places outside that keep objects alive.

import { freemem } from 'node:os'
import { LeakscopeError } from '../errors.ts'
import { arenaUint8, makeArena } from '../support/arena.ts'
import { sharedUint8 } from '../support/shared.ts'
import { type CopyThread, copyResident, type Piece } from './copy-thread.ts'
import { type Mapping, type MemorySource, mappingAt } from './memory-source.ts'
import {
  findEternalHandles,
  findHandleBlocks,
  findPages,
  HANDLE_BLOCK_BYTES,
  ISOLATE,
  mayHavePages,
  pageWith,
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
  readonly pages: ReadonlyMap<number, V8Page>
  /** By `Heap` of an isolate: what its handles were found by. */
  readonly handlesBy: ReadonlyMap<number, { readonly global: readonly number[]; readonly eternal: readonly number[] }>
  /** In memory that other threads can write to. */
  readonly bytes: Uint8Array
  /** How many of them the pages take as it looks. */
  readonly pageBytes: number
}

const MARGIN = { factor: 1.1, bytes: 24e6 }
/** Of one read, so that the time can be looked at in between, and a second thread has its part. */
const PIECE_BYTES = 4 << 20
/** All addresses of words in a copy must fit 31 bits. */
const MOST_BYTES = 2 ** 32 - 2 ** 20

/**
 * Finds V8's pages and makes room for a copy.
 * @throws LeakscopeError `heap-unreadable` where there is none, `price-too-high` where they are more than fit
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
  const handlesBy = new Map(
    heapsOf(pages.values()).map((heap) => {
      const [global, eternal] = [findHandleBlocks(source, heap).by, findEternalHandles(source, heap).by]
      return [heap, { global, eternal }] as const
    }),
  )
  return { mappings, pages, handlesBy, bytes: makeRoom(source, bytes), pageBytes: bytes }
}

const heapsOf = (pages: Iterable<V8Page>): number[] =>
  [...new Set(Array.from(pages, ({ heap }) => heap))].filter((heap) => heap !== 0)

/** @param least bytes that have to fit; as much more is made room for as there may be by the time of the copy */
function makeRoom(source: MemorySource, least: number): Uint8Array {
  if (least > MOST_BYTES) {
    throw new LeakscopeError(
      'price-too-high',
      `the heap of ${source.name} takes ${(least / 2 ** 30).toFixed(1)} GiB: heaps of up to 4 GiB can be read from outside`,
      {
        hint: "Buffers do not count, as their contents are not read. A larger heap takes V8's own snapshot: --via inspector.",
      },
    )
  }
  const [takes, free] = [least * MEMORY_FACTOR, freeMemory()].map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`)
  if (least * MEMORY_FACTOR > freeMemory()) {
    throw new LeakscopeError(
      'price-too-high',
      `reading the heap of ${source.name} takes leakscope some ${takes} of memory, and ${free} are free here`,
      {
        hint: 'Memory that a container lends counts against its limit: run leakscope where there is more, outside of it.',
      },
    )
  }
  const wanted = Math.min(MOST_BYTES, least * MARGIN.factor + MARGIN.bytes)
  const bytes = Math.ceil(wanted / 4096) * 4096
  try {
    return bytes > MOST_IN_ARENA ? sharedUint8(bytes) : arenaUint8(makeArena(bytes * ROOM_FACTOR), bytes)
  } catch (cause) {
    throw new LeakscopeError(
      'price-too-high',
      `there is no memory for a copy of the heap of ${source.name}, which takes ${Math.round(least / 1e6)} MB`,
      { cause },
    )
  }
}
/** In front of the columns, in their memory, which they take over: copies up to that size, and how much larger that is. */
const MOST_IN_ARENA = 2 ** 30
const ROOM_FACTOR = 12
/** Of the copy's bytes: what leakscope takes at its highest, with the graph. */
const MEMORY_FACTOR = 2.5
/** What the system, or the control group's limit, leaves: who took more could have another process ended, the target even. */
const freeMemory = (): number => process.availableMemory?.() ?? freemem()

/** Has the system give the room its memory now, as that takes as long as copying. What may not be needed is not asked for. */
export function touch({ bytes, pageBytes }: CopyPlan): void {
  for (let at = 0; at < pageBytes; at += 4096) bytes[at] = 0
}

/**
 * Copies what belongs to the heap. The process must not run meanwhile, or it has to be shown afterwards that it did not.
 * @param onPiece called after every few megabytes; may throw to end it
 * @param thread takes half of the work; made for the room that the plan has
 */
export function copyHeap(
  source: MemorySource,
  plan: CopyPlan,
  onPiece: () => void = () => {},
  thread?: CopyThread,
): HeapImage {
  const mappings = source.mappings()
  const expected = pagesExpected(source, plan, mappings)
  const needed = expected.reduce((sum, page) => sum + page.bytes, 0) + MARGIN.bytes / 2
  const bytes = needed > plan.bytes.length ? makeRoom(source, needed) : plan.bytes
  const copier = new Copier(source, bytes, onPiece, bytes === plan.bytes ? thread : undefined)
  const pages = copyPages(source, copier, expected)
  const isolates = heapsOf(pages).map((heap): IsolateRegions => {
    const start = Math.floor((heap - ISOLATE.before) / 8) * 8
    const isolate = copier.copy(start, heap + ISOLATE.behind)
    const by = plan.handlesBy.get(heap)
    const blocks = again(by?.global, (from) => findHandleBlocks(source, heap, from).places)
    const eternal = again(by?.eternal, (from) => findEternalHandles(source, heap, from).places)
    return {
      heap,
      isolate,
      handleBlocks: blocks.map((block) => copier.copy(block, block + HANDLE_BLOCK_BYTES)),
      eternalHandles: eternal.map(([from, to]) => copier.copy(from, to)),
      localHandles: findLocalHandles(copier.bytes, isolate, mappings, pages).map(([from, to]) => copier.copy(from, to)),
    }
  })
  const stacks = new Map<number, Region>()
  for (const [thread, pointer] of source.stackPointers()) {
    const stack = mappingAt(mappings, pointer)
    if (stack) stacks.set(thread, copier.copy(Math.floor(pointer / 8) * 8, stack.end))
  }
  return { name: source.name, bytes: copier.bytes.subarray(0, copier.end), pages, isolates, stacks, mappings }
}

/** Finds from where it was found before, or anew if it is not there any more. */
function again<T>(by: readonly number[] | undefined, find: (by?: readonly number[]) => readonly T[]): readonly T[] {
  const found = by && by.length > 0 ? find(by) : []
  return found.length > 0 ? found : find()
}

/** The pages of the plan whose mappings are still there, and those that came since; by address. */
function pagesExpected(source: MemorySource, plan: CopyPlan, mappings: readonly Mapping[]): V8Page[] {
  const known = new Set(plan.mappings.map(({ start, end }) => `${start}-${end}`))
  const pages: V8Page[] = []
  for (const mapping of mappings.filter(mayHavePages)) {
    if (!known.has(`${mapping.start}-${mapping.end}`)) pages.push(...findPages(source, mapping))
  }
  for (const page of plan.pages.values()) {
    const mapping = mappingAt(mappings, page.address)
    if (mapping && known.has(`${mapping.start}-${mapping.end}`)) pages.push(page)
  }
  return apart(pages)
}
/** What seems to be a page inside of another is a part of a large object. */
function apart<T extends V8Page>(pages: T[]): T[] {
  pages.sort((a, b) => a.address - b.address)
  let end = 0
  return pages.filter(({ address, bytes }) => {
    if (address < end) return false
    end = address + bytes
    return true
  })
}

/** Those that lie next to each other in one go. What they are is told from the copy: they may have changed since. */
function copyPages(source: MemorySource, copier: Copier, expected: readonly V8Page[]): (V8Page & { at: number })[] {
  const runs: [start: number, end: number][] = []
  for (const { address, bytes } of expected) {
    const last = runs.at(-1)
    if (last?.[1] === address) last[1] = address + bytes
    else runs.push([address, address + bytes])
  }
  const regions = copier.copyAll(runs)
  const placed: (V8Page & { at: number })[] = []
  let run = 0
  for (const { address, bytes } of expected) {
    while (regions[run]!.end <= address) run++
    const at = regions[run]!.at + address - regions[run]!.start
    const page = pageWith(Buffer.from(copier.bytes.buffer, copier.bytes.byteOffset + at, bytes), source, address)
    if (page && page.bytes <= bytes) placed.push({ ...page, at })
    // Another one has taken its place, and is longer.
    else if (page) placed.push({ ...page, at: copier.copy(address, address + page.bytes).at })
  }
  return apart(placed)
}

class Copier {
  readonly #source: MemorySource
  readonly #onPiece: () => void
  readonly #thread: CopyThread | undefined
  bytes: Uint8Array
  end = 0

  constructor(source: MemorySource, bytes: Uint8Array, onPiece: () => void, thread: CopyThread | undefined) {
    this.#source = source
    this.bytes = bytes
    this.#onPiece = onPiece
    this.#thread = thread
  }

  /** Copies what there is between two addresses; the rest of the room stays zero. */
  copy(start: number, end: number): Region {
    const at = this.#take(start, end)
    for (let piece = start; piece < end; piece += PIECE_BYTES) {
      copyResident(this.#source, this.bytes, {
        start: piece,
        end: Math.min(end, piece + PIECE_BYTES),
        at: at + piece - start,
      })
      this.#onPiece()
    }
    return { start, end, at }
  }
  /** The same for many, by two threads if there are. */
  copyAll(runs: readonly (readonly [start: number, end: number])[]): Region[] {
    const regions = runs.map(([start, end]) => ({ start, end, at: this.#take(start, end) }))
    const pieces: Piece[] = []
    for (const { start, end, at } of regions) {
      for (let piece = start; piece < end; piece += PIECE_BYTES) {
        pieces.push({ start: piece, end: Math.min(end, piece + PIECE_BYTES), at: at + piece - start })
      }
    }
    const copyOne = (piece: Piece): void => {
      copyResident(this.#source, this.bytes, piece)
      this.#onPiece()
    }
    if (this.#thread) this.#thread.share(pieces, copyOne, this.#onPiece)
    else for (const piece of pieces) copyOne(piece)
    return regions
  }
  #take(start: number, end: number): number {
    const at = this.end
    const length = Math.ceil((end - start) / 8) * 8
    if (at + length > this.bytes.length) this.#grow(at + length)
    this.end = at + length
    return at
  }

  #grow(least: number): void {
    const larger = makeRoom(this.#source, least)
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
