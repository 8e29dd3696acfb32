// `leakscope snapshot --isolate` as a user runs it, on real processes.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readBundle } from '../../../src/capture/bundle.ts'
import {
  BIG_HEAP,
  filesIn,
  heapIds,
  portsOf,
  readSnapshotFile,
  runCli,
  type SpawnedTarget,
  spawnTarget,
  startCli,
  temporaryFolder,
  until,
} from '../../support/target.ts'
import { IDLE, WHEN_ALL_RUN, worker } from '../../support/workers.ts'

async function spawnWithWorkers(source: string): Promise<SpawnedTarget> {
  const target = await spawnTarget(`${source}\n${WHEN_ALL_RUN}`)
  await until(() => target.output().includes('all run'), 'the workers to run')
  return target
}

const TWO_WORKERS = worker(IDLE, { name: 'pool' }) + worker(IDLE)
const BUNDLE = [
  'capture.json',
  'main.heapsnapshot',
  'scripts.json.gz',
  'worker-1.heapsnapshot',
  'worker-2.heapsnapshot',
]

describe('--isolate all', () => {
  test('makes a folder with a name of its own, and tells of each isolate in a line', async () => {
    const target = await spawnWithWorkers(TWO_WORKERS)
    const cwd = temporaryFolder()
    const { code, stdout, stderr } = await runCli(
      ['snapshot', target.pid, '--via', 'inspector', '--isolate', 'all', '-q'],
      { cwd },
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [name, ...others] = filesIn(cwd)
    expect(others).toEqual([])
    expect(name).toMatch(new RegExp(`^leakscope-${target.pid}-\\d{8}-\\d{6}$`))
    expect(filesIn(join(cwd, name!))).toEqual(BUNDLE)
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatch(/main\.heapsnapshot {2}[\d.]+ MB {2}[\d,]+ nodes {2}main stood still for .+s$/)
    expect(lines[2]).toMatch(/worker-2\.heapsnapshot {2}.+ {2}worker:2 stood still for .+s$/)
    expect(portsOf(target.pid)).toEqual([])
    expect(await target.answers()).toBe(true)
  })

  test('makes a bundle also of a process without workers', async () => {
    const target = await spawnTarget()
    const cwd = temporaryFolder()
    expect(
      (await runCli(['snapshot', target.pid, '--via', 'inspector', '--isolate', 'all', '-o', 'b'], { cwd })).code,
    ).toBe(0)
    expect(filesIn(join(cwd, 'b'))).toEqual(['capture.json', 'main.heapsnapshot', 'scripts.json.gz'])
    expect(readBundle(join(cwd, 'b')).links).toEqual([])
  })

  test('does not replace a bundle without --force, and nothing else with it', async () => {
    const target = await spawnTarget()
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'mine'))
    writeFileSync(join(cwd, 'mine', 'capture.json'), '{}')
    writeFileSync(join(cwd, 'mine', 'precious'), 'precious')
    writeFileSync(join(cwd, 'file'), 'precious')
    const take = (...args: string[]) =>
      runCli(['snapshot', target.pid, '--via', 'inspector', '--isolate', 'all', ...args], { cwd })
    for (const [args, says] of [
      [['-o', 'mine'], /mine exists already\n.*--force/],
      [['-o', 'mine', '--force'], /mine is a folder with other things in it\n/],
      [['-o', 'file', '--force'], /file is there already, and is not a folder\n/],
      [['-o', 'no/b'], /the folder .+no does not exist/],
    ] as const) {
      expect(await take(...args)).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(says) })
    }
    expect(target.output()).not.toContain('Debugger')
    expect(filesIn(join(cwd, 'mine'))).toEqual(['capture.json', 'precious'])

    expect((await take('-o', 'b')).code).toBe(0)
    const before = readFileSync(join(cwd, 'b', 'capture.json'), 'utf8')
    expect((await take('-o', 'b')).code).toBe(3)
    expect(readFileSync(join(cwd, 'b', 'capture.json'), 'utf8')).toBe(before)
    expect((await take('-o', 'b', '--force', '--count', '2', '--every', '10ms')).code).toBe(0)
    expect(filesIn(join(cwd, 'b'))).toEqual([
      'capture.json',
      'main-1.heapsnapshot',
      'main-2.heapsnapshot',
      'scripts.json.gz',
    ])
    expect(statSync(join(cwd, 'b')).mode & 0o777).toBe(0o700)
    expect(filesIn(cwd)).toEqual(['b', 'file', 'mine'])
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s leaves neither a folder nor an open inspector', async (signal) => {
    const target = await spawnWithWorkers(worker(`${BIG_HEAP}; ${IDLE}`))
    const cwd = temporaryFolder()
    const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '--isolate', 'all', '-o', 'b'], { cwd })
    const inside = () => filesIn(cwd).flatMap((folder) => filesIn(join(cwd, folder)))
    await until(() => inside().some((name) => name.includes('worker-1')), 'the worker’s snapshot to begin')
    cli.child.kill(signal)
    const { code, stdout, stderr } = await cli.done
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    expect(stderr).toContain(`stopped by ${signal}`)
    expect(filesIn(cwd)).toEqual([])
    await until(() => portsOf(target.pid).length === 0, 'the inspector to be shut')
    expect(await target.answers()).toBe(true)
  })

  test('a target that is stopped amid a worker’s snapshot is given up in bounded time', async () => {
    const target = await spawnWithWorkers(worker(`${BIG_HEAP}; ${IDLE}`))
    const cwd = temporaryFolder()
    const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '--isolate', 'all', '-o', 'b'], { cwd })
    const inside = () => filesIn(cwd).flatMap((folder) => filesIn(join(cwd, folder)))
    await until(() => inside().some((name) => name.includes('worker-1')), 'the worker’s snapshot to begin')
    target.child.kill('SIGSTOP')
    const { code, stderr } = await cli.done
    expect(code).toBe(3)
    expect(stderr).toMatch(/is stopped and cannot answer\n.*kill -CONT/)
    expect(filesIn(cwd)).toEqual([])
    target.child.kill('SIGCONT')
    expect(await target.answers()).toBe(true)
  })

  test.runIf(process.getuid?.() === 0)('leaves nothing on a disk that is full', async () => {
    const target = await spawnWithWorkers(worker(`${BIG_HEAP}; ${IDLE}`))
    const disk = temporaryFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk])
    try {
      const args = [
        'snapshot',
        target.pid,
        '--via',
        'inspector',
        '--isolate',
        'all',
        '-o',
        join(disk, 'b'),
        '--at-any-price',
      ]
      const { code, stdout, stderr } = await runCli(args)
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
      expect(stderr).toMatch(/no space left for .+b\/worker-1\.heapsnapshot/)
      expect(filesIn(disk)).toEqual([])
      expect(portsOf(target.pid)).toEqual([])
    } finally {
      execFileSync('umount', [disk])
    }
  })
})

