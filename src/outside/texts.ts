// The texts of V8's strings and names, out of the copied memory.

import { closeSync, openSync } from 'node:fs'
import { readFully } from '../support/descriptors.ts'
import type { Heap } from './heap.ts'
import { type MemorySource, mappingAt } from './memory-source.ts'
import type { StringColumn } from './string-column.ts'

/** Units of a text that V8's snapshots have at most: --heap-snapshot-string-limit. */
export const MOST_UNITS = 1024
/** Parts of one text that are looked at: one that was added to a million times has as many. */
const MOST_PARTS = 1 << 22
/** Units of a script's text that are read where it is in pieces. */
const MOST_SOURCE = 1 << 27
/** Word, behind map, hash and length, of a string's characters, and of where an external string has them. */
const CHARACTERS = 2
const EXTERNAL_DATA = 3
/** Byte of a symbol's flags, the lowest of which says that no program can have it. */
const SYMBOL_FLAGS_BYTE = 12

/** The characters of a flat string. */
interface Flat {
  readonly bytes: Uint8Array
  readonly isTwoByte: boolean
  /** Byte of the first unit. */
  readonly at: number
  readonly length: number
}

export class Texts {
  readonly strings: StringColumn
  readonly #heap: Heap
  readonly #source: MemorySource
  readonly #names = new Map<number, string>()
  readonly #units: Uint16Array
  /** By path: an open file, or -1. */
  readonly #files = new Map<string, number>()

  constructor(heap: Heap, source: MemorySource, strings: StringColumn) {
    this.#heap = heap
    this.#source = source
    this.strings = strings
    this.#units = heap.u16
  }

  isString(word: number): boolean {
    const type = this.#heap.typeAt(word)
    return type >= 0 && type < this.#heap.layout.firstNonstring
  }

  /** Units of the string at `word`; of one that has its characters itself, never more than it has room for. */
  length(word: number): number {
    const heap = this.#heap
    const length = Math.max(0, heap.i32[2 * word + 3]!)
    const type = heap.typeAt(word)
    if ((type & heap.layout.strings.representation) !== heap.layout.strings.seq) return length
    return heap.isObject(word) ? Math.min(length, 8 * (heap.sizeAt(word) - CHARACTERS)) : 0
  }

