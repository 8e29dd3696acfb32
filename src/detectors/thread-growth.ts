// `thread-growth`: worker threads are started for one task each, and do not end.

import { z } from 'zod'
import { byNumber } from '../findings/weights.ts'
import { isOfThread, isWorker, WORKER } from '../node-internals/threads.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { formatCount } from '../support/format.ts'
import type { Candidate, EvidenceBy, HeapDetector } from './detector.ts'
import * as field from './evidence-fields.ts'
import { type Called, lineIn, scriptsOf, whereCalls } from './flows.ts'
import { lineOf } from './functions.ts'
import { but } from './likelihood.ts'
import { countsOver, ratesOf, reachedOf } from './surroundings.ts'

const evidence = () => [
  z.object({
    threadsStarted: field.count('worker threads that were started and did not end'),
    perSecond: field.perSecond('worker threads that are started'),
    workers: z.array(z.number()).describe('Worker objects in each snapshot'),
    isolatesSeen: field.count('isolates that were captured, with the main thread'),
    startedAt: field.line('the line that starts them'),
  }),
]

export const threadGrowth: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'thread-growth',
  patterns: ['thread-growth'],
  needs: 'heap',
  before: [
    // Each thread has message ports, with listeners, which Node holds.
    'handle-leak',
    'node-listeners',
    'listener-leak',
    'unknown-node-internals',
  ],
  evidence,
  diagnose(candidate, { isolates, readSource }) {
    const { of, likelihood } = candidate
    const worker = findWorker(candidate)
    if (worker === undefined) return undefined
    const counts = countsOver(of, worker)
    const started = counts.at(-1)! - counts[0]!
    const perSecond = started / (of.seconds.at(-1)! - of.seconds[0]!)
    if (started < LEAST || ratesOf(counts, of.seconds).some((rate) => rate < 0.5 * perSecond)) return undefined
    const sources = sourcesOf(readSource)
    const isStart = ({ isNew, name }: Called): boolean => isNew && name === 'Worker'
    const line = whereCalls(sources, scriptsOf(of.graph), (call) => isStart(call) && call.root !== 'declared', isStart)
    return {
      title: `${formatCount(started)} worker threads more than at first, ${perSecond.toFixed(1)} more each second, and none of them ends`,
      likelihood: but(likelihood, byNumber(started, 3)),
      culprit: line,
      cause: 'threads',
      covers: (other) => other.of === of && isOfThread(other.suspect.className),
      evidence: {
        threadsStarted: started,
        perSecond: Math.round(perSecond * 10) / 10,
        workers: counts,
        isolatesSeen: isolates.length,
        startedAt: line ? { url: line.url, line: line.line, text: lineIn(sources, line) } : null,
      },
      advice: `A thread that listens to its parentPort never ends by itself: terminate() the Worker when its result is there, or better keep a few Workers and give them the tasks in turn${line ? `, instead of the new one at ${lineOf(line)} each time` : ''}.`,
    }
  },
}

/** Fewer threads that came may be a pool that is getting to its size. */
const LEAST = 5
/** Ports and listeners that Node has for each thread, at most. */
const MOST_EACH = 6

/** One of the Worker objects that came, if the candidate has a few objects for each of them. */
function findWorker({ of, suspect }: Candidate): number | undefined {
  const workers = reachedOf({ of, suspect }, (name) => name === WORKER).filter((node) => isWorker(of.graph, node))
  return workers.length >= LEAST && suspect.count <= MOST_EACH * workers.length ? workers[0] : undefined
}
