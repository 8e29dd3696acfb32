// `allocator-retention`: a burst is over, nothing leaks, and the allocator keeps the memory instead of giving it back.

import { judgedBy } from '../findings/confidence.ts'
import { fingerprint } from '../findings/fingerprint.ts'
import type { ReportFinding } from '../findings/report.ts'
import { ground } from '../findings/weights.ts'
import { formatBytes, formatDuration } from '../support/format.ts'

/** What of a process's memory lay idle in its allocator at one moment. */
export interface IdleMemory {
  readonly atMs: number
  readonly rssBytes: number
  readonly idleBytes: number
}

/** Less than this nobody misses, and a process at work has as much between two requests. */
const LEAST = { bytes: 48e6, share: 0.25 }
/** What is taken and given back meanwhile is at work. */
const STILL = 0.1

/**
 * @param looks in order of time, at the process as it is by itself: a snapshot leaves memory idle as well
 * @param allocator as the ledger names it, with the number of its arenas
 */
export function findIdleMemory(
  looks: readonly IdleMemory[],
  allocator: { readonly name: string; readonly arenas: number | null } | null,
): ReportFinding[] {
  const first = looks[0]
  const last = looks.at(-1)
  if (!first || !last || looks.length < 2 || allocator?.arenas == null) return []
  const idle = looks.map(({ idleBytes }) => idleBytes)
  const least = Math.min(...idle)
  const rssBytes = last.rssBytes
  if (least < LEAST.bytes || least < LEAST.share * rssBytes) return []
  if (Math.max(...idle) - least > STILL * least) return []
  const span = formatDuration(last.atMs - first.atMs)
  const { name, arenas } = allocator
  return [
    {
      pattern: 'allocator-retention',
      fingerprint: fingerprint(['allocator-retention', name]),
      wastes: 'memory',
      ...judgedBy([ground('idleMemory', `it was there all the while (${span}), neither used nor given back`)]),
      severity: 'note',
      title: `${formatBytes(least)} of ${formatBytes(rssBytes)} lie idle in ${name}'s ${arenas} arenas: a burst has gone, and its memory did not come back`,
      isolate: 'main',
      growth: { count: 0, shallowBytes: 0, retainedBytes: 0, perSecond: 0, bytesPerSecond: 0, holders: 0 },
      culprit: null,
      codeFrame: [],
      retainingPath: [],
      evidence: {
        idleBytes: idle,
        rssBytes,
        share: Math.round((100 * least) / rssBytes) / 100,
        allocator: name,
        arenas,
      },
      explains: [],
      advice:
        'Nothing leaks: the next burst uses it again. Where it must go back, start the process with MALLOC_ARENA_MAX=2 and MALLOC_TRIM_THRESHOLD_=131072, or with jemalloc by LD_PRELOAD, and compare "idle in the allocator" in leakscope memory after the same burst.',
    },
  ]
}
