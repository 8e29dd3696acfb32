// A target goes on, whatever happens to who has stopped it.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { LeakscopeError } from '../../src/errors.ts'
import { captureFromOutside } from '../../src/outside/open.ts'
import {
  bySignal,
  type Halting,
  isStopped,
  runCounts,
  startWatchdog,
  statOf,
  whileStopped,
} from '../../src/outside/stop.ts'
import { spawnTarget, start, until } from '../support/target.ts'

const HOLD = resolve(import.meta.dirname, '../support/hold.mjs')
const BUSY = 'setInterval(() => { const end = Date.now() + 20; while (Date.now() < end); }, 0)'
const NEVER_MS = 600_000

async function hold(pid: number, limitMs: number) {
  const child = start(process.execPath, [HOLD, String(pid), String(limitMs)])
  let output = ''
  child.stderr.on('data', (part) => {
    output += part
  })
  await until(() => output.includes('stopped'), 'it to be stopped')
  expect(isStopped(pid)).toBe(true)
  return child
}

describe.runIf(process.platform === 'linux')('a target that has been stopped', () => {
  test('goes on when leakscope is killed', async () => {
    const target = await spawnTarget(BUSY)
    const holder = await hold(target.pid, NEVER_MS)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    await until(() => !isStopped(target.pid), 'the target to go on', 5000)
    expect(await target.answers()).toBe(true)
  })

  test('goes on when leakscope’s whole group of processes is killed', async () => {
    const target = await spawnTarget(BUSY)
    const holder = spawn(process.execPath, [HOLD, String(target.pid), String(NEVER_MS)], {
      detached: true,
      stdio: 'ignore',
    })
    await until(() => isStopped(target.pid), 'it to be stopped')
    process.kill(-holder.pid!, 'SIGKILL')
    await until(() => !isStopped(target.pid), 'the target to go on', 5000)
    expect(await target.answers()).toBe(true)
  })

  test('goes on when leakscope takes too long', async () => {
    const target = await spawnTarget(BUSY)
    const holder = await hold(target.pid, 100)
    await until(() => !isStopped(target.pid), 'the target to go on', 10_000)
    expect(await target.answers()).toBe(true)
    holder.kill('SIGKILL')
  })

  test('goes on after the longest pause that is allowed, and the capture says so', async () => {
    const target = await spawnTarget(BUSY)
    const error = await captureFromOutside(target.pid, { maxPauseMs: 0.001 }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(LeakscopeError)
    const { code, message } = error as LeakscopeError
    expect(message).toContain(`process ${target.pid} was let go after`)
    // By then, not all of its threads may have stopped.
    expect(['price-too-high', 'target-timeout']).toContain(code)
    expect(isStopped(target.pid)).toBe(false)
    expect(await target.answers()).toBe(true)
  })

  test('by somebody else stays so, and is read all the same', async () => {
    const target = await spawnTarget(BUSY)
    process.kill(target.pid, 'SIGSTOP')
    await until(() => isStopped(target.pid), 'it to be stopped')
    const { heaps, pausedMs } = await captureFromOutside(target.pid)
    expect(pausedMs).toBe(0)
    expect(heaps[0]!.snapshot.nodeCount).toBeGreaterThan(10_000)
    await sleep(100)
    expect(isStopped(target.pid)).toBe(true)
    process.kill(target.pid, 'SIGCONT')
    expect(await target.answers()).toBe(true)
  })

  test('on a busy machine is waited for, and its pause begins only then', async () => {
    const target = await spawnTarget(BUSY)
    const { birth } = statOf(target.pid)!
    const [laterMs, restMs] = [700, 50]
    let askedMs = 0
    const since = () => performance.now() - askedMs
    const late: Halting = {
      stop() {
        askedMs = performance.now()
      },
      stopped: () => (since() < laterMs ? 'none' : since() < laterMs + restMs ? 'some' : 'all'),
      letGo() {},
    }
    const { pausedMs } = whileStopped(target.pid, birth, 1000, () => 0, { halting: late })
    expect(since()).toBeGreaterThanOrEqual(laterMs + restMs)
    expect(pausedMs).toBeGreaterThanOrEqual(restMs)
    expect(pausedMs).toBeLessThan(since() - laterMs / 2)
  })

  test('only in part is let go after the longest pause', async () => {
    const target = await spawnTarget(BUSY)
    const { birth } = statOf(target.pid)!
    const halting: Halting = { ...bySignal(target.pid, birth), stopped: () => 'some' }
    expect(() => whileStopped(target.pid, birth, 100, () => 0, { halting })).toThrow('not all of its threads')
    expect(isStopped(target.pid)).toBe(false)
    expect(await target.answers()).toBe(true)
  })

  test('is let go when copying it fails', async () => {
    const target = await spawnTarget(BUSY)
    const { birth } = statOf(target.pid)!
    const fail = () => {
      throw new Error('no more memory')
    }
    expect(() => whileStopped(target.pid, birth, 1000, fail)).toThrow('no more memory')
    expect(isStopped(target.pid)).toBe(false)
    expect(await target.answers()).toBe(true)
  })

  test('is stopped by nobody once another process has its pid', async () => {
    const target = await spawnTarget(BUSY)
    const { birth } = statOf(target.pid)!
    expect(() => whileStopped(target.pid, birth + 1, 1000, () => 0)).toThrow('has ended')
    expect(isStopped(target.pid)).toBe(false)
    // Nor let go: its watchdog is for another process.
    process.kill(target.pid, 'SIGSTOP')
    const watchdog = await startWatchdog(target.pid, birth + 1, 0)
    watchdog.stopped()
    await sleep(3500)
    expect(isStopped(target.pid)).toBe(true)
    process.kill(target.pid, 'SIGCONT')
  })
})

describe.runIf(process.platform === 'linux')('whether a process ran', () => {
  test('is known', async () => {
    const idle = await spawnTarget('')
    const busy = await spawnTarget(BUSY)
    await sleep(300)
    const ran = async (pid: number): Promise<boolean> => {
      const before = runCounts(pid)
      await sleep(60)
      return before === undefined || runCounts(pid) !== before
    }
    expect(await ran(busy.pid)).toBe(true)
    const idleRuns = await Promise.all(Array.from({ length: 5 }, () => ran(idle.pid)))
    expect(idleRuns).toContain(false)
  })
})

test.runIf(process.platform === 'linux')('the watchdog has a session of its own', async () => {
  const target = await spawnTarget('')
  const watchdog = await startWatchdog(target.pid, statOf(target.pid)!.birth, 60_000)
  const rows = execFileSync('ps', ['-eo', 'pid,sid,args'], { encoding: 'utf8' }).split('\n')
  const row = rows.find((it) => it.includes('watchdog.js') && it.includes(` ${target.pid} `))!
  const [pid, session] = row.trim().split(/\s+/)
  expect(session).toBe(pid)
  watchdog.dismiss()
  await until(() => statOf(Number(pid)) === undefined, 'the watchdog to leave')
})
