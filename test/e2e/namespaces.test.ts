// Processes in networks and PID namespaces of their own, as containers have them. They take root and the tools of the
// system; where those are missing, the tests say what is not tested, and why.

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  ANY_PAUSE,
  BIG_HEAP,
  filesIn,
  NOBODY,
  nobodyMayRun,
  nodeForEverybody,
  portsOf,
  runCli,
  start,
  startCli,
  TARGET_NODE,
  temporaryFolder,
  until,
} from '../support/target.ts'

/** Why a network of its own cannot be had here; undefined when it can. */
function missing(): string | undefined {
  if (process.platform !== 'linux') return `${process.platform} has no network namespaces`
  for (const tool of ['unshare', 'nsenter', 'ip']) {
    if (spawnSync(tool, ['-V']).error) return `there is no ${tool} here`
  }
  const tried = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', '--net', 'ip', 'link', 'set', 'lo', 'up'])
  return tried.status === 0 ? undefined : `unshare fails: ${String(tried.stderr).trim()}`
}

const why = missing()
if (why !== undefined) console.warn(`NOT RUN: processes in network and PID namespaces, because ${why}`)
if (why === undefined && !nobodyMayRun) console.warn('NOT RUN: namespaces without root, because there is no other user')

const PROGRAM = `${BIG_HEAP.replace('4e5', '2e4')}; setInterval(() => {}, 1000); console.log('ready', process.pid)`

/** Starts the program by way of `prefix`; resolves to its pid, as it is called here and there. */
async function startInside(prefix: readonly string[], program = PROGRAM) {
  // In place of the shell, so that it ends when it is told to: in a PID namespace it is process 1, as in a container.
  const script = `ip link set lo up; exec "$0" --inspect-port=9229 -e "$1"`
  const [command, ...rest] = [...prefix, 'sh', '-c', script, TARGET_NODE, program]
  const outer = start(command!, rest, { env: { ...process.env, NODE_OPTIONS: '' } })
  let text = ''
  for (const stream of [outer.stdout, outer.stderr]) {
    stream.on('data', (part) => {
      text += part
    })
  }
  await until(() => /ready \d+/.test(text) || outer.exitCode !== null, `the program: ${text}`)
  const ownPid = Number(/ready (\d+)/.exec(text)![1])
  return { outer, pid: nodeBelow(outer.pid!), ownPid, output: () => text }
}

/** The Node among the descendants of `pid`. */
function nodeBelow(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean)
  for (const child of children.map(Number)) {
    const below = nodeBelow(child)
    if (below !== 0) return below
  }
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('--inspect-port') && children.length === 0 ? pid : 0
}

const UNSHARED = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--net']

