// The memory of a process that has ended, from the core file that it left.

import { closeSync, fstatSync, openSync } from 'node:fs'
import { LeakscopeError } from '../errors.ts'
import { readFully } from '../support/descriptors.ts'
import {
  buildIdIn,
  ELF_CORE,
  type Elf,
  MACHINE_ARM64,
  type Note,
  PT_LOAD,
  parseNotes,
  readElf,
  readNotes,
  word,
} from './elf.ts'
import type { Mapping, MemorySource } from './memory-source.ts'

/** Notes of the kernel's: https://github.com/torvalds/linux/blob/master/include/uapi/linux/elf.h */
const NT_PRSTATUS = 1
const NT_FILE = 0x46494c45
/** In `struct elf_prstatus` of 64 bits: the signal, the thread, its registers. */
const SIGNAL_AT = 12
const THREAD_AT = 32
const REGISTERS_AT = 112
/** Which of the registers is the stack pointer. */
const STACK_POINTER = { x64: 19, arm64: 31 }

/** A file that was mapped into the process when it ended. */
interface MappedFile {
  readonly start: number
  readonly end: number
  readonly fileOffset: number
  readonly path: string
}

export interface CoreMemory extends MemorySource {
  /** The signal that ended the process, by number; 0 where a debugger made the core. */
  readonly endedBy: number
  /** The thread that it ended: the kernel writes that first. */
  readonly endedThread: number
}

/** Whether the file is a core file. */
export function isCore(path: string): boolean {
  try {
    return readElf(path).type === ELF_CORE
  } catch {
    return false
  }
}

/**
 * @param executable what wrote the core; found by the name that the core has for it, unless given
 * @throws LeakscopeError `file-not-found`, `file-unreadable`, or `snapshot-mismatch` if the executable is not the core's
 */
