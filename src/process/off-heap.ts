// Of a ledger, the memory that no heap snapshot accounts for: neither of the JS heap nor of ArrayBuffers, and not idle.

import { type Ledger, type LedgerLineId, RESIZABLE, V8_ITSELF } from './ledger.ts'

/** Files and libraries come into memory as they are read, and leave it when it is wanted: that is no growth. */
const LINES: readonly LedgerLineId[] = [
  'native-heap',
  'other-external',
  'thread-stacks',
  'shared-memory',
  'unexplained',
]

/**
 * In bytes, by line. Of ArrayBuffers only those that can be resized, of which snapshots give no size.
 * @returns where nobody may look into the allocator, with what lies idle there: see {@link leavesOutIdle}
 */
export function offHeapLines({ lines }: Ledger): Record<string, number> {
  const line = (id: LedgerLineId) => lines.find((each) => each.id === id)!
  const part = (id: LedgerLineId, label: string) => line(id).parts.find((each) => each.label === label)?.bytes ?? 0
  return {
    ...Object.fromEntries(LINES.map((id) => [id, line(id).bytes])),
    'native-heap': line('native-heap').bytes - part('native-heap', V8_ITSELF),
    'array-buffers': part('array-buffers', RESIZABLE),
  }
}

export const leavesOutIdle = ({ allocator }: Ledger): boolean => allocator?.arenas != null
