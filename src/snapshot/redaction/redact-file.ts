// From one snapshot file to another without the program's data, with no more in memory than a few pieces.

import { packers } from '../../support/compression.ts'
import { createPartialFile } from '../../support/files.ts'
import { openSource } from '../source.ts'
import { createRedactor } from './redactor.ts'

export interface RedactOptions {
  /** Two files that were redacted with the same key can be compared. Whoever has it can try out what a token stood for. */
  readonly key: Uint8Array
  /** Replaces a file that is there already. */
  readonly force?: boolean
  /** Called now and then with how much has been done, from 0 to 1. */
  readonly onProgress?: (fraction: number) => void
  /** Rejects with the signal's reason soon after it is aborted. */
  readonly signal?: AbortSignal
}

export interface RedactedFile {
  readonly fileBytes: number
  readonly strings: number
  /** Strings that are tokens now. */
  readonly redacted: number
}

const PIECE_BYTES = 1 << 20

/**
 * Writes the snapshot in `input` (plain or packed) to `output`, packed as its name ends, with tokens for all texts that
 * are the program's data. Leaves no file behind when it fails.
 * @throws LeakscopeError as `readSnapshot` does, and `file-exists`, `file-not-writable` or `file-no-space`
 */
export async function redactFile(input: string, output: string, options: RedactOptions): Promise<RedactedFile> {
  const { key, force = false, onProgress, signal } = options
  const redactor = createRedactor(input, key)
  const encoders = [redactor, ...packers(output)]
  const source = await openSource(input)
  let reading: Promise<number> | undefined
  try {
    const file = createPartialFile(output, force, encoders)
    try {
      // While one piece is redacted, the next is read.
      let [piece, next] = [new Uint8Array(PIECE_BYTES), new Uint8Array(PIECE_BYTES)]
      reading = source.read(piece, 0)
      for (;;) {
        const length = await reading
        signal?.throwIfAborted()
        if (length === 0) break
        reading = source.read(next, 0)
        const bytes = piece.subarray(0, length)
        file.fill(length, (buffer, at) => {
          buffer.set(bytes, at)
          return at + length
        })
        ;[piece, next] = [next, piece]
        onProgress?.(source.progress())
      }
      file.commit()
      return { fileBytes: file.bytes, strings: redactor.strings, redacted: redactor.redacted }
    } finally {
      file.discard()
    }
  } finally {
    await reading?.catch(() => {})
    await source.close()
  }
}
