// What leakscope does over an agent's socket, on real processes, with everything that can go wrong.

import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { nodeBinary } from '../matrix/nodes.mjs'
import { spawnAgent } from '../support/agent.ts'
import {
  BIG_HEAP,
  filesIn,
  portsOf,
  readSnapshotFile,
  runCli,
  spawnTarget,
  startCli,
  TARGET_NODE,
  temporaryFolder,
  until,
} from '../support/target.ts'

const VISITS = `class Visit { constructor(i) { this.user = 'user ' + i; this.at = 918273000 + i } }
  globalThis.visits = Array.from({ length: 500 }, (_, i) => new Visit(i))`

/** How many nodes there are of each of these names. */
function count(path: string, names: readonly string[]): Record<string, number> {
  const { snapshot, nodes, strings } = JSON.parse(readFileSync(path, 'utf8')) as {
    snapshot: { meta: { node_fields: string[]; node_types: [string[]] } }
    nodes: number[]
    strings: string[]
  }
  const { node_fields: fields, node_types: types } = snapshot.meta
  const counts = Object.fromEntries(names.map((name) => [name, 0]))
  for (let i = 0; i < nodes.length; i += fields.length) {
    const name = strings[nodes[i + fields.indexOf('name')]!]!
    const isObject = types[0][nodes[i + fields.indexOf('type')]!] === 'object'
    if (isObject && name in counts) counts[name]!++
  }
  return counts
}

/** The sockets that a process has open. */
const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length

const binaries = process.env.LEAKSCOPE_TEST_NODE ? [TARGET_NODE] : [process.execPath, await nodeBinary(18)]

test.each(binaries)(
  'a pid leads to the agent, with no signal and no port, and the same heap: %s',
  async (executable) => {
    const target = await spawnAgent(VISITS, { executable, args: ['--inspect-port=0'] })
    const plain = await spawnTarget(VISITS, { executable })
    const folder = temporaryFolder()
    const before = descriptors(target.pid)
    const [a, b, c] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [string, string, string]
    const byPid = await runCli(['snapshot', target.pid, '--via', 'agent', '-o', a])
    expect(byPid.code).toBe(0)
    expect(byPid.stderr).toMatch(
      /^leakscope: process \d+ has leakscope’s agent in it: no signal is sent, and no port opened\n/,
    )
    expect(byPid.stdout).toContain(`process ${target.pid} stood still for`)
    const bySocket = await runCli(['snapshot', `unix:${target.socket}`, '-o', b, '-q'])
    expect(bySocket).toMatchObject({ code: 0, stderr: '' })
    expect((await runCli(['snapshot', plain.pid, '-o', c])).code).toBe(0)

    for (const path of [a, b, c]) {
      expect(count(path, ['Visit'])).toEqual({ Visit: 500 })
      const { nodeCount, nodes, strings } = readSnapshotFile(path)
      expect(nodes).toBe(nodeCount)
      expect(strings).toEqual(expect.arrayContaining(['user 499', '918273499']))
    }
    expect(target.output()).not.toContain('Debugger')
    expect(portsOf(target.pid)).toEqual([])
    await until(() => descriptors(target.pid) === before, 'the connections to go')
    expect(await target.answers()).toBe(true)
  },
)

test('workers are reached through it as well', async () => {
  const target = await spawnAgent(
    `new (require('worker_threads').Worker)('globalThis.x = ["a string of the worker"]; setInterval(() => {}, 1000)', { eval: true }).on('online', () => console.log('online'))`,
  )
  await until(() => target.output().includes('online'))
  const bundle = join(temporaryFolder(), 'all')
  const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'agent', '--isolate', 'all', '-o', bundle])
  expect(code, stderr).toBe(0)
  const worker = readSnapshotFile(join(bundle, 'worker-1.heapsnapshot'))
  expect(worker.strings).toContain('a string of the worker')
})

