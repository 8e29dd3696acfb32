// The price of a snapshot as a user meets it: said before it is paid, and refused where it is too high.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  BIG_HEAP,
  type CliResult,
  filesIn,
  portsOf,
  runCli,
  type SpawnedTarget,
  spawnTarget,
  TARGET_NODE,
  temporaryFolder,
  until,
} from '../../support/target.ts'
import { BLOCKED, IDLE, WHEN_ALL_RUN, worker } from '../../support/workers.ts'

const isRoot = process.getuid?.() === 0
const targetMajor = Number(execFileSync(TARGET_NODE, ['-p', 'parseInt(process.versions.node)'], { encoding: 'utf8' }))

/** What the sentence says, in the order of its numbers. */
const SENTENCE =
  /^(?:leakscope: )?(about )?([\d.,]+)( M)? objects.*: .+ stand still .*for about (.+) \(at worst (.+)\)(?: in all)?, use about (.+) \(at worst (.+)\) more memory, and the files? will take about (.+) \(at worst (.+)\)/m

const SOME = BIG_HEAP.replace('4e5', '1e5')

/** A million, in arrays that are not long. */
const MANY = `globalThis.all = []
  for (let i = 0; i < 1000; i++) { const a = []; all.push(a); for (let j = 0; j < 1000; j++) a.push({ next: a[j >> 1] }) }`

async function expectUntouched(target: SpawnedTarget, folder: string): Promise<void> {
  expect(filesIn(folder)).toEqual([])
  expect(portsOf(target.pid)).toEqual([])
  expect(await target.answers()).toBe(true)
}

describe('before a snapshot', () => {
  test('one line tells which way is taken and the next what it will cost, unless --quiet', async () => {
    const target = await spawnTarget(SOME)
    const cwd = temporaryFolder()
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', 'a'], { cwd })
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(SENTENCE)
    expect(stderr).toContain(`process ${target.pid} will stand still for`)
    expect(stderr).toMatch(
      /^leakscope: V8 writes the heap of process \d+, asked over the inspector, as --via says\n.*\n$/,
    )
    expect(await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', 'b', '-q'], { cwd })).toMatchObject({
      code: 0,
      stderr: '',
    })
  })

  test('--dry-run tells it on standard output, and takes nothing', async () => {
    const target = await spawnTarget(SOME)
    const cwd = temporaryFolder()
    const { code, stdout, stderr } = await runCli(
      ['snapshot', target.pid, '--via', 'inspector', '--dry-run', '--count', 3],
      { cwd },
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(SENTENCE)
    expect(stdout).toContain('3 times for about')
    await expectUntouched(target, cwd)
  })

  test('--dry-run --json tells it to machines, with the reasons to refuse', async () => {
    const target = await spawnTarget(SOME)
    const cwd = temporaryFolder()
    const args = [
      'snapshot',
      target.pid,
      '--via',
      'inspector',
      '--dry-run',
      '--json',
      '--memory-limit',
      '1MB',
      '--max-pause',
      '1h',
    ]
    const { code, stdout } = await runCli(args, { cwd })
    expect(code).toBe(0)
    const said = JSON.parse(stdout)
    expect(said).toMatchObject({
      schemaVersion: 1,
      command: 'snapshot',
      target: { pid: target.pid },
      maxPauseMs: 3_600_000,
    })
    expect(said.isolates).toEqual([{ isolate: 'main', counted: false, price: said.total }])
    const { low, likely, high } = said.total.objects
    expect(low).toBeLessThan(100_000)
    expect(high).toBeGreaterThan(100_000)
    expect(likely).toBeGreaterThan(low)
    expect(said.room.memory[0]).toEqual({ kind: 'limit', limitBytes: 1e6, freeBytes: 0 })
    expect(said.objections.map(({ about }: { about: string }) => about)).toEqual(['memory'])
    await expectUntouched(target, cwd)
  })

  test('no getter that the program has put in the place of what is asked is run, and then it is not known', async () => {
    const target = await spawnTarget(`
      const v8 = require('v8')
      Object.defineProperty(v8, 'getHeapSpaceStatistics', { get() { console.log('touched'); return () => [] } })`)
    const cwd = temporaryFolder()
    const { code, stderr } = await runCli(
      ['snapshot', target.pid, '--via', 'inspector', '-o', 'a', '--memory-limit', '1MB'],
      { cwd },
    )
    expect(code).toBe(0)
    expect(stderr).toContain(`what a snapshot of process ${target.pid} costs could not be found out\n`)
    // Node 18 itself reads whatever a module of its own has when that is required, and there is no other way to it.
    expect(target.output().includes('touched')).toBe(targetMajor === 18)
  })

  test('of an open inspector, it is said that the room is unknown, and --memory-limit stands in', async () => {
    const target = await spawnTarget(SOME, { args: ['--inspect=127.0.0.1:0'] })
    const name = `127.0.0.1:${portsOf(target.pid)[0]}`
    const cwd = temporaryFolder()
    const free = await runCli(['snapshot', name, '--dry-run'], { cwd })
    expect(free).toMatchObject({ code: 0 })
    expect(free.stdout).toContain(`${name} will stand still`)
    expect(free.stdout).toContain('whether it has that much memory cannot be seen from here')
    const limited = await runCli(['snapshot', name, '--memory-limit', '100MB'], { cwd })
    expect(limited.code).toBe(3)
    expect(limited.stderr).toContain('the limit of 100 MB leaves it')
    expect(filesIn(cwd)).toEqual([])
  })
})

