// The way to a process of this machine, by its pid: its inspector is found, or opened by signal.

import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LeakscopeError } from '../errors.ts'
import { formatDuration, printable } from '../support/format.ts'
import type { Route } from './address.ts'
import { type InspectorAddress, showAddress } from './address.ts'
import { findOpenInspector, isAlive, moveInspector, openInspector, type PortTaken, whoHas } from './inspector.ts'
import { cutOffVisits, leaveNote, visitorOf } from './notes.ts'
import type { Platform, ProcessFacts } from './platform.ts'
import { inspectorUrl } from './probe.ts'
import { requireNodeProcess, stopped } from './refusals.ts'
import { routeTo } from './route.ts'
import type { Outside } from './visit.ts'
import type { Visitor } from './visitors.ts'

export interface LocalOptions {
  readonly signal: AbortSignal
  readonly notice: (notice: string) => void
  /** How long to wait for the port that the target needs while somebody else has it. */
  readonly waitMs: number | undefined
  /** Whether an inspector that is opened moves to a port where it is in nobody's way. */
  readonly movesAside: boolean
}

/** How long to wait for another leakscope to be done, unless told otherwise. */
const QUEUE_MS = 120_000
const POLL_MS = 200
const LONGEST_COMMAND = 80
/** A target that is stopped this long while it owes us an answer will not give it. */
const STOPPED_MS = 5000

/** A process and what has to be undone when the visit is over. */
export interface LocalTarget {
  readonly outside: Outside
  done(): Promise<void>
}

/** Finds or opens the inspector of process `pid`. Throws a LeakscopeError that says why it cannot be had. */
export async function outsideOfProcess(
  platform: Platform,
  us: Visitor,
  pid: number,
  options: LocalOptions,
): Promise<LocalTarget> {
  const { facts } = await requireNodeProcess(platform, pid)
  options.signal.throwIfAborted()
  const route = await routeTo(platform, pid)
  let forget = () => {}
  try {
    const already = await findOpenInspector(platform, pid, route)
    const leftBy = already && (await cutOffVisits(platform, pid))[0]?.by
    forget = leaveNote({ visitor: us, target: { pid, birth: facts.birth }, opened: already === undefined })
    let inspector = already ?? (await openInTurn(platform, pid, route, options))
    if (!already && options.movesAside) inspector = await moveInspector(platform, facts, inspector, route)
    const outside = describeOutside(platform, facts, inspector, route, { opened: !already || !!leftBy, leftBy })
    return {
      outside,
      async done() {
        route.close()
        // As long as the inspector is open, the notes tell the next one whose it is.
        if (outside.opened && (await outside.isListening())) return
        forget()
        for (const it of await cutOffVisits(platform, pid)) it.forget()
      },
    }
  } catch (error) {
    route.close()
    // The signal may have been sent, and the inspector may yet open: then the note is of use.
    if (!options.signal.aborted && !mayOpenYet(error)) forget()
    throw error
  }
}

const mayOpenYet = (error: unknown) =>
  error instanceof LeakscopeError && (error.code === 'target-timeout' || error.code === 'target-unreachable')

/** Opens the inspector, when need be after others that have the port that it needs. */
async function openInTurn(
  platform: Platform,
  pid: number,
  route: Route,
  options: LocalOptions,
): Promise<InspectorAddress> {
  const startedMs = performance.now()
  for (let quiet = false; ; quiet = true) {
    const answer = await openInspector(platform, pid, route, options.signal)
    if ('opened' in answer) return answer.opened
    await waitForPort(platform, pid, answer.taken, startedMs, { ...options, quiet })
    await requireNodeProcess(platform, pid)
  }
}

