import { describe, expect, it } from 'vitest'
import {
  type Budget,
  FLOOR,
  isSettled,
  judgeGrowth,
  MIN_ROUNDS,
  type WorkPoint,
} from '../../src/analysis/growth-verdict.ts'

/** A small generator of numbers between 0 and 1, the same in every run (mulberry32's idea: an integer hash of a counter). */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

/** Roughly normal, with mean 0 and deviation 1. */
const normal = (roll: () => number) => Array.from({ length: 12 }, roll).reduce((sum, it) => sum + it, -6)

interface Program {
  /** Bytes lost for each unit. */
  readonly leak?: number
  readonly noise?: number
  /** What it holds after so much work, beside what it loses. */
  readonly holds?: (work: number, round: number) => number
  readonly rounds?: number
  readonly unit?: number
  readonly seed?: number
}

/** Rounds of a program, each with more work than the one before. */
function run({ leak = 0, noise = 4000, holds = () => 0, rounds = 7, unit = 100, seed = 1 }: Program): WorkPoint[] {
  const roll = dice(seed)
  let work = 0
  return Array.from({ length: rounds + 1 }, (_, i) => {
    if (i > 0) work += unit * (i + 1)
    return { work, bytes: 5e6 + leak * work + noise * normal(roll) + holds(work, i) }
  })
}

const DEFAULT: Budget = { kind: 'default' }
const verdict = (program: Program, budget: Budget = DEFAULT) => judgeGrowth(run(program), budget).verdict

describe('growth with the work', () => {
  it('is found, with its rate and what that lies between', () => {
    const { verdict, perUnit, lower, upper, budgetPerUnit } = judgeGrowth(run({ leak: 100 }), DEFAULT)
    expect(verdict).toBe('growing')
    expect(perUnit).toBeCloseTo(100, -1)
    expect(lower).toBeLessThan(100)
    expect(upper).toBeGreaterThan(100)
    expect(budgetPerUnit).toBeCloseTo((FLOOR.bytes + 5e4) / 3500, 0)
    const long = judgeGrowth(run({ leak: 100 }), { kind: 'default', isLong: true })
    expect(long.budgetPerUnit).toBeCloseTo((FLOOR.longBytes + 5e4) / 3500, 0)
  })

  it('is not there in a steady program, nor where memory shrinks', () => {
    expect(verdict({})).toBe('steady')
    expect(verdict({ leak: -50 })).toBe('steady')
  })

  it('is no growth below the floor, and is beyond it with more work', () => {
    expect(verdict({ leak: 5, noise: 500 })).toBe('steady')
    expect(verdict({ leak: 5, noise: 500, unit: 1000 })).toBe('growing')
  })

  it.each<[string, Program['holds']]>([
    ['a cache that filled up during the first rounds', (work) => 200 * Math.min(work, 500)],
    ['something that was loaded late', (_, round) => (round >= 2 ? 3e5 : 0)],
    ['something that was loaded in the last round', (_, round) => (round >= 7 ? 3e5 : 0)],
    ['a cache that fills ever more slowly', (work) => 4e5 * (1 - Math.exp(-work / 600))],
    ['batches that are flushed', (_, round) => (round % 3) * 2e5],
    ['growth by the round, not by the work', (_, round) => 9000 * round],
  ])('is not told of %s', (_, holds) => {
    for (let seed = 1; seed <= 50; seed++) expect(verdict({ holds: holds!, seed })).not.toBe('growing')
  })

  it.each<[string, Program['holds']]>([
    ['a cache that filled up', (work) => 200 * Math.min(work, 500)],
    ['something that was loaded late', (_, round) => (round >= 2 ? 3e5 : 0)],
  ])('is settled with more rounds for %s', (_, holds) => {
    expect(verdict({ holds: holds!, rounds: 12 })).toBe('steady')
  })

  it('waits for enough rounds', () => {
    expect(verdict({ leak: 1000, rounds: MIN_ROUNDS - 1 })).toBe('undecided')
    expect(verdict({ leak: 1000, rounds: MIN_ROUNDS })).toBe('growing')
  })

  it('is undecided in noise that drowns it, and decided by more rounds', () => {
    const noisy = { leak: 60, noise: 60_000, seed: 3 }
    expect(verdict({ ...noisy, rounds: 6 })).toBe('undecided')
    expect(verdict({ ...noisy, rounds: 24 })).toBe('growing')
  })

  it('is held against a budget of each kind', () => {
    const program = { leak: 1000 }
    expect(verdict(program, { kind: 'per-unit', bytes: 500 })).toBe('growing')
    expect(verdict(program, { kind: 'per-unit', bytes: 1500 })).toBe('steady')
    expect(verdict(program, { kind: 'total', bytes: 1e6 })).toBe('growing')
    expect(verdict(program, { kind: 'total', bytes: 5e6 })).toBe('steady')
    expect(verdict(program, { kind: 'share', share: 0.05 })).toBe('growing')
    expect(verdict(program, { kind: 'share', share: 0.9 })).toBe('steady')
  })

  it('is never told of noise, and hardly ever missed in it', () => {
    let missed = 0
    for (let seed = 1; seed <= 500; seed++) {
      expect(verdict({ noise: 12_000, seed })).not.toBe('growing')
      if (verdict({ noise: 12_000, leak: 100, seed, rounds: 9 }) === 'steady') missed++
    }
    expect(missed).toBe(0)
  })
})

describe('a warm-up', () => {
  const points = (...bytes: number[]) => bytes.map((it, i) => ({ work: 100 * i, bytes: it * 1000 }))
  it('is over when a round brings next to nothing, or no less than the one before', () => {
    expect(isSettled(points(5000, 7000))).toBe(false)
    expect(isSettled(points(5000, 7000, 7800))).toBe(false)
    expect(isSettled(points(5000, 7000, 7010))).toBe(true)
    expect(isSettled(points(5000, 7000, 9000))).toBe(true)
    expect(isSettled(points(5000, 7000, 6500))).toBe(true)
  })
})