describe('--isolate worker:N', () => {
  test('takes that worker’s heap, to a file', async () => {
    const target = await spawnWithWorkers(worker(IDLE) + worker(`globalThis.mine = 'only in worker two'; ${IDLE}`))
    const cwd = temporaryFolder()
    const { code, stdout, stderr } = await runCli(
      ['snapshot', target.pid, '--via', 'inspector', '--isolate', 'worker:2', '-q'],
      { cwd },
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [name] = filesIn(cwd)
    expect(name).toMatch(new RegExp(`^leakscope-${target.pid}-worker-2-\\d{8}-\\d{6}\\.heapsnapshot$`))
    expect(stdout).toContain(`worker 2 of process ${target.pid} stood still for`)
    expect(readSnapshotFile(join(cwd, name!)).strings).toContain('only in worker two')
    expect(portsOf(target.pid)).toEqual([])
  })

  test('takes a series of it', async () => {
    const target = await spawnWithWorkers(worker(`class Kept {}; globalThis.kept = new Kept(); ${IDLE}`))
    const cwd = temporaryFolder()
    const args = [
      'snapshot',
      target.pid,
      '--via',
      'inspector',
      '--isolate',
      'worker:1',
      '--count',
      2,
      '--every',
      '10ms',
      '-o',
      'a',
    ]
    expect((await runCli(args, { cwd })).code).toBe(0)
    expect(filesIn(cwd)).toEqual(['a-1', 'a-2'])
    expect(heapIds(join(cwd, 'a-1'), 'Kept')).toEqual(heapIds(join(cwd, 'a-2'), 'Kept'))
  })

  test('says which workers there are when there is none of that number', async () => {
    const target = await spawnWithWorkers(TWO_WORKERS)
    const cwd = temporaryFolder()
    expect(
      await runCli(['snapshot', target.pid, '--via', 'inspector', '--isolate', 'worker:9', '-o', 'a'], { cwd }),
    ).toMatchObject({
      code: 3,
      stderr: 'leakscope: the process has no worker 9\n  Its workers are 1, 2.\n',
    })
    expect(filesIn(cwd)).toEqual([])
    expect(portsOf(target.pid)).toEqual([])
  })

  test.each(['worker', 'worker:', 'worker:0', 'worker:-1', 'worker:1.5', 'everything', ''])(
    'refuses %j',
    async (which) => {
      const { code, stderr } = await runCli(['snapshot', '1', '--isolate', which])
      expect(code).toBe(2)
      expect(stderr).toMatch(/--isolate takes main, all, or worker:3/)
    },
  )
})

describe('what takes bundles', () => {
  const GROWS = `class Kept { constructor(i) { this.i = i } }
    globalThis.all = []; setInterval(() => all.push(new Kept(all.length)), 5)`

  test('diff compares each isolate of a series with itself, analyze tells of each', async () => {
    const target = await spawnWithWorkers(worker(GROWS, { name: 'pool' }) + worker(IDLE))
    const cwd = temporaryFolder()
    const args = [
      'snapshot',
      target.pid,
      '--via',
      'inspector',
      '--isolate',
      'all',
      '--count',
      3,
      '--every',
      '200ms',
      '-o',
      'b',
    ]
    expect((await runCli(args, { cwd })).code).toBe(0)

    const diff = await runCli(['diff', 'b'], { cwd })
    expect({ code: diff.code, stderr: diff.stderr }).toEqual({ code: 0, stderr: '' })
    expect(diff.stdout.match(/^ (main|worker:\d) $/gm)).toEqual([' main ', ' worker:1 ', ' worker:2 '])
    const { growth, snapshots } = JSON.parse((await runCli(['diff', 'b', '--json'], { cwd })).stdout)
    expect(growth.matching).toBe('id')
    expect(growth.isolates.map(({ isolate }: { isolate: string }) => isolate)).toEqual(['main', 'worker:1', 'worker:2'])
    expect(snapshots).toHaveLength(9)
    const kept = growth.clusters.filter((cluster: { constructor: string }) => cluster.constructor === 'Kept')
    expect(kept).toMatchObject([{ isolate: 'worker:1', kind: 'added' }])
    expect(kept[0].countPerStep).toHaveLength(2)

    const analyzed = await runCli(['analyze', 'b', '--limit', '3'], { cwd })
    expect(analyzed.stdout.match(/^ (main|worker:\d) $/gm)).toEqual([' main ', ' worker:1 ', ' worker:2 '])
    expect(analyzed.stdout).toContain(join('b', 'worker-1-3.heapsnapshot'))
    const { heap } = JSON.parse((await runCli(['analyze', 'b', '--json'], { cwd })).stdout)
    const rows = heap.constructors.filter(({ name }: { name: string }) => name === 'Kept')
    expect(rows).toMatchObject([{ isolate: 'worker:1' }])
  })

  test('diff of two bundles matches isolates by name, and says what is in one only', async () => {
    const target = await spawnWithWorkers(
      `${worker(GROWS) + worker(IDLE)} process.once('SIGUSR2', () => { workers[1].terminate(); ${worker(IDLE)} })`,
    )
    const cwd = temporaryFolder()
    const take = (name: string) =>
      runCli(['snapshot', target.pid, '--via', 'inspector', '--isolate', 'all', '-o', name], { cwd })
    expect((await take('a')).code).toBe(0)
    expect(await target.answers()).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 800))
    expect((await take('b')).code).toBe(0)

    const { code, stdout } = await runCli(['diff', 'a', 'b'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(/Not compared:\n {2}worker:2 {2}only in a\n {2}worker:3 {2}only in b\n$/)
    const { growth } = JSON.parse((await runCli(['diff', 'a', 'b', '--json'], { cwd })).stdout)
    expect(growth.notCompared).toEqual([
      { isolate: 'worker:2', reason: 'only in a' },
      { isolate: 'worker:3', reason: 'only in b' },
    ])
    expect(growth.constructors.filter(({ name }: { name: string }) => name === 'Kept')).toMatchObject([
      { isolate: 'worker:1' },
    ])

    for (const [args, says] of [
      [['a'], /there are not two snapshots of any isolate in a\n.+--count/],
      [['a', join('a', 'main.heapsnapshot')], /a bundle cannot be compared with a file\n/],
    ] as const) {
      expect(await runCli(['diff', ...args], { cwd })).toMatchObject({ code: 2, stderr: expect.stringMatching(says) })
    }
  })

  test.each([
    ['{', /capture\.json is no capture/],
    ['{"schemaVersion":2}', /capture\.json is no capture: schemaVersion/],
  ])('a capture.json that says %j is refused', async (text, says) => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'b'))
    writeFileSync(join(cwd, 'b', 'capture.json'), text)
    for (const command of ['analyze', 'diff']) {
      expect(await runCli([command, 'b'], { cwd })).toMatchObject({ code: 3, stderr: expect.stringMatching(says) })
    }
  })
})
