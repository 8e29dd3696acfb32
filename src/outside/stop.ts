// Makes sure that a process does not run while its memory is copied: it is idle, and is shown to have been; or it is
// stopped for a moment, and goes on whatever happens to us.

import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { constants, getPriority, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { LeakscopeError } from '../errors.ts'
import { compiled } from '../support/second-thread.ts'
import { freeze, isFrozen, thaw } from './freezer.ts'

/** What the system says of a process: the letter of its state, and when it began, in ticks of the system's. */
interface ProcessStat {
  readonly state: string
  readonly birth: number
}

/** Stopped: by a signal, or by a debugger. */
const STOPPED = /[Tt]/
const NOT_RUNNING = /[TtZX]/
const RUNNING = 'R'
/**
 * A thread that is sent SIGSTOP stops when it is given a processor: on a busy machine, hundreds of milliseconds later (at
 * most 580 were seen with 12 busy processes on 2 processors); in an uninterruptible wait, when that ends. Until the first
 * thread is stopped, the process loses nothing by our waiting.
 */
const STOP_WITHIN_MS = 10_000
const POLL_MS = 0.5
/** Who had a processor for less than this part of the time was kept waiting: the next attempt may be quicker. */
const AT_WORK = 0.5
/** Beside the longest pause, what the watchdog waits: we have to find out that all threads are stopped. */
const WATCHDOG_MORE_MS = 2000
const WATCHDOG_START_MS = 20_000

export function statOf(pid: number): ProcessStat | undefined {
  return statIn(`/proc/${pid}/stat`)
}

function statIn(path: string): ProcessStat | undefined {
  try {
    const stat = readFileSync(path, 'latin1')
    // The second field, the name, may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, birth: Number(fields[19]) }
  } catch {
    return undefined
  }
}

export const isStopped = (pid: number): boolean => STOPPED.test(statOf(pid)?.state ?? '')

/**
 * What tells whether any thread of a process has run between two times: how long each has run, and how often. Undefined
 * if one is running now, or if the system does not count. https://docs.kernel.org/scheduler/sched-stats.html
 */
export function runCounts(pid: number): string | undefined {
  try {
    let counts = ''
    let total = 0
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const [ran, , times] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').trim().split(' ')
      if (statIn(`/proc/${pid}/task/${task}/stat`)?.state === RUNNING) return undefined
      counts += `${task}:${ran}:${times} `
      total += Number(ran)
    }
    return total > 0 ? counts : undefined
  } catch {
    return undefined
  }
}

export interface Watchdog {
  /** The process has begun to stop: from now on, it is let go after the longest pause. */
  stopped(): void
  /** Ends it: nothing is stopped any more. */
  dismiss(): void
}

/**
 * Starts what lets process `pid` go on if we cannot, after a signal, or after its cgroup in `folder` was frozen. It has a
 * session of its own: what ends ours does not end it.
 * @throws LeakscopeError `target-timeout` if it does not come, and then nothing must be stopped
 */
