// The agent's socket: where it is, who may use it, and that the program is none the wiser.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { AGENT, ps, socketsIn, spawnAgent } from '../support/agent.ts'
import { filesIn, NOBODY, nobodyMayRun, runCli, start, TARGET_NODE, temporaryFolder, until } from '../support/target.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const uid = process.geteuid!()

/** Runs a program to its end, with the agent and without. */
function run(source: string, options: { agent?: readonly string[]; env?: NodeJS.ProcessEnv; kind?: string } = {}) {
  const { agent = ['--require', AGENT], env, kind = 'commonjs' } = options
  const { status, signal, stdout, stderr } = spawnSync(
    TARGET_NODE,
    [...agent, ...(kind === 'module' ? ['--input-type=module'] : []), '-e', source],
    {
      encoding: 'utf8',
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: '', XDG_RUNTIME_DIR: temporaryFolder(), ...env },
    },
  )
  return { status, signal, stdout, stderr }
}

const socketsOf = (folder: string) => `require('fs').readdirSync(${JSON.stringify(folder)})`

test('is the user’s alone, named after the process, and gone when that ends', async () => {
  const target = await spawnAgent()
  expect(socketsIn(target.folder)).toEqual([`agent-${target.pid}.sock`])
  expect(statSync(target.folder)).toMatchObject({ uid, mode: 0o040700 })
  expect(statSync(target.socket).isSocket()).toBe(true)
  expect(statSync(target.socket).mode & 0o777).toBe(0o600)
  expect((await ps()).find((it) => it.pid === target.pid)?.agent).toBe(target.socket)
  expect((await runCli(['ps'])).stdout).toMatch(new RegExp(`^ *${target.pid} .*closed, agent`, 'm'))

  const runtime = temporaryFolder()
  run('console.log(1)', { env: { XDG_RUNTIME_DIR: runtime } })
  expect(filesIn(join(runtime, 'leakscope'))).toEqual([])
})

test.each(['--require', '--import'])(
  '%s takes it by the name of the package, for programs of either kind',
  (option) => {
    const runtime = temporaryFolder()
    const folder = join(runtime, 'leakscope')
    for (const kind of ['commonjs', 'module']) {
      const list =
        kind === 'module' ? socketsOf(folder).replace(`require('fs')`, `(await import('fs'))`) : socketsOf(folder)
      const result = run(`console.log(process.pid, ...${list})`, {
        agent: [option, 'leakscope/agent'],
        env: { XDG_RUNTIME_DIR: runtime },
        kind,
      })
      expect(result).toMatchObject({ status: 0, stderr: '' })
      expect(result.stdout).toMatch(/^(\d+) agent-\1\.sock\n$/)
    }
  },
)

test('is in the temporary folder of a user who has no runtime folder, or one that cannot be written to', () => {
  for (const runtime of ['', '/proc/nowhere']) {
    const folder = join(temporaryFolder(), 't')
    mkdirSync(folder)
    const { stdout, stderr } = run(`console.log(...${socketsOf(join(folder, `leakscope-${uid}`))})`, {
      env: { XDG_RUNTIME_DIR: runtime, TMPDIR: folder },
    })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^agent-\d+\.sock\n$/)
  }
})

test('refuses a folder that others can use, or that is a link, says so in a line, and lets the program run', () => {
  const folder = temporaryFolder()
  const mine = join(folder, `leakscope-${uid}`)
  const env = { XDG_RUNTIME_DIR: '', TMPDIR: folder }
  mkdirSync(mine)
  chmodSync(mine, 0o750)
  expect(run('console.log(7)', { env })).toEqual({
    status: 0,
    signal: null,
    stdout: '7\n',
    stderr: `leakscope agent: ${mine} is open to other users (chmod 700 it)\n`,
  })
  rmSync(mine, { recursive: true })
  symlinkSync(temporaryFolder(), mine)
  expect(run('console.log(7)', { env }).stderr).toMatch(/^leakscope agent: .*(is not a folder|EEXIST).*\n$/)
  expect(run('console.log(7)', { env: { ...env, LEAKSCOPE_AGENT_QUIET: '1' } })).toMatchObject({
    stdout: '7\n',
    stderr: '',
  })
  rmSync(mine)
  const deep = join(folder, 'x'.repeat(90))
  mkdirSync(deep)
  expect(run('', { env: { ...env, TMPDIR: deep } }).stderr).toMatch(/^leakscope agent: the path of its socket would be/)
})

test.each([
  ['process.exitCode = 7', 7, null],
  ['process.exit(9)', 9, null],
  ['throw new Error("own")', 1, null],
  ['Promise.reject(new Error("own"))', 1, null],
  ['process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 5000)', null, 'SIGTERM'],
  ['process.on("uncaughtException", (e) => console.log("caught", e.message)); throw new Error("own")', 0, null],
  [
    'console.log(process.listenerCount("uncaughtException"), process.listenerCount("SIGTERM"), process.profiler)',
    0,
    null,
  ],
])('a program that does %s ends as without it', (source, status, signal) => {
  const withAgent = run(source)
  const without = run(source, { agent: [] })
  expect(withAgent).toMatchObject({ status, signal, stdout: without.stdout, stderr: without.stderr })
  expect(without).toMatchObject({ status, signal })
})

