// How slow this machine is beside the one on which the price of a snapshot was measured.

/** What the piece of work below took there, at its best. */
const REFERENCE_MS = 1.5
const TRIES = 4
const ENTRIES = 20_000

/**
 * 2 is half as fast. Takes some ten milliseconds. The bounds are for what such a short look is not good for: to tell a
 * fast machine, which it takes for one like ours, and a slow one from a busy one.
 */
export function machineSlowness(): number {
  let bestMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < TRIES; i++) bestMs = Math.min(bestMs, timeOnce())
  return Math.min(4, Math.max(1, bestMs / REFERENCE_MS))
}

/** Of the kind that a snapshot is made of: small records, found by hash. */
function timeOnce(): number {
  const startedMs = performance.now()
  const map = new Map<number, { at: number; key: number }>()
  for (let at = 0, key = 12_345; at < ENTRIES; at++) {
    key = (Math.imul(key, 1_103_515_245) + 12_345) & 0x7fffffff
    map.set(key, { at, key })
  }
  return performance.now() - startedMs
}
