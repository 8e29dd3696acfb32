// `leakscope profile` as a user runs it, on real processes, with what can go wrong.

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { spawnAgent } from '../support/agent.ts'
import { bytesUnder, hits, sampledIn, TELLS, WORK, WORKER_TELLS, worked } from '../support/sampled.ts'
import {
  filesIn,
  NOBODY,
  nobodyMayRun,
  nodeForEverybody,
  portsOf,
  runCli,
  spawnTarget,
  startCli,
  TARGET_NODE,
  temporaryFolder,
  until,
} from '../support/target.ts'
import { IDLE, WHEN_ALL_RUN, worker } from '../support/workers.ts'

const isRoot = process.getuid?.() === 0
const targetMajor = Number(execFileSync(TARGET_NODE, ['-p', 'parseInt(process.versions.node)'], { encoding: 'utf8' }))
const read = (cwd: string, name: string) => JSON.parse(readFileSync(join(cwd, name), 'utf8'))

describe('a profile', () => {
  test('of the CPU is private, named on standard output, and the inspector is shut again', async () => {
    const target = await spawnTarget(WORK)
    const cwd = temporaryFolder()
    const { code, stdout, stderr } = await runCli(['profile', target.pid, '--cpu', '--duration', '2s', '-q'], { cwd })
    expect(code, stderr).toBe(0)
    const [name] = filesIn(cwd)
    expect(filesIn(cwd)).toHaveLength(1)
    expect(name).toMatch(new RegExp(`^leakscope-${target.pid}-\\d{8}-\\d{6}\\.cpuprofile$`))
    expect(statSync(join(cwd, name!)).mode & 0o777).toBe(0o600)
    expect(stdout).toMatch(new RegExp(`^${name}  [\\d.]+ KB  main sampled [\\d,]+ times in 2\\.\\d s\n$`))
    expect(hits('spin', read(cwd, name!))).toBeGreaterThan(0)
    expect(portsOf(target.pid)).toEqual([])
    expect(await target.answers()).toBe(true)
  })

  test('of the heap tells how much it stands for', async () => {
    const target = await spawnTarget(`${WORK} ${TELLS}`)
    const cwd = temporaryFolder()
    const args = ['profile', target.pid, '--heap', '--duration', '2s', '--interval', '1KiB', '-o', 'a']
    const { code, stdout } = await runCli(args, { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^a {2}[\d.]+ KB {2}main holds about [\d.]+ .B that it allocated in 2\.\d s\n$/)
    expect(bytesUnder('hoard', read(cwd, 'a'))).toBeGreaterThan(0)
    expect(await sampledIn(target, 1)).toEqual(['main is left alone'])
    expect(portsOf(target.pid)).toEqual([])
  })

  test('of a heap in which nothing happens says so', async () => {
    const target = await spawnTarget()
    const cwd = temporaryFolder()
    const args = ['profile', target.pid, '--heap', '--duration', '300ms', '--interval', '1GiB', '-o', 'a']
    const { code, stdout } = await runCli(args, { cwd })
    expect(code).toBe(0)
    expect(stdout).toContain('held nothing new that was sampled')
    expect(read(cwd, 'a').head.children).toEqual([])
  })

  test('of all isolates is a folder, which --force replaces; --json tells of it', async () => {
    const target = await spawnTarget(`${worker(`${WORK} ${WORKER_TELLS}`)} ${TELLS} ${WHEN_ALL_RUN}`)
    await until(() => target.output().includes('all run'), 'the worker to run')
    const cwd = temporaryFolder()
    const all = ['profile', target.pid, '--isolate', 'all', '--duration', '500ms', '-o', 'p']
    const { code, stdout } = await runCli([...all, '--heap', '--json'], { cwd })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      schemaVersion: 1,
      command: 'profile',
      target: { pid: target.pid },
      sampling: { kind: 'heap', intervalBytes: 524_288, includeCollected: false },
      isolate: 'all',
      profiles: [
        { isolate: 'main', file: 'p/main.heapprofile', reason: null },
        { isolate: 'worker:1', file: 'p/worker-1.heapprofile', reason: null },
      ],
    })
    expect(await sampledIn(target, 2)).toEqual(['a worker is left alone', 'main is left alone'])
    expect(await runCli([...all, '--cpu'], { cwd })).toMatchObject({ code: 3, stdout: '' })
    expect((await runCli([...all, '--cpu', '--force'], { cwd })).code).toBe(0)
    expect(filesIn(join(cwd, 'p'))).toEqual(['main.cpuprofile', 'worker-1.cpuprofile'])
    writeFileSync(join(cwd, 'p', 'notes'), 'mine')
    const refused = await runCli([...all, '--cpu', '--force'], { cwd })
    expect(refused.stderr).toContain('p is a folder with other things in it')
    expect(filesIn(cwd)).toEqual(['p'])
  })

  test('of a worker that is not there names those that are', async () => {
    const target = await spawnTarget(`${worker(IDLE)} ${WHEN_ALL_RUN}`)
    await until(() => target.output().includes('all run'), 'the worker to run')
    const cwd = temporaryFolder()
    const { code, stderr } = await runCli(['profile', target.pid, '--cpu', '--isolate', 'worker:7'], { cwd })
    expect(code).toBe(3)
    expect(stderr).toBe('leakscope: the process has no worker 7\n  Its workers are 1.\n')
    expect(filesIn(cwd)).toEqual([])
  })

  test.each(['--cpu', '--heap'])('can be had of the agent: %s', async (kind) => {
    const target = await spawnAgent(`${WORK} ${TELLS}`)
    const cwd = temporaryFolder()
    const args = ['profile', target.pid, kind, '--interval', '1024', '--duration', '2s', '-o', 'a']
    const { code, stderr } = await runCli(args, { cwd })
    expect(code, stderr).toBe(0)
    if (kind === '--cpu') expect(hits('spin', read(cwd, 'a'))).toBeGreaterThan(0)
    else expect(bytesUnder('hoard', read(cwd, 'a'))).toBeGreaterThan(0)
    expect(await sampledIn(target, 1)).toEqual(['main is left alone'])
  })

  test('with what was collected is refused where V8 cannot tell it, and taken where it can', async () => {
    const target = await spawnTarget(WORK)
    const cwd = temporaryFolder()
    const args = [
      'profile',
      target.pid,
      '--heap',
      '--include-collected',
      '--duration',
      '2s',
      '--interval',
      '1KiB',
      '-o',
      'a',
    ]
    const { code, stdout, stderr } = await runCli(args, { cwd })
    if (targetMajor < 20) {
      expect(code).toBe(2)
      expect(stderr).toContain('--include-collected needs Node 20 or newer, and the process runs v18')
      expect(filesIn(cwd)).toEqual([])
    } else {
      expect(code).toBe(0)
      expect(stdout).toMatch(/main allocated about [\d.]+ .B in/)
    }
  })
})

