// Shared memory that loops in WebAssembly can work in: columns are taken from it, and it lives as long as any of them.

import { sharedUint8, sharedUint32 } from './shared.ts'

const PAGE_BYTES = 1 << 16
/** All that addresses of 32 bits can reach. */
const MOST_PAGES = 1 << 16
/** Arrays start at lines of the processor's cache. */
const LINE_BYTES = 64
/** How many lines are taken, in the first word of the memory; what stands in front of the first array is WebAssembly's. */
const TAKEN = 0
const FIRST_LINE = PAGE_BYTES / LINE_BYTES

/** A memory of WebAssembly's. */
export interface Arena {
  readonly buffer: ArrayBufferLike
}

const memories = new WeakMap<ArrayBufferLike, Arena>()

/**
 * A memory with room for about so many bytes, none of which costs anything before it is used; undefined where there is
 * none to be had. Arrays that are let go do not make room for others.
 */
export function makeArena(bytes: number): Arena | undefined {
  const pages = Math.min(MOST_PAGES, Math.ceil(bytes / PAGE_BYTES) + 1)
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    new Int32Array(memory.buffer, 0, 1)[TAKEN] = FIRST_LINE
    adoptArena(memory)
    return memory
  } catch {
    // The system, or who set its limits, may not want to promise so much.
    return undefined
  }
}

/** Makes a memory that came from another thread known to {@link arenaOf}. */
export function adoptArena(memory: Arena | undefined): void {
  if (memory) memories.set(memory.buffer, memory)
}

/** The memory in which all of these stand; undefined if they do not. */
export function arenaOf(...arrays: readonly ArrayBufferView[]): Arena | undefined {
  const { buffer } = arrays[0]!
  return arrays.every((array) => array.buffer === buffer) ? memories.get(buffer) : undefined
}

/** Zeros in the memory; elsewhere once it is full, or where there is none. Either thread may ask for them. */
export function arenaUint32(memory: Arena | undefined, length: number): Uint32Array {
  const at = memory && take(memory, 4 * length)
  return at === undefined ? sharedUint32(length) : new Uint32Array(memory!.buffer, at, length)
}
/** The same for bytes. */
export function arenaUint8(memory: Arena | undefined, length: number): Uint8Array {
  const at = memory && take(memory, length)
  return at === undefined ? sharedUint8(length) : new Uint8Array(memory!.buffer, at, length)
}

function take({ buffer }: Arena, bytes: number): number | undefined {
  const taken = new Int32Array(buffer, 0, 1)
  const lines = Math.ceil(bytes / LINE_BYTES)
  const first = Atomics.add(taken, TAKEN, lines)
  if ((first + lines) * LINE_BYTES <= buffer.byteLength) return first * LINE_BYTES
  Atomics.sub(taken, TAKEN, lines)
  return undefined
}