/** Waits until who has the port lets go of it. Throws when that takes too long, or is not to be waited for. */
async function waitForPort(
  platform: Platform,
  pid: number,
  taken: PortTaken,
  startedMs: number,
  { signal, notice, waitMs, quiet }: LocalOptions & { readonly quiet: boolean },
): Promise<void> {
  for (let told = quiet; ; told = true) {
    const visitor = taken.pid === undefined ? undefined : await visitorOf(platform, taken.pid)
    // Asked after the visitor, who takes its note away only when the port is free.
    const now = await whoHas(platform, pid, taken.port)
    if (!now || now.pid !== taken.pid) return
    const limitMs = waitMs ?? (visitor ? QUEUE_MS : 0)
    const waitedMs = performance.now() - startedMs
    if (waitedMs >= limitMs) throw await portTaken(platform, pid, taken, visitor, waitedMs)
    if (!told) {
      const who = await show(platform, taken)
      const why = visitor ? `another leakscope (process ${visitor.pid}) is looking into ${who}` : `${who} has it`
      notice(`waiting up to ${formatDuration(limitMs)} for port ${taken.port}: ${why}`)
    }
    // Not in step with others that wait for the same.
    await sleep(POLL_MS * (0.5 + Math.random()), undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

async function portTaken(
  platform: Platform,
  pid: number,
  taken: PortTaken,
  visitor: Visitor | undefined,
  waitedMs: number,
): Promise<LeakscopeError> {
  const who = await show(platform, taken)
  const why = visitor ? `, which another leakscope (process ${visitor.pid}) is looking into` : ''
  const still = waitedMs > 1000 ? `, still after ${formatDuration(waitedMs)}` : ''
  return new LeakscopeError(
    'target-port-taken',
    `process ${pid} cannot open its inspector on port ${taken.port}, because ${who} listens there${why}${still}`,
    {
      hint: `Wait for it with --wait, or start the target with --inspect-port=0, which takes any free port.`,
    },
  )
}

async function show(platform: Platform, { pid }: PortTaken): Promise<string> {
  if (pid === undefined) return 'a process of another user'
  const [executable, ...args] = (await platform.describe(pid))?.command ?? []
  if (executable === undefined) return `process ${pid}`
  return `process ${pid} (${printable([basename(executable), ...args].join(' '), LONGEST_COMMAND)})`
}

function describeOutside(
  platform: Platform,
  facts: ProcessFacts,
  inspector: InspectorAddress,
  route: Route,
  whose: Pick<Outside, 'opened' | 'leftBy'>,
): Outside {
  const { pid, ownPid, command } = facts
  const url = () => inspectorUrl(inspector, route)
  return {
    label: `process ${pid}`,
    pid,
    ownPid,
    command,
    inspector,
    route,
    ...whose,
    async url() {
      try {
        return await url()
      } catch (cause) {
        if (cause instanceof LeakscopeError) throw cause
        throw new LeakscopeError('target-unreachable', `the inspector at ${showAddress(inspector)} does not answer`, {
          cause,
        })
      }
    },
    state: async () => (await platform.describe(pid))?.state,
    async isListening() {
      const listeners = await platform.listeners(pid)
      if (listeners) return listeners.some((it) => it.port === inspector.port)
      return url().then(
        () => true,
        () => false,
      )
    },
    connections: () => platform.connections(pid, inspector.port),
    ...outlook(platform, facts),
  }
}

/** Whether a process of this machine can still be hoped for, and a word for when it is gone. */
export function outlook(platform: Platform, { pid }: ProcessFacts): Pick<Outside, 'hopeless' | 'explain'> {
  let stoppedSinceMs: number | undefined
  return {
    async hopeless() {
      const facts = await platform.describe(pid)
      if (!facts || facts.state === 'zombie') return new LeakscopeError('target-unreachable', 'the target is gone')
      stoppedSinceMs = facts.state === 'stopped' ? (stoppedSinceMs ?? performance.now()) : undefined
      const given = stoppedSinceMs !== undefined && performance.now() - stoppedSinceMs >= STOPPED_MS
      return given ? stopped(facts) : undefined
    },
    async explain(error) {
      // The kernel closes the sockets of a process a little before it is gone.
      for (let tries = 0; tries < 10 && (await isAlive(platform, pid)); tries++) await sleep(30)
      if (await isAlive(platform, pid)) return error
      return new LeakscopeError('target-died', `process ${pid} ended before the work was done`, {
        cause: error,
        hint: 'If nobody ended it, it may have run out of memory: a snapshot needs several times the heap while it is taken.',
      })
    },
  }
}
