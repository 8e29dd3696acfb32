// A file that appears under its name only when it is whole.

import {
  closeSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { LeakscopeError } from '../errors.ts'
import { chain, type Encoder } from './encoder.ts'

/** A file in the making. Text is kept until there is enough of it to be worth a write. */
export interface PartialFile {
  /** Adds text in UTF-8. Throws a LeakscopeError when the disk does not take it. */
  write(text: string): void
  /**
   * Adds bytes in place: `put` is given a buffer with room for `most` bytes from `at` on, and returns where it stopped,
   * or -1 to add nothing. Returns whether something was added.
   */
  fill(most: number, put: (buffer: Buffer, at: number) => number): boolean
  /** Gives the file its name. Nothing may be written afterwards. */
  commit(): void
  /** Takes the file away, unless it was committed; may be called at any time, and twice. */
  discard(): void
  /** How many were added. */
  readonly taken: number
  /** How many the file has; known when it is committed. */
  readonly bytes: number
}

const BUFFER_BYTES = 1 << 20
/** UTF-8 needs at most three bytes for one UTF-16 unit. */
const BYTES_PER_UNIT = 3

/**
 * Opens a file that will be `path`, readable by its owner only. Refuses a name that is taken unless `force` allows to
 * replace a regular file. Writes are synchronous: whoever writes slowly also reads slowly, which bounds memory.
 * @param encoders what the bytes go through on their way, in this order
 */
export function createPartialFile(path: string, force: boolean, encoders: readonly Encoder[] = []): PartialFile {
  requireWritable(path, force)
  const partial = join(
    dirname(path),
    `.${basename(path)}.${process.pid}-${Math.random().toString(36).slice(2, 8)}.partial`,
  )
  const file = attempt(path, () => openSync(partial, 'wx', 0o600))
  let buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  const encoder = chain(encoders)
  let filled = 0
  let flushed = 0
  let bytes = 0
  let open = true

  function put(data: Uint8Array): void {
    for (let done = 0; done < data.length; ) {
      done += attempt(path, () => writeSync(file, data, done, data.length - done))
    }
    bytes += data.length
  }
  function flush(): void {
    put(encoder.push(buffer.subarray(0, filled)))
    flushed += filled
    filled = 0
  }
  function fill(most: number, write: (buffer: Buffer, at: number) => number): boolean {
    if (most > buffer.length - filled) flush()
    if (most > buffer.length) buffer = Buffer.allocUnsafe(most)
    const end = write(buffer, filled)
    if (end !== -1) filled = end
    return end !== -1
  }
  function close(): void {
    open = false
    closeSync(file)
  }

  return {
    get taken() {
      return flushed + filled
    },
    get bytes() {
      return bytes
    },
    write: (text) => void fill(text.length * BYTES_PER_UNIT, (target, at) => at + target.write(text, at)),
    fill,
    commit() {
      flush()
      put(encoder.end())
      // Some disks say only now that they are full.
      attempt(path, close)
      if (force) attempt(path, () => renameSync(partial, path))
      else publish(partial, path)
    },
    discard() {
      if (open) close()
      rmSync(partial, { force: true })
    },
  }
}

/** Throws unless `path` can become a file: a folder that exists, and a name that is free or may be taken. */
export function requireWritable(path: string, force: boolean): void {
  const folder = dirname(path)
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new LeakscopeError('file-not-writable', `the folder ${folder} does not exist`)
  }
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there === undefined) return
  if (!there.isFile() && !there.isSymbolicLink()) {
    const what = there.isDirectory() ? 'a folder' : 'not a regular file'
    throw new LeakscopeError('file-not-writable', `${path} is ${what}`, { hint: 'Give -o the name of a file.' })
  }
  if (!force) throw alreadyExists(path)
}

/** What we may still write to the disk that `folder` is on; null where the system does not say. */
export function freeBytes(folder: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch {
    return null
  }
}

/** Names the file without ever replacing another: a link fails where a rename would overwrite. */
function publish(partial: string, path: string): void {
  try {
    linkSync(partial, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw alreadyExists(path)
    // A file system without hard links: an empty file of ours reserves the name first.
    closeSync(attempt(path, () => openSync(path, 'wx', 0o600)))
    attempt(path, () => renameSync(partial, path))
    return
  }
  unlinkSync(partial)
}

export function alreadyExists(path: string, cause?: unknown): LeakscopeError {
  return new LeakscopeError('file-exists', `${path} exists already`, { hint: '--force replaces it.', cause })
}

/** Runs `action` on what will be `path`, and says in our words why that failed. */
export function attempt<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST' || code === 'ENOTEMPTY') throw alreadyExists(path, cause)
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
      throw new LeakscopeError('file-no-space', `no space left for ${path}`, {
        cause,
        hint: 'Choose another place with -o, or make room.',
      })
    }
    const why =
      code === 'EACCES' || code === 'EPERM'
        ? 'we may not write there'
        : code === 'EROFS'
          ? 'the disk is read-only'
          : message
    throw new LeakscopeError('file-not-writable', `cannot write ${path}: ${why}`, { cause })
  }
}
