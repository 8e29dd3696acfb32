// The bytes of a snapshot file, whatever it is packed in, read ahead while the last piece is being parsed.

import { type FileHandle, open } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip, type Gunzip } from 'node:zlib'
import { LeakscopeError } from '../errors.ts'
import { createZstdDecompress, withoutZstd } from '../support/compression.ts'

const PIECE_BYTES = 1 << 22
const PACKED_PIECE_BYTES = 1 << 18
const UNPACKED_PIECE = { chunkSize: 1 << 18 }

/** How files may be packed, by the bytes that they begin with. */
interface Packing {
  readonly name: string
  readonly magic: readonly number[]
  /** It cannot pack tighter. */
  readonly maxRatio: number
  /** Node 22 and 24 stop behind the first of several frames. */
  readonly endsAtFrames: boolean
  unpacker(file: string): Gunzip
}
const PACKINGS: readonly Packing[] = [
  {
    name: 'gzip',
    magic: [0x1f, 0x8b],
    // https://zlib.net/zlib_tech.html
    maxRatio: 1032,
    endsAtFrames: false,
    unpacker: () => createGunzip(UNPACKED_PIECE),
  },
  {
    name: 'Zstandard',
    magic: [0x28, 0xb5, 0x2f, 0xfd],
    // A block's header and one byte that stands for 128 KiB of its like (RFC 8878, 3.1.1.2).
    maxRatio: 32_768,
    endsAtFrames: true,
    unpacker(file) {
      if (!createZstdDecompress) throw withoutZstd(`cannot read ${file}`, 'Unpack it (`zstd -d`), or')
      return createZstdDecompress(UNPACKED_PIECE)
    },
  },
]

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
    // Only a regular file can be read from its start twice.
    if (!stats.isFile()) return plainSource(file, handle, undefined)
    const start = new Uint8Array(4)
    await handle.read(start, 0, start.length, 0)
    const packing = PACKINGS.find(({ magic }) => magic.every((byte, i) => byte === start[i]))
    return packing ? packedSource(file, handle, stats.size, packing) : plainSource(file, handle, stats.size)
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

function packedSource(file: string, handle: FileHandle, size: number, packing: Packing): Source {
  let unpacker = packing.unpacker(file)
  /** Where what `unpacker` takes begins. */
  let start = 0
  const position = () => start + unpacker.bytesWritten

  async function* packed(): AsyncGenerator<Uint8Array> {
    for (let at = start; ; ) {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(PACKED_PIECE_BYTES), 0, PACKED_PIECE_BYTES, at)
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }
  async function* unpacked(): AsyncGenerator<Uint8Array> {
    for (;;) {
      // What goes wrong on the way comes out at its end.
      pipeline(packed, unpacker, () => {})
      yield* unpacker
      const taken = unpacker.bytesWritten
      if (!packing.endsAtFrames || taken === 0 || position() >= size) return
      start += taken
      unpacker = packing.unpacker(file)
    }
  }

  const pieces = unpacked()
  let rest = new Uint8Array(0)
  return {
    fileBytes: size,
    maxBytes: size * packing.maxRatio,
    packed: true,
    async read(target, from) {
      // A piece may be empty, which would mean the end.
      while (rest.length === 0) {
        try {
          const next = await pieces.next()
          if (next.done) return 0
          rest = next.value as Uint8Array<ArrayBuffer>
        } catch (cause) {
          throw new LeakscopeError(
            'snapshot-malformed',
            `${file}: the ${packing.name} data is damaged near byte ${position()} (${(cause as Error).message})`,
            { hint: 'Was the file cut off while it was copied? Fetch or capture it again.', cause },
          )
        }
      }
      const piece = rest.subarray(0, target.length - from)
      target.set(piece, from)
      rest = rest.subarray(piece.length)
      return piece.length
    },
    progress: () => position() / size,
    async close() {
      unpacker.destroy()
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
