// `leakscope snapshot --via outside` and `leakscope analyze` of a core file, as a user runs them.

import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ReportSchema } from '../../../src/findings/report.ts'
import { isStopped } from '../../../src/outside/stop.ts'
import {
  CLI,
  filesIn,
  heapIds,
  NOBODY,
  nobodyMayRun,
  portsOf,
  readSnapshotFile,
  runCli,
  spawnTarget,
  start,
  TARGET_NODE,
  temporaryFolder,
  until,
} from '../../support/target.ts'
import { worker } from '../../support/workers.ts'

const onLinux = process.platform === 'linux'
const ACCOUNTS = `class Account { constructor(i) { this.i = i; this.token = 'secret-' + i } }
  globalThis.accounts = Array.from({ length: 321 }, (_, i) => new Account(i));`

describe.runIf(onLinux)('leakscope snapshot --via outside', () => {
  test('writes a heap snapshot without asking the process for anything', async () => {
    const target = await spawnTarget(ACCOUNTS)
    const cwd = temporaryFolder()
    const { code, stdout, stderr } = await runCli(
      ['snapshot', target.pid, '--via', 'outside', '-o', 'a.heapsnapshot'],
      { cwd },
    )
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `leakscope: the heap of process ${target.pid} is read from outside, as asked: it does nothing for that, and stands still for 1.0 s at most\n`,
    })
    expect(stdout).toMatch(
      /^a\.heapsnapshot {2}[\d.]+ MB {2}[\d,]+ nodes {2}read from outside \([\d.]+ MB copied\): process/,
    )
    const file = join(cwd, 'a.heapsnapshot')
    const { nodeCount, nodes } = readSnapshotFile(file)
    expect(nodes).toBe(nodeCount)
    expect(heapIds(file, 'Account').size).toBe(321)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(portsOf(target.pid)).toEqual([])
    expect(await target.answers()).toBe(true)
    expect(target.output()).not.toContain('Debugger')
  })

  test('is named in the JSON, as is what was written', async () => {
    const target = await spawnTarget(ACCOUNTS)
    const cwd = temporaryFolder()
    const args = ['snapshot', target.pid, '--json', '-q', '-o', 'a.heapsnapshot', '--force']
    for (const via of ['outside', 'inspector']) {
      const { code, stdout } = await runCli([...args, '--via', via], { cwd })
      expect(code).toBe(0)
      const answer = JSON.parse(stdout) as { via: string; snapshots: unknown[] }
      expect(answer).toMatchObject({ schemaVersion: 1, command: 'snapshot', via })
      const { size } = statSync(join(cwd, 'a.heapsnapshot'))
      expect(answer.snapshots).toEqual([
        expect.objectContaining({ isolate: 'main', file: 'a.heapsnapshot', fileBytes: size, reason: null }),
      ])
    }
  })

  test('is not the agent’s, which has to be there', async () => {
    const target = await spawnTarget(ACCOUNTS)
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'agent'], { cwd: temporaryFolder() })
    expect(code).toBe(3)
    expect(stderr).toContain(`no agent of leakscope is known in process ${target.pid}`)
  })

  test('writes it redacted and packed', async () => {
    const target = await spawnTarget(ACCOUNTS)
    const cwd = temporaryFolder()
    const args = ['snapshot', target.pid, '--via', 'outside', '-q', '--redact', '-o', 'a.heapsnapshot']
    expect(await runCli(args, { cwd })).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(join(cwd, 'a.heapsnapshot'), 'latin1')).not.toContain('secret-12')
    expect(heapIds(join(cwd, 'a.heapsnapshot'), 'Account').size).toBe(321)
    const packed = ['snapshot', target.pid, '--via', 'outside', '-q', '-o', 'b.heapsnapshot.gz']
    expect(await runCli(packed, { cwd })).toMatchObject({ code: 0, stderr: '' })
    expect((await runCli(['analyze', 'b.heapsnapshot.gz', '--json'], { cwd })).code).toBe(0)
  })

  test('writes the heap of a worker', async () => {
    const target = await spawnTarget(
      `${ACCOUNTS} ${worker(`class Reading {} globalThis.all = Array.from({ length: 77 }, () => new Reading());
      setInterval(() => {}, 1e6); console.log('worker runs')`)}`,
    )
    await until(() => target.output().includes('worker runs'), 'the worker')
    const cwd = temporaryFolder()
    const args = ['snapshot', target.pid, '--via', 'outside', '-q', '-o', 'w.heapsnapshot', '--isolate']
    expect(await runCli([...args, 'worker:1'], { cwd })).toMatchObject({ code: 0, stderr: '' })
    expect(heapIds(join(cwd, 'w.heapsnapshot'), 'Reading').size).toBe(77)
    const { code, stderr } = await runCli([...args, 'worker:9', '--force'], { cwd })
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: `leakscope: process ${target.pid} has no thread 9\n  It has main, worker:1.\n`,
    })
  })

  test('writes several in which an object has the same id', async () => {
    const target = await spawnTarget(`${ACCOUNTS} setInterval(() => globalThis.accounts.push(new Account(-1)), 20)`)
    const cwd = temporaryFolder()
    const args = [
      'snapshot',
      target.pid,
      '--via',
      'outside',
      '-q',
      '-o',
      'a.heapsnapshot',
      '--count',
      '2',
      '--every',
      '1s',
    ]
    const { code, stderr, stdout } = await runCli(args, { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    const [before, after] = ['a-1', 'a-2'].map((name) => heapIds(join(cwd, `${name}.heapsnapshot`), 'Account'))
    expect(Array.from(before!).filter((id) => !after!.has(id))).toEqual([])
    expect(after!.size).toBeGreaterThan(before!.size)
  })

  test('writes the heaps of all threads, of one instant, to a folder that diff understands', async () => {
    const target = await spawnTarget(
      `${ACCOUNTS} ${worker(`class Reading {} globalThis.all = Array.from({ length: 77 }, () => new Reading());
      setInterval(() => {}, 1e6); console.log('worker runs')`)}`,
    )
    await until(() => target.output().includes('worker runs'), 'the worker')
    const cwd = temporaryFolder()
    const args = ['snapshot', target.pid, '--via', 'outside', '-q', '--isolate', 'all', '-o', 'all', '--every', '1s']
    expect(await runCli([...args, '--count', '2'], { cwd })).toMatchObject({ code: 0, stderr: '' })
    expect(filesIn(join(cwd, 'all')).filter((name) => name.endsWith('.heapsnapshot'))).toEqual([
      ...['main-1.heapsnapshot', 'main-2.heapsnapshot', 'worker-1-1.heapsnapshot', 'worker-1-2.heapsnapshot'],
    ])
    const { code, stdout } = await runCli(['diff', 'all', '--json'], { cwd })
    expect(code).toBe(0)
    expect(ReportSchema.parse(JSON.parse(stdout)).growth).toMatchObject({ matching: 'id' })
  })

  test('refuses --dry-run, as it has no price to be said beforehand', async () => {
    const { code, stderr } = await runCli(['snapshot', process.pid, '--via', 'outside', '--dry-run'])
    expect(code).toBe(2)
    expect(stderr).toContain('leakscope: --via outside has no price to be said beforehand')
  })

  test('is the way that is taken of itself, as it needs none of the memory of the process', async () => {
    const target = await spawnTarget(ACCOUNTS)
    const cwd = temporaryFolder()
    const args = ['snapshot', target.pid, '-o', 'a.heapsnapshot', '--memory-limit', '1MB', '--max-pause', '20s']
    const { code, stdout, stderr } = await runCli(args, { cwd })
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `leakscope: the heap of process ${target.pid} is read from outside: it does nothing for that, and stands still for 20.0 s at most\n`,
    })
    expect(stdout).toContain('read from outside')
    expect(portsOf(target.pid)).toEqual([])
    expect(target.output()).not.toContain('Debugger')
    const refused = await runCli([...args, '--force', '--via', 'inspector'], { cwd })
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain('leakscope: no snapshot was taken: it may need')
  })

  test('gives way to V8 where it is refused, which the first lines say', async () => {
    const target = await spawnTarget(
      `${ACCOUNTS} setInterval(() => { const end = Date.now() + 20; while (Date.now() < end); }, 0)`,
    )
    const cwd = temporaryFolder()
    const args = ['snapshot', target.pid, '--max-pause', '1ms', '--at-any-price', '--json', '-o', 'a.heapsnapshot']
    const { code, stdout, stderr } = await runCli(args, { cwd })
    expect(code, stderr).toBe(0)
    const [first, second, price] = stderr.split('\n')
    expect(first).toContain(`the heap of process ${target.pid} is read from outside`)
    expect(second).toContain(
      `V8 writes the heap of process ${target.pid}, asked over the inspector; it cannot be read from outside: process ${target.pid} was let go after `,
    )
    expect(price).toContain('will stand still for')
    expect(JSON.parse(stdout)).toMatchObject({ via: 'inspector', snapshots: [{ file: 'a.heapsnapshot' }] })
    expect(heapIds(join(cwd, 'a.heapsnapshot'), 'Account').size).toBe(321)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('is what --dry-run speaks of, beside the price of the other', async () => {
    const target = await spawnTarget(ACCOUNTS)
    const cwd = temporaryFolder()
    const { code, stdout, stderr } = await runCli(['snapshot', target.pid, '--dry-run'], { cwd })
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('will stand still for about')
    expect(stderr).toBe(
      `leakscope: this is the price of V8's own snapshot (--via inspector); without --dry-run the heap is read from outside first, which takes no memory of process ${target.pid} and stops it for 1.0 s at most\n`,
    )
    expect(filesIn(cwd)).toEqual([])
  })

  test('reads a process that somebody else has stopped, and leaves it stopped', async () => {
    const target = await spawnTarget(ACCOUNTS)
    process.kill(target.pid, 'SIGSTOP')
    const cwd = temporaryFolder()
    for (const args of [
      ['-o', 'a.heapsnapshot'],
      ['--isolate', 'all', '-o', 'all'],
    ]) {
      const { code, stderr } = await runCli(['snapshot', target.pid, ...args], { cwd })
      expect(code, stderr).toBe(0)
      expect(isStopped(target.pid)).toBe(true)
    }
    expect(heapIds(join(cwd, 'a.heapsnapshot'), 'Account').size).toBe(321)
    process.kill(target.pid, 'SIGCONT')
    expect(await target.answers()).toBe(true)
  })

  test('refuses what is no process of this machine, and what is no Node', async () => {
    const { code, stderr } = await runCli(['snapshot', 'localhost:9229', '--via', 'outside'])
    expect(code).toBe(2)
    expect(stderr).toContain('reads processes of this machine by their pid, not localhost:9229')
    const other = start('/bin/sleep', ['60'])
    const cwd = temporaryFolder()
    const refused = await runCli(['snapshot', other.pid!, '--via', 'outside', '-o', 'x.heapsnapshot'], { cwd })
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain('its binary has no v8dbg_ constants')
    expect(filesIn(cwd)).toEqual([])
  })

  test.runIf(nobodyMayRun)('says which right is missing, and the ways to get it', async () => {
    const target = await spawnTarget('')
    const cwd = temporaryFolder()
    chmodSync(cwd, 0o777)
    const args = [CLI, 'snapshot', String(target.pid), '--via', 'outside', '-o', 'x.heapsnapshot']
    const { status, stderr } = spawnSync(process.execPath, args, { ...NOBODY, cwd, encoding: 'utf8' })
    expect(status).toBe(3)
    expect(stderr).toContain(`leakscope: the system does not let us read the memory of process ${target.pid}`)
    expect(stderr).toContain(`it belongs to user ${process.getuid!()}, we are user ${NOBODY.uid}`)
    for (const way of ['as the user of the process', 'as root', 'CAP_SYS_PTRACE', 'ephemeral container'])
      expect(stderr).toContain(way)
    expect(await target.answers()).toBe(true)
  })
})

