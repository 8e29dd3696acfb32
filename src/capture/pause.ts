// Waiting between two snapshots of one visit.

import { setTimeout as sleep } from 'node:timers/promises'

/** Waits `ms`, or until the target is gone, which the next request will tell; throws when `signal` aborts. */
export async function pause(ms: number, closed: Promise<void>, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const waited = sleep(ms, undefined, { signal: AbortSignal.any([signal, over.signal]) }).catch(() => {})
  await Promise.race([waited, closed])
  over.abort()
  signal.throwIfAborted()
}