test('a program ends when it has nothing left to do, though somebody is connected', async () => {
  const runtime = temporaryFolder()
  const child = start(TARGET_NODE, ['--require', AGENT, '-e', 'setTimeout(() => {}, 1500)'], {
    env: { ...process.env, NODE_OPTIONS: '', XDG_RUNTIME_DIR: runtime },
  })
  const ended = once(child, 'exit')
  const path = join(runtime, 'leakscope', `agent-${child.pid}.sock`)
  await until(() => existsSync(path))
  const socket = connect(path)
  let closed = false
  socket.on('close', () => {
    closed = true
  })
  await once(socket, 'connect')
  expect(closed).toBe(false)
  expect(await ended).toEqual([0, null])
})

const IDLE = join(ROOT, 'test/support/idle.cjs')
/** As children get them, but for the `-e` of the test's own program. */
const OPTIONS = JSON.stringify({ execArgv: ['--require', AGENT] })

test('there is one for each process: threads have none, children have their own', async () => {
  const target = await spawnAgent(
    `const { Worker } = require('worker_threads')
     new Worker('setInterval(() => {}, 1000)', { eval: true }).on('online', () => console.log('online'))
     const child = require('child_process').fork(${JSON.stringify(IDLE)}, [], ${OPTIONS})
     child.on('spawn', () => console.log('child', child.pid))`,
  )
  await until(() => /child \d+/.test(target.output()) && target.output().includes('online'), 'child and worker')
  const child = Number(/child (\d+)/.exec(target.output())![1])
  try {
    const expected = [`agent-${target.pid}.sock`, `agent-${child}.sock`].sort()
    await until(() => socketsIn(target.folder).length === 2, 'the child')
    expect(socketsIn(target.folder)).toEqual(expected)
  } finally {
    process.kill(child, 'SIGKILL')
  }
})

test('a worker of a cluster listens itself, instead of its primary', async () => {
  const target = await spawnAgent(
    `const cluster = require('cluster')
     cluster.setupPrimary({ exec: ${JSON.stringify(IDLE)}, ...${OPTIONS} })
     const { process: worker } = cluster.fork().on('online', () => console.log('worker', worker.pid))`,
  )
  await until(() => /worker \d+/.test(target.output()), 'the worker')
  const worker = Number(/worker (\d+)/.exec(target.output())![1])
  try {
    await until(() => socketsIn(target.folder).length === 2, 'its socket')
    expect((await ps()).find((it) => it.pid === worker)?.agent).toBe(join(target.folder, `agent-${worker}.sock`))
  } finally {
    process.kill(worker, 'SIGKILL')
  }
})

test('a killed process leaves a socket, which the next agent takes away', async () => {
  const first = await spawnAgent()
  first.child.kill('SIGKILL')
  await new Promise((done) => first.child.on('exit', done))
  expect(socketsIn(first.folder)).toEqual([`agent-${first.pid}.sock`])
  const next = await spawnAgent('', { env: { XDG_RUNTIME_DIR: join(first.folder, '..') } })
  await until(() => socketsIn(first.folder).length === 1, 'the old one to go')
  expect(socketsIn(next.folder)).toEqual([`agent-${next.pid}.sock`])
})

/** Puts a socket where the agent's will be: of a process that is dead, or lives in another container with this pid. */
const before = (folder: string, alive: boolean) => `
  const path = ${JSON.stringify(folder)} + '/agent-' + process.pid + '.sock'
  ${
    alive
      ? `require('net').createServer().listen(path).unref()`
      : `require('child_process').spawnSync(process.execPath, ['-e', "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))", path], { env: {} })`
  }
  if (!require('fs').existsSync(path)) throw new Error('no socket')`

test.each([
  ['a stale socket of the same pid is replaced', false, (pid: number) => [`agent-${pid}.sock`]],
  ['one that is in use is left alone', true, (pid: number) => [`agent-${pid}-2.sock`, `agent-${pid}.sock`]],
])('%s', async (_, alive, expected) => {
  const runtime = mkdtempSync(join(temporaryFolder(), 'r'))
  const folder = join(runtime, 'leakscope')
  mkdirSync(folder, { mode: 0o700 })
  const preload = join(runtime, 'before.cjs')
  writeFileSync(preload, before(folder, alive))
  const target = await spawnAgent('', {
    args: [],
    env: { XDG_RUNTIME_DIR: runtime, NODE_OPTIONS: `--require ${preload}` },
  })
  await until(() => socketsIn(folder).length === expected(target.pid).length)
  expect(socketsIn(folder)).toEqual(expected(target.pid))
  const agent = join(folder, expected(target.pid)[0]!)
  const { code, stdout } = await runCli(['snapshot', `unix:${agent}`, '-o', join(runtime, 'a')])
  expect(code).toBe(0)
  expect(stdout).toContain(`process ${target.pid} stood still`)
})

test.runIf(nobodyMayRun)('nobody else comes in', async () => {
  const target = await spawnAgent('', { env: { XDG_RUNTIME_DIR: temporaryFolder() } })
  const { code, stderr } = await runCli(['snapshot', `unix:${target.socket}`, '-o', '/tmp/never'], NOBODY)
  expect(code).toBe(3)
  expect(stderr).toMatch(/belongs to another user/)
})
