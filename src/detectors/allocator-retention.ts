// `allocator-retention`: a burst is over, nothing leaks, and the allocator keeps the memory instead of giving it back.

import { z } from 'zod'
import { ground } from '../findings/weights.ts'
import { formatBytes, formatDuration } from '../support/format.ts'
import type { EvidenceBy, MemoryDetector } from './detector.ts'
import * as field from './evidence-fields.ts'

const evidence = () => [
  z.object({
    idleBytes: z.array(z.number()).describe('what lay idle at each look, in bytes'),
    rssBytes: field.bytes('resident memory of the process'),
    share: z.number().describe('the least of `idleBytes`, as a part of `rssBytes`, from 0 to 1'),
    allocator: field.name('the allocator: `glibc`, …'),
    arenas: field.count('arenas of the allocator'),
  }),
]

export const allocatorRetention: MemoryDetector<EvidenceBy<typeof evidence>> = {
  name: 'allocator-retention',
  patterns: ['allocator-retention'],
  needs: 'memory',
  evidence,
  diagnose({ idle }) {
    if (!idle || idle.allocator?.arenas == null) return undefined
    const { looks, allocator } = idle
    const first = looks[0]
    const last = looks.at(-1)
    if (!first || !last || looks.length < 2) return undefined
    const idleBytes = looks.map((look) => look.idleBytes)
    const least = Math.min(...idleBytes)
    const rssBytes = last.rssBytes
    if (least < LEAST.bytes || least < LEAST.share * rssBytes) return undefined
    if (Math.max(...idleBytes) - least > STILL * least) return undefined
    const span = formatDuration(last.atMs - first.atMs)
    return {
      title: `${formatBytes(least)} of ${formatBytes(rssBytes)} lie idle in ${allocator.name}'s ${allocator.arenas} arenas: a burst has gone, and its memory did not come back`,
      grounds: [ground('idleMemory', `it was there all the while (${span}), neither used nor given back`)],
      wastes: 'memory',
      mostSevere: 'note',
      identity: () => [allocator.name],
      evidence: {
        idleBytes,
        rssBytes,
        share: Math.round((100 * least) / rssBytes) / 100,
        allocator: allocator.name,
        arenas: allocator.arenas!,
      },
      advice:
        'Nothing leaks: the next burst uses it again. Where it must go back, start the process with MALLOC_ARENA_MAX=2 and MALLOC_TRIM_THRESHOLD_=131072, or with jemalloc by LD_PRELOAD, and compare "idle in the allocator" in leakscope memory after the same burst.',
    }
  },
}

/** Less memory than this is not missed, and a process at work has as much idle between two requests. */
const LEAST = { bytes: 48e6, share: 0.25 }
/** Idle memory that changes by more than this part from look to look is being used. */
const STILL = 0.1