  /** The number of the text of the string at `word`, cut as V8 cuts it. */
  intern(word: number, type: number): number {
    const { strings: kinds } = this.#heap.layout
    const length = Math.min(this.length(word), MOST_UNITS)
    if ((type & kinds.representation) === kinds.seq) {
      if ((type & kinds.encoding) === kinds.twoByte) {
        const from = 4 * (word + CHARACTERS)
        return this.strings.internTwoByte(this.#units, from, from + length)
      }
      const from = 8 * (word + CHARACTERS)
      return this.strings.internOneByte(this.#heap.u8, from, from + length)
    }
    return this.strings.intern(this.text(word))
  }

  /** The first `most` units of the string at `word`; empty if there is none. */
  text(word: number, most = MOST_UNITS): string {
    const heap = this.#heap
    const { strings: kinds, fields } = heap.layout
    let text = ''
    // Parts that are still to come, the next one last.
    const parts = [{ word, from: 0, to: most }]
    for (let count = 0; parts.length > 0 && text.length < most && count < MOST_PARTS; count++) {
      const part = parts.pop()!
      const type = heap.typeAt(part.word)
      if (type < 0 || type >= heap.layout.firstNonstring) continue
      const to = Math.min(part.to, this.length(part.word))
      if (part.from >= to) continue
      switch (type & kinds.representation) {
        case kinds.cons: {
          const first = heap.target(part.word + fields.consFirst)
          const second = heap.target(part.word + fields.consSecond)
          const split = first < 0 ? 0 : this.length(first)
          parts.push({ word: second, from: Math.max(0, part.from - split), to: to - split })
          parts.push({ word: first, from: part.from, to: Math.min(to, split) })
          break
        }
        case kinds.sliced: {
          const offset = heap.smi(part.word + fields.slicedOffset)
          parts.push({ word: heap.target(part.word + fields.slicedParent), from: part.from + offset, to: to + offset })
          break
        }
        case kinds.thin:
          parts.push({ word: heap.target(part.word + fields.thinActual), from: part.from, to })
          break
        default: {
          const flat = this.#flat(part.word, type, to)
          if (flat) text += decode(flat, part.from, Math.min(to, flat.length))
        }
      }
    }
    return text.length > most ? text.slice(0, most) : text
  }

  /** The characters of a string that has them in one piece; undefined where they are not to be had. */
  #flat(word: number, type: number, wanted: number): Flat | undefined {
    const { strings: kinds } = this.#heap.layout
    const isTwoByte = (type & kinds.encoding) === kinds.twoByte
    if ((type & kinds.representation) === kinds.seq) {
      return { bytes: this.#heap.u8, isTwoByte, at: 8 * (word + CHARACTERS), length: this.length(word) }
    }
    if ((type & kinds.representation) !== kinds.external) return undefined
    const { u32 } = this.#heap
    const at = word + EXTERNAL_DATA
    const bytes = this.#outside(u32[2 * at]! + u32[2 * at + 1]! * 2 ** 32, wanted * (isTwoByte ? 2 : 1))
    return bytes && { bytes, isTwoByte, at: 0, length: wanted }
  }

  /** What stands in the process's memory outside of the heap; texts of Node's own are a part of its executable. */
  #outside(address: number, length: number): Uint8Array | undefined {
    const { mappings } = this.#heap.image
    const mapping = mappingAt(mappings, address)
    if (!mapping || !(length > 0) || address + length > mapping.end) return undefined
    const bytes = new Uint8Array(length)
    if (!mapping.hasFile || mapping.writable)
      return this.#source.read(address, bytes, 0, length) === length ? bytes : undefined
    const fd = this.#open(this.#source.fileOf(mapping))
    const offset = mapping.fileOffset + address - mapping.start
    return fd >= 0 && readFully(fd, bytes, 0, offset, length) === length ? bytes : undefined
  }
  #open(path: string): number {
    let fd = this.#files.get(path)
    if (fd === undefined) {
      try {
        fd = openSync(path, 'r')
      } catch {
        fd = -1
      }
      this.#files.set(path, fd)
    }
    return fd
  }
  close(): void {
    for (const fd of this.#files.values()) if (fd >= 0) closeSync(fd)
    this.#files.clear()
  }

  /** A property's name as V8's snapshots write it: a symbol with its description, a private name by itself. */
  name(word: number): string {
    let name = this.#names.get(word)
    if (name === undefined) {
      name = this.#readName(word)
      this.#names.set(word, name)
    }
    return name
  }
  #readName(word: number): string {
    const type = this.#heap.typeAt(word)
    if (type < 0) return ''
    if (type < this.#heap.layout.firstNonstring) return this.text(word)
    if (type !== this.#heap.layout.types.SYMBOL) return ''
    const description = this.text(this.#heap.target(word + this.#heap.layout.fields.symbolName))
    if (description.startsWith('#')) return description
    return description === '' ? '<symbol>' : `<symbol ${description}>`
  }

  isPrivateSymbol(word: number): boolean {
    return (this.#heap.u8[8 * word + SYMBOL_FLAGS_BYTE]! & 1) === 1
  }

  /** Where each line of a text ends: by line, the number of the unit that ends it; the text's end is the last one's. */
  lineEnds(word: number): Uint32Array | undefined {
    const heap = this.#heap
    const type = heap.typeAt(word)
    if (type < 0 || type >= heap.layout.firstNonstring) return undefined
    const flat = this.#flat(word, type, this.length(word))
    if (flat && !flat.isTwoByte) return lineEnds(flat.length, (i) => flat.bytes[flat.at + i]!)
    const text = this.text(word, Math.min(this.length(word), MOST_SOURCE))
    return text === '' ? undefined : lineEnds(text.length, (i) => text.charCodeAt(i))
  }
}

/** As ECMAScript and V8 count lines: they end with \n, \r, \r\n, U+2028 and U+2029. */
function lineEnds(length: number, unitAt: (index: number) => number): Uint32Array {
  let ends = new Uint32Array(64)
  let count = 0
  const push = (end: number): void => {
    if (count === ends.length) {
      const more = new Uint32Array(2 * count)
      more.set(ends)
      ends = more
    }
    ends[count++] = end
  }
  for (let i = 0; i < length; i++) {
    const unit = unitAt(i)
    if (unit > 0x0d && unit < 0x2028) continue
    if (
      unit === 0x0a ||
      (unit === 0x0d && !(i + 1 < length && unitAt(i + 1) === 0x0a)) ||
      unit === 0x2028 ||
      unit === 0x2029
    )
      push(i)
  }
  push(length)
  return ends.subarray(0, count)
}

function decode({ bytes, isTwoByte, at }: Flat, from: number, to: number): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return isTwoByte
    ? buffer.toString('utf16le', at + 2 * from, at + 2 * to)
    : buffer.toString('latin1', at + from, at + to)
}
