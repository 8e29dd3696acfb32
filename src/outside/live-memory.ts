// The memory of a running process, through /proc/PID/mem: the process does nothing for it and does not notice.

import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { LeakscopeError } from '../errors.ts'
import type { Descriptors, Mapping, MemorySource } from './memory-source.ts'
import { missingRight, rightsFacts } from './rights.ts'

/** Bits of an entry of /proc/PID/pagemap: in memory, or on the swap device. https://docs.kernel.org/admin-guide/mm/pagemap.html */
const PRESENT_OR_SWAPPED = 0xc0
const PAGEMAP_BYTES = 1 << 16

/** @throws LeakscopeError `target-not-found` or `target-not-permitted` */
export function openLiveMemory(pid: number): MemorySource {
  const memory = openProc(pid, 'mem')
  let pagemap: number
  try {
    pagemap = openProc(pid, 'pagemap')
  } catch (error) {
    closeSync(memory)
    throw error
  }
  const executable = linkOf(pid, 'exe')
  return {
    name: `process ${pid}`,
    fileBytes: 0,
    executable: `/proc/${pid}/exe`,
    descriptors: { memory, pagemap },
    mappings: () => parseMaps(readProc(pid, 'maps')),
    ...readerOf({ memory, pagemap }),
    // The executable may have been replaced since; and its files may be in another file system than ours.
    fileOf: ({ name }) => (name === executable ? `/proc/${pid}/exe` : `/proc/${pid}/root${name}`),
    stackPointers() {
      const found = new Map<number, number>()
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        // number, six arguments, stack pointer, program counter; or only the word `running`.
        const words = readProcOrEmpty(pid, `task/${task}/syscall`).trim().split(' ')
        if (words.length >= 3) found.set(Number(task), Number.parseInt(words.at(-2)!, 16))
      }
      return found
    },
    close() {
      closeSync(memory)
      closeSync(pagemap)
    },
  }
}

/** @param descriptors of open files: /proc/PID/mem and /proc/PID/pagemap. All threads of ours may use them. */
export function readerOf({ memory, pagemap }: Descriptors): Pick<MemorySource, 'read' | 'resident'> {
  const pageBytes = systemPageBytes()
  const entries = Buffer.alloc(PAGEMAP_BYTES)
  return {
    read(address, target, at, length) {
      let done = 0
      try {
        while (done < length) {
          const read = readSync(memory, target, at + done, length - done, address + done)
          if (read === 0) break
          done += read
        }
      } catch {
        // Memory that is not there (any more), or that the kernel does not show.
      }
      return done
    },
    resident(start, end) {
      const runs: [number, number][] = []
      let runStart = -1
      const first = Math.floor(start / pageBytes)
      const last = Math.ceil(end / pageBytes)
      for (let page = first; page < last; ) {
        const wanted = Math.min(last - page, PAGEMAP_BYTES / 8)
        const read = Math.floor(readSync(pagemap, entries, 0, wanted * 8, page * 8) / 8)
        if (read === 0) break
        for (let i = 0; i < read; i++, page++) {
          if ((entries[8 * i + 7]! & PRESENT_OR_SWAPPED) !== 0) {
            if (runStart < 0) runStart = Math.max(start, page * pageBytes)
          } else if (runStart >= 0) {
            runs.push([runStart, page * pageBytes])
            runStart = -1
          }
        }
      }
      if (runStart >= 0) runs.push([runStart, end])
      return runs
    },
  }
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ (\d+)\s*(.*)$/

/** Parses /proc/PID/maps. */
export function parseMaps(text: string): Mapping[] {
  const mappings: Mapping[] = []
  for (const line of text.split('\n')) {
    const [, start, end, access, offset, inode, name] = LINE.exec(line) ?? []
    if (start === undefined) continue
    mappings.push({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end!, 16),
      readable: access![0] === 'r',
      writable: access![1] === 'w',
      executable: access![2] === 'x',
      name: name!,
      hasFile: inode !== '0',
      fileOffset: Number.parseInt(offset!, 16),
    })
  }
  return mappings
}

/** What the system says of a process's file; throws what {@link openLiveMemory} does. */
export function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch (cause) {
    throw notReadable(pid, cause)
  }
}
function linkOf(pid: number, file: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${file}`)
  } catch (cause) {
    throw notReadable(pid, cause)
  }
}
function readProcOrEmpty(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}

function openProc(pid: number, file: string): number {
  try {
    return openSync(`/proc/${pid}/${file}`, 'r')
  } catch (cause) {
    throw notReadable(pid, cause)
  }
}

function notReadable(pid: number, cause: unknown): LeakscopeError {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ESRCH') {
    return new LeakscopeError('target-not-found', `there is no process ${pid} (any more)`, { cause })
  }
  const { problem, hint } = missingRight(rightsFacts(pid))
  const message = `the system does not let us read the memory of process ${pid}: ${problem}`
  return new LeakscopeError('target-not-permitted', message, { cause, hint })
}

const AT_PAGESZ = 6
const AT_NULL = 0
let pageSize: number | undefined

/** Bytes of a page of memory, as the kernel tells every process. */
export function systemPageBytes(): number {
  if (pageSize === undefined) {
    pageSize = 4096
    const vector = readFileSync('/proc/self/auxv')
    for (let at = 0; at + 16 <= vector.length; at += 16) {
      const key = vector.readUInt32LE(at)
      if (key === AT_NULL) break
      if (key === AT_PAGESZ) pageSize = vector.readUInt32LE(at + 8)
    }
  }
  return pageSize
}