export async function startWatchdog(
  pid: number,
  birth: number,
  maxPauseMs: number,
  folder?: string,
): Promise<Watchdog> {
  const program = fileURLToPath(compiled(new URL('./watchdog.js', import.meta.url).href))
  const limitMs = Math.ceil(maxPauseMs + WATCHDOG_MORE_MS)
  const args = [program, pid, birth, limitMs, limitMs + STOP_WITHIN_MS].map(String)
  const child = spawn(process.execPath, folder === undefined ? args : [...args, folder], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  child.stdin.on('error', () => {})
  try {
    await isReady(child)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  child.unref()
  return {
    // Written at once, although our event loop does not run meanwhile.
    stopped() {
      child.stdin.write('s')
    },
    dismiss() {
      child.stdin.end('d')
    },
  }
}

function isReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause?: Error): void => {
      clearTimeout(timer)
      reject(
        new LeakscopeError('target-timeout', 'nothing was stopped: the process that watches over it did not start', {
          cause,
        }),
      )
    }
    const timer = setTimeout(failed, WATCHDOG_START_MS)
    child.once('error', failed)
    child.once('exit', () => failed())
    child.stdout!.once('data', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

export interface Paused<T> {
  readonly value: T
  readonly pausedMs: number
}

/** How many threads of a process are stopped; `some` also where that is not known. */
type Stopped = 'none' | 'some' | 'all'

/** A way to stop a process. */
export interface Halting {
  stop(): void
  stopped(): Stopped
  letGo(): void
}

export const bySignal = (pid: number, birth: number): Halting => ({
  stop: () => signal(pid, birth, 'SIGSTOP'),
  stopped: () => stoppedThreads(pid),
  letGo: () => signal(pid, birth, 'SIGCONT'),
})

/** @param folder of a cgroup that has only this process in it */
export const byFreezer = (folder: string): Halting => ({
  stop: () => freeze(folder),
  stopped: () => (isFrozen(folder) ? 'all' : 'some'),
  letGo: () => thaw(folder),
})

/**
 * Whether SIGSTOP does not reach the process: the first one of a namespace, for all that are in the same.
 * https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
 */
export function isOutOfReach(pid: number): boolean {
  try {
    const pids = /^NSpid:(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    if (pids?.trim().split(/\s+/).at(-1) !== '1') return false
    return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync('/proc/self/ns/pid')
  } catch {
    return false
  }
}

/** What {@link whileStopped} does where nothing else is said. */
export interface StopOptions {
  readonly halting?: Halting
  /** Called as soon as a thread is stopped. */
  readonly onStopped?: () => void
}

/**
 * Stops the process, carries out `action`, which must not wait for anything, and lets the process go on. The pause begins
 * when the first thread is stopped.
 * @param checkTime to be called now and then by `action`; throws once the time is up
 * @throws LeakscopeError `price-too-high` if it takes longer than `maxPauseMs`, `target-timeout` if it does not stop
 */
export function whileStopped<T>(
  pid: number,
  birth: number,
  maxPauseMs: number,
  action: (checkTime: () => void) => T,
  { halting = bySignal(pid, birth), onStopped = () => {} }: StopOptions = {},
): Paused<T> {
  const restore = comeFirst()
  try {
    halting.stop()
    const startedMs = waitUntilStopping(pid, halting)
    const cpuBefore = process.cpuUsage()
    const elapsedMs = (): number => performance.now() - startedMs
    onStopped()
    while (halting.stopped() !== 'all') {
      if (elapsedMs() > maxPauseMs) {
        throw new LeakscopeError(
          'target-timeout',
          `process ${pid} was let go after ${Math.round(elapsedMs())} ms: not all of its threads had stopped by then`,
          { hint: 'The machine is busy, or a thread waits for a disk. Try again; --max-pause allows more.' },
        )
      }
      sleepHere(POLL_MS)
    }
    const value = action(() => {
      if (elapsedMs() <= maxPauseMs) return
      const { user, system } = process.cpuUsage(cpuBefore)
      const workedMs = (user + system) / 1000
      if (workedMs < AT_WORK * maxPauseMs) {
        throw new LeakscopeError(
          'target-timeout',
          `process ${pid} was let go after ${Math.round(elapsedMs())} ms: this machine is so busy that leakscope could copy its heap for only ${Math.round(workedMs)} ms of that`,
          { hint: 'Try again; --max-pause allows more.' },
        )
      }
      throw new LeakscopeError(
        'price-too-high',
        `process ${pid} was let go after ${Math.round(elapsedMs())} ms: copying its heap takes longer than it may stand still`,
        {
          hint: '--max-pause allows more.',
        },
      )
    })
    // Whoever has let it go meanwhile, the watchdog or a stranger, the copy is worth nothing.
    if (halting.stopped() !== 'all') {
      throw new LeakscopeError('target-timeout', `process ${pid} was let go by somebody else while it was copied`, {
        hint: 'Try again.',
      })
    }
    return { value, pausedMs: elapsedMs() }
  } finally {
    try {
      halting.letGo()
    } finally {
      restore()
    }
  }
}

/** As the process waits for us meanwhile, no other program of a busy machine should come first, where we may ask for that. */
function comeFirst(): () => void {
  try {
    const before = getPriority()
    if (before <= constants.priority.PRIORITY_HIGH) return () => {}
    setPriority(constants.priority.PRIORITY_HIGH)
    return () => {
      try {
        setPriority(before)
      } catch {
        // Only for whoever may have it.
      }
    }
  } catch {
    return () => {}
  }
}

/** Neither of these can end a process. That it is still the same one is asked each time. */
function signal(pid: number, birth: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  if (statOf(pid)?.birth !== birth) throw new LeakscopeError('target-died', `process ${pid} has ended`)
  try {
    process.kill(pid, name)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ESRCH')
      throw new LeakscopeError('target-died', `process ${pid} has ended`, { cause })
    throw new LeakscopeError('target-not-permitted', `the system does not let us stop process ${pid}`, {
      cause,
      hint: 'Run leakscope as the same user, or as root.',
    })
  }
}

const clock = new Int32Array(new SharedArrayBuffer(4))
const sleepHere = (ms: number): void => void Atomics.wait(clock, 0, 0, ms)

/** Since when, at the earliest, a thread has been stopped. */
function waitUntilStopping(pid: number, halting: Halting): number {
  const askedMs = performance.now()
  for (let lastMs = askedMs; ; ) {
    const nowMs = performance.now()
    if (halting.stopped() !== 'none') return lastMs
    if (nowMs - askedMs > STOP_WITHIN_MS) {
      throw new LeakscopeError(
        'target-timeout',
        `process ${pid} did not stop within ${STOP_WITHIN_MS / 1000} s, and goes on`,
        { hint: 'It may be waiting for a disk, or the machine is very busy. Try again.' },
      )
    }
    lastMs = nowMs
    sleepHere(POLL_MS)
  }
}

function stoppedThreads(pid: number): Stopped {
  try {
    const states = readdirSync(`/proc/${pid}/task`).map(
      (task) => statIn(`/proc/${pid}/task/${task}/stat`)?.state ?? 'X',
    )
    if (states.every((state) => NOT_RUNNING.test(state))) return 'all'
    return states.some((state) => STOPPED.test(state)) ? 'some' : 'none'
  } catch {
    return 'all'
  }
}
