// `leakscope memory` as a user runs it.

import { describe, expect, test } from 'vitest'
import { type Report, ReportSchema } from '../../../src/findings/report.ts'
import { portsOf, runCli, spawnTarget, startCli, until } from '../../support/target.ts'
import { BLOCKED, IDLE, WHEN_ALL_RUN, worker } from '../../support/workers.ts'

type Process = NonNullable<Report['process']>

async function memoryOf(target: string | number, ...args: string[]): Promise<Process> {
  const { code, stdout, stderr } = await runCli(['memory', target, '--json', ...args])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return ReportSchema.parse(JSON.parse(stdout)).process!
}

const bytesOf = ({ ledger }: Process, id: string) => ledger.find((line) => line.id === id)!.bytes

test('says where the memory of a process is, in lines that add up', async () => {
  const target = await spawnTarget('globalThis.filler = Buffer.alloc(50e6, 1)')
  const { code, stdout, stderr } = await runCli(['memory', target.pid])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^ArrayBuffers +50\.\d MB +\d+\.\d %$/m)
  expect(stdout).toMatch(/^all \(RSS\) +\d+(\.\d)? MB +100\.0 %$/m)
  expect(stdout).toMatch(/^\d+ threads, malloc: glibc, \d+ arenas?, peak /m)
  expect(await target.answers()).toBe(true)
  expect(portsOf(target.pid)).toEqual([])
})

test.runIf(process.platform === 'linux')(
  'from outside it says the same, and what the pages of V8 consist of',
  async () => {
    const target = await spawnTarget(
      'globalThis.filler = Buffer.alloc(50e6, 1); globalThis.kept = Array.from({ length: 1e5 }, (_, i) => ({ i }))',
    )
    const outside = await memoryOf(target.pid, '--via', 'outside', '--max-pause', '10s')
    expect(portsOf(target.pid)).toEqual([])
    const asked = await memoryOf(target.pid)
    for (const id of ['js-heap-used', 'array-buffers', 'native-heap', 'thread-stacks']) {
      expect(Math.abs(bytesOf(outside, id) - bytesOf(asked, id)), id).toBeLessThan(3e6)
    }
    const sum = outside.spaces!.reduce((total, { livingBytes }) => total + livingBytes, 0)
    expect(sum).toBeGreaterThan(1e5 * 24)
    expect(outside.spaces!.map(({ space }) => space)).toEqual(expect.arrayContaining(['young', 'old', 'read-only']))
    expect(asked.spaces).toBeNull()
  },
)

test('says what changed since the look before', async () => {
  const grows = 'globalThis.kept = []; setInterval(() => kept.push(Buffer.alloc(2e6, 1)), 100)'
  const { pid } = await spawnTarget(grows)
  const { code, stdout } = await runCli(['memory', pid, '--count', '3', '--every', '500ms'])
  expect(code).toBe(0)
  const [, ...later] = stdout.split(/^ +resident/m).slice(1)
  expect(later).toHaveLength(2)
  for (const table of later) expect(table).toMatch(/^ArrayBuffers .*\+\d+(\.\d+)? MB$/m)
})

test('is a Report for machines, with every look', async () => {
  const { pid } = await spawnTarget('globalThis.kept = []; setInterval(() => kept.push(Buffer.alloc(2e6, 1)), 100)')
  const process = await memoryOf(pid, '--count', '3', '--every', '500ms')
  expect(process.samples).toHaveLength(3)
  const [first, , last] = process.samples
  expect(process).toMatchObject({
    rssBytes: last!.rssBytes,
    rssBytesDelta: last!.rssBytes - first!.rssBytes,
    notes: [],
  })
  const buffers = process.ledger.find(({ id }) => id === 'array-buffers')!
  expect(buffers.bytesDelta).toBe(last!.ledger['array-buffers']! - first!.ledger['array-buffers']!)
  expect(buffers.bytesDelta).toBeGreaterThan(10e6)
  expect(process.threads).toBeTruthy()
  expect(process.heapLimitBytes).toBeGreaterThan(100e6)
})

test('names each worker, and the one that does not answer', async () => {
  const { pid, output } = await spawnTarget(`${worker(IDLE)}${worker(BLOCKED)}${WHEN_ALL_RUN}`)
  await until(() => output().includes('all run'))
  const { ledger, notes } = await memoryOf(pid)
  const { parts } = ledger.find(({ id }) => id === 'worker-heaps')!
  expect(parts).toEqual([
    { label: 'worker:1', bytes: expect.any(Number) },
    { label: 'worker:2 (no answer)', bytes: expect.any(Number) },
  ])
  for (const { bytes } of parts) expect(bytes).toBeGreaterThan(2e6)
  expect(notes).toEqual([expect.stringContaining('1 of 3 isolates did not answer')])
})

test('says, of an inspector that may be anywhere, what V8 knows, and that this is all', async () => {
  const target = await spawnTarget('globalThis.filler = Buffer.alloc(50e6, 1)', { args: ['--inspect=0'] })
  const process = await memoryOf(`127.0.0.1:${portsOf(target.pid)[0]}`)
  expect(bytesOf(process, 'array-buffers')).toBeGreaterThan(50e6)
  expect(bytesOf(process, 'unexplained')).toBeGreaterThan(10e6)
  expect(bytesOf(process, 'native-heap')).toBe(0)
  expect(process).toMatchObject({ allocator: null, threads: null, cgroup: null })
  expect(process.notes.join()).toContain('name its pid')
})

describe('a series without an end', () => {
  test('is ended by Ctrl-C, and the target is left as it was', async () => {
    const target = await spawnTarget()
    const { child, done } = startCli(['memory', target.pid, '--every', '200ms', '--json'])
    await until(() => portsOf(target.pid).length > 0, 'the inspector', 60_000)
    await new Promise((resolve) => setTimeout(resolve, 3000))
    child.kill('SIGINT')
    const { code, stdout } = await done
    expect(code).toBe(0)
    expect((JSON.parse(stdout) as Report).process!.samples.length).toBeGreaterThan(0)
    expect(portsOf(target.pid)).toEqual([])
    expect(await target.answers()).toBe(true)
  })

  test('is ended by the target, which is said, and what was seen until then is shown', async () => {
    const target = await spawnTarget()
    const { done, child } = startCli(['memory', target.pid, '--every', '300ms'])
    let text = ''
    child.stdout.on('data', (part) => {
      text += part
    })
    await until(() => text.includes('all (RSS)'), 'the first table', 60_000)
    target.child.kill('SIGKILL')
    const { code, stderr } = await done
    expect(code).toBe(3)
    expect(stderr).toMatch(new RegExp(`process ${target.pid} (has ended|ended)`))
  })
})

test.each([
  ['--count', '0'],
  ['--every', 'soon'],
])('refuses %s %s', async (...args) => {
  const { code, stderr } = await runCli(['memory', '1', ...args])
  expect(code).toBe(2)
  expect(stderr).toContain(args[0])
})
