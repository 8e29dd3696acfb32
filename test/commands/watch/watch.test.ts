// `leakscope watch` and `leakscope trend` as a user runs them.

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Look, LookSchema } from '../../../src/process/recording.ts'
import {
  filesIn,
  portsOf,
  type RunningCli,
  runCli,
  spawnTarget,
  startCli,
  temporaryFolder,
  until,
} from '../../support/target.ts'

const GROWS = 'globalThis.kept = []; setInterval(() => kept.push(Buffer.alloc(1e6, 1)), 50)'

const looksIn = (text: string): Look[] =>
  text
    .trim()
    .split('\n')
    .map((line) => LookSchema.parse(JSON.parse(line)))

function textOf(child: RunningCli['child']): () => string {
  let text = ''
  child.stdout.on('data', (part) => {
    text += part
  })
  return () => text
}

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
    expect(last['event-loop-delay']).toBeGreaterThanOrEqual(0)
    expect(last.gc).toBeGreaterThanOrEqual(0)
    expect(first).toMatchObject({ 'event-loop': null, 'event-loop-delay': null, gc: null })
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

  test.each([
    ['snapshot', 'rss>1MB', /^leakscope-\d+-\d+-\d+\.heapsnapshot$/],
    ['profile', 'rss>1MB', /^leakscope-\d+-\d+-\d+\.heapprofile$/],
    // What keeps the event loop busy is another question.
    ['profile', 'event-loop-delay<1h', /^leakscope-\d+-\d+-\d+\.cpuprofile$/],
  ])('takes a %s then, if it is to', async (action, condition, file) => {
    const target = await spawnTarget(GROWS)
    const cwd = temporaryFolder()
    const { code, stdout, stderr } = await runCli(['watch', target.pid, '--until', condition, '--then', action], {
      cwd,
    })
    expect(code).toBe(0)
    expect(filesIn(cwd)).toEqual([expect.stringMatching(file)])
    expect(JSON.parse(readFileSync(join(cwd, filesIn(cwd)[0]!), 'utf8'))).toBeInstanceOf(Object)
    // It is told where the lines of JSON are not.
    expect(stderr).toContain(filesIn(cwd)[0])
    expect(looksIn(stdout).length).toBeGreaterThan(0)
    expect(await target.answers()).toBe(true)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('diagnoses then, if it is to, and tells where the findings are', async () => {
    const target =
      await spawnTarget(`const kept = new Map(); setInterval(() => kept.set(kept.size, { kept: kept.size }), 2)
      globalThis.size = () => kept.size`)
    const cwd = temporaryFolder()
    const watch = ['watch', target.pid, '--until', 'heap>1MB', '--then', 'diagnose']
    const { code, stdout, stderr } = await runCli(watch, { cwd })
    expect(code).toBe(0)
    expect(filesIn(cwd)).toEqual([expect.stringMatching(/^leakscope-\d+-\d+-\d+\.json$/)])
    const [file] = filesIn(cwd)
    expect(JSON.parse(readFileSync(join(cwd, file!), 'utf8')).findings[0].pattern).toBe('growing-collection')
    expect(stderr).toContain(`${file}  the same as JSON`)
    expect(stderr).toContain('1 leak found')
    expect(looksIn(stdout)).toHaveLength(1)
    expect(await target.answers()).toBe(true)
  })

  test('looks at several side by side, though all need the same port to be looked into', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    const args = [`--inspect-port=${port}`]
    const targets = [await spawnTarget('', { args }), await spawnTarget('', { args }), await spawnTarget('', { args })]
    const pids = targets.map(({ pid }) => pid)
    const { child, done } = startCli(['watch', ...pids, pids[0]!, '--every', '200ms'])
    const text = textOf(child)
    const seen = () => new Set([...text().matchAll(/"pid":(\d+)/g)].map(([, pid]) => Number(pid)))
    await until(() => seen().size === 3, 'all three', 60_000)
    // One of them ends, and the others are watched on.
    targets[1]!.child.kill('SIGKILL')
    await until(() => text().split(`"pid":${pids[2]}`).length > 8, 'more looks', 60_000)
    child.kill('SIGINT')
    const { code, stdout, stderr } = await done
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(new RegExp(`^leakscope: process ${pids[1]}: process ${pids[1]} has ended.*\\n$`)),
    })
    expect(new Set(looksIn(stdout).map(({ pid }) => pid))).toEqual(new Set(pids))
    for (const target of [targets[0]!, targets[2]!]) {
      expect(await target.answers()).toBe(true)
      expect(portsOf(target.pid)).toEqual([])
      // It has not forgotten which port it was given.
      target.child.kill('SIGUSR1')
      await until(() => portsOf(target.pid).length > 0, 'the inspector')
      expect(portsOf(target.pid)).toEqual([port])
      target.child.kill('SIGKILL')
      await until(() => portsOf(target.pid).length === 0, 'its end')
    }
  })

  test('ends in good order when nobody reads on', async () => {
    const target = await spawnTarget()
    const { child, done } = startCli(['watch', target.pid, '--every', '200ms'])
    child.stdout.once('data', () => child.stdout.destroy())
    const { code, stderr } = await done
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(await target.answers()).toBe(true)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('is ended by the target, and what was recorded until then is whole', async () => {
    const target = await spawnTarget()
    const file = join(temporaryFolder(), 'a.jsonl')
    const { child, done } = startCli(['watch', target.pid, '--every', '200ms', '--record', file])
    const text = textOf(child)
    await until(() => text().split('\n').length > 2, 'two looks', 60_000)
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
    const text = textOf(child)
    await until(() => text().includes('\n'), 'a look', 60_000)
    child.kill('SIGINT')
    expect((await done).code).toBe(0)
    expect(await target.answers()).toBe(true)
    expect(portsOf(target.pid)).toEqual([])
  })

  test.each([
    [['--every', '10ms'], '200ms or more'],
    [['--then', 'snapshot'], '--until'],
    [['--until', 'rss>1MB', '--then', 'explode'], 'exit, snapshot, profile, diagnose'],
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
