// `leakscope watch` and `leakscope trend` as a user runs them.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Look, LookSchema } from '../../src/process/recording.ts'
import { filesIn, portsOf, runCli, spawnTarget, startCli, temporaryFolder, until } from '../support/target.ts'

const GROWS = 'globalThis.kept = []; setInterval(() => kept.push(Buffer.alloc(1e6, 1)), 50)'

const looksIn = (text: string): Look[] =>
  text
    .trim()
    .split('\n')
    .map((line) => LookSchema.parse(JSON.parse(line)))

describe('watching', () => {
  test('gives a line of JSON for each look on a pipe, and the same to a recording, which can be gone on with', async () => {
    const target = await spawnTarget(GROWS)
    const file = join(temporaryFolder(), 'a.jsonl')
    const watch = ['watch', target.pid, '--every', '250ms', '--count', '4', '--record', file]
    const { code, stdout, stderr } = await runCli(watch)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const looks = looksIn(stdout)
    expect(looks).toHaveLength(4)
    const [first, last] = [looks[0]!.values, looks[3]!.values]
    expect(last['array-buffers']! - first['array-buffers']!).toBeGreaterThan(5e6)
    expect(last['event-loop']).toBeGreaterThanOrEqual(0)
    expect(last.threads).toBeGreaterThan(1)
    expect(looks[0]!.limits.heap).toBeGreaterThan(100e6)
    await runCli(watch)
    const trend = await runCli(['trend', file, '--json'])
    expect(JSON.parse(trend.stdout).processes).toMatchObject([{ pid: target.pid, looks: 8 }])
    expect(await target.answers()).toBe(true)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('ends when a condition holds', async () => {
    const { pid } = await spawnTarget(GROWS)
    const { code, stdout, stderr } = await runCli([
      'watch',
      pid,
      '--every',
      '200ms',
      '--until',
      'threads>1000',
      '--until',
      'array-buffers>30MB',
      '--count',
      '500',
    ])
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'leakscope: array-buffers>30MB holds\n' })
    const looks = looksIn(stdout)
    expect(looks.at(-1)!.values['array-buffers']).toBeGreaterThan(30e6)
    expect(looks.slice(0, -1).every(({ values }) => values['array-buffers']! <= 30e6)).toBe(true)
  })

  test('takes a snapshot then, if it is to', async () => {
    const target = await spawnTarget(GROWS)
    const folder = temporaryFolder()
    const { code, stdout } = await runCli(['watch', target.pid, '--until', 'rss>1MB', '--then', 'snapshot'], {
      cwd: folder,
    })
    expect(code).toBe(0)
    expect(filesIn(folder)).toEqual([expect.stringMatching(/^leakscope-\d+-\d+-\d+\.heapsnapshot$/)])
    expect(stdout).toContain(filesIn(folder)[0])
    expect(await target.answers()).toBe(true)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('is ended by the target, and what was recorded until then is whole', async () => {
    const target = await spawnTarget()
    const file = join(temporaryFolder(), 'a.jsonl')
    const { child, done } = startCli(['watch', target.pid, '--every', '200ms', '--record', file])
    let text = ''
    child.stdout.on('data', (part) => {
      text += part
    })
    await until(() => text.split('\n').length > 2, 'two looks', 60_000)
    target.child.kill('SIGKILL')
    const { code, stdout, stderr } = await done
    expect(code).toBe(3)
    expect(stderr).toContain('ended')
    const trend = await runCli(['trend', file, '--json'])
    expect(JSON.parse(trend.stdout).processes[0].looks).toBe(looksIn(stdout).length)
  })

  test('is ended by Ctrl-C, and the target is left as it was', async () => {
    const target = await spawnTarget()
    const { child, done } = startCli(['watch', target.pid, '--every', '200ms'])
    let text = ''
    child.stdout.on('data', (part) => {
      text += part
    })
    await until(() => text.includes('\n'), 'a look', 60_000)
    child.kill('SIGINT')
    expect((await done).code).toBe(0)
    expect(await target.answers()).toBe(true)
    expect(portsOf(target.pid)).toEqual([])
  })

  test.each([
    [['--every', '10ms'], '200ms or more'],
    [['--then', 'snapshot'], '--until'],
    [['--until', 'rss>1MB', '--then', 'explode'], 'exit or snapshot'],
    [['--until', 'size>1MB'], 'there are rss'],
  ])('refuses %j', async (args, why) => {
    const { code, stderr } = await runCli(['watch', '1', ...args])
    expect(code).toBe(2)
    expect(stderr).toContain(why)
  })
})

describe('the trend of a recording', () => {
  const recording = (value: (hour: number) => number): string => {
    const file = join(temporaryFolder(), 'a.jsonl')
    const looks = Array.from({ length: 200 }, (_, i): Look => {
      const rss = value(i / 30) + 3e5 * Math.sin(i * i)
      const at = new Date(Date.UTC(2026, 0, 1) + i * 120_000).toISOString()
      return {
        schemaVersion: 1,
        at,
        pid: 7,
        nodeVersion: 'v20.0.0',
        values: { rss, threads: 11 },
        limits: { rss: 512e6 },
      }
    })
    writeFileSync(file, looks.map((look) => `${JSON.stringify(look)}\n`).join(''))
    return file
  }

  test('says how fast it leaks, and when it will be at its limit', async () => {
    const { code, stdout, stderr } = await runCli(['trend', recording((hour) => 100e6 + 10e6 * hour)])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('process 7, Node v20.0.0: 200 looks in 6 h 38 min, from 2026-01-01T00:00:00.000Z on')
    // 166 MB, and 10 more each hour.
    expect(stdout).toMatch(
      /^resident memory {2}▁.*█ +16\d MB +\+(9\.9\d|10\.[01]) MB {2}leak +at its limit of 512 MB in 1 d 1\d h \(/m,
    )
    expect(stdout).toMatch(/^threads +▁+ +11 +flat$/m)
  })

  test('does not blame what has come to rest', async () => {
    const { stdout } = await runCli(['trend', recording((hour) => 200e6 - 100e6 * Math.exp(-2 * hour)), '--json'])
    const [rss, threads] = JSON.parse(stdout).processes[0].trends
    expect(rss).toMatchObject({ id: 'rss', unit: 'bytes', verdict: 'warm-up', limit: 512e6, toLimit: null })
    expect(threads).toMatchObject({ id: 'threads', unit: 'count', verdict: 'flat', limit: null })
  })

  test('takes a recording, and nothing else', async () => {
    const file = join(temporaryFolder(), 'a')
    writeFileSync(file, 'no')
    const { code, stderr } = await runCli(['trend', file])
    expect(code).toBe(3)
    expect(stderr).toContain('is no recording of leakscope')
  })
})
