// `leakscope snapshot` as a user runs it, on real processes, with everything that can go wrong.

import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openSession } from '../../../src/target/session.ts'
import {
  BIG_HEAP,
  filesIn,
  NOBODY,
  nobodyMayRun,
  nodeForEverybody,
  portsOf,
  readSnapshotFile,
  runCli,
  spawnTarget,
  start,
  startCli,
  TARGET_NODE,
  temporaryFolder,
  until,
} from '../../support/target.ts'

const isRoot = process.getuid?.() === 0
const targetMajor = Number(execFileSync(TARGET_NODE, ['-p', 'parseInt(process.versions.node)'], { encoding: 'utf8' }))

function stateOf(pid: number): string {
  return /^State:\s*(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
}

describe('a snapshot of a plain process', () => {
  test('is whole, private, named on standard output, and the inspector is shut again', async () => {
    const target = await spawnTarget(`globalThis.leak = ['a string that only this heap holds']`)
    const folder = temporaryFolder()
    const { code, stdout, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector', '--quiet'], {
      cwd: folder,
    })

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const [name] = filesIn(folder)
    expect(filesIn(folder)).toHaveLength(1)
    expect(name).toMatch(new RegExp(`^leakscope-${target.pid}-\\d{8}-\\d{6}\\.heapsnapshot$`))
    expect(statSync(join(folder, name!)).mode & 0o777).toBe(0o600)
    const { nodeCount, nodes, strings } = readSnapshotFile(join(folder, name!))
    expect(nodes).toBe(nodeCount)
    expect(strings).toContain('a string that only this heap holds')
    expect(stdout).toMatch(
      new RegExp(`^${name}  [\\d.]+ MB  [\\d,]+ nodes  process ${target.pid} stood still for .+s\n$`),
    )
    expect(stdout).toContain(`${nodeCount.toLocaleString('en-US')} nodes`)
    expect(portsOf(target.pid)).toEqual([])
    expect(await target.answers()).toBe(true)
  })

  test('has the values of numbers in it', async () => {
    const target = await spawnTarget('globalThis.leak = { count: 918273645 }')
    const path = join(temporaryFolder(), 'a')
    await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', path])
    expect(readSnapshotFile(path).strings).toContain('918273645')
  })

  test('can be several of one visit, whose object ids mean the same objects', async () => {
    const target = await spawnTarget('globalThis.all = []; setInterval(() => all.push({ now: Date.now() }), 5)')
    const cwd = temporaryFolder()
    const args = [
      'snapshot',
      target.pid,
      '--via',
      'inspector',
      '--count',
      3,
      '--every',
      '300ms',
      '-o',
      'a.heapsnapshot',
      '-q',
    ]
    const { code, stdout, stderr } = await runCli(args, { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const names = ['a-1.heapsnapshot', 'a-2.heapsnapshot', 'a-3.heapsnapshot']
    expect(filesIn(cwd)).toEqual(names)
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split('  ')[0]),
    ).toEqual(names)
    expect(portsOf(target.pid)).toEqual([])
    const { growth } = JSON.parse((await runCli(['diff', ...names, '--json'], { cwd })).stdout)
    expect(growth.matching).toBe('id')
    expect(growth.clusters[0].countPerStep).toHaveLength(2)
  })

  test('is not begun when one of several names is taken', async () => {
    const target = await spawnTarget()
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'a-2'), 'mine')
    const result = await runCli(['snapshot', target.pid, '--via', 'inspector', '--count', 2, '-o', 'a'], { cwd })
    expect(result).toMatchObject({ code: 3, stdout: '' })
    expect(filesIn(cwd)).toEqual(['a-2'])
    expect(target.output()).not.toContain('Debugger')
  })

  test('can be given up while it waits for the next', async () => {
    const target = await spawnTarget()
    const cwd = temporaryFolder()
    const running = startCli(['snapshot', target.pid, '--via', 'inspector', '--count', 2, '--every', '1h', '-o', 'a'], {
      cwd,
    })
    await until(() => filesIn(cwd).includes('a-1'), 'the first snapshot')
    running.child.kill('SIGINT')
    expect(await running.done).toMatchObject({ code: 130 })
    expect(filesIn(cwd)).toEqual(['a-1'])
    await until(() => portsOf(target.pid).length === 0, 'the inspector to be shut')
    expect(await target.answers()).toBe(true)
  })

  test('can be taken again and again', async () => {
    const target = await spawnTarget()
    const folder = temporaryFolder()
    for (const name of ['1', '2', '3']) {
      expect((await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, name)])).code).toBe(0)
    }
    expect(filesIn(folder)).toEqual(['1', '2', '3'])
    expect(portsOf(target.pid)).toEqual([])
  })

  test('can be taken of a program of ES modules only', async () => {
    const target = await spawnTarget('', { args: ['--inspect-port=0', '--input-type=module'] })
    expect(
      (await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'a')])).code,
    ).toBe(0)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('leaves ports of the program alone, and finds the inspector among them', async () => {
    const target = await spawnTarget(`
      const connections = []
      const count = () => connections.push(1)
      globalThis.servers = [0, 0].map(() => require('net').createServer(count).listen(0, '127.0.0.1'))
      process.on('SIGUSR2', () => console.log('connections: ' + connections.length))`)
    await until(() => portsOf(target.pid).length === 2)
    const before = portsOf(target.pid)
    expect(
      (await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'a')])).code,
    ).toBe(0)
    expect(portsOf(target.pid)).toEqual(before)
    expect(await target.answers()).toBe(true)
    expect(target.output()).toContain('connections: 0')
  })

  test('does not wait for a program that is busy in JavaScript', async () => {
    const target = await spawnTarget('setTimeout(() => { for (;;) Math.random() }, 100)')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(
      (await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'a')])).code,
    ).toBe(0)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('leaves an inspector open that was open before', async () => {
    const target = await spawnTarget('', { args: ['--inspect=127.0.0.1:0'] })
    const before = portsOf(target.pid)
    expect(before).toHaveLength(1)
    expect(
      (await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'a')])).code,
    ).toBe(0)
    expect(portsOf(target.pid)).toEqual(before)
  })

  test('of two at once, neither spoils the other, and the last one shuts the inspector', async () => {
    // Large enough for the visits to overlap, small enough for the second not to wait in vain on a busy machine.
    const target = await spawnTarget(BIG_HEAP.replace('4e5', '1e5'))
    const folder = temporaryFolder()
    const first = runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, '1')])
    await until(() => portsOf(target.pid).length > 0)
    const second = runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, '2')])
    for (const { code, stderr } of [await first, await second]) expect(code, stderr).toBe(0)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('finds its way when the program has put its own things in place of Node’s', async () => {
    const target = await spawnTarget(
      `process.title = 'nothing to see'; globalThis.performance = { now: () => 0 }; setImmediate(() => Object.preventExtensions(process))`,
    )
    expect(
      (await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'a')])).code,
    ).toBe(0)
    expect(portsOf(target.pid)).toEqual([])
  })
})

