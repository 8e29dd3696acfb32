// The bytes of a snapshot file, whatever it is packed in, read ahead while the last piece is being parsed.

import { type FileHandle, open } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { LeakscopeError } from '../errors.ts'

const PIECE_BYTES = 1 << 22
/** Deflate cannot pack tighter (https://zlib.net/zlib_tech.html). */
const GZIP_MAX_RATIO = 1032
const GZIP_MAGIC = [0x1f, 0x8b]

export interface Source {
  /** Size on disk, in bytes. */
  readonly fileBytes: number
  /** No more bytes than this will come; for a plain file exactly this many. Undefined for a pipe. */
  readonly maxBytes: number | undefined
  /** Whether what is read is not what stands in the file. */
  readonly packed?: boolean
  /**
   * Fills `target[from…]` with the next bytes and says how many; 0 at the end.
   * Fewer than fit may come before the end.
   */
  read(target: Uint8Array, from: number): Promise<number>
  /** How far into the file on disk reading has come: 0 to 1. */
  progress(): number
  close(): Promise<void>
}

export async function openSource(file: string): Promise<Source> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (cause) {
    throw unreadable(file, cause)
  }
  try {
    const stats = await handle.stat()
    if (stats.isDirectory()) {
      throw new LeakscopeError('file-unreadable', `${file} is a directory, not a heap snapshot`)
    }
    if (stats.isFile() && stats.size === 0) {
      throw new LeakscopeError('snapshot-malformed', `${file} is empty (0 bytes, where '{' was expected)`, {
        hint: 'A capture that ran out of disk or was killed leaves such files. Capture it again.',
      })
    }
    const magic = new Uint8Array(2)
    // Only a regular file can be read from its start twice.
    const packed =
      stats.isFile() &&
      (await handle.read(magic, 0, 2, 0)).bytesRead === 2 &&
      magic.every((b, i) => b === GZIP_MAGIC[i])
    return packed
      ? gzipSource(file, handle, stats.size)
      : plainSource(file, handle, stats.isFile() ? stats.size : undefined)
  } catch (error) {
    await handle.close()
    throw error instanceof LeakscopeError ? error : unreadable(file, error)
  }
}

function plainSource(file: string, handle: FileHandle, size: number | undefined): Source {
  let position = 0
  return {
    fileBytes: size ?? 0,
    maxBytes: size,
    async read(target, from) {
      try {
        const { bytesRead } = await handle.read(
          target,
          from,
          Math.min(PIECE_BYTES, target.length - from),
          size === undefined ? null : position,
        )
        position += bytesRead
        return bytesRead
      } catch (cause) {
        throw unreadable(file, cause)
      }
    },
    progress: () => (size ? position / size : 0),
    close: () => handle.close(),
  }
}

function gzipSource(file: string, handle: FileHandle, size: number): Source {
  const packed = handle.createReadStream({ start: 0, highWaterMark: 1 << 20, autoClose: false })
  const unpacked = createGunzip({ chunkSize: 1 << 18 })
  packed.on('error', (error) => unpacked.destroy(error))
  const pieces = packed.pipe(unpacked)[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  let rest = new Uint8Array(0)
  return {
    fileBytes: size,
    maxBytes: size * GZIP_MAX_RATIO,
    packed: true,
    async read(target, from) {
      if (rest.length === 0) {
        try {
          const next = await pieces.next()
          if (next.done) return 0
          rest = next.value as Uint8Array<ArrayBuffer>
        } catch (cause) {
          throw new LeakscopeError(
            'snapshot-malformed',
            `${file}: the gzip data is damaged near byte ${packed.bytesRead} (${(cause as Error).message})`,
            { hint: 'Was the file cut off while it was copied? Fetch or capture it again.', cause },
          )
        }
      }
      const piece = rest.subarray(0, target.length - from)
      target.set(piece, from)
      rest = rest.subarray(piece.length)
      return piece.length
    },
    progress: () => packed.bytesRead / size,
    async close() {
      packed.destroy()
      unpacked.destroy()
      await handle.close().catch(() => {})
    },
  }
}

function unreadable(file: string, cause: unknown): LeakscopeError {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT') return new LeakscopeError('file-not-found', `${file}: no such file`, { cause })
  if (code === 'EACCES') return new LeakscopeError('file-unreadable', `${file}: permission denied`, { cause })
  return new LeakscopeError('file-unreadable', `${file} cannot be read (${message})`, { cause })
}
