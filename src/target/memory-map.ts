// The mappings of a process as Linux lists them, and how much of each is resident: /proc/PID/smaps.

import { readFileSync } from 'node:fs'

export interface Mapping {
  readonly start: number
  readonly end: number
  /** As in `rw-p`; `---p` is address space that nobody may touch. */
  readonly access: string
  /** The file behind it, or a name such as `[heap]`; empty for most that have no file. */
  readonly name: string
  readonly rssBytes: number
  readonly swapBytes: number
  /**
   * The kernel's two-letter words: `dc` is not copied to children, as V8 asks for all that it maps; `nr` has no swap
   * reserved; `nh` is never made of huge pages, as thread stacks since Linux 6.7.
   * https://docs.kernel.org/filesystems/proc.html
   */
  readonly flags: ReadonlySet<string>
}

/** By address. Undefined where there is none to be had: another system, a process that is gone, no permission. */
export function readMemoryMap(pid: number, root = ''): Mapping[] | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    return parseMemoryMap(readFileSync(`${root}/proc/${pid}/smaps`, 'utf8'))
  } catch {
    return undefined
  }
}

type Draft = { -readonly [Key in keyof Mapping]: Mapping[Key] }

const NO_FLAGS: ReadonlySet<string> = new Set()

export function parseMemoryMap(text: string): Mapping[] {
  const mappings: Draft[] = []
  // Most mappings have flags in common.
  const flagSets = new Map<string, ReadonlySet<string>>()
  let last: Draft | undefined
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    const word = line.slice(0, colon)
    if (last && word === 'Rss') last.rssBytes = kilobytes(line)
    else if (last && word === 'Swap') last.swapBytes = kilobytes(line)
    else if (last && word === 'VmFlags') {
      const flags =
        flagSets.get(line) ??
        new Set(
          line
            .slice(colon + 1)
            .trim()
            .split(' '),
        )
      flagSets.set(line, flags)
      last.flags = flags
    } else {
      const [, start, end, access, name] = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s*(.*)$/.exec(line) ?? []
      if (start === undefined) continue
      const [from, to] = [Number.parseInt(start, 16), Number.parseInt(end!, 16)]
      last = { start: from, end: to, access: access!, name: name!, rssBytes: 0, swapBytes: 0, flags: NO_FLAGS }
      mappings.push(last)
    }
  }
  return mappings
}

const kilobytes = (line: string): number => Number(/(\d+) kB$/.exec(line)?.[1] ?? 0) * 1024
