// `measureLeak`, here in Vitest's own process, on functions and on scenarios.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { ReportSchema } from '../../src/findings/report.ts'
import '../../src/measure/vitest.ts'
import { LeakscopeError, type MeasureOptions, measureLeak, toLeak } from '../../src/measure/index.ts'
import { temporaryFolder } from '../support/target.ts'

/** Without the diagnosis, which has a test of its own. */
const measure = (work: Parameters<typeof measureLeak>[0], options: MeasureOptions = {}) =>
  measureLeak(work, { diagnose: false, ...options })

/** Of this file. */
const lineOf = (text: string) =>
  1 +
  readFileSync(import.meta.filename, 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text))

let cwd: string
beforeAll(() => {
  cwd = temporaryFolder()
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text)
  write(
    'leaky.mjs',
    `const kept = []\nexport const iteration = (_, n) => {\n  kept.push({ n, text: 'item ' + n })\n}\n`,
  )
  write(
    'healthy.mjs',
    `export const setup = () => new Map()\nexport const iteration = (map, n) => map.set(n % 100, n)\n`,
  )
  write('endless.mjs', `export const iteration = (_, n) => { while (n > 5); }`)
  write('lazy.mjs', `export const table = Array.from({ length: 20_000 }, (_, i) => ({ i, text: 'row ' + i }))`)
})

describe('a function that leaks', () => {
  test('is told of, with its rate and what leaks, and leaves no file behind', async () => {
    const kept: object[] = []
    const filesBefore = readdirSync(tmpdir()).filter((name) => name.startsWith('leakscope-measure-'))
    const result = await measureLeak((call) => void kept.push({ call, text: `item ${call}` }))
    expect(result.verdict).toBe('growing')
    expect(result.growthPerIteration).toBeGreaterThan(60)
    expect(result.growthPerIteration).toBeLessThan(150)
    expect(result.interval[0]).toBeLessThanOrEqual(result.growthPerIteration)
    expect(result.interval[1]).toBeGreaterThanOrEqual(result.growthPerIteration)
    expect(result.findings[0]!.culprit).toMatchObject({
      url: expect.stringMatching(/measure-leak\.test\.ts$/),
      line: lineOf('measureLeak((call) => void kept.push({ call'),
    })
    expect(result.text).toMatch(/^Failed: memory grows with the work\n[\s\S]+> \d+ │ .+kept\.push/)
    expect(ReportSchema.parse(JSON.parse(JSON.stringify(result.report))).growth!.matching).toBe('id')
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('leakscope-measure-'))).toEqual(filesBefore)
  })

  test.each<[string, () => (call: number) => unknown]>([
    [
      '100 bytes for each call',
      () => {
        const kept: string[] = []
        return () => void kept.push('x'.repeat(80).replace('x', `${kept.length}`))
      },
    ],
    [
      'memory beside the heap',
      () => {
        const kept: ArrayBuffer[] = []
        return () => void kept.push(new ArrayBuffer(1000))
      },
    ],
    [
      'promises that are never settled',
      () => {
        const kept: (() => void)[] = []
        return async () => {
          void new Promise<void>((resolve) => kept.push(resolve))
        }
      },
    ],
  ])('is told of %s', async (_, make) => {
    expect((await measure(make())).verdict).toBe('growing')
  })

  test('passes within its budget', async () => {
    const kept: object[] = []
    const result = await measure((call) => void kept.push({ call, text: `item ${call}` }), {
      budget: '1KB/iteration',
      iterations: 20_000,
    })
    expect(result).toMatchObject({ verdict: 'steady', findings: [] })
  })
})

describe('a healthy function is not told of', () => {
  test.each<[string, (call: number) => unknown, MeasureOptions?]>([
    [
      'with a cache that has a bound',
      (
        (cache) => (call: number) =>
          cache.set(call % 700, JSON.stringify({ call }))
      )(new Map()),
    ],
    [
      'that loads a module when it first needs it',
      (call) => (call >= 5000 ? import(pathToFileURL(join(cwd, 'lazy.mjs')).href) : undefined),
    ],
    ['that waits for timers', () => sleep(1)],
    ['that sets timers and does not wait for them', () => void setTimeout(() => {}, 1500), { iterations: 20_000 }],
    ['that logs', (call) => console.debug({ call }), { iterations: 3000 }],
  ])('%s', async (_, work, options) => {
    expect((await measure(work, options)).verdict).not.toBe('growing')
  })
})

describe('what goes wrong', () => {
  test('an error of the function comes through as it is', async () => {
    const error = new TypeError('the seventh')
    await expect(
      measure((call) => {
        if (call === 7) throw error
      }),
    ).rejects.toBe(error)
  })

  test('a call that never ends is given up', async () => {
    const never = (call: number) => (call === 7 ? new Promise(() => {}) : undefined)
    await expect(measure(never, { maxDurationMs: 1000 })).rejects.toMatchObject({
      code: 'load-failed',
      message: 'the work has not come to its end within 1.0 s',
    })
  })

  test('a signal ends it', async () => {
    await expect(measure(() => sleep(5), { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
  })

  test.each<[unknown, MeasureOptions, RegExp]>([
    [() => {}, { budget: 'much' }, /budget takes 1KB\/iteration, 5% or 2MB/],
    [() => {}, { iterations: -1 }, /iterations is a number above zero, not -1/],
    [() => {}, { maxDurationMs: Number.NaN }, /maxDurationMs is a number above zero, not NaN/],
    [42, {}, /what is to be measured is a function, or the URL or path of a module/],
    ['./x.mjs', { iterations: 5 }, /iterations is for functions/],
  ])('%s with %j is refused', async (work, options, says) => {
    const error: unknown = await measureLeak(work as URL, options).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(LeakscopeError)
    expect(error).toMatchObject({ code: 'usage-invalid', message: expect.stringMatching(says) })
  })
})

describe('a scenario', () => {
  test('runs in a process of its own', async () => {
    const leaky = await measureLeak(pathToFileURL(join(cwd, 'leaky.mjs')))
    expect(leaky.verdict).toBe('growing')
    expect(leaky.findings[0]!.culprit).toMatchObject({ url: expect.stringMatching(/leaky\.mjs$/), line: 3 })
    expect((await measureLeak(join(cwd, 'healthy.mjs'))).verdict).toBe('steady')
  })

  test('that never ends is ended', async () => {
    await expect(measureLeak(join(cwd, 'endless.mjs'), { signal: AbortSignal.timeout(3000) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
  })

  test('that is not there is an error', async () => {
    await expect(measureLeak('./no-such.mjs')).rejects.toMatchObject({
      code: 'load-failed',
      message: expect.stringContaining('no-such.mjs: no such file'),
    })
  })
})

describe('the matcher', () => {
  test('passes where something leaks, and takes not knowing for a failure only where that is wanted', async () => {
    // Too few calls to tell anything by, and time enough for each round on any machine.
    const hasty = { maxDurationMs: 2000, iterations: 36, diagnose: false }
    const undecided = () => sleep(40)
    expect((await toLeak.call({ isNot: true }, undecided, hasty)).pass).toBe(false)
    const strict = await toLeak.call({ isNot: true }, undecided, { ...hasty, strict: true })
    expect(strict.pass).toBe(true)
    expect(strict.message()).toMatch(/^Undecided: .+\n.+maxDurationMs allows more/)
    expect((await toLeak.call({ isNot: false }, undecided, { ...hasty, strict: true })).pass).toBe(false)
    await expect(undecided).not.toLeak(hasty)
    await expect(() => expect(undecided).not.toLeak({ ...hasty, strict: true })).rejects.toThrow(/^Undecided/)
  })
})
