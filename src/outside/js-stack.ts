// The JavaScript functions that a thread was in, by the frames on its stack.
//
// A frame of V8's has, from its frame pointer downwards: the caller's frame pointer stands at it, the return address above
// it, and below it the context, the function, and the number of arguments.
// https://github.com/v8/v8/blob/main/src/execution/frame-constants.h (StandardFrameConstants, InterpreterFrameConstants)

import { type Heap, NOWHERE } from './heap.ts'
import type { Region } from './heap-image.ts'
import { type Mapping, mappingAt } from './memory-source.ts'
import type { Places } from './places.ts'
import type { Shapes } from './shapes.ts'

export interface JsFrame {
  readonly function: string | null
  /** As Node names the script; empty where that is not known. */
  readonly url: string
  /** 1-based; of the place in the function if V8 knew that, else where the function begins. 0 where neither is known. */
  readonly line: number
  readonly column: number
  /** Where the function begins; zeros where that is not known. */
  readonly begin: { readonly line: number; readonly column: number }
}
const NO_PLACE = { url: '', line: 0, column: 0 }

/** Words from the function to what stands beside it in a frame. */
const ARGUMENTS = -1
const BYTECODE = -2
const BYTECODE_OFFSET = -3
const CONTEXT = 1
const CALLER = 2
const RETURN = 3
const MOST_ARGUMENTS = 1 << 16
/** Frames between two of JavaScript: of builtins, and of the way into native code. */
const MOST_BETWEEN = 64
const MOST_FRAMES = 100
/** With as many arguments as there can be. */
const MOST_FRAME_WORDS = 1 << 17

/** A frame as it stands in the copy. */
interface Frame {
  /** Words of the copy: where its function, and its frame pointer, stands. */
  readonly at: number
  readonly pointer: number
  /** The caller's frame pointer, as a word of the copy. */
  readonly caller: number
}

/** @returns the innermost first */
export function jsStack(heap: Heap, stack: Region, places: Places, shapes: Shapes): JsFrame[] {
  const frames = findFrames(heap, stack)
  return frames.slice(0, MOST_FRAMES).map(({ at }) => {
    const word = heap.referent(at)
    const place = places.placeOf(word, positionIn(heap, heap.referent(at + BYTECODE), offsetIn(heap, at)))
    const { line = 0, column = 0 } = places.placeOf(word, NOWHERE) ?? {}
    return { function: shapes.nameOf(word) || null, ...(place ?? NO_PLACE), begin: { line, column } }
  })
}

/**
 * What was on the stack before lies about in places that native code has not written to. A frame of that kind was called
 * by one that is still there, as another one now is, and stands further from it than that.
 */
function findFrames(heap: Heap, { at, start, end }: Region): Frame[] {
  const { mappings } = heap.image
  const first = at / 8
  const last = first + Math.floor((end - start) / 8)
  const wordOf = (address: number): number => {
    const word = first + (address - start) / 8
    return Number.isInteger(word) && word >= first && word < last ? word : NOWHERE
  }
  const candidates: Frame[] = []
  for (let word = first; word + RETURN < last; word++) {
    if (!isFunction(heap, word) || !isContext(heap, word + CONTEXT)) continue
    const caller = wordOf(addressIn(heap, word + CALLER))
    if (
      caller <= word + CALLER ||
      caller - word > MOST_FRAME_WORDS ||
      !isCode(mappings, addressIn(heap, word + RETURN))
    )
      continue
    if (!isCount(heap, word + ARGUMENTS)) continue
    candidates.push({ at: word, pointer: word + CALLER, caller })
  }
  const byPointer = new Map(candidates.map((frame) => [frame.pointer, frame]))
  const stale = new Set<Frame>()
  const addressOf = (word: number): number => start + 8 * (word - first)
  // The outermost first: it is there.
  for (const frame of candidates.toReversed()) {
    let between = frame.caller
    for (let step = 0; step < MOST_BETWEEN && !byPointer.has(between); step++) {
      const next = between + 1 < last ? wordOf(addressIn(heap, between)) : NOWHERE
      if (next <= between) break
      between = next
    }
    const caller = byPointer.get(between)
    if (caller && stale.has(caller)) stale.add(frame)
    const callers = addressOf(frame.caller)
    for (let word = frame.pointer + 2; word < frame.caller && !stale.has(frame); word++) {
      if (addressIn(heap, word) === callers && isCode(mappings, addressIn(heap, word + 1))) stale.add(frame)
    }
  }
  const frames: Frame[] = []
  let behind = first
  for (const frame of candidates) {
    if (stale.has(frame) || frame.at < behind) continue
    frames.push(frame)
    // What looks like a frame in front of the caller's own is a part of that.
    behind = frame.caller - CALLER
  }
  return frames
}

