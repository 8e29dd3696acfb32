// A file for what need not be in memory all the time: it has no name, so nobody else can open it, and it ends with us.

import { openSync, statfsSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** File systems that are memory themselves: tmpfs, ramfs. https://man7.org/linux/man-pages/man2/statfs.2.html */
const IN_MEMORY = [0x01021994, 0x858458f6]

/**
 * Its descriptor; -1 where files are kept in memory.
 * @throws what the file system throws
 */
export function openNameless(): number {
  const folder = tmpdir()
  if (IN_MEMORY.includes(statfsSync(folder).type)) return -1
  const path = join(folder, `leakscope-${process.pid}-${Math.random().toString(36).slice(2)}`)
  const file = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  return file
}
