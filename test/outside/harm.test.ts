// Who is read from outside comes to no harm. The long version: node test/matrix/outside-harm.mjs

import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { killAtRandom, readAtBothEnds, readInSituations, takePictures } from '../support/outside-harm.mjs'

const MINUTES = 60_000
const HEAP_SLACK = 3e6
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0

describe.runIf(process.platform === 'linux')('a server under load', () => {
  test('answers every request while pictures are taken of it, and its heap does not grow', {
    timeout: 3 * MINUTES,
  }, async () => {
    const { pictures, refusals, isAlive, failed, during, heapGrowth } = await takePictures(4, { beforeMs: 1500 })
    expect(pictures, JSON.stringify(refusals)).toBeGreaterThan(2)
    expect(isAlive).toBe(true)
    expect(failed).toBe(0)
    expect(during.requests).toBeGreaterThan(100)
    expect(heapGrowth).toBeLessThan(HEAP_SLACK)
  })

  test('runs on whenever leakscope is killed', { timeout: 3 * MINUTES }, async () => {
    const { stayed, failed, isAlive } = await killAtRandom(4)
    expect({ stayed, failed, isAlive }).toEqual({ stayed: 0, failed: 0, isAlive: true })
  })
})

describe.runIf(process.platform === 'linux')('a process', () => {
  for (const [name, program] of [
    ['is traced', 'strace'],
    ['is held by a debugger', 'gdb'],
    ['is profiled by the system', 'perf'],
    ['is profiled by V8', ''],
    ['waits for an inspector', ''],
    ['forks', ''],
    ['collects', ''],
    ['makes and ends threads', ''],
  ] as const) {
    test.runIf(program === '' || has(program))(
      `that ${name} goes on after a picture`,
      { timeout: 2 * MINUTES },
      async () => {
        const [row] = await readInSituations(1, { only: [name] })
        expect(row!.ranOn).toBe(1)
      },
    )
  }

  test('that has just begun, or ends meanwhile, is read or refused, and ends by itself', {
    timeout: 2 * MINUTES,
  }, async () => {
    for (const { ranOn, pictures, refusals } of await readAtBothEnds(2)) {
      expect(ranOn).toBe(2)
      expect(pictures + refusals.length).toBe(2)
    }
  })
})
