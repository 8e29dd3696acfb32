// Which threads of a process are busy all the time, as the system counts it; and whether anybody asked for anything meanwhile.

import { readdirSync, readFileSync } from 'node:fs'

interface Counts {
  readonly atMs: number
  /** By thread: how long it has run, or waited for a processor to run on; https://docs.kernel.org/scheduler/sched-stats.html */
  readonly busyMs: ReadonlyMap<number, number>
  /** Calls that read from files, sockets and pipes, of all threads; undefined where the system does not count. */
  readonly reads: number | undefined
}

export interface Times {
  readonly seconds: number
  /** By thread, the main one's number is the process's: which part of the time it ran or was about to. */
  readonly shares: ReadonlyMap<number, number>
  readonly readsPerSecond: number | undefined
}

/** Counts from now on; `end` says what came of it, undefined where that is not to be had. */
export function watchThreads(pid: number): { end(): Times | undefined } {
  const before = countsOf(pid)
  return {
    end() {
      const after = countsOf(pid)
      if (!before || !after) return undefined
      const ms = after.atMs - before.atMs
      const shares = new Map<number, number>()
      for (const [thread, busy] of after.busyMs) shares.set(thread, (busy - (before.busyMs.get(thread) ?? busy)) / ms)
      const reads = before.reads === undefined || after.reads === undefined ? undefined : after.reads - before.reads
      return { seconds: ms / 1000, shares, readsPerSecond: reads && (1000 * reads) / ms }
    },
  }
}

function countsOf(pid: number): Counts | undefined {
  try {
    const busyMs = new Map<number, number>()
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [ran, waited] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ').map(Number)
      busyMs.set(Number(thread), (ran! + waited!) / 1e6)
    }
    return { atMs: performance.now(), busyMs, reads: readsOf(pid) }
  } catch {
    return undefined
  }
}

function readsOf(pid: number): number | undefined {
  try {
    const reads = /^syscr: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]
    return reads === undefined ? undefined : Number(reads)
  } catch {
    return undefined
  }
}