function isFunction(heap: Heap, word: number): boolean {
  const { first, last } = heap.layout.functions
  const type = heap.typeAt(heap.referent(word))
  return type >= first && type <= last
}
function isContext(heap: Heap, word: number): boolean {
  const { first, last } = heap.layout.contexts
  const type = heap.typeAt(heap.referent(word))
  return type >= first && type <= last
}
/** The number of arguments is no small integer of V8's, but a plain one. */
const isCount = ({ u32 }: Heap, word: number): boolean => u32[2 * word + 1] === 0 && u32[2 * word]! < MOST_ARGUMENTS

const addressIn = ({ u32 }: Heap, word: number): number => u32[2 * word]! + u32[2 * word + 1]! * 2 ** 32
const isCode = (mappings: readonly Mapping[], address: number): boolean =>
  mappingAt(mappings, address)?.executable ?? false

/** Where in its bytecode an interpreted function was, in bytes; NOWHERE for compiled ones. */
function offsetIn(heap: Heap, at: number): number {
  const { types, bytecodeDataByte } = heap.layout
  if (heap.typeAt(heap.referent(at + BYTECODE)) !== types.BYTECODE_ARRAY || !heap.isSmi(at + BYTECODE_OFFSET))
    return NOWHERE
  // Counted from the tagged pointer, which is one more than the address.
  return heap.smi(at + BYTECODE_OFFSET) - (bytecodeDataByte - 1)
}

/** A number as positions are written: seven bits a byte, the lowest first. */
function nextNumber(bytes: Uint8Array, at: { now: number }, end: number): number {
  let bits = 0
  for (let shift = 0; at.now < end && shift < 32; shift += 7) {
    const byte = bytes[at.now++]!
    bits |= (byte & 0x7f) << shift
    if ((byte & 0x80) === 0) break
  }
  return bits
}
/** Of a number that may be below 0, which has its sign at the very bottom. */
const signed = (bits: number): number => (bits >>> 1) ^ -(bits & 1)

/**
 * By the first number of a table, which is that of the function's entry: how far a number says that an entry is from the
 * one before. Its sign tells statements from expressions, or, as of V8 14, two bits below it tell that and more.
 */
const STEPS = new Map<number, (bits: number) => number>([
  [1, (bits) => (signed(bits) >= 0 ? signed(bits) : -(signed(bits) + 1))],
  [2, (bits) => bits >>> 2],
])

/**
 * Position in the source of the bytecode at `offset`, if V8 has written positions down. https://github.com/v8/v8/blob/main/src/codegen/source-position-table.cc
 */
function positionIn(heap: Heap, bytecode: number, offset: number): number {
  if (offset < 0) return NOWHERE
  const { types, bytecodeDataByte } = heap.layout
  const isBytes = (word: number): boolean => {
    const type = heap.typeAt(word)
    return type >= 0 && (type === types.BYTE_ARRAY || type === types.TRUSTED_BYTE_ARRAY)
  }
  // Beside the table of handlers: in front of it where both are of V8's trusted space, as of V8 12, else behind it.
  const tables: number[] = []
  for (let at = bytecode + 1; at < bytecode + (bytecodeDataByte >> 3); at++) {
    const to = heap.referent(at)
    if (isBytes(to)) tables.push(to)
  }
  const table = tables[types.TRUSTED_BYTE_ARRAY >= 0 ? 0 : 1]
  if (table === undefined) return NOWHERE
  const at = { now: 8 * (table + 2) }
  const end = at.now + Math.min(heap.smi(table + 1), 8 * (heap.sizeAt(table) - 2))
  const stepOf = STEPS.get(heap.u8[at.now]!)
  // The entry of a function stands in front of its first bytecode.
  let [code, position, found] = [-1, 0, NOWHERE]
  while (stepOf && at.now < end) {
    code += stepOf(nextNumber(heap.u8, at, end))
    if (code > offset) break
    position += signed(nextNumber(heap.u8, at, end))
    found = position
  }
  // Its lowest bit tells other positions apart, and it is one more: ScriptOffset in V8's src/codegen/source-position.h.
  return found < 0 ? NOWHERE : (found >>> 1) - 1
}
