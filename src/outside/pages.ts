// V8's pages: where they are in a process's memory, told by their headers.

import { type Mapping, type MemorySource, readWord } from './memory-source.ts'

/** Pages start at multiples of this; one that holds a single large object is longer. */
export const PAGE_ALIGNMENT = 1 << 18

/** Bits of a page's flags. https://github.com/v8/v8/blob/main/src/heap/memory-chunk.h */
const FROM_PAGE = 1 << 3
const TO_PAGE = 1 << 4
export const isFromPage = (flags: number): boolean => (flags & FROM_PAGE) !== 0
export const isYoungPage = (flags: number): boolean => (flags & (FROM_PAGE | TO_PAGE)) !== 0

export interface V8Page {
  readonly address: number
  readonly bytes: number
  readonly flags: number
  /** The address of V8's `Heap`, which tells isolates apart; 0 for what all isolates share and never change. */
  readonly heap: number
  /** Where its objects begin and end. */
  readonly areaStart: number
  readonly areaEnd: number
  /** Where V8 keeps what it knows of the page, if not in it. */
  readonly metadata: number
}

/** Words of the header, by layout: of Node 18 and 20, and of Node 22. */
const IN_PAGE = [
  { bytes: 0, flags: 1, heap: 2, areaStart: 3, areaEnd: 4, self: -1 },
  { bytes: 2, flags: 0, heap: 3, areaStart: 4, areaEnd: 5, self: 1 },
] as const
/** Of Node 24 and newer: the page has its flags, and a pointer to the rest. */
const APART = { flags: 0, metadata: 1 }
const METADATA = { bytes: 6, areaEnd: 7, heap: 8, areaStart: 9 }
export const METADATA_BYTES = 112
const HEADER_BYTES = 96

const MOST_BYTES = 2 ** 32
/** How much of a page is not for objects, at most, at its beginning and at its end. */
const MOST_HEADER = 0x4000
const MOST_UNUSED = 0x8000

const header = Buffer.alloc(HEADER_BYTES)
const apart = Buffer.alloc(METADATA_BYTES)

/** The page of V8's at `address`, or undefined if what stands there does not look like one. */
export function readPage(source: MemorySource, address: number): V8Page | undefined {
  if (source.read(address, header, 0, HEADER_BYTES) < HEADER_BYTES) return undefined
  return pageWith(header, source, address)
}

/** The same, where its first bytes have been read. */
export function pageWith(header: Buffer, source: MemorySource, address: number): V8Page | undefined {
  for (const at of IN_PAGE) {
    if (at.self >= 0 && word(header, at.self) !== address) continue
    const page = {
      address,
      bytes: word(header, at.bytes),
      flags: word(header, at.flags),
      heap: word(header, at.heap),
      areaStart: word(header, at.areaStart),
      areaEnd: word(header, at.areaEnd),
      metadata: 0,
    }
    if (isPlausible(page)) return page
  }
  const metadata = word(header, APART.metadata)
  if (metadata < 4096 || metadata % 8 !== 0 || metadata >= 2 ** 47) return undefined
  if (source.read(metadata, apart, 0, METADATA_BYTES) < METADATA_BYTES) return undefined
  const page = {
    address,
    bytes: word(apart, METADATA.bytes),
    flags: word(header, APART.flags),
    heap: word(apart, METADATA.heap),
    areaStart: word(apart, METADATA.areaStart),
    areaEnd: word(apart, METADATA.areaEnd),
    metadata,
  }
  return isPlausible(page) ? page : undefined
}

function isPlausible({ address, bytes, areaStart, areaEnd }: V8Page): boolean {
  return (
    bytes >= 4096 &&
    bytes < MOST_BYTES &&
    areaStart >= address &&
    areaStart < address + MOST_HEADER &&
    areaEnd > areaStart &&
    areaEnd <= address + bytes + 4096 &&
    areaEnd - areaStart > bytes - MOST_UNUSED
  )
}

/** Memory that V8 may have its pages in: readable, of no file, and nobody's stack. */
export const mayHavePages = ({ readable, hasFile, name }: Mapping): boolean =>
  readable && !hasFile && (name === '' || name.startsWith('[anon'))

/** All pages in the mapping. Each place where one may begin costs a read of 96 bytes. */
export function findPages(source: MemorySource, { start, end }: Mapping): V8Page[] {
  const pages: V8Page[] = []
  // What has been given no memory is not read: that would give it some.
  const resident = source.resident(start, end)
  let run = 0
  for (let at = Math.ceil(start / PAGE_ALIGNMENT) * PAGE_ALIGNMENT; at < end; ) {
    while (run < resident.length && resident[run]![1] <= at) run++
    if (run === resident.length) break
    const page = resident[run]![0] <= at ? readPage(source, at) : undefined
    if (page) pages.push(page)
    at += page ? Math.ceil(page.bytes / PAGE_ALIGNMENT) * PAGE_ALIGNMENT : PAGE_ALIGNMENT
  }
  return pages
}

const word = (bytes: Buffer, index: number): number =>
  bytes.readUInt32LE(8 * index) + bytes.readUInt32LE(8 * index + 4) * 2 ** 32

/** How many handles a block of global handles has, and bytes of each. */
const HANDLES = 256
const HANDLE_BYTES = 32
const HANDLE_INDEX_AT = 10
const BLOCK_BYTES = HANDLES * HANDLE_BYTES
/** Around V8's `Heap`, which is a part of its `Isolate`: all of the isolate. */
export const ISOLATE = { before: 0x18000, behind: 0x8000 }
/** Words of `GlobalHandles` and of its space of nodes that are looked at. */
const FIELDS = 12

