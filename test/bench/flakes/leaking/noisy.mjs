// Loses a little, while it logs, parses and fills caches.

import { dice, lostBytes, textOf } from '../dice.mjs'

const roll = dice()
const cache = new Map()
const lost = []
const bytes = lostBytes()

export async function iteration(_, number) {
  console.log('item', { number })
  const rows = JSON.parse(JSON.stringify(Array.from({ length: 20 }, () => ({ value: roll() }))))
  cache.set(Math.floor(3000 * roll()), rows)
  if (number % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  lost.push(textOf(bytes - 20))
}