describe.skipIf(why !== undefined)('a process in namespaces of its own', () => {
  test('is found by its pid here, entered, and left with its inspector shut', async () => {
    const target = await startInside(UNSHARED)
    expect(target.ownPid).toBe(1)
    const { code, stdout, stderr } = await runCli([
      'snapshot',
      target.pid,
      '--via',
      'inspector',
      '-q',
      '-o',
      join(temporaryFolder(), 'a'),
    ])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`process ${target.pid} stood still`)
    expect(target.output()).toContain('Debugger attached')
    expect(portsOf(target.pid)).toEqual([])
    expect(helpers()).toEqual([])
  })

  test('has a port 9229 of its own, whoever has that port here', async () => {
    const ours = createServer().listen(9229, '127.0.0.1')
    // Whether it is ours or somebody else's, the port is taken.
    await new Promise((resolve) => ours.once('listening', resolve).once('error', resolve))
    try {
      const [one, other] = [await startInside(UNSHARED), await startInside(UNSHARED)]
      const folder = temporaryFolder()
      const results = await Promise.all(
        [one, other].map((it) =>
          runCli(['snapshot', it.pid, '--via', 'inspector', '-q', '-o', join(folder, String(it.pid))]),
        ),
      )
      for (const { code, stderr } of results) expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    } finally {
      ours.close()
    }
  })

  test('may be in a network that has a name', async () => {
    const name = `leakscope-test-${process.pid}`
    execFileSync('ip', ['netns', 'add', name])
    try {
      const target = await startInside(['ip', 'netns', 'exec', name])
      expect(target.ownPid).toBe(target.pid)
      const { code, stderr } = await runCli([
        'snapshot',
        target.pid,
        '--via',
        'inspector',
        '-q',
        '-o',
        join(temporaryFolder(), 'a'),
      ])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(portsOf(target.pid)).toEqual([])
    } finally {
      execFileSync('ip', ['netns', 'delete', name])
    }
  })

  test('is listed with its inspector', async () => {
    const target = await startInside(UNSHARED)
    const state = async () => {
      const { processes } = JSON.parse((await runCli(['ps', '--json'])).stdout) as {
        processes: { pid: number; inspector: object }[]
      }
      return processes.find((it) => it.pid === target.pid)?.inspector
    }
    expect(await state()).toEqual({ state: 'closed' })
    process.kill(target.pid, 'SIGUSR1')
    await until(() => portsOf(target.pid).length > 0)
    expect(await state()).toEqual({ state: 'open', host: '127.0.0.1', port: 9229 })
  })

  test.each(['SIGINT', 'SIGKILL'] as const)('is left in order after %s', async (signal) => {
    const target = await startInside(UNSHARED, PROGRAM.replace('2e4', '4e5'))
    const folder = temporaryFolder()
    const cli = startCli(['snapshot', target.pid, '--via', 'inspector', ...ANY_PAUSE, '-o', join(folder, 'a')])
    await until(() => filesIn(folder).length > 0)
    cli.child.kill(signal)
    await cli.done
    if (signal === 'SIGKILL') {
      const { code, stderr } = await runCli([
        'snapshot',
        target.pid,
        '--via',
        'inspector',
        ...ANY_PAUSE,
        '-o',
        join(folder, 'b'),
      ])
      expect(code, stderr).toBe(0)
      expect(stderr).toContain('was left open by a leakscope that was cut off')
    } else expect(filesIn(folder)).toEqual([])
    expect(portsOf(target.pid)).toEqual([])
    await until(() => helpers().length === 0, 'the helper to end')
  })

  test('is not signalled when nsenter is missing', async () => {
    const target = await startInside(UNSHARED)
    const empty = temporaryFolder()
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'inspector'], {
      env: { ...process.env, PATH: empty },
    })
    expect(code).toBe(3)
    expect(stderr).toMatch(/network of its own \(a container\).*there is no nsenter here\n.*install util-linux/)
    expect(target.output()).not.toContain('Debugger')
  })

  test('whose loopback is down says so', async () => {
    const outer = start('unshare', ['--net', TARGET_NODE, '-e', PROGRAM])
    await new Promise((resolve) => outer.stdout.once('data', resolve))
    const { code, stderr } = await runCli([
      'snapshot',
      outer.pid!,
      '--via',
      'inspector',
      '-o',
      join(temporaryFolder(), 'a'),
    ])
    expect(code).toBe(3)
    expect(stderr).toMatch(/listens on 127\.0\.0\.1:9229 now, which cannot be connected to: \w+\n.*ip link set lo up/)
  })

  test.skipIf(!nobodyMayRun)('says what it takes when we may not enter', async () => {
    const node = nodeForEverybody()
    const setpriv = ['setpriv', `--reuid=${NOBODY.uid}`, `--regid=${NOBODY.gid}`, '--clear-groups', node, '-e', PROGRAM]
    const outer = start('unshare', ['--net', ...setpriv])
    await new Promise((resolve) => outer.stdout.once('data', resolve))
    const { code, stderr } = await runCli(['snapshot', outer.pid!, '--via', 'inspector'], {
      ...NOBODY,
      cwd: '/tmp',
    })
    expect(code).toBe(3)
    expect(stderr).toMatch(/we cannot enter it: nsenter: .*ermi.*\n.*CAP_SYS_ADMIN and CAP_SYS_PTRACE/)
    expect(outer.exitCode).toBe(null)
  })
})

/** Helpers of ours that still run inside some network. */
function helpers(): string[] {
  const text = execFileSync('ps', ['-axo', 'args='], { encoding: 'utf8' })
  return text.split('\n').filter((line) => line.includes('linux-network-helper'))
}
