// Snapshots for tests: real ones from bytes at hand, tiny ones from a builder.

import { Cursor, MARGIN } from '../../src/snapshot/cursor.ts'
import { parseSnapshot } from '../../src/snapshot/parser.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'

/** Parses the bytes of a plain `.heapsnapshot` in one go. */
export function parseBytes(bytes: Uint8Array, file = 'test.heapsnapshot'): Snapshot {
  const cursor = new Cursor(file, bytes.length)
  cursor.buffer = new Uint8Array(bytes.length + MARGIN)
  cursor.buffer.set(bytes)
  cursor.end = bytes.length
  cursor.final = true
  const step = parseSnapshot(cursor).next()
  if (!step.done) throw new Error('the parser wants more than there is')
  return { file, fileBytes: bytes.length, ...step.value }
}
