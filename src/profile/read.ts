// Opens a profile of any kind that we know: what it is, its bytes tell, not its name.

import { constants, openSync, readSync } from 'node:fs'
import { type FileHandle, open as openFile, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { LeakscopeError } from '../errors.ts'
import { breathing, type Slices } from '../support/breathing.ts'
import { arrange, type CallTree, type LooseTree, malformed } from './call-tree.ts'
import { readFolded } from './folded.ts'
import { readJsonProfile } from './json-profile.ts'
import { type Fill, JsonReader } from './json-reader.ts'
import { readPprof } from './pprof.ts'

export type ProfileFormat = 'cpuprofile' | 'heapprofile' | 'pprof' | 'folded'

export interface ReadProfile {
  readonly file: string
  readonly format: ProfileFormat
  readonly fileBytes: number
  readonly tree: CallTree
}

export interface ReadOptions {
  /** How far it is, 0 to 1. */
  readonly onProgress?: (fraction: number) => void
  readonly signal?: AbortSignal
}

/** What is packed, or comes through a pipe, is in memory as a whole. */
const MAX_WHOLE_BYTES = 2 ** 31
const HEAD_BYTES = 4096
const SMALLER = 'Capture a shorter profile.'

/**
 * Reads `.cpuprofile`, `.heapprofile`, pprof (packed or not) and folded stacks; the first three may be packed by gzip.
 * @throws LeakscopeError `file-not-found`, `file-unreadable`, `profile-malformed`
 */
export async function readProfile(file: string, { onProgress, signal }: ReadOptions = {}): Promise<ReadProfile> {
  const opened = await open(file, signal)
  try {
    const { head } = opened
    if (head.length === 0) {
      throw malformed(file, 'is empty (0 bytes)', 'A capture that was killed leaves such files. Capture it again.')
    }
    const first = head.find((byte) => byte > 0x20)
    const json = first === 0x7b || first === 0x5b
    const folded = !json && isText(head)
    const work: Slices<LooseTree> = json
      ? readJsonProfile(file, new JsonReader(file, opened.fill))
      : folded
        ? readFolded(file, await opened.whole())
        : readPprof(file, await opened.whole())
    const loose = await breathing(work, signal, () => onProgress?.(opened.progress()))
    const v8 = loose.sampleTypes[0]!.unit === 'bytes' ? 'heapprofile' : 'cpuprofile'
    const format = json ? v8 : folded ? 'folded' : 'pprof'
    return { file, format, fileBytes: opened.bytes, tree: arrange(file, loose) }
  } finally {
    await opened.close()
  }
}

interface Opened {
  readonly bytes: number
  /** The first bytes, unpacked. */
  readonly head: Buffer
  readonly fill: Fill
  progress(): number
  whole(): Promise<Buffer>
  close(): Promise<void>
}

async function open(file: string, signal: AbortSignal | undefined): Promise<Opened> {
  let handle: FileHandle | undefined
  try {
    const stats = await stat(file)
    if (stats.isDirectory()) throw new LeakscopeError('file-unreadable', `${file} is a directory, not a profile`)
    if (!stats.isFile() && !stats.isFIFO()) throw new LeakscopeError('file-unreadable', `${file} is not a regular file`)
    if (stats.isFIFO()) return inMemory(file, await readPipe(file, signal))
    handle = await openFile(file, 'r')
    const head = Buffer.alloc(HEAD_BYTES)
    const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0)
    if (!isGzip(head)) return inPieces(file, handle, stats.size, head.subarray(0, bytesRead), signal)
    const bytes = await readWhole(file, handle, stats.size, signal)
    await handle.close()
    return inMemory(file, bytes)
  } catch (error) {
    await handle?.close().catch(() => {})
    throw unreadable(file, error)
  }
}

function inMemory(file: string, bytes: Buffer): Opened {
  const whole = isGzip(bytes) ? unpack(file, bytes) : bytes
  let at = 0
  return {
    bytes: bytes.length,
    head: whole.subarray(0, HEAD_BYTES),
    fill(target, from) {
      const copied = whole.copy(target, from, at)
      at += copied
      return copied
    },
    progress: () => (whole.length > 0 ? at / whole.length : 1),
    whole: async () => whole,
    close: async () => {},
  }
}

function inPieces(
  file: string,
  handle: FileHandle,
  size: number,
  head: Buffer,
  signal: AbortSignal | undefined,
): Opened {
  let position = 0
  return {
    bytes: size,
    head,
    fill(target, from) {
      try {
        const read = readSync(handle.fd, target, from, target.length - from, position)
        position += read
        return read
      } catch (cause) {
        throw unreadable(file, cause)
      }
    },
    progress: () => (size > 0 ? position / size : 1),
    whole: () => readWhole(file, handle, size, signal),
    close: () => handle.close(),
  }
}

function readWhole(file: string, handle: FileHandle, size: number, signal: AbortSignal | undefined): Promise<Buffer> {
  if (size > MAX_WHOLE_BYTES) throw malformed(file, 'is larger than 2 GiB', SMALLER)
  return collect(file, handle.createReadStream({ autoClose: false, start: 0, highWaterMark: 1 << 20 }), signal)
}

/** As a stream and without blocking: a read that waits for a writer that never comes could not be stopped. */
async function readPipe(file: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const { Socket } = await import('node:net')
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  return collect(file, new Socket({ fd, readable: true, writable: false }), signal)
}

async function collect(file: string, stream: Readable, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  const stop = (): void => void stream.destroy(signal?.reason)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', stop)
  try {
    for await (const piece of stream) {
      pieces.push(piece as Buffer)
      length += (piece as Buffer).length
      if (length > MAX_WHOLE_BYTES) throw malformed(file, 'is larger than 2 GiB', SMALLER)
    }
  } finally {
    signal?.removeEventListener('abort', stop)
  }
  return Buffer.concat(pieces)
}

const isGzip = (bytes: Buffer): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

function unpack(file: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_WHOLE_BYTES })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') throw malformed(file, 'unpacks to more than 2 GiB', SMALLER, cause)
    const hint = 'Was the file cut off while it was copied? Fetch or capture it again.'
    throw malformed(file, `the gzip data is damaged (${message})`, hint, cause)
  }
}

/** Whether the bytes are text: UTF-8 without control characters, of which the last may be cut off. */
function isText(head: Buffer): boolean {
  if (head.some((byte) => byte < 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return false
  return !head.toString('utf8', 0, Math.max(0, head.length - 3)).includes('\ufffd')
}

function unreadable(file: string, cause: unknown): LeakscopeError {
  if (cause instanceof LeakscopeError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT') return new LeakscopeError('file-not-found', `${file}: no such file`, { cause })
  const why = code === 'EACCES' ? 'permission denied' : message
  return new LeakscopeError('file-unreadable', `${file} cannot be read (${why})`, { cause })
}