test('two at once do not disturb each other', async () => {
  const target = await spawnAgent(BIG_HEAP)
  const folder = temporaryFolder()
  const both = ['a', 'b'].map((name) => runCli(['snapshot', target.pid, '--via', 'agent', '-o', join(folder, name)]))
  for (const { code, stderr } of await Promise.all(both)) expect(code, stderr).toBe(0)
  const [a, b] = ['a', 'b'].map((name) => readSnapshotFile(join(folder, name)))
  expect(a!.nodes).toBe(a!.nodeCount)
  expect(b!.nodes).toBe(b!.nodeCount)
  expect(await target.answers()).toBe(true)
})

async function captureBegun(target: { readonly pid: number; readonly socket: string }, folder: string) {
  const cli = startCli(['snapshot', target.pid, '--via', 'agent', '-o', join(folder, 'a')])
  await until(() => filesIn(folder).length > 0, 'the capture to begin')
  await sleep(300)
  return cli
}

test('a target that is killed half-way is told of, and nothing is left', async () => {
  const target = await spawnAgent(BIG_HEAP)
  const folder = temporaryFolder()
  const cli = await captureBegun(target, folder)
  target.child.kill('SIGKILL')
  const { code, stderr } = await cli.done
  expect(code).toBe(3)
  expect(stderr).toContain(`process ${target.pid} ended before the work was done`)
  expect(filesIn(folder)).toEqual([])
})

test.each(['SIGINT', 'SIGKILL'] as const)('%s to leakscope leaves no session in the target', async (signal) => {
  const target = await spawnAgent(BIG_HEAP)
  const before = descriptors(target.pid)
  const folder = temporaryFolder()
  const cli = await captureBegun(target, folder)
  cli.child.kill(signal)
  const { code } = await cli.done
  expect(code).toBe(signal === 'SIGINT' ? 130 : null)
  if (signal === 'SIGINT') expect(filesIn(folder)).toEqual([])
  expect(await target.answers()).toBe(true)
  await until(() => descriptors(target.pid) === before, 'the connection to go', 60_000)
})

test('a reader that stops for good is let go of, and costs the target little memory', async () => {
  const target = await spawnAgent(BIG_HEAP)
  const folder = temporaryFolder()
  const cli = await captureBegun(target, folder)
  cli.child.kill('SIGSTOP')
  expect(await target.answers()).toBe(true)
  const peakKb = Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${target.pid}/status`, 'utf8'))![1])
  expect(peakKb).toBeLessThan(700_000)
  cli.child.kill('SIGCONT')
  const { code, stderr } = await cli.done
  expect(code).toBe(3)
  expect(stderr).toContain('closed the connection')
  expect(filesIn(folder)).toEqual([])
})

test('what is no agent is called so', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'a.sock')
  const target = (name: string) => runCli(['snapshot', `unix:${name}`, '-o', join(folder, 'a')])
  expect((await target(path)).stderr).toMatch(/no agent answers at .*: there is no such file\n.*leakscope ps/)
  expect((await target(`${folder}/${'x'.repeat(200)}`)).code).toBe(3)

  const server = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(path)
  await once(server, 'listening')
  const other = await target(path)
  expect(other.code).toBe(3)
  expect(other.stderr).toMatch(/is not leakscope’s agent/)
  server.close()
  expect(existsSync(join(folder, 'a'))).toBe(false)
})

test('garbage ends the connection, and nothing else', async () => {
  const target = await spawnAgent()
  const { connect } = await import('node:net')
  for (const garbage of ['GET / HTTP/1.1\r\n\r\n', '\n\n', 'null\n', '{"id":1}\n', '[]\n', '"x"\n']) {
    const socket = connect(target.socket).on('error', () => {})
    socket.end(garbage)
    await once(socket.resume(), 'close')
  }
  expect(await target.answers()).toBe(true)
  expect(target.output()).not.toMatch(/Error/)
})