const writesCores = onLinux && /^core/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'))

describe.runIf(writesCores)('leakscope analyze of a core file', () => {
  test('tells what is big in it, and what ended the process', async () => {
    const cwd = temporaryFolder()
    const source = `${ACCOUNTS} process.abort()`
    spawnSync('sh', ['-c', 'ulimit -c unlimited; exec "$0" -e "$1"', TARGET_NODE, source], { cwd })
    const core = filesIn(cwd).find((file) => file.startsWith('core'))!
    const { code, stdout, stderr } = await runCli(['analyze', core, '--json'], { cwd })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^leakscope: core\S* is the memory of .*node.*, which SIGABRT ended, at .*\n( {2}at .*\n)+$/)
    const { heap, snapshots, ended } = ReportSchema.parse(JSON.parse(stdout))
    expect(snapshots[0]).toMatchObject({ file: core, fileBytes: statSync(join(cwd, core)).size, isolate: 'main' })
    expect(heap!.constructors.find(({ name }) => name === 'Account')).toMatchObject({ count: 321 })

    expect(ended).toMatchObject({ signal: 'SIGABRT', reason: null, detail: null })
    expect(ended!.stack).toContainEqual(expect.objectContaining({ url: '[eval]', line: 2 }))

    const other = await runCli(['analyze', core, '--executable', '/bin/sh'], { cwd })
    expect(other.code).toBe(3)
    expect(other.stderr).toMatch(/was not written by \/bin\/sh|has no v8dbg_ constants/)
  })
})

test('--executable is for core files', async () => {
  const { code, stderr } = await runCli(['analyze', import.meta.filename, '--executable', '/bin/sh'])
  expect(code).toBe(2)
  expect(stderr).toContain('--executable is for core files')
})
