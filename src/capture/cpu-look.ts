// Where the CPU time of a process goes: what the event loop of each isolate does, and a short profile of those that are busy.

import { LeakscopeError } from '../errors.ts'
import { ANSWER_MS, type InspectorSession, type ProtocolClient } from '../target/session.ts'
import { attachWorkers } from '../target/workers.ts'
import { compileAnew, countTurns, isCaught } from './endless-loop.ts'
import { type Pulse, readPulse } from './isolate-facts.ts'
import { type Isolate, listIsolates } from './isolates.ts'
import { pause } from './pause.ts'
import {
  abandonSampling,
  type CpuSampling,
  type HeapSampling,
  type Sampling,
  startSampling,
  stopSampling,
} from './profile.ts'

/** What one isolate was seen doing. Null where this Node, or this way in, does not tell. */
export interface CpuLook {
  readonly isolate: string
  /** Share of the time, from 0 to 1, that its event loop was not waiting for anything. */
  readonly busy: number | null
  readonly turnsPerSecond: number | null
  /** What came to the loop from outside of its thread. */
  readonly eventsPerSecond: number | null
  /** Whether it did not come back to its event loop for a second and more. */
  readonly caught: boolean
  /** As V8 gave it: what a `.cpuprofile` holds. */
  readonly cpu: object | null
  /** What was allocated and lived for longer than its first collection: what a `.heapprofile` holds; only where that was asked for. */
  readonly allocated: { readonly content: object; readonly seconds: number } | null
}

export interface CpuLookOptions {
  readonly signal: AbortSignal
  /** Told when the first isolate is profiled. */
  readonly onProfile: () => void
  /** Whether what an isolate allocates is worth a look of its own, by what it was seen doing. */
  readonly wantsAllocations: (look: CpuLook) => boolean
}

/** Workers that wait in Atomics.wait, as those of a pool do that has no work, do not answer, and are not busy either. */
const PULSE_MS = 2000
const LOOP_MS = 500
/** Whoever waits for events for more of the time than not wastes none of it. */
const LEAST_BUSY = 0.5
const PROFILE_MS = 1500
/** On a machine that is busy, functions that have next to nothing to do are seen seldom. */
const RESTLESS_PROFILE_MS = 3000
const INTERVAL_MICROS = 1000
/** What goes round without work shows little of itself: its functions are short, and most of the time is the system's. */
const RESTLESS_INTERVAL_MICROS = 200
const ALLOCATIONS: HeapSampling = { kind: 'heap', intervalBytes: 524_288, includeCollected: 'survivors' }
/** A loop that turns so often, and for so few events, has nobody to work for. */
const RESTLESS = { busy: 0.9, turnsPerSecond: 300, eventsPerTurn: 0.3, turnsWithoutCount: 20_000 }

/**
 * Takes half a second; where an isolate is busy two more, in which nothing stands still, and as many again for allocations.
 * An isolate that cannot be looked at, or ends, is left out. Nothing is left running, whatever happens.
 */
export async function lookAtCpu(session: InspectorSession, options: CpuLookOptions): Promise<CpuLook[]> {
  const workers = await attachWorkers(session)
  try {
    const looks = listIsolates(session, workers).map((isolate) => lookAt(session, isolate, options))
    const outcomes = await Promise.allSettled(looks)
    return outcomes.flatMap((outcome) => {
      if (outcome.status === 'fulfilled') return [outcome.value]
      if (session.signal.aborted || !isItsOwn(outcome.reason)) throw outcome.reason
      return []
    })
  } finally {
    await workers.leave()
  }
}

async function lookAt(
  session: InspectorSession,
  { name, client }: Isolate,
  { signal, wantsAllocations, onProfile }: CpuLookOptions,
): Promise<CpuLook> {
  const sampleFor = async (ms: number, sampling: Sampling, begun?: () => Promise<void>) => {
    await startSampling(client, sampling, { timeoutMs: ANSWER_MS })
    try {
      await begun?.()
      const startedMs = performance.now()
      await pause(ms, session.closed, signal)
      const { content } = await stopSampling(client, sampling, { timeoutMs: ANSWER_MS })
      return { content, seconds: (performance.now() - startedMs) / 1000 }
    } catch (error) {
      abandonSampling(client, sampling)
      throw error
    }
  }
  const first = await readPulse(client, PULSE_MS)
  await pause(LOOP_MS, session.closed, signal)
  const passed = rates(first, await readPulse(client, PULSE_MS))
  const none = { isolate: name, ...passed, caught: false, cpu: null, allocated: null }
  if (passed.busy !== null && passed.busy < LEAST_BUSY) return none
  const caught = await isCaught(client)
  // A loop that was never come to has no figures, as one that nobody can ask.
  if (passed.busy === null && !caught) return none
  const loop = await withTurns(client, passed, caught)
  onProfile()
  const restless = caught || isRestless(loop)
  const sampling: CpuSampling = { kind: 'cpu', intervalMicros: restless ? RESTLESS_INTERVAL_MICROS : INTERVAL_MICROS }
  // Where there is work to be done, functions that are compiled anew would hold it up.
  const cpu = await ifItCan(() =>
    sampleFor(restless ? RESTLESS_PROFILE_MS : PROFILE_MS, sampling, restless ? () => compileAnew(client) : undefined),
  )
  const look: CpuLook = { isolate: name, ...loop, caught, cpu: cpu?.content ?? null, allocated: null }
  if (cpu === undefined || !wantsAllocations(look)) return look
  return { ...look, allocated: (await ifItCan(() => sampleFor(PROFILE_MS, ALLOCATIONS))) ?? null }
}

type Loop = Pick<CpuLook, 'busy' | 'turnsPerSecond' | 'eventsPerSecond'>

function rates(from: Pulse, to: Pulse): Loop {
  const seconds = (to.atMs - from.atMs) / 1000
  const gained = (key: 'idleMs' | 'activeMs' | 'turns' | 'events') =>
    from[key] === null || to[key] === null ? null : to[key] - from[key]
  const perSecond = (gain: number | null) => (gain === null ? null : gain / seconds)
  const [idle, active] = [gained('idleMs'), gained('activeMs')]
  return {
    busy: idle === null || active === null || idle + active <= 0 ? null : active / (idle + active),
    turnsPerSecond: perSecond(gained('turns')),
    eventsPerSecond: perSecond(gained('events')),
  }
}

/** Node does not count turns before 20.18. */
async function withTurns(client: ProtocolClient, loop: Loop, caught: boolean): Promise<Loop> {
  const isFull = !caught && loop.turnsPerSecond === null && loop.busy !== null && loop.busy >= RESTLESS.busy
  return isFull ? { ...loop, turnsPerSecond: await countTurns(client) } : loop
}

function isRestless({ busy, turnsPerSecond, eventsPerSecond }: Loop): boolean {
  if (busy === null || busy < RESTLESS.busy || turnsPerSecond === null) return false
  // Without a count of events, only what no server reaches.
  if (eventsPerSecond === null) return turnsPerSecond >= RESTLESS.turnsWithoutCount
  return turnsPerSecond >= RESTLESS.turnsPerSecond && eventsPerSecond <= RESTLESS.eventsPerTurn * turnsPerSecond
}

/** A way in that has no profiler, or one that somebody else uses, is no reason to fail. */
async function ifItCan<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof LeakscopeError && error.code === 'target-protocol') return undefined
    throw error
  }
}

const isItsOwn = (error: unknown): boolean =>
  error instanceof LeakscopeError &&
  (error.code === 'target-timeout' || error.code === 'target-protocol' || error.code === 'target-died')