describe('the file', () => {
  test('is not replaced when it exists, and the target hears nothing of it', async () => {
    const target = await spawnTarget()
    const path = join(temporaryFolder(), 'a')
    writeFileSync(path, 'precious')
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', path])
    expect({ code, stderr }).toEqual({ code: 3, stderr: `leakscope: ${path} exists already\n  --force replaces it.\n` })
    expect(readFileSync(path, 'utf8')).toBe('precious')
    expect(target.output()).not.toContain('Debugger')
  })

  test('is replaced with --force, whole and private', async () => {
    const target = await spawnTarget()
    const folder = temporaryFolder()
    const path = join(folder, 'a')
    writeFileSync(path, 'precious', { mode: 0o644 })
    expect((await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', path, '--force'])).code).toBe(0)
    expect(readSnapshotFile(path).nodes).toBeGreaterThan(1000)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(filesIn(folder)).toEqual(['a'])
  })

  test.each([
    ['a folder', (folder: string) => mkdirSync(join(folder, 'a')), /is a folder/],
    ['a device', (folder: string) => symlinkSync('/dev/null', join(folder, 'a')), /exists already|not a regular file/],
  ])('is not put in place of %s', async (_, prepare, message) => {
    const target = await spawnTarget()
    const folder = temporaryFolder()
    prepare(folder)
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, 'a')])
    expect(code).toBe(3)
    expect(stderr).toMatch(message)
    expect(filesIn(folder)).toEqual(['a'])
  })

  test('never takes the place of a device, not even with --force', async () => {
    const target = await spawnTarget()
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', '/dev/null', '--force'])
    expect(code).toBe(3)
    expect(stderr).toContain('not a regular file')
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
  })

  test('is not made in a folder that does not exist', async () => {
    const target = await spawnTarget()
    const { code, stderr } = await runCli([
      'snapshot',
      target.pid,
      '--via',
      'inspector',
      '-o',
      join(temporaryFolder(), 'no', 'a'),
    ])
    expect(code).toBe(3)
    expect(stderr).toMatch(/folder .* does not exist/)
    expect(target.output()).not.toContain('Debugger')
  })

  test.runIf(nobodyMayRun)('is not made where we may not write', async () => {
    const target = await spawnTarget('', { executable: nodeForEverybody(), uid: NOBODY.uid })
    const folder = temporaryFolder()
    chmodSync(folder, 0o755)
    const { code, stderr } = await runCli(
      ['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, 'a')],
      NOBODY,
    )
    expect(code).toBe(3)
    expect(stderr).toContain('we may not write there')
    expect(portsOf(target.pid)).toEqual([])
  })

  test.runIf(isRoot)('is taken away again when the disk is full', async () => {
    const target = await spawnTarget(BIG_HEAP)
    const disk = temporaryFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
    try {
      const { code, stderr } = await runCli([
        'snapshot',
        target.pid,
        '--via',
        'inspector',
        '-o',
        join(disk, 'a'),
        '--at-any-price',
      ])
      expect(code).toBe(3)
      expect(stderr).toMatch(/no space left for/)
      expect(filesIn(disk)).toEqual([])
      expect(portsOf(target.pid)).toEqual([])
      expect(await target.answers()).toBe(true)
    } finally {
      execFileSync('umount', [disk])
    }
  })
})