export function openCoreMemory(path: string, executable?: string): CoreMemory {
  const elf = readElf(path)
  if (elf.type !== ELF_CORE) throw new LeakscopeError('file-unreadable', `${path} is not a core file`)
  const notes = readNotes(elf)
  const files = notes.filter(({ type }) => type === NT_FILE).flatMap(({ content }) => parseFiles(content))
  const threads = threadsIn(elf, notes)
  const fd = openSync(path, 'r')
  try {
    const { size } = fstatSync(fd)
    const loads = elf.segments.filter(({ type }) => type === PT_LOAD).sort((a, b) => a.address - b.address)
    const end = Math.max(0, ...loads.map(({ offset, fileBytes }) => offset + fileBytes))
    if (end > size) {
      throw new LeakscopeError('file-unreadable', `${path} was cut off: it has ${size} of ${end} bytes`, {
        hint: 'Cores are cut off at the limit `ulimit -c` of the process, and where the disk is full.',
      })
    }
    const mappings = loads.map(({ address, memoryBytes, flags }): Mapping => {
      const file = files.find((it) => address >= it.start && address < it.end)
      return {
        start: address,
        end: address + memoryBytes,
        readable: (flags & 4) !== 0,
        writable: (flags & 2) !== 0,
        executable: (flags & 1) !== 0,
        name: file?.path ?? '',
        hasFile: file !== undefined,
        fileOffset: file ? file.fileOffset + address - file.start : 0,
      }
    })
    const memory: CoreMemory = {
      name: path,
      fileBytes: size,
      executable: executable ?? '',
      endedBy: threads[0]?.signal ?? 0,
      endedThread: threads[0]?.id ?? 0,
      mappings: () => mappings,
      read(address, target, at, length) {
        let done = 0
        while (done < length) {
          const from = address + done
          const load = loads.find((it) => from >= it.address && from < it.address + it.fileBytes)
          if (!load) break
          const part = Math.min(length - done, load.address + load.fileBytes - from)
          const read = readFully(fd, target, at + done, load.offset + from - load.address, part)
          done += read
          if (read < part) break
        }
        return done
      },
      resident(start, end) {
        return loads.flatMap(({ address, fileBytes }) => {
          const from = Math.max(start, address)
          const to = Math.min(end, address + fileBytes)
          return from < to ? [[from, to] as const] : []
        })
      },
      fileOf: ({ name }) => name,
      stackPointers: () => new Map(threads.map(({ id, stackPointer }) => [id, stackPointer])),
      close: () => closeSync(fd),
    }
    const { path: own, name } = findExecutable(memory, files, executable)
    return { ...memory, executable: own, fileOf: (mapping) => (mapping.name === name ? own : mapping.name) }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function parseFiles(note: Buffer): MappedFile[] {
  const count = word(note, 0)
  const pageBytes = word(note, 8)
  const files: MappedFile[] = []
  let nameAt = 16 + count * 24
  for (let i = 0; i < count; i++) {
    const end = note.indexOf(0, nameAt)
    if (end < 0) break
    const at = 16 + i * 24
    files.push({
      start: word(note, at),
      end: word(note, at + 8),
      fileOffset: word(note, at + 16) * pageBytes,
      path: note.toString('utf8', nameAt, end),
    })
    nameAt = end + 1
  }
  return files
}

function threadsIn({ machine }: Elf, notes: readonly Note[]): { id: number; signal: number; stackPointer: number }[] {
  const register = machine === MACHINE_ARM64 ? STACK_POINTER.arm64 : STACK_POINTER.x64
  const at = REGISTERS_AT + 8 * register
  return notes
    .filter(({ type, name, content }) => type === NT_PRSTATUS && name === 'CORE' && content.length >= at + 8)
    .map(({ content }) => ({
      id: content.readInt32LE(THREAD_AT),
      signal: content.readInt32LE(SIGNAL_AT),
      stackPointer: word(content, at),
    }))
}

/** The executable is right if its build id is the one that stands in the core, where cores have the first page of it. */
function findExecutable(
  memory: MemorySource,
  files: readonly MappedFile[],
  given: string | undefined,
): { path: string; name: string } {
  const mapped = files.filter(({ fileOffset }) => fileOffset === 0)
  // The kernel lists files by address, and a position-dependent program stands first; else its name tells.
  const own = mapped.find(({ path }) => /node|iojs/i.test(path.slice(path.lastIndexOf('/') + 1))) ?? mapped[0]
  const path = given ?? own?.path
  if (path === undefined) {
    throw new LeakscopeError('file-unreadable', `${memory.name} does not say which executable it is of`, {
      hint: 'Name it with --executable.',
    })
  }
  let elf: Elf
  try {
    elf = readElf(path)
  } catch (cause) {
    throw new LeakscopeError('file-not-found', `cannot read ${path}, the executable that ${memory.name} is of`, {
      cause,
      hint: 'Name a copy of the very same build with --executable.',
    })
  }
  const wanted = own && buildIdAt(memory, own.start)
  const found = buildIdIn(readNotes(elf))
  if (wanted !== undefined && found !== undefined && wanted !== found) {
    throw new LeakscopeError(
      'snapshot-mismatch',
      `${memory.name} was not written by ${path}: its build id is ${wanted}, not ${found}`,
      {
        hint: 'Name the very same build with --executable.',
      },
    )
  }
  return { path, name: own?.path ?? path }
}

const HEADER_BYTES = 4096
const PT_NOTE = 4

/** The build id of the file that is mapped at `start`; undefined where the core has left out its first page. */
function buildIdAt(memory: MemorySource, start: number): string | undefined {
  const page = Buffer.alloc(HEADER_BYTES)
  if (memory.read(start, page, 0, HEADER_BYTES) < HEADER_BYTES || page.toString('latin1', 0, 4) !== '\x7fELF') return
  const at = word(page, 32)
  const count = page.readUInt16LE(56)
  for (let i = 0; i < count && at + 56 * (i + 1) <= HEADER_BYTES; i++) {
    const row = page.subarray(at + 56 * i)
    if (row.readUInt32LE(0) !== PT_NOTE) continue
    const offset = word(row, 8)
    const id = buildIdIn(parseNotes(page.subarray(offset, offset + word(row, 32))))
    if (id !== undefined) return id
  }
  return undefined
}
