// The first process of a container, as leakscope sees it from inside: made of namespaces, where this machine lets us.

import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { findFreezer } from '../../src/outside/freezer.ts'
import { start, until } from '../support/target.ts'

const CAPTURE = resolve(import.meta.dirname, '../support/capture-outside.mjs')
const IDLE = 'console.log("ready"); setInterval(() => {}, 1e6)'
const BUSY = 'console.log("ready"); setInterval(() => { const end = Date.now() + 20; while (Date.now() < end); }, 0)'
const NEW_NAMESPACES = ['--fork', '--pid', '--mount-proc', '--kill-child']

const canUnshare = process.platform === 'linux' && spawnSync('unshare', [...NEW_NAMESPACES, 'true']).status === 0
/** The mount point of cgroups of version 2 in which we may make one; undefined where there is none. */
const cgroups = canUnshare ? findCgroups() : undefined

function findCgroups(): string | undefined {
  const mounts = readFileSync('/proc/self/mountinfo', 'latin1').split('\n')
  const point = mounts.find((line) => line.includes(' - cgroup2 '))?.split(' ')[4]
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1]
  if (point === undefined || own === undefined) return undefined
  const folder = join(point, own)
  try {
    mkdirSync(join(folder, `leakscope-probe-${process.pid}`))
    rmdirSync(join(folder, `leakscope-probe-${process.pid}`))
    return folder
  } catch {
    return undefined
  }
}

/** A program that is PID 1 of a namespace; from outside it has the number that is given. */
async function startContainer(program: string): Promise<number> {
  const child = start('unshare', [...NEW_NAMESPACES, process.execPath, '-e', program])
  let output = ''
  child.stdout.on('data', (part) => {
    output += part
  })
  await until(() => output.includes('ready'), 'the program')
  return Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').trim().split(' ')[0])
}

/** What leakscope says of process 1, from inside of the namespaces. */
async function captureInside(outerPid: number, maxPauseMs: number) {
  const args = ['-t', String(outerPid), '-p', '-m', process.execPath, CAPTURE, '1', String(maxPauseMs)]
  return JSON.parse((await promisify(execFile)('nsenter', args)).stdout)
}

async function runs(pid: number): Promise<boolean> {
  const ran = (): string => readFileSync(`/proc/${pid}/schedstat`, 'latin1')
  const before = ran()
  await sleep(300)
  return ran() !== before && !/^State:\s*[Tt]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
}

describe.runIf(canUnshare)('the first process of a container', () => {
  test('that is idle is read from inside without a stop', { timeout: 60_000 }, async () => {
    const pid = await startContainer(IDLE)
    expect(await captureInside(pid, 5000)).toMatchObject({ pausedMs: 0, nodes: expect.any(Number) })
  })

  test('that is busy is refused from inside, and works on', { timeout: 120_000 }, async () => {
    const pid = await startContainer(BUSY)
    const { code, message } = await captureInside(pid, 5000)
    expect(code).toBe('target-not-permitted')
    expect(message).toMatch(/PID 1 of its namespace\), which SIGSTOP does not reach from inside, and (its|freezing)/)
    expect(await runs(pid)).toBe(true)
  })

  test('that is busy is stopped from outside', { timeout: 60_000 }, async () => {
    const pid = await startContainer(BUSY)
    const { stdout } = await promisify(execFile)(process.execPath, [CAPTURE, String(pid), '5000'])
    expect(JSON.parse(stdout).pausedMs).toBeGreaterThan(0)
    expect(await runs(pid)).toBe(true)
  })
})

describe.runIf(cgroups !== undefined && existsSync(join(cgroups, 'cgroup.procs')))('with a cgroup of its own', () => {
  let folder = ''
  afterEach(async () => {
    // A cgroup goes when it has no process any more.
    await until(() => {
      for (const pid of readFileSync(join(folder, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean)) {
        writeFileSync(join(cgroups!, 'cgroup.procs'), pid)
      }
      rmdirSync(folder)
      return true
    }, 'the cgroup to be empty')
  })
  function makeCgroup(...pids: number[]): string {
    folder = join(cgroups!, `leakscope-test-${process.pid}-${Date.now()}`)
    mkdirSync(folder)
    for (const pid of pids) writeFileSync(join(folder, 'cgroup.procs'), String(pid))
    return folder
  }
  const isFrozen = () => readFileSync(join(folder, 'cgroup.freeze'), 'latin1').trim() === '1'

  test('the first process of a container is frozen for the time of the copy', { timeout: 60_000 }, async () => {
    const pid = await startContainer(BUSY)
    makeCgroup(pid)
    const answer = await captureInside(pid, 5000)
    expect(answer.pausedMs).toBeGreaterThan(0)
    expect(isFrozen()).toBe(false)
    expect(await runs(pid)).toBe(true)
  })

  test('it goes on when leakscope is killed while it is frozen', { timeout: 60_000 }, async () => {
    const pid = await startContainer(BUSY)
    makeCgroup(pid)
    const holder = start(process.execPath, [
      resolve(import.meta.dirname, '../support/hold.mjs'),
      String(pid),
      '600000',
      folder,
    ])
    await until(isFrozen, 'it to be frozen')
    holder.kill('SIGKILL')
    await until(() => !isFrozen(), 'it to go on', 10_000)
    expect(await runs(pid)).toBe(true)
  })

  test('that others are in as well, it is not frozen, and the others are named', async () => {
    const pid = await startContainer(BUSY)
    const other = start('/bin/sleep', ['60'])
    makeCgroup(pid, other.pid!)
    expect(findFreezer(pid).problem).toContain(`would stop other processes as well (${other.pid})`)
    expect(execFileSync('cat', [join(folder, 'cgroup.freeze')], { encoding: 'utf8' }).trim()).toBe('0')
  })

  test('that somebody has frozen, it stays so', async () => {
    const pid = await startContainer(BUSY)
    makeCgroup(pid)
    writeFileSync(join(folder, 'cgroup.freeze'), '1')
    expect(findFreezer(pid).problem).toContain('frozen by somebody else')
    expect(isFrozen()).toBe(true)
    writeFileSync(join(folder, 'cgroup.freeze'), '0')
  })
})