describe('bad input', () => {
  test.each(['abc', '0', '-5', '1.5', 'NaN', '', '99999999999999999999', 'localhost:0', '::1:9229', 'wss://a:1'])(
    'refuses the target %j as a usage error',
    async (pid) => {
      const { code, stdout, stderr } = await runCli(['snapshot', pid])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).not.toBe('')
    },
  )

  test.each([[['snapshot']], [['snapshot', '1', '--what']], [['snapshot', '1', '2']]])('refuses %j', async (args) => {
    expect((await runCli(args)).code).toBe(2)
  })

  test('says that there is no such process', async () => {
    const { code, stderr } = await runCli(['snapshot', 4_000_000])
    expect(code).toBe(3)
    expect(stderr).toMatch(/there is no process 4000000\n {2}`leakscope ps`/)
  })

  test('refuses itself', async () => {
    const child = start('sh', [
      '-c',
      `exec "${process.execPath}" "$0" snapshot $$`,
      join(import.meta.dirname, '../../../bin/leakscope.js'),
    ])
    let stderr = ''
    child.stderr.on('data', (part) => {
      stderr += part
    })
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(code).toBe(2)
    expect(stderr).toContain('is leakscope itself')
  })

  test('sends nothing to a process that is not Node', async () => {
    const other = start('sleep', ['30'])
    const { code, stderr } = await runCli(['snapshot', other.pid!])
    expect(code).toBe(3)
    expect(stderr).toContain('is not Node.js (sleep)')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(other.signalCode).toBe(null)
  })

  test('says that a process is a zombie', async () => {
    const parent = start('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 30'])
    const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)))
    await until(() => stateOf(pid) === 'Z')
    const { code, stderr } = await runCli(['snapshot', pid])
    expect(code).toBe(3)
    expect(stderr).toContain(`process ${pid} has ended`)
  })

  test('says that a thread is not a process', async () => {
    const target = await spawnTarget()
    const thread = execFileSync('ls', [`/proc/${target.pid}/task`], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .at(-1)!
    const { code, stderr } = await runCli(['snapshot', thread])
    expect(code).toBe(3)
    expect(stderr).toContain(`there is no process ${thread}`)
  })

  test.runIf(nobodyMayRun)('says whose process it is when it may not look into it', async () => {
    const target = await spawnTarget()
    const { code, stderr } = await runCli(
      ['snapshot', target.pid, '--via', 'inspector', '-o', '/tmp/leakscope-never'],
      NOBODY,
    )
    expect(code).toBe(3)
    expect(stderr).toMatch(/belongs to user 0.*\n {2}Run leakscope as the same user, or as root/)
  })

  test('refuses a stopped process at once', async () => {
    const target = await spawnTarget()
    target.child.kill('SIGSTOP')
    await until(() => stateOf(target.pid) === 'T')
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector'])
    expect(code).toBe(3)
    expect(stderr).toMatch(/is stopped and cannot answer\n.*kill -CONT/)
  })

  test.each([
    // Flags, the first Node that has them, and what is said.
    [['--disable-sigusr1'], 22, /: it was started with --disable-sigusr1\n.*--inspect=127\.0\.0\.1:0/],
    [
      ['--permission', '--allow-fs-read=*'],
      22,
      /--permission and without --allow-inspector\n.*--inspect alone does not/,
    ],
    [['--experimental-permission', '--allow-fs-read=*'], 20, /--permission and without --allow-inspector\n/],
  ] as const)('sends nothing to a process that would not open its inspector: %j', async (args, since, message) => {
    const known = spawnSync(TARGET_NODE, [...args, '-e', '0']).status === 0
    // Options come and go with versions; those that must be there are.
    if (!known) {
      expect(targetMajor < since || args[0] === '--experimental-permission', `${args[0]} is not known`).toBe(true)
      return
    }
    const target = await spawnTarget('', { args })
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector'])
    expect(code).toBe(3)
    expect(stderr).toMatch(/does not open its inspector on SIGUSR1/)
    expect(stderr).toMatch(message)
    expect(await target.answers()).toBe(true)
  })

  test('knows a Node that was built without the inspector, and sends nothing to it', async () => {
    const binary = readFileSync(TARGET_NODE)
    const without = join(temporaryFolder(), 'node')
    for (const [text, other] of [
      ['"v8_enable_inspector": 1', '"v8_enable_inspector": 0'],
      ['Starting inspector on %s:%d failed: %s', 'XXXXXXXX inspector on %s:%d failed: %s'],
    ] as const) {
      let at = binary.indexOf(text)
      expect(at).toBeGreaterThan(0)
      for (; at !== -1; at = binary.indexOf(text, at + 1)) binary.write(other, at, 'latin1')
    }
    writeFileSync(without, binary, { mode: 0o755 })
    const target = await spawnTarget('', { executable: without })
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector'])
    expect(code).toBe(3)
    expect(stderr).toMatch(/built without the inspector \(v8_enable_inspector is 0\)\n.*official build/)
    expect(target.output()).not.toContain('Debugger')
    expect(await target.answers()).toBe(true)
  })

  test('names who has the port that the target needs, and leaves both alone', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => holder.once('listening', resolve))
    const { port } = holder.address() as { port: number }
    try {
      const target = await spawnTarget('', { args: [`--inspect-port=${port}`] })
      const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector'])
      expect(code).toBe(3)
      expect(stderr).toMatch(new RegExp(`on port ${port}, because process ${process.pid} \\(.*node.*\\) listens there`))
      expect(stderr).toContain('--inspect-port=0')
      expect(target.output()).not.toContain('failed')
    } finally {
      holder.close()
    }
  })
})

