// What malloc has handed out in real processes, against what they have taken and given back.

import { describe, expect, test } from 'vitest'
import { readMallocRegions } from '../../src/target/linux-malloc.ts'
import { readMemoryMap } from '../../src/target/memory-map.ts'
import { NOBODY, nobodyMayRun, spawnTarget } from '../support/target.ts'

function mallocOf(pid: number) {
  const regions = readMallocRegions(pid, readMemoryMap(pid)!)!
  const total = (of: (region: (typeof regions)[number]) => number) => regions.reduce((sum, it) => sum + of(it), 0)
  return {
    arenas: regions.filter(({ isArena }) => isArena).length,
    inUseBytes: total(({ inUseBytes }) => inUseBytes),
    idleBytes: total(({ start, end, inUseBytes }) => end - start - inUseBytes),
  }
}

const KEEP = 'globalThis.kept = []; const collect = () => { gc(); setImmediate(gc) };'
const GC = { args: ['--inspect-port=0', '--expose-gc'] }

describe('in use are', () => {
  test.each([
    ['small pieces', 'for (let i = 0; i < 20_000; i++) kept.push(Buffer.alloc(5000, 1))'],
    ['pieces that have a mapping of their own', 'for (let i = 0; i < 20; i++) kept.push(Buffer.alloc(5e6, 1))'],
    ['pieces of all sizes', 'for (let i = 1; i <= 447; i++) kept.push(Buffer.alloc(5000 + i * 1000, 1))'],
  ])('%s', async (_, take) => {
    const before = mallocOf((await spawnTarget(KEEP)).pid)
    const { pid, answers } = await spawnTarget(`${KEEP} ${take}`)
    const taken = mallocOf(pid).inUseBytes - before.inUseBytes
    expect(taken).toBeGreaterThan(98e6)
    expect(taken).toBeLessThan(110e6)
    // Nobody has noticed.
    expect(await answers()).toBe(true)
  })
})

test('what was given back between two pieces that stay lies idle', async () => {
  const { pid } = await spawnTarget(
    `${KEEP} for (let i = 0; i < 20_000; i++) kept.push(Buffer.alloc(5000, 1)); kept = kept.filter((_, i) => i % 100 === 99); collect()`,
    GC,
  )
  await expect.poll(() => mallocOf(pid).idleBytes, { timeout: 10_000 }).toBeGreaterThan(90e6)
  expect(mallocOf(pid).inUseBytes).toBeLessThan(20e6)
})

test('threads have arenas of their own', async () => {
  const source = `for (let i = 0; i < 4; i++) new (require('worker_threads').Worker)('setInterval(() => {}, 1000)', { eval: true });`
  const { pid } = await spawnTarget(source)
  await expect.poll(() => mallocOf(pid).arenas, { timeout: 10_000 }).toBeGreaterThan(2)
})

test.runIf(nobodyMayRun)('whoever may not look is told nothing', async () => {
  const { pid } = await spawnTarget()
  const mappings = readMemoryMap(pid)!
  process.seteuid!(NOBODY.uid)
  try {
    expect(readMallocRegions(pid, mappings)).toBeUndefined()
  } finally {
    process.seteuid!(0)
  }
})
