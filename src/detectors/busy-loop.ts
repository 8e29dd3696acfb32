// `busy-loop`: a thread takes a whole core without work: a function reschedules itself, or polls, while nothing comes in.

import { z } from 'zod'
import type { Frame } from '../analysis/allocations.ts'
import type { CpuTime, TimedStack } from '../analysis/cpu-time.ts'
import { type Culprit, packageOf } from '../analysis/culprit.ts'
import { type FunctionPlace, findRescheduling, findWaiting, type Rescheduling } from '../analysis/rescheduling.ts'
import { ground } from '../findings/weights.ts'
import { formatCount } from '../support/format.ts'
import type { CpuDetector, EvidenceBy, IsolateWork } from './detector.ts'
import * as field from './evidence-fields.ts'
import { shortPlace } from './functions.ts'
import { identityOf } from './shown.ts'

const evidence = () => [
  z.object({
    busy: z.number().nullable().describe('part of the time in which the event loop was not waiting, from 0 to 1'),
    turnsPerSecond: z.number().describe('turns of the event loop each second; 0 where it did not come back'),
    eventsPerSecond: z
      .number()
      .nullable()
      .describe('events from outside of the thread each second; null if not counted'),
    rescheduledBy: z.string().nullable().describe('how it runs again: `setImmediate`, `loop`, …; null if not known'),
    shareOfProgram: z.number().optional().describe("part of the CPU time in the program's functions, from 0 to 1"),
    shareOfOutside: z.number().optional().describe('part of the CPU time in functions of Node that bring events'),
    shareOfLoop: z.number().optional().describe('part of the CPU time in the function that does not return'),
    shareOfCalled: z.number().optional().describe('part of the CPU time in functions which that one calls'),
    samples: field.count('samples of the CPU profile'),
  }),
]
type Evidence = EvidenceBy<typeof evidence>

export const busyLoop: CpuDetector<Evidence> = {
  name: 'busy-loop',
  patterns: ['busy-loop'],
  needs: 'cpu',
  evidence,
  diagnose(work, { sources }) {
    const { cpu, look } = work
    if (!cpu) return undefined
    return look.caught ? caught(work, cpu, sources) : turning(work, cpu, sources)
  },
}

/** A thread that is busy for a smaller part of its time still has pauses. */
const BUSY = 0.9
/**
 * A turn of an event loop that finds nothing to do costs microseconds. IDLE: many turns, few events for each, and little CPU
 * time in the program's functions are no work. ASKING: where the program takes more CPU time, the source must show that it
 * polls, and goes on whatever it finds.
 */
const IDLE = { turnsPerSecond: 1000, eventsPerTurn: 0.05, work: 0.3 }
const ASKING = { turnsPerSecond: 500, intervalTurnsPerSecond: 20, eventsPerTurn: 0.5, outside: 0.01 }
/** Where events are not counted: most of the samples that functions of Node which bring events may have. */
const OUTSIDE_UNCOUNTED = 0.05
/** Of a thread that does not come back to its event loop: how much of its time a function that polls must have. */
const CAUGHT = { share: 0.5, work: 0.9, waits: 0.8 }

/** Modules of Node that only run what was scheduled: they do no work, and bring no events. */
const MACHINERY =
  /^node:(timers|internal\/timers|timers\/promises|internal\/process\/(task_queues|promises)|internal\/async_hooks|internal\/async_context_frame|internal\/process\/execution|async_hooks|internal\/async_local_storage\/.*)$/
const ENTRIES = /^(processImmediate|processTimers|listOnTimeout|processTicksAndRejections|runNextTicks|runMicrotasks)$/

type Sources = Parameters<CpuDetector['diagnose']>[1]['sources']
type Observed = ReturnType<typeof busyLoop.diagnose>

/** It ends no process: never an error. */
const asWaste = ({ isolate }: IsolateWork) =>
  ({
    wastes: 'cpu',
    mostSevere: 'warning',
    identity: (at: Culprit | null) => (at ? identityOf(at) : [isolate]),
  }) as const

