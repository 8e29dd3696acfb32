// Shared memory that loops in WebAssembly can work in: columns are taken from it, and it lives as long as any of them.

import { threadId } from 'node:worker_threads'
import { sharedFloat64, sharedUint8, sharedUint16, sharedUint32 } from './shared.ts'

const PAGE_BYTES = 1 << 16
/** Nearly all that addresses of 32 bits can reach: a whole 4 GiB cannot be sent to another thread. */
const MOST_PAGES = (1 << 16) - 1
/** Arrays start at lines of the processor's cache. */
const LINE_BYTES = 64
/** The memory's first word says how many lines are taken; the two behind it, the thread that made it, and which of its it is. */
const TAKEN = 0
const FIRST_LINE = PAGE_BYTES / LINE_BYTES

/** A memory of WebAssembly's. */
export interface Arena {
  readonly buffer: ArrayBufferLike
}

/** By the object that stands for the memory's bytes; a memory that is sent to and fro comes with another one each time. */
const memories = new WeakMap<ArrayBufferLike, Arena>()
/** By number: the memory as this thread has known it first. */
const numbered = new Map<number, WeakRef<Arena>>()
let made = 0

/**
 * A memory with room for about so many bytes, none of which costs anything before it is used; undefined where there is
 * none to be had. Arrays that are let go make room for others only by {@link giveBack}.
 */
export function makeArena(bytes: number): Arena | undefined {
  const pages = Math.min(MOST_PAGES, Math.ceil(bytes / PAGE_BYTES) + 1)
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    // Threads never have a number in common.
    new Int32Array(memory.buffer, 0, 3).set([FIRST_LINE, threadId, ++made])
    adoptArena(memory)
    return memory
  } catch {
    // The system, or who set its limits, may not want to promise so much.
    return undefined
  }
}

/** Makes a memory that came from another thread, together with what stands in it, known to {@link arenaOf}. */
export function adoptArena(memory: Arena): void {
  const [, thread, number] = new Int32Array(memory.buffer, 0, 3)
  const name = thread! * 2 ** 32 + number!
  const known = numbered.get(name)?.deref()
  if (!known) numbered.set(name, new WeakRef(memory))
  memories.set(memory.buffer, known ?? memory)
}

/** The memory in which all of these stand; undefined if they do not. */
export function arenaOf(...arrays: readonly ArrayBufferView[]): Arena | undefined {
  const arena = memories.get(arrays[0]!.buffer)
  return arena && arrays.every(({ buffer }) => memories.get(buffer) === arena) ? arena : undefined
}

/** Zeros in the memory; elsewhere once it is full, or where there is none. Either thread may ask for them. */
export function arenaUint32(arena: Arena | undefined, length: number): Uint32Array {
  const at = take(arena, 4 * length)
  return at === undefined ? sharedUint32(length) : new Uint32Array(arena!.buffer, at, length)
}
/** The same for other types. */
export function arenaUint16(arena: Arena | undefined, length: number): Uint16Array {
  const at = take(arena, 2 * length)
  return at === undefined ? sharedUint16(length) : new Uint16Array(arena!.buffer, at, length)
}
export function arenaUint8(arena: Arena | undefined, length: number): Uint8Array {
  const at = take(arena, length)
  return at === undefined ? sharedUint8(length) : new Uint8Array(arena!.buffer, at, length)
}
export function arenaFloat64(arena: Arena | undefined, length: number): Float64Array {
  const at = take(arena, 8 * length)
  return at === undefined ? sharedFloat64(length) : new Float64Array(arena!.buffer, at, length)
}

/** The same numbers once more, in the same memory. */
export function arenaCopy(values: Uint32Array | Float64Array): Uint32Array | Float64Array {
  const copy =
    values instanceof Uint32Array ? arenaUint32(arenaOf(values), values.length) : sharedFloat64(values.length)
  copy.set(values)
  return copy
}

/** Parts of a memory that were given back; they are known to the thread that did so only. */
const givenBack = new WeakMap<Arena, { next: number; readonly end: number }[]>()

/** Has later arrays stand where this one does, which nobody may use any more: memory that is new to us costs far more. */
export function giveBack(array: ArrayBufferView): void {
  const arena = arenaOf(array)
  if (!arena) return
  const parts = givenBack.get(arena) ?? []
  const end = array.byteOffset + Math.floor(array.byteLength / LINE_BYTES) * LINE_BYTES
  givenBack.set(arena, [...parts, { next: array.byteOffset, end }])
}

/** Bytes of a memory that nothing stands in. */
export const roomIn = ({ buffer }: Arena): number =>
  buffer.byteLength - LINE_BYTES * Atomics.load(new Int32Array(buffer, 0, 1), TAKEN)

/** The memories that arrays stand in somewhere in what is to be said to another thread. */
export function arenasIn(value: unknown, depth = 4): Arena[] {
  if (typeof value !== 'object' || value === null || depth === 0) return []
  if (ArrayBuffer.isView(value)) return [memories.get(value.buffer) ?? []].flat()
  // Of things that are many, none is a column.
  if (Array.isArray(value) && value.length > 16) return []
  return [...new Set(Object.values(value).flatMap((part) => arenasIn(part, depth - 1)))]
}

function take(arena: Arena | undefined, bytes: number): number | undefined {
  if (!arena) return undefined
  const { buffer } = arena
  const taken = new Int32Array(buffer, 0, 1)
  const lines = Math.ceil(bytes / LINE_BYTES)
  const part = givenBack.get(arena)?.find(({ next, end }) => end - next >= lines * LINE_BYTES)
  if (part) {
    const at = part.next
    part.next += lines * LINE_BYTES
    new Uint8Array(buffer, at, bytes).fill(0)
    return at
  }
  const first = Atomics.add(taken, TAKEN, lines)
  if ((first + lines) * LINE_BYTES <= buffer.byteLength) return first * LINE_BYTES
  Atomics.sub(taken, TAKEN, lines)
  return undefined
}
