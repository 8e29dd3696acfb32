// Two processes that want the same port for their inspectors, which is what happens by default.

import { chmodSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import {
  filesIn,
  NOBODY,
  nobodyMayRun,
  nodeForEverybody,
  portsOf,
  runCli,
  spawnTarget,
  startCli,
  temporaryFolder,
  until,
} from '../support/target.ts'

const servers = new Set<Server>()
afterEach(() => {
  for (const server of servers) server.close()
  servers.clear()
})

async function takePort(): Promise<{ port: number; release(): void }> {
  const server = createServer().listen(0, '127.0.0.1')
  servers.add(server)
  await new Promise((resolve) => server.once('listening', resolve))
  return { port: (server.address() as { port: number }).port, release: () => void server.close() }
}

test('--wait waits for the port, says who has it, and goes on when it is free', async () => {
  const { port, release } = await takePort()
  const target = await spawnTarget('', { args: [`--inspect-port=${port}`] })
  let stderr = ''
  const cli = startCli([
    'snapshot',
    target.pid,
    '--via',
    'inspector',
    '--wait',
    '60s',
    '-o',
    join(temporaryFolder(), 'a'),
  ])
  cli.child.stderr.on('data', (part) => {
    stderr += part
  })
  await until(() => stderr.includes('waiting'))
  expect(stderr).toMatch(new RegExp(`waiting up to 1 min 0 s for port ${port}: process ${process.pid} \\(.*\\) has it`))
  expect(target.output()).not.toContain('failed')
  release()
  expect((await cli.done).code, stderr).toBe(0)
  expect(portsOf(target.pid)).toEqual([])
})

test.runIf(nobodyMayRun)('--wait waits as well for a process that we may not see', async () => {
  const { port, release } = await takePort()
  const folder = temporaryFolder()
  chmodSync(folder, 0o777)
  const executable = nodeForEverybody()
  const target = await spawnTarget('', { executable, uid: NOBODY.uid, args: [`--inspect-port=${port}`] })
  const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '--wait', '60s', '-o', join(folder, 'a')], NOBODY)
  const note = await new Promise((resolve) => cli.child.stderr.once('data', resolve))
  expect(String(note)).toContain(`for port ${port}: a process of another user has it`)
  release()
  const { code, stderr } = await cli.done
  expect(code, stderr).toBe(0)
  expect(portsOf(target.pid)).toEqual([])
})

test('--wait gives up when its time is over, and Ctrl-C ends it before', async () => {
  const { port } = await takePort()
  const target = await spawnTarget('', { args: [`--inspect-port=${port}`] })
  const folder = temporaryFolder()
  const { code, stderr } = await runCli([
    'snapshot',
    target.pid,
    '--via',
    'inspector',
    '--wait',
    '1500ms',
    '-o',
    join(folder, 'a'),
  ])
  expect(code).toBe(3)
  expect(stderr).toMatch(/listens there, still after 1\.\d s\n/)
  const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '--wait', '-o', join(folder, 'a')])
  await new Promise((resolve) => cli.child.stderr.once('data', resolve))
  cli.child.kill('SIGINT')
  expect((await cli.done).code).toBe(130)
  expect(filesIn(folder)).toEqual([])
  expect(await target.answers()).toBe(true)
})

test('a port that another leakscope has opened is waited for without being asked', async () => {
  const { port, release } = await takePort()
  release()
  const [first, second] = [
    await spawnTarget('', { args: [`--inspect-port=${port}`] }),
    await spawnTarget('', { args: [`--inspect-port=${port}`] }),
  ]
  const folder = temporaryFolder()
  const args = ['--count', 2, '--every', '3s', '-o', join(folder, 'a')]
  const ahead = startCli(['snapshot', first!.pid, '--via', 'inspector', ...args])
  await until(() => filesIn(folder).includes('a-1'))
  const impatient = await runCli([
    'snapshot',
    second!.pid,
    '--via',
    'inspector',
    '--wait',
    '300ms',
    '-o',
    join(folder, 'c'),
  ])
  expect(impatient.code).toBe(3)
  expect(impatient.stderr).toContain(`which another leakscope (process ${ahead.child.pid}) is looking into`)
  const behind = await runCli(['snapshot', second!.pid, '--via', 'inspector', '-o', join(folder, 'b')])
  expect(behind.code, behind.stderr).toBe(0)
  expect(behind.stderr).toMatch(
    new RegExp(
      `waiting up to 2 min 0 s for port ${port}: another leakscope \\(process ${ahead.child.pid}\\) is looking into process ${first!.pid} \\(`,
    ),
  )
  expect(await ahead.done).toMatchObject({ code: 0 })
  expect(filesIn(folder)).toEqual(['a-1', 'a-2', 'b'])
  expect([...portsOf(first!.pid), ...portsOf(second!.pid)]).toEqual([])
})

test('a port of a process that is being debugged by somebody is not waited for', async () => {
  const { port, release } = await takePort()
  release()
  const debugged = await spawnTarget('', { args: [`--inspect=${port}`] })
  const target = await spawnTarget('', { args: [`--inspect-port=${port}`] })
  const { code, stderr } = await runCli([
    'snapshot',
    target.pid,
    '--via',
    'inspector',
    '-o',
    join(temporaryFolder(), 'a'),
  ])
  expect(code).toBe(3)
  expect(stderr).toMatch(
    new RegExp(`because process ${debugged.pid} \\(.*--inspect=${port}.*\\) listens there\n.*--wait`),
  )
  expect(portsOf(debugged.pid)).toEqual([port])
})