/** The event loop turns all the time. */
function turning(work: IsolateWork, cpu: CpuTime, sources: Sources): Observed {
  const { isolate, look } = work
  const { busy, turnsPerSecond, eventsPerSecond } = look
  if (busy === null || busy < BUSY || turnsPerSecond === null) return undefined
  const perTurn = eventsPerSecond === null ? null : eventsPerSecond / turnsPerSecond
  const all = sum(cpu.stacks)
  const outside = sum(cpu.stacks.filter(isFromOutside)) / Math.max(1, all)
  const worked = sum(cpu.stacks.filter(isWork)) / cpu.samples
  const loops = loopsOf(cpu.stacks.filter((stack) => !isFromOutside(stack)))
  const { loop: first, found } = rescheduler(loops, sources)
  const isIdle =
    turnsPerSecond >= IDLE.turnsPerSecond &&
    (perTurn === null ? outside <= OUTSIDE_UNCOUNTED : perTurn <= IDLE.eventsPerTurn) &&
    worked <= IDLE.work
  const least = found?.how === 'setInterval' ? ASKING.intervalTurnsPerSecond : ASKING.turnsPerSecond
  const isAsking =
    found !== undefined &&
    found.ends !== 'bounded' &&
    turnsPerSecond >= least &&
    outside <= ASKING.outside &&
    (perTurn === null || perTurn <= ASKING.eventsPerTurn)
  if (found?.ends === 'bounded' || (!isIdle && !isAsking)) return undefined
  const who = first ? nameOf(found?.by ?? first.frame) : 'something'
  const where = found && first ? ` at ${shortPlace({ ...culpritOf(first.frame, found) })}` : ''
  const turns = formatCount(Math.round(turnsPerSecond))
  const news =
    eventsPerSecond === null
      ? 'and hardly anything comes in from outside'
      : `for ${formatCount(Math.round(eventsPerSecond))} events that come in`
  return {
    ...asWaste(work),
    title: `${threadOf(isolate)} burns a core without work: ${who} has itself run again ${turns} times a second${found ? ` by ${found.how}` : ''}, ${news}`,
    culprit: first && culpritOf(first.frame, found),
    grounds: [
      isIdle
        ? ground(
            first ? 'turnsIdle' : 'turnsUnnamed',
            `its event loop is busy ${percent(busy)} of the time and turned ${turns} times a second, of which ${percent(worked)} went to the program's functions and all else to going round`,
          )
        : ground(
            'asksAgain',
            `its event loop is busy ${percent(busy)} of the time although nothing comes in, and the source goes on whether there was something to do or not`,
          ),
    ],
    evidence: {
      busy: round(busy),
      turnsPerSecond: Math.round(turnsPerSecond),
      eventsPerSecond: eventsPerSecond === null ? null : Math.round(eventsPerSecond),
      rescheduledBy: found?.how ?? null,
      shareOfProgram: round(worked),
      shareOfOutside: round(outside),
      samples: cpu.samples,
    },
    advice: advise(found, who, where),
  }
}

/** The thread does not come back to its event loop at all. */
function caught(work: IsolateWork, cpu: CpuTime, sources: Sources): Observed {
  const { isolate, look } = work
  // Stacks without a function of the program are Node running what was scheduled.
  const all = sum(cpu.stacks.filter(({ frames }) => frames.some(isOwn)))
  if (all === 0 || (look.eventsPerSecond ?? 0) > 100) return undefined
  const waits = waitingLoop(cpu, sources)
  const loops = loopsOf(cpu.stacks)
  const { loop: first, found: rescheduled } = waits ? {} : rescheduler(loops, sources)
  const found = waits?.found ?? rescheduled
  const frame = waits?.frame ?? first?.frame
  if (!frame || !found || found.ends === 'bounded') return undefined
  const share = waits?.share ?? first!.samples / all
  // The functions that it calls may be doing work.
  const worked = waits ? 0 : below(cpu.stacks, found.by) / all
  if (share < CAUGHT.share || worked > CAUGHT.work) return undefined
  const who = nameOf(found.by)
  const place = culpritOf(frame, found)
  const by = found.how === 'loop' ? 'asks again and again in a loop' : `goes on by ${found.how} without a pause`
  return {
    ...asWaste(work),
    title: `${threadOf(isolate)} burns a core without work: ${who} ${by}, and the event loop has not had a turn for over a second`,
    culprit: place,
    grounds: [
      ground(
        found.how === 'loop' ? 'caughtInLoop' : 'caughtAnew',
        `${percent(share)} of what the thread did in its functions was ${who}, and it did not answer to a turn of the event loop`,
      ),
    ],
    evidence: {
      busy: look.busy === null ? null : round(look.busy),
      turnsPerSecond: 0,
      eventsPerSecond: look.eventsPerSecond === null ? null : Math.round(look.eventsPerSecond),
      rescheduledBy: found.how,
      shareOfLoop: round(share),
      shareOfCalled: round(worked),
      samples: cpu.samples,
    },
    advice: advise(found, who, ` at ${shortPlace(place)}`),
  }
}

/** The busiest functions that are looked at. */
const MOST_LOOPS = 12
/** Where the source shows none that reschedules itself, a function with this part of the time is named; else none is. */
const PLAINLY = 0.5

