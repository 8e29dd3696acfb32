// Which threads of a process are busy all the time, as the system counts it; and whether anybody asked for anything meanwhile.

import { readdirSync, readFileSync } from 'node:fs'
import { shown } from '../detectors/shown.ts'
import { judgedBy } from '../findings/confidence.ts'
import { fingerprint } from '../findings/fingerprint.ts'
import type { ReportFinding } from '../findings/report.ts'
import { ground } from '../findings/weights.ts'
import type { JsFrame } from '../outside/js-stack.ts'
import { isOwn } from '../source/origins.ts'
import { formatDuration } from '../support/format.ts'
import { createScriptSources, type RunningScript } from '../support/script-sources.ts'

interface Counts {
  readonly atMs: number
  /** By thread: how long it has run, or waited for a processor to run on; https://docs.kernel.org/scheduler/sched-stats.html */
  readonly busyMs: ReadonlyMap<number, number>
  /** Calls that read from files, sockets and pipes, of all threads; undefined where the system does not count. */
  readonly reads: number | undefined
}

export interface BusyThreads {
  readonly pid: number
  readonly seconds: number
  /** By thread, the main one's number is the process's: which part of the time it ran or was about to. */
  readonly shares: ReadonlyMap<number, number>
  readonly readsPerSecond: number | undefined
}

/** Whoever waits for requests is idle for a part of the time; and answers one with a read at the least. */
const BUSY = { share: 0.95, readsPerSecond: 2, seconds: 3 }

/** Counts from now on; `end` says what came of it, undefined where that is not to be had. */
export function watchThreads(pid: number): { end(): BusyThreads | undefined } {
  const before = countsOf(pid)
  return {
    end() {
      const after = countsOf(pid)
      if (!before || !after) return undefined
      const ms = after.atMs - before.atMs
      const shares = new Map<number, number>()
      for (const [thread, busy] of after.busyMs) shares.set(thread, (busy - (before.busyMs.get(thread) ?? busy)) / ms)
      const reads = before.reads === undefined || after.reads === undefined ? undefined : after.reads - before.reads
      return { pid, seconds: ms / 1000, shares, readsPerSecond: reads && (1000 * reads) / ms }
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

/**
 * That a thread's time goes, that nobody was seen to ask for it, and in which of the program's functions it was when its
 * pictures were taken: three looks are no profile, but where all are the same they say where to look.
 * @param stacks the main thread's, of each picture
 */
export function findBusyThreads(
  seen: BusyThreads | undefined,
  stacks: readonly (readonly JsFrame[])[],
  scripts: readonly RunningScript[],
): ReportFinding[] {
  if (!seen || seen.seconds < BUSY.seconds) return []
  const { pid, seconds, shares, readsPerSecond } = seen
  const share = shares.get(pid) ?? 0
  if (share < BUSY.share || readsPerSecond === undefined || readsPerSecond > BUSY.readsPerSecond) return []
  const span = formatDuration(1000 * seconds)
  const percent = Math.round(100 * Math.min(1, share))
  const inner = stacks.flatMap((stack) => stack.find(({ url, line }) => line > 0 && isOwn(url)) ?? [])
  const [first] = inner
  const isSame =
    inner.length >= 2 && inner.every(({ function: name, url }) => name === first!.function && url === first!.url)
  const found =
    first && isSame
      ? shown({ ...first, package: null, basis: 'callback' }, createScriptSources({ scripts }))
      : { culprit: null, codeFrame: [] }
  const where = found.culprit
    ? `; in ${inner.length} of ${stacks.length} pictures it was in ${found.culprit.function ?? 'this line'}`
    : ''
  return [
    {
      pattern: 'busy-loop',
      fingerprint: fingerprint(['busy-loop', 'outside', first && isSame ? (first.function ?? first.url) : '']),
      wastes: 'cpu',
      ...judgedBy([
        ground(
          'busyUnasked',
          `for ${span} it did not wait, and read next to nothing: no request was seen to come in${where}`,
        ),
      ]),
      title: `The main thread was at work for ${percent} % of ${span}, and nobody was seen to ask it for anything`,
      isolate: 'main',
      growth: { count: 0, shallowBytes: 0, retainedBytes: 0, perSecond: 0, bytesPerSecond: 0, holders: 0 },
      culprit: found.culprit,
      codeFrame: [...found.codeFrame],
      retainingPath: [],
      evidence: { seenBy: 'system', share: Math.round(100 * share) / 100, readsPerSecond, seconds },
      explains: [],
      advice: `A computation that is wanted looks the same from outside. \`leakscope profile ${pid} --cpu\` tells where its time goes, over the inspector.`,
    },
  ]
}
