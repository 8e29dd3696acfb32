// From a file's name to a Snapshot: reads ahead, parses, reports progress, stops when told to.

import { Cursor, MARGIN } from './cursor.ts'
import { parseSnapshot } from './parser.ts'
import { RowKernel } from './row-kernel.ts'
import type { Snapshot } from './snapshot.ts'
import { openSource, type Source } from './source.ts'

/** Bytes of a buffer that take what the parser left over of the piece before; more than any row is long. */
const HEADROOM = 2 * MARGIN
const PIECE_BYTES = 1 << 22

export interface ReadOptions {
  /** Called now and then with how much has been read, from 0 to 1. */
  readonly onProgress?: (fraction: number) => void
  /** Reading rejects with the signal's reason soon after it is aborted. */
  readonly signal?: AbortSignal
}

/**
 * Reads a V8 heap snapshot (`.heapsnapshot`, or the same gzipped) into columns.
 *
 * Memory is the result's own plus two pieces of the file; no string of the file's length is ever made.
 * @throws LeakscopeError `file-not-found`, `file-unreadable`, or `snapshot-malformed` with the byte offset
 */
export async function readSnapshot(file: string, options: ReadOptions = {}): Promise<Snapshot> {
  return parseSource(file, await openSource(file), options)
}

/** The same from bytes that come from anywhere; closes the source. */
export async function parseSource(
  file: string,
  source: Source,
  { onProgress, signal }: ReadOptions = {},
): Promise<Snapshot> {
  const pieceBytes = Math.min(PIECE_BYTES, source.maxBytes ?? PIECE_BYTES)
  const kernel = new RowKernel(HEADROOM + pieceBytes + MARGIN, 2)
  const { buffers } = kernel
  const fill = (turn: number) => source.read(buffers[turn]!.subarray(0, HEADROOM + pieceBytes), HEADROOM)
  let pending: Promise<number> | undefined
  try {
    const cursor = new Cursor(file, source.maxBytes)
    const parsing = parseSnapshot(cursor, kernel)
    pending = fill(0)
    for (let turn = 0; ; turn = 1 - turn) {
      const bytesRead: number = (await pending) ?? 0
      signal?.throwIfAborted()
      feed(cursor, buffers[turn]!, bytesRead)
      // Only now: the other buffer held the rest of the piece before until `feed` took it over.
      pending = bytesRead > 0 ? fill(1 - turn) : undefined
      const step = parsing.next()
      onProgress?.(source.progress())
      if (step.done) return { file, fileBytes: source.fileBytes, ...step.value }
    }
  } finally {
    await pending?.catch(() => {})
    await source.close()
  }
}

/** Puts what is left of the cursor's last piece in front of the next one. */
function feed(cursor: Cursor, buffer: Uint8Array, bytesRead: number): void {
  const left = cursor.end - cursor.at
  if (left > HEADROOM) throw new Error(`the parser left ${left} bytes behind`)
  const start = HEADROOM - left
  buffer.set(cursor.buffer.subarray(cursor.at, cursor.end), start)
  cursor.base += cursor.at - start
  cursor.buffer = buffer
  cursor.at = start
  cursor.end = HEADROOM + bytesRead
  cursor.final = bytesRead === 0
  if (cursor.final) buffer.fill(0, cursor.end, cursor.end + MARGIN)
}