describe('Ctrl-C', () => {
  test('ends the sampling, writes what there is, and says so', async () => {
    const target = await spawnTarget(`${WORK} ${TELLS}`)
    const cwd = temporaryFolder()
    const running = startCli(['profile', target.pid, '--heap', '--duration', '1h', '--interval', '1KiB', '-o', 'a'], {
      cwd,
    })
    const begun = async () => (await sampledIn(target, 1))[0] === 'main is sampled'
    await until(begun, 'the sampling to begin', 60_000)
    await worked(target)
    running.child.kill('SIGINT')
    const { code, stdout, stderr } = await running.done
    expect(code).toBe(130)
    expect(stdout).toMatch(/^a {2}.+ that it allocated in .+s\n$/)
    expect(stderr).toContain('stopped by SIGINT; what was sampled until then is written')
    expect(bytesUnder('hoard', read(cwd, 'a'))).toBeGreaterThan(0)
    expect(await sampledIn(target, 1)).toEqual(['main is left alone'])
    expect(portsOf(target.pid)).toEqual([])
  })

  test('before it has begun leaves nothing', async () => {
    const target = await spawnTarget()
    target.child.kill('SIGSTOP')
    const cwd = temporaryFolder()
    const running = startCli(['profile', target.pid, '--cpu', '-o', 'a'], { cwd })
    await new Promise((resolve) => setTimeout(resolve, 500))
    running.child.kill('SIGINT')
    target.child.kill('SIGCONT')
    const { code, stdout } = await running.done
    expect(code).not.toBe(0)
    expect(stdout).toBe('')
    expect(filesIn(cwd)).toEqual([])
  })
})

