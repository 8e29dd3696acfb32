// Real inspectors by host:port and by URL, which were open before and stay so.

import { lookup } from 'node:dns/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  ANY_PAUSE,
  BIG_HEAP,
  filesIn,
  portsOf,
  readSnapshotFile,
  runCli,
  spawnTarget,
  startCli,
  temporaryFolder,
  until,
} from '../support/target.ts'

test.each([
  // Where Node listens, and how it is called.
  ['127.0.0.1', (port: number) => `127.0.0.1:${port}`],
  ['127.0.0.1', (port: number) => `localhost:${port}`],
  ['[::1]', (port: number) => `[::1]:${port}`],
  ['[::1]', (port: number) => `localhost:${port}`],
  ['[::1]', (port: number) => `ws://localhost:${port}`],
])('an inspector that listens on %s is reached as %s', async (host, name) => {
  const target = await spawnTarget(`globalThis.leak = ['only in this heap']`, { args: [`--inspect=${host}:0`] })
  const before = portsOf(target.pid)
  expect(before).toHaveLength(1)
  const cwd = temporaryFolder()
  const { code, stdout, stderr } = await runCli(['snapshot', name(before[0]!), '-q'], { cwd })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain(`process ${target.pid} stood still for`)
  expect(filesIn(cwd)).toHaveLength(1)
  expect(readSnapshotFile(join(cwd, filesIn(cwd)[0]!)).strings).toContain('only in this heap')
  expect(portsOf(target.pid)).toEqual(before)
  expect(await target.answers()).toBe(true)
})

test('an inspector is reached by the name of the machine, of which it would not hear', async () => {
  // A machine without an address for its own name has no other name to try than those above.
  const name = await lookup(hostname()).then(hostname, () => 'localhost')
  const target = await spawnTarget('', { args: ['--inspect=0.0.0.0:0'] })
  const [port] = portsOf(target.pid)
  const { code, stderr } = await runCli(['snapshot', `${name}:${port}`, '-q', '-o', join(temporaryFolder(), 'a')])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(portsOf(target.pid)).toEqual([port])
})

test('an inspector is reached by the URL that Node has printed', async () => {
  const target = await spawnTarget('', { args: ['--inspect=127.0.0.1:0'] })
  const url = /ws:\S+/.exec(target.output())![0]
  const { code, stderr } = await runCli(['snapshot', url, '-q', '-o', join(temporaryFolder(), 'a')])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(portsOf(target.pid)).toHaveLength(1)
})

test('Ctrl-C half-way leaves no file, and the inspector as it was', async () => {
  const target = await spawnTarget(BIG_HEAP, { args: ['--inspect=127.0.0.1:0'] })
  const before = portsOf(target.pid)
  const folder = temporaryFolder()
  const cli = startCli(['snapshot', `localhost:${before[0]}`, ...ANY_PAUSE, '-o', join(folder, 'a')])
  await until(() => filesIn(folder).length > 0)
  cli.child.kill('SIGINT')
  expect((await cli.done).code).toBe(130)
  expect(filesIn(folder)).toEqual([])
  expect(portsOf(target.pid)).toEqual(before)
  expect(await target.answers()).toBe(true)
})

test('an inspector that a leakscope left open, which was killed, is shut by the next, also by its address', async () => {
  const target = await spawnTarget(BIG_HEAP)
  const folder = temporaryFolder()
  const cli = startCli(['snapshot', target.pid, '--via', 'inspector', ...ANY_PAUSE, '-o', join(folder, 'a')])
  await until(() => filesIn(folder).length > 0)
  cli.child.kill('SIGKILL')
  await cli.done
  const [port] = portsOf(target.pid)
  const { code, stderr } = await runCli(['snapshot', `127.0.0.1:${port}`, ...ANY_PAUSE, '-o', join(folder, 'b')])
  expect(code, stderr).toBe(0)
  expect(stderr).toMatch(new RegExp(`127.0.0.1:${port} was left open .*process ${cli.child.pid}`))
  expect(portsOf(target.pid)).toEqual([])
})
