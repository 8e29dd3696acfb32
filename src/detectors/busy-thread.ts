// `busy-loop` where no profile was taken: the system says that a thread works all the time, and pictures of its memory
// what it has run again, or that it is in a loop which waits. Else that it is asked for nothing, as the process reads next
// to nothing.

import { z } from 'zod'
import { packageOf } from '../analysis/culprit.ts'
import { type FunctionPlace, findRescheduling, findWaiting, type Rescheduling } from '../analysis/rescheduling.ts'
import { ground } from '../findings/weights.ts'
import { isOwn } from '../source/origins.ts'
import { formatDuration } from '../support/format.ts'
import type { EvidenceBy, ThreadsDetector } from './detector.ts'
import { identityOf } from './shown.ts'

const evidence = () => [
  z.object({
    seenBy: z.literal('system').describe('the system counts the time of threads; no profile was taken'),
    share: z.number().describe('which part of the time the thread ran or was about to, from 0 to 1'),
    readsPerSecond: z
      .number()
      .nullable()
      .describe('calls of the process that read from files, sockets and pipes, each second; null if not counted'),
    rescheduledBy: z
      .string()
      .nullable()
      .describe('how the source has it run again without an end: `setImmediate`, `loop`, …; null if that is not known'),
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
  diagnose(thread, { sources }) {
    const { pid, isolate, seconds, share, readsPerSecond, stacks } = thread
    if (seconds < BUSY.seconds || share < BUSY.share) return undefined
    // Few looks are no profile, but where all are the same they say where to look.
    const inner = stacks.flatMap((stack) => stack.find(({ url, line }) => line > 0 && isOwn(url)) ?? [])
    const [first] = inner
    const isSame = first !== undefined && inner.length >= 2 && inner.every((each) => isSameFunction(each, first))
    const called = isSame ? { ...first, function: first.function ?? '', ...first.begin } : undefined
    const proven = endless(thread, sources) ?? (called && findWaiting(sources, called))
    const isUnasked = readsPerSecond !== undefined && readsPerSecond <= BUSY.readsPerSecond
    if (!proven && !(isUnasked && (isSame || isolate === 'main'))) return undefined
    const span = formatDuration(1000 * seconds)
    const percent = Math.round(100 * Math.min(1, share))
    const who = isolate === 'main' ? 'The main thread' : isolate
    const common = {
      wastes: 'cpu' as const,
      evidence: {
        seenBy: 'system' as const,
        share: Math.round(100 * share) / 100,
        readsPerSecond: readsPerSecond ?? null,
        seconds,
        rescheduledBy: proven?.how ?? null,
      },
    }
    if (proven) {
      const { by, how, line, column } = proven
      const name = by.function || 'a function'
      const again =
        how === 'loop' ? 'asks again and again in a loop' : `has itself run again by ${how}, whatever it finds`
      return {
        ...common,
        // It ends no process.
        mostSevere: 'warning',
        title: `${who} burns a core without work: ${name} ${again}`,
        grounds: [
          how === 'loop'
            ? ground(
                'caughtInLoop',
                `it was at work for ${percent} % of ${span}, and in ${name} in ${inner.length} of ${stacks.length} pictures`,
              )
            : ground(
                'asksAgain',
                `it was at work for ${percent} % of ${span}, each of the ${stacks.length} pictures has ${name} at work or waiting for the next turn of the event loop, and the source goes on whether there was something to do or not`,
              ),
        ],
        culprit: {
          function: by.function || null,
          url: by.url,
          line,
          column,
          package: packageOf(by.url),
          basis: 'callback',
        },
        identity: (at) => (at ? identityOf(at) : ['outside', by.function]),
        advice:
          how === 'loop'
            ? 'Let the thread sleep until there is something: Atomics.wait (or Atomics.waitAsync) instead of asking Atomics.load, a message instead of a flag.'
            : 'Instead of looking again whether there is something to do, let whoever brings work wake it: by an event, a promise that is resolved, a message. Where only asking is possible, ask by a timer with a real delay, such as 50 ms or more.',
      }
    }
    const where = isSame
      ? `; in ${inner.length} of ${stacks.length} pictures it was in ${first.function ?? 'the same function'}`
      : ''
    return {
      ...common,
      title: `${who} was at work for ${percent} % of ${span}, and nobody was seen to ask it for anything`,
      grounds: [
        ground(
          'busyUnasked',
          `for ${span} it did not wait, and read next to nothing: no request was seen to come in${where}`,
        ),
      ],
      ...(isSame && {
        culprit: {
          ...{ function: first.function, url: first.url, line: first.line, column: first.column },
          ...{ package: null, basis: 'callback' as const },
        },
      }),
      identity: () => ['outside', isSame ? (first.function ?? first.url) : ''],
      advice: `A computation that is wanted looks the same from outside. \`leakscope profile ${pid} --cpu\` tells where its time goes, over the inspector.`,
    }
  },
}

type Threads = Parameters<typeof busyThread.diagnose>
type Sources = Threads[1]['sources']

const isSameFunction = (a: Threads[0]['stacks'][number][number], b: typeof a): boolean =>
  a.url === b.url && a.begin.line === b.begin.line && a.begin.column === b.begin.column

/** A function that in each picture waits for the next turn, or is at work, if the source has it run again without an end. */
function endless({ scheduled, stacks }: Threads[0], sources: Sources): Rescheduling | undefined {
  if (scheduled.length < 2) return undefined
  const keyOf = ({ url, line, column }: Omit<FunctionPlace, 'function'>): string => `${url}:${line}:${column}`
  const looks = scheduled.map(
    (places, i) =>
      new Set([...places.map(keyOf), ...(stacks[i] ?? []).map(({ url, begin }) => keyOf({ url, ...begin }))]),
  )
  for (const each of new Map(scheduled.flat().map((place) => [keyOf(place), place])).values()) {
    if (!looks.every((look) => look.has(keyOf(each)))) continue
    const found = findRescheduling(sources, each)
    if (found && found.ends !== 'bounded') return found
  }
  return undefined
}