describe('what goes wrong', () => {
  test('a process that dies in the middle leaves no file, and is told of', async () => {
    const target = await spawnTarget()
    const cwd = temporaryFolder()
    const running = startCli(['profile', target.pid, '--heap', '--duration', '1h', '-o', 'a'], { cwd })
    await until(() => target.output().includes('Debugger attached'), 'the visit', 60_000)
    await new Promise((resolve) => setTimeout(resolve, 500))
    target.child.kill('SIGKILL')
    const { code, stderr } = await running.done
    expect(code).toBe(3)
    expect(stderr).toContain(`process ${target.pid} ended before the work was done`)
    expect(filesIn(cwd)).toEqual([])
  })

  test.runIf(isRoot)('a full disk is told of, and holds no half of a file', async () => {
    const target = await spawnTarget(`${WORK} ${TELLS}`)
    const disk = temporaryFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', disk])
    try {
      writeFileSync(join(disk, 'filler'), Buffer.alloc(4096))
      const args = ['profile', target.pid, '--cpu', '--duration', '1s', '-o', join(disk, 'a')]
      const { code, stderr } = await runCli(args)
      expect(code).toBe(3)
      expect(stderr).toContain(`no space left for ${join(disk, 'a')}`)
      expect(filesIn(disk)).toEqual(['filler'])
    } finally {
      execFileSync('umount', [disk])
    }
    expect(portsOf(target.pid)).toEqual([])
  })

  test.runIf(nobodyMayRun)('a folder that one may not write to is told of, and the target left alone', async () => {
    const target = await spawnTarget('', { executable: nodeForEverybody(), uid: NOBODY.uid })
    const folder = temporaryFolder()
    chmodSync(folder, 0o755)
    const { code, stderr } = await runCli(
      ['profile', target.pid, '--cpu', '--duration', '300ms', '-o', join(folder, 'a')],
      NOBODY,
    )
    expect(code).toBe(3)
    expect(stderr).toContain('we may not write there')
    expect(filesIn(folder)).toEqual([])
    expect(portsOf(target.pid)).toEqual([])
  })

  test('a name that is taken is known before the target hears of us', async () => {
    const target = await spawnTarget()
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'a'), 'precious')
    mkdirSync(join(cwd, 'b'))
    for (const args of [
      ['-o', 'a'],
      ['-o', 'b', '--isolate', 'all'],
      ['-o', 'no/a'],
      ['-o', 'b'],
    ]) {
      expect(await runCli(['profile', target.pid, '--cpu', ...args], { cwd })).toMatchObject({ code: 3, stdout: '' })
    }
    expect(target.output()).not.toContain('Debugger')
    expect(readFileSync(join(cwd, 'a'), 'utf8')).toBe('precious')
  })

  test.each([
    [[], 'give either --cpu or --heap'],
    [['--cpu', '--heap'], '--cpu and --heap exclude each other'],
    [['--cpu', '--include-collected'], '--include-collected is for --heap only'],
    [['--cpu', '--duration', '0'], '--duration takes a duration such as 500ms'],
    [['--cpu', '--duration=-5s'], '--duration takes a duration such as 500ms'],
    [['--heap', '--duration', '48h'], '--duration takes a day (24h) at most'],
    [['--heap', '--duration', '3d'], '--duration takes a duration such as 500ms'],
    [['--cpu', '--duration', '1h'], '--interval 4ms is enough for so long a time'],
    [['--cpu', '--duration', '5ms', '--interval', '10ms'], 'there would be no sample in 5 ms'],
    [['--cpu', '--interval', '0'], '--interval takes, with --cpu, microseconds from 50 to 1000000'],
    [['--cpu', '--interval=-1'], '--interval takes, with --cpu, microseconds'],
    [['--cpu', '--interval', '1'], '--interval takes, with --cpu, microseconds'],
    [['--cpu', '--interval', '64KiB'], '--interval takes, with --cpu, microseconds'],
    [['--heap', '--interval', '0'], '--interval takes, with --heap, bytes from 1KiB'],
    [['--heap', '--interval', '2TB'], '--interval takes, with --heap, bytes from 1KiB'],
    [['--heap', '--interval', '5ms'], '--interval takes'],
    [['--heap', '--isolate', 'worker:0'], '--isolate takes main, all, or worker:3'],
  ])('%j is a mistake in the command line', async (args, says) => {
    const { code, stdout, stderr } = await runCli(['profile', process.pid, ...args])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(says)
  })
})
