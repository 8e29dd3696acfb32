// How many different numbers a heap has is estimated, as nodes are made room for before their edges are known.

import { describe, expect, test } from 'vitest'
import { Tally } from '../../src/outside/reach.ts'

const COUNTS = [0, 1, 1000, 50_000, 250_000]
/** A fixed sequence that looks like chance: xorshift32. */
const scattered = (i: number): number => {
  let x = Math.imul(i + 1, 0x2545f491) | 1
  x ^= x << 13
  x ^= x >>> 17
  x ^= x << 5
  return x | 0
}
const KINDS: readonly (readonly [name: string, numberAt: (i: number) => number])[] = [
  ['consecutive', (i) => i],
  ['below zero', (i) => -i],
  ['steps of a thousand', (i) => 1000 * i],
  ['times in milliseconds, cut to 31 bits', (i) => ((1.7e12 + 37 * i) % 2 ** 31) | 0],
  ['scattered', scattered],
]

describe('the estimate of how many different numbers there are', () => {
  test.each(KINDS)('of numbers that are %s is within 5 % and a thousand', (_, numberAt) => {
    for (const count of COUNTS) {
      const tally = new Tally()
      const different = new Set<number>()
      for (let i = 0; i < count; i++) {
        different.add(numberAt(i))
        // However often it is there, it is one.
        tally.add(numberAt(i))
        tally.add(numberAt(i))
      }
      const estimate = tally.estimate()
      expect(estimate).toBeGreaterThanOrEqual(0.95 * different.size - 1000)
      expect(estimate).toBeLessThanOrEqual(1.05 * different.size + 1000)
    }
  })
})
