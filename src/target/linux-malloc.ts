// What malloc has handed out, and what lies idle in it, seen from outside: the headers of glibc's chunks are read through
// /proc/PID/mem and nothing is written. The process itself could not tell: Node gives no way to mallinfo.
//
// In front of each piece of memory stands a header of two words: the size of the piece before, if that is free, and its
// own with three bits below it: 1, the piece before is in use; 2, it has a mapping of its own; 4, it is not of the main
// arena. So a walk from the first header to the end of the memory finds what is free. Pieces that a thread keeps at hand
// (tcache, fastbins: each up to some hundred bytes) count as in use, for malloc marks them so.
// https://sourceware.org/glibc/wiki/MallocInternals
// https://sourceware.org/git/?p=glibc.git;a=blob;f=malloc/malloc.c, …;f=malloc/arena.c

import { closeSync, openSync, readSync } from 'node:fs'
import type { Mapping } from './memory-map.ts'

/** Memory that malloc was found to manage: a mapping, or a part of one. */
export interface MallocRegion {
  readonly start: number
  readonly end: number
  /** Handed out, headers included; the rest is idle. */
  readonly inUseBytes: number
  /** Whether an arena begins here. */
  readonly isArena: boolean
}

/** Heaps of arenas other than the main one begin at multiples of this: HEAP_MAX_SIZE of glibc on 64 bits. */
export const ARENA_BYTES = 0x400_0000

const PAGE = 4096
const SMALLEST = 32
const FENCE = 16
const MOST_FENCES = 3
/** Of one pass; between two passes a busy program has moved on from what made the first one stumble. */
const TRIES = 3
/** In a mapping with something else in front, so many pages are looked at for a beginning. */
const PAGES_TO_TRY = 64
const WINDOW = 1 << 16

/** The word at an address; undefined where there is nothing to read. */
type Words = (address: number) => number | undefined

/**
 * Of these mappings, what malloc manages. Undefined when the memory of the process may not be read. What changes under
 * the walk is left out, and so is a mapping of which a part is swapped out: to read it would bring it back.
 */
export function readMallocRegions(pid: number, mappings: readonly Mapping[]): MallocRegion[] | undefined {
  let file: number
  try {
    file = openSync(`/proc/${pid}/mem`, 'r')
  } catch {
    return undefined
  }
  try {
    return mappings.filter(mayBeMalloc).flatMap((mapping) => {
      for (let tries = 1; tries < TRIES; tries++) {
        const regions = regionsOf(mapping, wordsOf(file, mapping))
        if (regions.length > 0) return regions
      }
      return regionsOf(mapping, wordsOf(file, mapping))
    })
  } finally {
    closeSync(file)
  }
}

function mayBeMalloc({ access, name, rssBytes, swapBytes, flags }: Mapping): boolean {
  if (access !== 'rw-p' || rssBytes === 0 || swapBytes > 0 || flags.has('dc')) return false
  return name === '' || name === '[heap]' || name.startsWith('[anon')
}

function wordsOf(file: number, { end }: Mapping): Words {
  const window = Buffer.allocUnsafe(WINDOW)
  let from = 0
  let to = 0
  return (address) => {
    if (address < from || address + 8 > to) {
      if (address + 8 > end) return undefined
      from = to = address
      try {
        to += readSync(file, window, 0, Math.min(WINDOW, end - address), address)
      } catch {
        return undefined // unmapped since, or the process has ended
      }
      if (address + 8 > to) return undefined
    }
    return window.readUInt32LE(address - from + 4) * 2 ** 32 + window.readUInt32LE(address - from)
  }
}

function regionsOf(mapping: Mapping, words: Words): MallocRegion[] {
  const { start, end, name } = mapping
  if (name === '[heap]') {
    const { reached, inUseBytes } = walk(words, start, end)
    return reached === end ? [{ start, end, inUseBytes, isArena: true }] : []
  }
  return start % ARENA_BYTES === 0 ? arenaHeaps(mapping, words) : looseRegions(mapping, words)
}

/** Heaps of arenas that other threads use; two may lie side by side, and then the kernel shows them as one. */
function arenaHeaps(mapping: Mapping, words: Words): MallocRegion[] {
  const regions: MallocRegion[] = []
  for (let start = mapping.start; start < mapping.end; start += ARENA_BYTES) {
    const end = Math.min(mapping.end, start + ARENA_BYTES)
    // `heap_info`: the arena that it is of, the heap before, its size, and what of it could be touched.
    const [arena = 0, , size = 0, touchable = 0] = [0, 8, 16, 24].map((at) => words(start + at))
    if (arena === 0 || size % PAGE !== 0 || size === 0 || size > touchable || start + size > end) continue
    const isArena = arena > start && arena <= start + 64
    // How long the records before the first chunk are differs from one glibc to the next.
    const [first, last] = isArena ? [arena + 1024, arena + 3 * 1024] : [start + 32, start + 64]
    for (let at = Math.ceil(first / 16) * 16; at <= last; at += 16) {
      const { reached, inUseBytes } = walk(words, at, start + size)
      if (reached !== start + size) continue
      regions.push({ start, end, inUseBytes, isArena })
      break
    }
  }
  return regions
}

/** Chunks with a mapping of their own, and parts of the main arena that found no room behind [heap]. */
function looseRegions({ start, end }: Mapping, words: Words): MallocRegion[] {
  for (let page = 0; page < PAGES_TO_TRY && start + page * PAGE < end; page++) {
    const from = start + page * PAGE
    const { safe, inUseBytes } = walk(words, from, end)
    if (safe > from) return [{ start: from, end: safe, inUseBytes, isArena: false }]
  }
  return []
}

/**
 * A part of an arena that has its continuation elsewhere ends in two headers of nothing, at the end of its last page; or
 * in three, where what was left of the part was too small for a chunk. Undefined where no such end begins.
 */
function beyondFences(words: Words, at: number): number | undefined {
  const end = Math.ceil((at + 1) / PAGE) * PAGE
  const count = (end - at) / FENCE
  if (count < 2 || count > MOST_FENCES) return undefined
  for (let fence = at; fence < end; fence += FENCE) {
    const word = words(fence + 8)
    if (word === undefined || word - (word % 8) !== FENCE) return undefined
  }
  return end
}

interface Walk {
  /** Where the first header was that made no sense; the end when there was none. */
  readonly reached: number
  /** Up to where all made sense and was complete in itself. */
  readonly safe: number
  /** Up to `safe`. */
  readonly inUseBytes: number
}

function walk(words: Words, start: number, end: number): Walk {
  let at = start
  let inUse = 0
  let safe = start
  let inUseBytes = 0
  /** Of the chunk before, of which only the next header tells whether it is in use. */
  let open = 0
  const settle = (): void => {
    safe = at
    inUseBytes = inUse
  }
  while (at < end) {
    const word = words(at + 8)
    if (word === undefined) break
    const bits = word % 8
    const size = word - bits
    if ((bits & 1) === 1) inUse += open
    open = 0
    const hasOwnMapping = (bits & 2) === 2
    const beyond = beyondFences(words, at)
    if (beyond !== undefined) {
      at = beyond
      settle()
      continue
    }
    if (size < SMALLEST || size % 16 !== 0 || at + size > end) break
    if (hasOwnMapping) {
      if (at % PAGE !== 0 || size % PAGE !== 0) break
      settle()
      inUse += size
      at += size
      settle()
    } else {
      open = size
      at += size
    }
  }
  // The last one is what the arena has not begun to use.
  if (at === end) settle()
  return { reached: at, safe, inUseBytes }
}