describe('a price that is too high', () => {
  test.each([
    [
      'the pause',
      ['--max-pause', '50ms'],
      /may stand still for .+, longer than the 50 ms of --max-pause\n.*--max-pause 5min/,
    ],
    [
      'the memory',
      ['--memory-limit', '150MB'],
      /may need .+ more memory, and the limit of 150 MB leaves it .+\n {2}A leak/,
    ],
  ])('is refused for %s, with the numbers, and the process is left as it was', async (_, args, says) => {
    const target = await spawnTarget(SOME)
    const cwd = temporaryFolder()
    const command = ['snapshot', target.pid, '--via', 'inspector', '-o', 'a', ...args]
    const { code, stdout, stderr } = await runCli(command, { cwd })
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toMatch(SENTENCE)
    expect(stderr).toMatch(says)
    expect(stderr).toContain('--at-any-price takes it regardless.')
    expect(stderr).toContain(`\`leakscope profile ${target.pid} --heap\``)
    await expectUntouched(target, cwd)
    const taken = await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', 'a', '--at-any-price', ...args], {
      cwd,
    })
    expect(taken.code, taken.stderr).toBe(0)
    expect(filesIn(cwd)).toEqual(['a'])
  })

  test.runIf(isRoot)('is refused for the disk', async () => {
    const disk = temporaryFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
    try {
      const target = await spawnTarget(SOME)
      const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(disk, 'a')])
      expect(code).toBe(3)
      expect(stderr).toMatch(/may need .+ MB on the disk, which has 4\.\d+ MB left\n.*ends in \.gz/)
      await expectUntouched(target, disk)
    } finally {
      execFileSync('umount', [disk])
    }
  })

  test('has the objects counted first when only the guess is too high', async () => {
    // Long texts look like very many objects.
    const target = await spawnTarget(
      `globalThis.all = Array.from({ length: 2000 }, (_, i) => Buffer.alloc(5e4, 'line ' + i).toString('latin1'))`,
    )
    const cwd = temporaryFolder()
    const args = [
      'snapshot',
      target.pid,
      '--via',
      'inspector',
      '-o',
      'a',
      '--memory-limit',
      '1000MB',
      '--max-pause',
      '1h',
    ]
    const { code, stderr } = await runCli(args, { cwd })
    expect(code, stderr).toBe(0)
    const [, about, count] = SENTENCE.exec(stderr)!
    expect(about).toBe(undefined)
    expect(Number(count!.replaceAll(',', ''))).toBeLessThan(100_000)
    expect(await target.answers()).toBe(true)
  })

  test.each([
    ['--memory-limit=lots', '--memory-limit takes a size such as 512MB or 1.5GiB'],
    ['--max-pause=-1', '--max-pause takes a duration'],
  ])('%s is a mistake in the command line', async (option, says) => {
    const { code, stderr } = await runCli(['snapshot', '1', option])
    expect(code).toBe(2)
    expect(stderr).toContain(says)
  })
})

