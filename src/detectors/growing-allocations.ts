// `growing-allocations`: what a function allocates stays and becomes more, as samples of its allocations tell; no snapshot was taken.

import { z } from 'zod'
import { byNumber, ground } from '../findings/weights.ts'
import { formatBytes, formatDuration } from '../support/format.ts'
import type { AllocationsDetector, EvidenceBy } from './detector.ts'
import * as field from './evidence-fields.ts'
import { identityOf, placeMark } from './shown.ts'

const evidence = () => [
  z.object({
    seenBy: z.literal('sampling').describe('no snapshot was taken: allocations were sampled'),
    samples: field.count('samples that came and are alive'),
    keptShare: z.number().describe('which part of what came is alive, from 0 to 1'),
    seconds: z.number().describe('how long it was sampled, in seconds'),
    calledBy: z
      .array(z.strictObject({ function: z.string().nullable(), url: z.string(), line: z.number().int() }))
      .describe('who called the function, the innermost first'),
  }),
]

const MOST_CALLERS = 7
/** Of fewer samples, how many come in a second is told by chance as much. */
const FEW = 4
/** Who keeps all but some odd samples keeps it all. */
const ALL = 0.95

export const growingAllocations: AllocationsDetector<EvidenceBy<typeof evidence>> = {
  name: 'growing-allocations',
  patterns: ['growing-allocations'],
  needs: 'allocations',
  evidence,
  diagnose({ frames, bytes, bytesPerSecond, samples, kept, seconds }) {
    const [first, ...callers] = frames
    if (!first) return undefined
    const called = first.function || `a function at ${placeMark(first, 'place')}`
    const span = formatDuration(1000 * seconds)
    const share = `${Math.round(100 * kept)} %`
    return {
      title: `What ${called} allocates stays: ${formatBytes(bytes)} in ${span}, ${formatBytes(bytesPerSecond)} more each second`,
      grounds: [
        ground(
          kept >= ALL ? 'sampledAllStayed' : 'sampledStayed',
          `of what it allocated in ${span}, ${share} was alive at the end, by ${samples} samples, and it became more in each third of the time; who holds it, no sample tells`,
        ),
        byNumber(samples, FEW),
      ],
      culprit: { ...first, function: first.function || null, package: null, basis: 'allocation' },
      identity: (culprit) => (culprit ? identityOf(culprit) : []),
      growth: { shallowBytes: bytes, retainedBytes: bytes, bytesPerSecond: Math.round(bytesPerSecond) },
      evidence: {
        seenBy: 'sampling',
        ...{ samples, keptShare: Math.round(100 * kept) / 100, seconds: Math.round(10 * seconds) / 10 },
        calledBy: callers
          .slice(0, MOST_CALLERS)
          .map(({ function: name, url, line }) => ({ function: name || null, url, line })),
      },
      advice:
        'Look where what this function makes is put, and take it out there once it is done with. A cache that is still filling looks the same: a snapshot tells more (`leakscope diagnose`, soon after a restart, or --via outside).',
    }
  },
}