describe('half-way', () => {
  test('a target that is killed is named as ended, and leaves no file', async () => {
    const target = await spawnTarget(BIG_HEAP)
    const folder = temporaryFolder()
    const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, 'a')])
    await until(() => filesIn(folder).length > 0)
    target.child.kill('SIGKILL')
    const { code, stderr } = await cli.done
    expect(code).toBe(3)
    expect(stderr).toContain(`process ${target.pid} ended before the work was done`)
    expect(filesIn(folder)).toEqual([])
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s leaves no file, no open inspector, and a target that goes on',
    async (signal) => {
      const target = await spawnTarget(BIG_HEAP)
      const folder = temporaryFolder()
      const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, 'a')])
      await until(() => filesIn(folder).length > 0)
      cli.child.kill(signal)
      const { code, stderr } = await cli.done
      expect(code).toBe(130)
      expect(stderr).toContain(`stopped by ${signal}`)
      expect(filesIn(folder)).toEqual([])
      expect(portsOf(target.pid)).toEqual([])
      expect(await target.answers()).toBe(true)
    },
  )

  test('a debugger that joins is not cut off: the inspector stays open, and leakscope says so', async () => {
    const target = await spawnTarget(BIG_HEAP)
    const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'a')])
    await until(() => /ws:\S+/.test(target.output()))
    const debugger_ = await openSession(/ws:\S+/.exec(target.output())![0], new AbortController().signal)
    const { code, stderr } = await cli.done
    expect(code).toBe(0)
    expect(stderr).toMatch(/the inspector of process \d+ stays open on port \d+: another debugger uses it/)
    expect(await debugger_.send('Runtime.evaluate', { expression: '6 * 7' })).toMatchObject({ result: { value: 42 } })
    debugger_.close()
  })

  test('Ctrl-C while the inspector is opening leaves it shut', async () => {
    const target = await spawnTarget()
    const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'a')])
    await until(() => target.output().includes('Debugger listening') || cli.child.exitCode !== null)
    cli.child.kill('SIGINT')
    await cli.done
    await until(() => portsOf(target.pid).length === 0)
    expect(await target.answers()).toBe(true)
  })

  test('a target that is stopped is given up in bounded time, and shuts its inspector when it goes on', async () => {
    const target = await spawnTarget(BIG_HEAP)
    const folder = temporaryFolder()
    const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, 'a')])
    await until(() => filesIn(folder).length > 0)
    target.child.kill('SIGSTOP')
    const { code, stderr } = await cli.done
    expect(code).toBe(3)
    expect(stderr).toMatch(/is stopped and cannot answer\n.*kill -CONT/)
    expect(stderr).toMatch(/is still open on 127.0.0.1:\d+, because the process is stopped/)
    expect(filesIn(folder)).toEqual([])
    target.child.kill('SIGCONT')
    await until(() => portsOf(target.pid).length === 0, 'the inspector to be shut', 60_000)
    expect(await target.answers()).toBe(true)
  })

  test('a leakscope that was killed is tidied up after by the next one', async () => {
    const target = await spawnTarget(BIG_HEAP)
    const folder = temporaryFolder()
    const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, 'a')])
    // An empty one is but a try whether we may write there.
    await until(() => filesIn(folder).some((name) => statSync(join(folder, name)).size > 0))
    cli.child.kill('SIGKILL')
    await cli.done
    expect(portsOf(target.pid)).toHaveLength(1)
    const next = await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(folder, 'b')])
    expect(next.code).toBe(0)
    expect(next.stderr).toMatch(
      new RegExp(
        `the inspector of process ${target.pid} was left open by a leakscope .*process ${cli.child.pid}, which came at 20`,
      ),
    )
    expect(portsOf(target.pid)).toEqual([])
  })
})
