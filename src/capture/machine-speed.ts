// How slow this machine is beside the one on which the price of a snapshot was measured.

/** What the piece of work below took there, at its best. */
const REFERENCE_MS = 1.7
const TRIES = 4
const ENTRIES = 20_000

/**
 * 2 is half as fast. Takes some ten milliseconds, of processor time: that others are busy now says little of later. The
 * bounds are for what such a short look is not good for; a fast machine is taken for one like that other one.
 */
export function machineSlowness(): number {
  let bestMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < TRIES; i++) bestMs = Math.min(bestMs, timeOnce())
  return Math.min(4, Math.max(1, bestMs / REFERENCE_MS))
}

/** Of the kind that a snapshot is made of: small records, found by hash. */
function timeOnce(): number {
  const started = process.cpuUsage()
  const map = new Map<number, { at: number; key: number }>()
  for (let at = 0, key = 12_345; at < ENTRIES; at++) {
    key = (Math.imul(key, 1_103_515_245) + 12_345) & 0x7fffffff
    map.set(key, { at, key })
  }
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1000
}