describe('with workers', () => {
  async function spawnWithWorkers(source: string): Promise<SpawnedTarget> {
    const target = await spawnTarget(`${source}\n${WHEN_ALL_RUN}`)
    await until(() => target.output().includes('all run'), 'the workers to run')
    return target
  }

  test('the price is that of all, one after the other, and is paid or refused as one', async () => {
    const target = await spawnWithWorkers(worker(`${SOME};${IDLE}`) + worker(IDLE))
    const cwd = temporaryFolder()
    const all = ['snapshot', target.pid, '--via', 'inspector', '--isolate', 'all']
    const dry = JSON.parse((await runCli([...all, '--dry-run', '--json'], { cwd })).stdout)
    expect(dry.isolates.map(({ isolate }: { isolate: string }) => isolate)).toEqual(['main', 'worker:1', 'worker:2'])
    const refused = await runCli([...all, '-o', 'b', '--via', 'inspector', '--memory-limit', '150MB'], { cwd })
    expect(refused.code).toBe(3)
    expect(refused.stderr).toMatch(/objects in 3 isolates: each thread of process \d+ in turn will stand still/)
    await expectUntouched(target, cwd)
    const offered = /`leakscope (profile \d+ --heap --isolate all)`/.exec(refused.stderr)![1]!
    const sampled = await runCli([...offered.split(' '), '--duration', '1s', '-o', 'p'], { cwd })
    expect(sampled.code, sampled.stderr).toBe(0)
    expect(filesIn(join(cwd, 'p'))).toEqual(['main.heapprofile', 'worker-1.heapprofile', 'worker-2.heapprofile'])
    const taken = await runCli([...all, '-o', 'b'], { cwd })
    expect(taken.code, taken.stderr).toBe(0)
    expect(filesIn(join(cwd, 'b')).filter((name) => name.endsWith('.heapsnapshot'))).toHaveLength(3)
  })

  test('one of them has a price of its own', async () => {
    const target = await spawnWithWorkers(worker(`${BIG_HEAP};${IDLE}`) + worker(IDLE))
    const objects = async (which: string): Promise<number> => {
      const { stdout } = await runCli([
        'snapshot',
        target.pid,
        '--via',
        'inspector',
        '--isolate',
        which,
        '--dry-run',
        '--json',
      ])
      return JSON.parse(stdout).total.objects.likely
    }
    expect(await objects('worker:1')).toBeGreaterThan(5 * (await objects('worker:2')))
    expect(await objects('worker:1')).toBeGreaterThan(5 * (await objects('main')))
  })

  test('one that does not answer is said to be unknown', async () => {
    const target = await spawnWithWorkers(worker(IDLE) + worker(BLOCKED))
    const { code, stdout } = await runCli([
      'snapshot',
      target.pid,
      '--via',
      'inspector',
      '--isolate',
      'all',
      '--dry-run',
    ])
    expect(code).toBe(0)
    expect(stdout).toMatch(SENTENCE)
    expect(stdout).toContain('; what worker:2 costs is unknown')
  })
})

/** A memory cgroup that holds what is started in it. */
interface Cgroup {
  /** A node that enters the cgroup before anything else. */
  readonly node: string
  usedBytes(): number
  setLimit(bytes: number): void
}