/** Of the functions that run, one that reschedules itself without an end; else the busiest. */
function rescheduler(
  loops: readonly Running[],
  sources: Sources,
): { readonly loop?: Running; readonly found?: Rescheduling | undefined } {
  const [first, ...others] = loops
    .slice(0, MOST_LOOPS)
    .map((loop) => ({ loop, found: findRescheduling(sources, loop.frame, loop.callees) }))
  if (!first) return {}
  const endless = [first, ...others].find(({ found }) => found && found.ends !== 'bounded')
  const all = loops.reduce((sum, { samples }) => sum + samples, 0)
  return endless ?? (first.loop.samples >= PLAINLY * all ? first : {})
}

function advise(found: Rescheduling | undefined, who: string, where: string): string {
  if (found?.how === 'loop') {
    return `Let the thread sleep until there is something${where}: Atomics.wait (or Atomics.waitAsync) instead of asking Atomics.load, a message instead of a flag, an awaited timer instead of watching the clock.`
  }
  return `Instead of having ${who} run again${where} to see whether there is something to do, let whoever brings work wake it: by an event, a promise that is resolved, a message. Where only asking is possible, ask by a timer with a real delay, such as 50 ms or more.`
}

interface Running {
  readonly frame: Frame
  /** Samples of it and of what it calls. */
  samples: number
  /** Functions of the program that it was seen calling. */
  readonly callees: Frame[]
}

/** The program's outermost functions: those that the event loop or a promise runs. The busiest first. */
function loopsOf(stacks: readonly TimedStack[]): Running[] {
  const running = new Map<string, Running>()
  for (const { frames, self } of stacks) {
    const at = frames.findIndex(isOwn)
    if (at < 0) continue
    const frame = frames[at]!
    const key = keyOf(frame)
    const known = running.get(key) ?? { frame, samples: 0, callees: [] }
    running.set(key, known)
    known.samples += self
    const callees = frames.slice(at + 1).filter((each) => isOwn(each) && keyOf(each) !== key)
    for (const callee of callees) {
      if (!known.callees.some((other) => keyOf(other) === keyOf(callee))) known.callees.push(callee)
    }
  }
  return [...running.values()].sort((a, b) => b.samples - a.samples)
}

/** Samples in functions of the program that one calls. */
function below(stacks: readonly TimedStack[], by: FunctionPlace): number {
  return sum(
    stacks.filter(({ frames }) => {
      const own = frames.filter(isOwn)
      const at = own.findLastIndex((frame) => keyOf(frame) === keyOf(by))
      return at >= 0 && at < own.length - 1
    }),
  )
}

/** The function that polls in a loop of its own. */
function waitingLoop(cpu: CpuTime, sources: Sources) {
  const own = new Map<string, { frame: Frame; samples: number }>()
  for (const { frames, self } of cpu.stacks) {
    const frame = frames.findLast(isOwn)
    if (!frame) continue
    const known = own.get(keyOf(frame)) ?? { frame, samples: 0 }
    known.samples += self
    own.set(keyOf(frame), known)
  }
  const [first] = [...own.values()].sort((a, b) => b.samples - a.samples)
  const share = first ? first.samples / Math.max(1, sum(cpu.stacks)) : 0
  const found = first && share >= CAUGHT.waits ? findWaiting(sources, first.frame) : undefined
  return found && { frame: first!.frame, share, found }
}

const isOwn = ({ url }: Frame): boolean => url !== '' && !url.startsWith('node:')
const keyOf = ({ url, line, column }: FunctionPlace): string => `${url}:${line}:${column}`
const sum = (stacks: readonly TimedStack[]): number => stacks.reduce((all, { self }) => all + self, 0)

/** Whether Node runs because of something outside of the thread: bytes, a message, an answer of the thread pool. */
function isFromOutside({ frames }: TimedStack): boolean {
  const { url } = frames[0]!
  return url.startsWith('node:') && !MACHINERY.test(url)
}

/** Whether a sample is in a function of the program, or in what it calls other than to be called again. */
function isWork({ frames }: TimedStack): boolean {
  const last = frames.at(-1)!
  return frames.some(isOwn) && !MACHINERY.test(last.url) && !ENTRIES.test(last.function)
}

function culpritOf(frame: Frame, found: Rescheduling | undefined) {
  const { function: name, url, line, column } = found?.by ?? frame
  const place = found ? { line: found.line, column: found.column } : { line, column }
  return { function: name || null, url, ...place, package: packageOf(url), basis: 'callback' as const }
}

const threadOf = (isolate: string): string => (isolate === 'main' ? 'the main thread' : isolate)
const nameOf = (place: FunctionPlace): string => place.function || `the function at ${shortPlace(place)}`
const percent = (share: number): string => `${Math.round(100 * share)} %`
const round = (number: number): number => Math.round(number * 1000) / 1000