/** Places that were found, and what they were found by: from there they are found again in a fraction of the time. */
export interface Found<T> {
  readonly places: readonly T[]
  readonly by: readonly number[]
}

/**
 * The addresses of an isolate's blocks of global handles. They are reached from the isolate: one of its fields leads to
 * `GlobalHandles`, which begins with a pointer back; one of whose fields leads to a space; and one of whose, to the
 * first block. A block is told by its 256 handles, of which each has its own number.
 * https://github.com/v8/v8/blob/main/src/handles/global-handles.cc
 */
export function findHandleBlocks(source: MemorySource, heap: number, by?: readonly number[]): Found<number> {
  const lowest = heap - ISOLATE.before
  const fields = Buffer.alloc(8 * FIELDS)
  const inner = Buffer.alloc(8 * FIELDS)
  const blocks = new Set<number>()
  const leading: number[] = []
  for (const handles of by ?? pointersOfIsolate(source, heap)) {
    const back = readWord(source, handles)
    if (back < lowest || back > heap) continue
    if (source.read(handles, fields, 0, fields.length) < fields.length) continue
    const before = blocks.size
    for (const space of pointersIn(fields)) {
      if (source.read(space, inner, 0, inner.length) < inner.length || word(inner, 0) !== handles) continue
      for (const first of pointersIn(inner)) {
        for (let block = first; block !== 0 && !blocks.has(block) && isHandleBlock(source, block); ) {
          blocks.add(block)
          // Behind the handles: the next block.
          block = pointer(readWord(source, block + BLOCK_BYTES))
        }
      }
    }
    if (blocks.size > before) leading.push(handles)
  }
  return { places: [...blocks], by: leading }
}

/** Handles in a block of eternal ones, and how many blocks there may be at most. */
const ETERNAL = { handles: 256, mostBlocks: 4096 }

/**
 * Where an isolate's eternal handles stand, which are never given up: pairs of start and end. One of its fields leads to
 * their number, and the vector of their blocks.
 * https://github.com/v8/v8/blob/main/src/handles/global-handles.h (EternalHandles)
 */
export function findEternalHandles(
  source: MemorySource,
  heap: number,
  by?: readonly number[],
): Found<readonly [start: number, end: number]> {
  const fields = Buffer.alloc(32)
  for (const handles of by ?? pointersOfIsolate(source, heap)) {
    if (source.read(handles, fields, 0, fields.length) < fields.length) continue
    const count = fields.readUInt32LE(0)
    const [first, end, room] = [word(fields, 1), word(fields, 2), word(fields, 3)]
    const blocks = (end - first) / 8
    if (count === 0 || fields.readUInt32LE(4) !== 0 || blocks !== Math.ceil(count / ETERNAL.handles)) continue
    if (blocks > ETERNAL.mostBlocks || pointer(first) === 0 || room < end) continue
    const found: [number, number][] = []
    for (let block = 0; block < blocks; block++) {
      const start = pointer(readWord(source, first + 8 * block))
      const used = Math.min(ETERNAL.handles, count - block * ETERNAL.handles)
      if (start === 0 || !isAllReferences(source, start, used)) break
      found.push([start, start + 8 * used])
    }
    if (found.length === blocks) return { places: found, by: [handles] }
  }
  return { places: [], by: [] }
}

/** All addresses that stand in the isolate, each once. */
function* pointersOfIsolate(source: MemorySource, heap: number): Generator<number> {
  const isolate = Buffer.alloc(ISOLATE.before + ISOLATE.behind)
  const { from, to } = readIsolate(source, heap, isolate)
  yield* new Set(pointersIn(isolate.subarray(from, to)))
}

function isAllReferences(source: MemorySource, address: number, count: number): boolean {
  const block = Buffer.alloc(8 * count)
  if (source.read(address, block, 0, block.length) < block.length) return false
  for (let at = 0; at < block.length; at += 8) if ((block[at]! & 3) !== 1) return false
  return true
}

/** Reads as much of the isolate as there is; bytes before and behind may not be its own. */
function readIsolate(source: MemorySource, heap: number, into: Buffer): { from: number; to: number } {
  const start = heap - ISOLATE.before
  let from = into.length
  let to = 0
  for (const [low, high] of source.resident(start, start + into.length)) {
    const read = source.read(low, into, low - start, high - low)
    from = Math.min(from, low - start)
    to = Math.max(to, low - start + read)
  }
  return { from: Math.ceil(from / 8) * 8, to: Math.floor(to / 8) * 8 }
}

function isHandleBlock(source: MemorySource, address: number): boolean {
  const block = Buffer.alloc(BLOCK_BYTES)
  if (source.read(address, block, 0, BLOCK_BYTES) < BLOCK_BYTES) return false
  for (let i = 0; i < HANDLES; i++) if (block[i * HANDLE_BYTES + HANDLE_INDEX_AT] !== i) return false
  return true
}

const pointer = (value: number): number => (value >= 4096 && value % 8 === 0 && value < 2 ** 47 ? value : 0)
function* pointersIn(fields: Buffer): Generator<number> {
  for (let at = 0; at + 8 <= fields.length; at += 8) {
    const found = pointer(word(fields, at / 8))
    if (found !== 0) yield found
  }
}

export { BLOCK_BYTES as HANDLE_BLOCK_BYTES, HANDLE_BYTES }
