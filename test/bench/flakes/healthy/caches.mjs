// Fills caches up to their bounds: some at once, some through half of the check, some ever more slowly.

import { dice, textOf } from '../dice.mjs'

export function setup() {
  const roll = dice()
  return {
    roll,
    byKey: new Map(),
    keys: Math.round(200 + 20_000 * roll()),
    latest: new Map(),
    most: Math.round(50 + 3000 * roll()),
    bytes: Math.round(20 + 500 * roll()),
  }
}

export function iteration({ roll, byKey, keys, latest, most, bytes }, number) {
  const key = Math.floor(keys * roll())
  if (!byKey.has(key)) byKey.set(key, { key, text: textOf(bytes) })
  latest.set(number, { number, text: textOf(bytes) })
  if (latest.size > most) latest.delete(latest.keys().next().value)
}
