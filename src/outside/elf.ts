// Reads ELF files: what an executable says about V8, its build id, and the segments and notes of a core file.
//
// The format: https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html

import { closeSync, openSync } from 'node:fs'
import { LeakscopeError } from '../errors.ts'
import { readFully } from '../support/descriptors.ts'

/** A piece of a program's memory, and where the file has its bytes. */
export interface Segment {
  readonly type: number
  /** PF_X 1, PF_W 2, PF_R 4. */
  readonly flags: number
  readonly offset: number
  readonly address: number
  readonly fileBytes: number
  readonly memoryBytes: number
}

export interface Elf {
  readonly path: string
  readonly type: number
  readonly machine: number
  readonly segments: readonly Segment[]
}

export const ELF_CORE = 4
export const MACHINE_X64 = 62
export const MACHINE_ARM64 = 183
export const PT_LOAD = 1
const PT_NOTE = 4
const SHT_SYMTAB = 2
const SHT_DYNSYM = 11
const HEADER_BYTES = 64
const SEGMENT_BYTES = 56
const SECTION_BYTES = 64
const SYMBOL_BYTES = 24
/** The number of segments is too large for the header; section 0 has it. */
const PN_XNUM = 0xffff
const NT_GNU_BUILD_ID = 3
/** No table of a real file is larger: a broken one must not make us ask for all memory. */
const MAX_TABLE_BYTES = 2 ** 30

const PREFIX = 'v8dbg_'

/** Whether the file begins as ELF files do; false for what cannot be read. */
export function isElf(path: string): boolean {
  try {
    return withFile(path, (read) => read(0, 4).toString('latin1') === '\x7fELF')
  } catch {
    return false
  }
}

/** @throws LeakscopeError `file-unreadable` for what is no ELF file of 64 bits, little-endian */
export function readElf(path: string): Elf {
  return withFile(path, (read) => {
    const header = read(0, HEADER_BYTES)
    if (header.length < HEADER_BYTES || header.toString('latin1', 0, 4) !== '\x7fELF') {
      throw new LeakscopeError('file-unreadable', `${path} is not an ELF file`)
    }
    if (header[4] !== 2 || header[5] !== 1) {
      throw new LeakscopeError('platform-unsupported', `${path} is of a machine that leakscope cannot read`, {
        hint: 'Only 64-bit little-endian programs can be read from outside: x64 and arm64.',
      })
    }
    const machine = header.readUInt16LE(18)
    let count = header.readUInt16LE(56)
    if (count === PN_XNUM) count = read(word(header, 40), SECTION_BYTES).readUInt32LE(44)
    const table = read(word(header, 32), count * SEGMENT_BYTES)
    const segments: Segment[] = []
    for (let at = 0; at + SEGMENT_BYTES <= table.length; at += SEGMENT_BYTES) {
      segments.push({
        type: table.readUInt32LE(at),
        flags: table.readUInt32LE(at + 4),
        offset: word(table, at + 8),
        address: word(table, at + 16),
        fileBytes: word(table, at + 32),
        memoryBytes: word(table, at + 40),
      })
    }
    return { path, type: header.readUInt16LE(16), machine, segments }
  })
}

/**
 * The numbers that V8 leaves in its binary for debuggers, by name without `v8dbg_`; empty where there are none, as in a
 * stripped binary. https://github.com/v8/v8/blob/main/tools/gen-postmortem-metadata.py
 */
export function readV8Constants({ path, segments }: Elf): Map<string, number> {
  return withFile(path, (read) => {
    const sections = readSections(read)
    const constants = new Map<string, number>()
    for (const type of [SHT_DYNSYM, SHT_SYMTAB]) {
      for (const section of sections.filter((it) => it.type === type)) {
        const names = sections[section.link]
        if (names) readConstants(read, section, names, segments, constants)
      }
      if (constants.size > 0) break
    }
    return constants
  })
}

