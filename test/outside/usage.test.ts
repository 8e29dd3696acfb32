// What a picture knows of V8's pages, held against what V8 itself says of its spaces.

import { describe, expect, test } from 'vitest'
import { captureFromOutside } from '../../src/outside/open.ts'
import { spawnTarget } from '../support/target.ts'

const PROGRAM = `
  const all = Array.from({ length: 60_000 }, (_, i) => ({ i, text: 'x' + i }))
  globalThis.third = all.filter((_, i) => i % 3 === 0)
  globalThis.large = Array.from({ length: 4 }, () => new Array(50_000).fill(all[0]))
  globalThis.buffers = Array.from({ length: 30 }, () => new ArrayBuffer(100_000))
  globalThis.gc(); all.length = 0; globalThis.third = globalThis.third.filter((_, i) => i % 2)
  setTimeout(() => console.log(JSON.stringify(require('v8').getHeapSpaceStatistics())), 100)`

describe.runIf(process.platform === 'linux')('the pages of a heap', () => {
  test('are of the spaces that V8 says, and what is alive, garbage and free adds up', async () => {
    const target = await spawnTarget(PROGRAM, { args: ['--expose-gc'] })
    await expect.poll(() => target.output()).toContain('read_only_space')
    const said = JSON.parse(/^\[.*\]$/m.exec(target.output())![0]) as { space_name: string; space_size: number }[]
    const { heaps } = await captureFromOutside(target.pid, { maxPauseMs: 10_000 })
    const { spaces, stores } = heaps[0]!.usage
    const bytesOf = (name: RegExp) =>
      said.reduce((sum, { space_name, space_size }) => sum + (name.test(space_name) ? space_size : 0), 0)
    const own = (...names: string[]) =>
      spaces.reduce((sum, { space, bytes }) => sum + (names.includes(space) ? bytes : 0), 0)
    const regular = 2 ** 18
    expect(own('large')).toBe(bytesOf(/^(trusted_)?large_object_space$/))
    expect(Math.abs(own('old') - bytesOf(/^(old|map|trusted|shared)_space$/))).toBeLessThanOrEqual(2 * regular)
    expect(own('code')).toBe(bytesOf(/^code_/))
    for (const { bytes, livingBytes, garbageBytes, freeBytes } of spaces) {
      expect(livingBytes + garbageBytes + freeBytes).toBe(bytes)
    }
    const old = spaces.find(({ space }) => space === 'old')!
    // Two thirds of what stays fell away in the end.
    expect(old.garbageBytes).toBeGreaterThan(1e6)
    expect(stores.bytes.filter((bytes) => bytes === 100_000)).toHaveLength(30)
  }, 60_000)
})
