// What ended the process that a core file is of, beyond the signal: whether V8 was out of memory, and where.

import { closeSync, openSync } from 'node:fs'
import { readFully } from '../support/descriptors.ts'
import { type MemorySource, mappingAt } from './memory-source.ts'

export interface OutOfMemory {
  /** What V8 says of it: `Reached heap limit`; empty where that is not to be found. */
  readonly where: string
  /** Megabytes of the heap that were in use after its last garbage collection. */
  readonly heapMegabytes: number | undefined
}

/**
 * Before V8 ends a process that has no memory left, it writes down, on the stack, what its heap consists of, between two
 * marks that are made for those who read cores: https://github.com/v8/v8/blob/main/src/heap/heap.h (HeapStats)
 */
const MARKS = [0xdecade00, 0xdecade01]
/** Of the stack of the thread, from its end on: the marks stand in one of the innermost calls. */
const MOST_BYTES = 1 << 20
/** What V8 calls the place; beside these, whatever ends so. */
const WHERE =
  /^(Reached heap limit|Ineffective mark-compacts near heap limit|CALL_AND_RETRY_LAST|.*Allocation failed.*)$/
const DETAIL = /Allocation failed - /
const TEXT_BYTES = 96
/** `Mark-Compact 38.9 (71.0) -> 38.8 (72.7) MB`: before and after, with what is reserved. */
const COLLECTION = / \d+\.\d \(\d+\.\d\) -> (\d+\.\d) \(\d+\.\d\) MB/g

/** @param thread that the signal ended */
export function outOfMemory(source: MemorySource, thread: number): OutOfMemory | undefined {
  const pointer = source.stackPointers().get(thread)
  const mappings = source.mappings()
  const mapping = pointer === undefined ? undefined : mappingAt(mappings, pointer)
  if (!mapping) return undefined
  const start = Math.ceil(pointer! / 8) * 8
  const stack = Buffer.alloc(Math.min(mapping.end - start, MOST_BYTES))
  source.read(start, stack, 0, stack.length)
  const [first, last] = MARKS.map((mark) => markIn(stack, mark))
  if (first === undefined || last === undefined || first < 0 || last < first) return undefined
  let where = ''
  const files = new Map<string, number>()
  try {
    for (let at = 0; at + 8 <= stack.length && at < first && where === ''; at += 8) {
      const text = textAt(source, stack.readUInt32LE(at) + stack.readUInt32LE(at + 4) * 2 ** 32, mappings, files)
      if (WHERE.test(text) && !DETAIL.test(text)) where = text
    }
  } finally {
    for (const file of files.values()) if (file >= 0) closeSync(file)
  }
  // Beside the figures stands what V8 has noted of its last collections.
  const [collection] = [...stack.toString('latin1').matchAll(COLLECTION)].slice(-1)
  return { where, heapMegabytes: collection ? Number(collection[1]) : undefined }
}

/** Where a mark stands, as a number of 32 bits with its sign. */
function markIn(stack: Buffer, mark: number): number {
  for (let at = 0; at + 8 <= stack.length; at += 8) {
    if (stack.readUInt32LE(at) === mark && stack.readUInt32LE(at + 4) === 0xffffffff) return at
  }
  return -1
}

/** A text in memory that nobody writes to, which cores leave out: it is read from the file; empty where there is none. */
function textAt(
  source: MemorySource,
  address: number,
  mappings: ReturnType<MemorySource['mappings']>,
  files: Map<string, number>,
): string {
  if (address < 4096 || address >= 2 ** 47) return ''
  const mapping = mappingAt(mappings, address)
  if (!mapping?.hasFile || mapping.writable) return ''
  const path = source.fileOf(mapping)
  let file = files.get(path)
  if (file === undefined) {
    try {
      file = openSync(path, 'r')
    } catch {
      file = -1
    }
    files.set(path, file)
  }
  if (file < 0) return ''
  const bytes = Buffer.alloc(TEXT_BYTES)
  const read = readFully(file, bytes, 0, mapping.fileOffset + address - mapping.start, TEXT_BYTES)
  const end = bytes.subarray(0, read).indexOf(0)
  const text = bytes.toString('latin1', 0, Math.max(0, end))
  return /^[\x20-\x7e]+$/.test(text) ? text : ''
}