interface Section {
  readonly type: number
  readonly offset: number
  readonly size: number
  readonly link: number
}

type Read = (offset: number, length: number) => Buffer

function readSections(read: Read): Section[] {
  const header = read(0, HEADER_BYTES)
  const at = word(header, 40)
  const table = at === 0 ? Buffer.alloc(0) : read(at, header.readUInt16LE(60) * SECTION_BYTES)
  const sections: Section[] = []
  for (let row = 0; row + SECTION_BYTES <= table.length; row += SECTION_BYTES) {
    sections.push({
      type: table.readUInt32LE(row + 4),
      offset: word(table, row + 24),
      size: word(table, row + 32),
      link: table.readUInt32LE(row + 40),
    })
  }
  return sections
}

function readConstants(
  read: Read,
  symbols: Section,
  names: Section,
  segments: readonly Segment[],
  into: Map<string, number>,
): void {
  const table = read(symbols.offset, symbols.size)
  const texts = read(names.offset, names.size)
  for (let row = 0; row + SYMBOL_BYTES <= table.length; row += SYMBOL_BYTES) {
    const nameAt = table.readUInt32LE(row)
    if (nameAt + PREFIX.length >= texts.length || texts[nameAt] !== 0x76 || texts[nameAt + 1] !== 0x38) continue
    if (texts.toString('latin1', nameAt, nameAt + PREFIX.length) !== PREFIX) continue
    const name = texts.toString('latin1', nameAt + PREFIX.length, texts.indexOf(0, nameAt))
    const address = word(table, row + 8)
    const segment = segments.find(
      (it) => it.type === PT_LOAD && address >= it.address && address < it.address + it.fileBytes,
    )
    // A number that is zero may stand where the file has no bytes.
    into.set(name, segment ? read(address - segment.address + segment.offset, 4).readInt32LE(0) : 0)
  }
}

export interface Note {
  readonly name: string
  readonly type: number
  readonly content: Buffer
}

export function readNotes({ path, segments }: Elf): Note[] {
  return withFile(path, (read) =>
    segments
      .filter(({ type }) => type === PT_NOTE)
      .flatMap(({ offset, fileBytes }) => parseNotes(read(offset, fileBytes))),
  )
}

export function parseNotes(bytes: Buffer): Note[] {
  const notes: Note[] = []
  for (let at = 0; at + 12 <= bytes.length; ) {
    const nameBytes = bytes.readUInt32LE(at)
    const contentBytes = bytes.readUInt32LE(at + 4)
    const content = at + 12 + aligned(nameBytes)
    if (content + contentBytes > bytes.length) break
    notes.push({
      name: bytes.toString('latin1', at + 12, at + 12 + Math.max(0, nameBytes - 1)),
      type: bytes.readUInt32LE(at + 8),
      content: bytes.subarray(content, content + contentBytes),
    })
    at = content + aligned(contentBytes)
  }
  return notes
}

/** In hexadecimal; undefined where the linker left none. */
export function buildIdIn(notes: readonly Note[]): string | undefined {
  return notes.find(({ name, type }) => name === 'GNU' && type === NT_GNU_BUILD_ID)?.content.toString('hex')
}

const aligned = (bytes: number): number => Math.ceil(bytes / 4) * 4

/** Addresses and sizes of a process stay below 2⁵³. */
export const word = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32

function withFile<T>(path: string, use: (read: Read) => T): T {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new LeakscopeError('file-not-found', `there is no file ${path}`, { cause })
    throw new LeakscopeError('file-unreadable', `cannot read ${path}: ${message}`, { cause })
  }
  try {
    return use((offset, length) => {
      if (!(length >= 0 && length <= MAX_TABLE_BYTES && offset >= 0)) {
        throw new LeakscopeError('file-unreadable', `${path} is damaged: a table of ${length} bytes at ${offset}`)
      }
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, readFully(fd, bytes, 0, offset, length))
    })
  } finally {
    closeSync(fd)
  }
}
