// `busy-loop` as the system sees it: the main thread works all the time, and the process reads next to nothing. What
// `busy-loop.ts` judges by a profile is said here where none was taken.

import { z } from 'zod'
import { ground } from '../findings/weights.ts'
import { isOwn } from '../source/origins.ts'
import { formatDuration } from '../support/format.ts'
import type { EvidenceBy, ThreadsDetector } from './detector.ts'

const evidence = () => [
  z.object({
    seenBy: z.literal('system').describe('the system counts the time of threads; no profile was taken'),
    share: z.number().describe('which part of the time the thread ran or was about to, from 0 to 1'),
    readsPerSecond: z.number().describe('calls of the process that read from files, sockets and pipes, each second'),
    seconds: z.number().describe('how long that was counted, in seconds'),
  }),
]

/** Whoever waits for requests is idle for a part of the time; and answers one with a read at the least. */
const BUSY = { share: 0.95, readsPerSecond: 2, seconds: 3 }

export const busyThread: ThreadsDetector<EvidenceBy<typeof evidence>> = {
  name: 'busy-thread',
  patterns: ['busy-loop'],
  needs: 'threads',
  evidence,
  diagnose({ pid, seconds, shares, readsPerSecond, stacks }) {
    const share = shares.get(pid) ?? 0
    if (seconds < BUSY.seconds || share < BUSY.share) return undefined
    if (readsPerSecond === undefined || readsPerSecond > BUSY.readsPerSecond) return undefined
    const span = formatDuration(1000 * seconds)
    const percent = Math.round(100 * Math.min(1, share))
    // Three looks are no profile, but where all are the same they say where to look.
    const inner = stacks.flatMap((stack) => stack.find(({ url, line }) => line > 0 && isOwn(url)) ?? [])
    const [first] = inner
    const isSame =
      inner.length >= 2 && inner.every(({ function: name, url }) => name === first!.function && url === first!.url)
    const where = isSame
      ? `; in ${inner.length} of ${stacks.length} pictures it was in ${first!.function ?? 'the same function'}`
      : ''
    return {
      title: `The main thread was at work for ${percent} % of ${span}, and nobody was seen to ask it for anything`,
      wastes: 'cpu',
      grounds: [
        ground(
          'busyUnasked',
          `for ${span} it did not wait, and read next to nothing: no request was seen to come in${where}`,
        ),
      ],
      ...(isSame && { culprit: { ...first!, package: null, basis: 'callback' as const } }),
      identity: () => ['outside', isSame ? (first!.function ?? first!.url) : ''],
      evidence: { seenBy: 'system', share: Math.round(100 * share) / 100, readsPerSecond, seconds },
      advice: `A computation that is wanted looks the same from outside. \`leakscope profile ${pid} --cpu\` tells where its time goes, over the inspector.`,
    }
  },
}