const groups = new Set<string>()
// After the end of those in it, which comes after each test.
afterAll(async () => {
  for (const group of groups) {
    await until(() => readFileSync(join(group, 'cgroup.procs'), 'utf8') === '', 'the cgroup to be empty')
    rmdirSync(group)
  }
})

function makeCgroup(): Cgroup | string {
  if (process.platform !== 'linux') return 'there are none on this system'
  const versions = [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', 'memory.usage_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max', 'memory.current'],
  ] as const
  const problems: string[] = []
  for (const [mount, limit, usage] of versions) {
    const group = join(mount, `leakscope-test-${process.pid}-${groups.size}`)
    try {
      mkdirSync(group)
      groups.add(group)
      const usedBytes = () => Number(readFileSync(join(group, usage), 'utf8'))
      const setLimit = (bytes: number) => writeFileSync(join(group, limit), String(Math.round(bytes)))
      setLimit(usedBytes() + 1e9)
      const node = join(temporaryFolder(), 'node')
      writeFileSync(node, `#!/bin/sh\necho $$ > ${group}/cgroup.procs && exec ${TARGET_NODE} "$@"\n`, { mode: 0o755 })
      return { node, usedBytes, setLimit }
    } catch (error) {
      problems.push((error as Error).message)
    }
  }
  return problems.join('; ')
}

describe('a process of a million objects with little memory left', () => {
  const MARGIN = 60e6
  const ENOUGH = 4e9

  const probe = makeCgroup()
  if (typeof probe === 'string') console.log(`No memory cgroup can be made here, so a limit is given: ${probe}`)

  const take = (target: SpawnedTarget, cwd: string, ...more: (string | number)[]): Promise<CliResult> =>
    runCli(['snapshot', target.pid, '--via', 'inspector', '-o', 'a', '--max-pause', '10min', ...more], { cwd })

  if (typeof probe === 'string') {
    test('is left alone, and lives; with enough its snapshot is taken', async () => {
      const target = await spawnTarget(MANY)
      const cwd = temporaryFolder()
      const rssBytes = 1024 * Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${target.pid}/status`, 'utf8'))![1])
      const { code, stderr } = await take(target, cwd, '--memory-limit', `${Math.round((rssBytes + MARGIN) / 1e6)}MB`)
      expect(code, stderr).toBe(3)
      await expectUntouched(target, cwd)
      expect((await take(target, cwd, '--memory-limit', `${ENOUGH / 1e9}GB`)).code).toBe(0)
      expect(filesIn(cwd)).toEqual(['a'])
    })
    return
  }

  test('is left alone, and lives; with enough its snapshot is taken', async () => {
    const group = makeCgroup() as Cgroup
    const target = await spawnTarget(MANY, { executable: group.node })
    const cwd = temporaryFolder()
    group.setLimit(group.usedBytes() + MARGIN)
    const { code, stderr } = await take(target, cwd)
    expect(code, stderr).toBe(3)
    expect(stderr).toMatch(/and its cgroup has .+ MB left of .+ MB\n/)
    await expectUntouched(target, cwd)
    group.setLimit(ENOUGH)
    const taken = await take(target, cwd)
    expect(taken.code, taken.stderr).toBe(0)
    expect(filesIn(cwd)).toEqual(['a'])
    expect(await target.answers()).toBe(true)
  })

  test('is killed when its snapshot is taken at any price', async () => {
    const group = makeCgroup() as Cgroup
    const target = await spawnTarget(MANY, { executable: group.node })
    const cwd = temporaryFolder()
    group.setLimit(group.usedBytes() + MARGIN)
    const { code, stderr } = await take(target, cwd, '--at-any-price')
    expect(code, stderr).toBe(3)
    expect(stderr).toContain(`process ${target.pid} ended before the work was done`)
    expect(target.child.signalCode).toBe('SIGKILL')
    expect(filesIn(cwd)).toEqual([])
  })
})
