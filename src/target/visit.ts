// What every visit to an inspector has in common: come in, make sure of who answers, work, and leave it as it was.

import { setTimeout as sleep } from 'node:timers/promises'
import { LeakscopeError } from '../errors.ts'
import type { InspectorAddress, Route } from './address.ts'
import { shutInspector } from './inspector.ts'
import type { Platform, ProcessState } from './platform.ts'
import { type InspectorSession, openSession } from './session.ts'
import { type Identity, isRunning, signIn, signOut, type Visitor } from './visitors.ts'
import { attachWorkers, type WorkerThread } from './workers.ts'

/** The process that a session leads to. */
export interface Target {
  /** As we know it; of a process that only its inspector tells of, as it knows itself. */
  readonly pid: number
  /** As `process.version`. */
  readonly nodeVersion: string
  readonly command: readonly string[]
  /** Undefined where the way in was the agent. */
  readonly inspector: InspectorAddress | undefined
  /** False when the inspector was opened by a leakscope, and so is shut by the last one to leave. */
  readonly inspectorWasOpen: boolean
}

export interface VisitOptions {
  readonly signal: AbortSignal
  /** Told, in a sentence, what a user should know but what is no reason to stop. */
  readonly onNotice?: (notice: string) => void
}

/** A target as seen from outside, which goes on seeing when its inspector does not answer. */
export interface Outside {
  /** For messages: `process 4242`, or `localhost:9229`. */
  readonly label: string
  readonly pid: number | undefined
  /** As the process knows it; undefined when only the process can tell. */
  readonly ownPid: number | undefined
  readonly command: readonly string[] | undefined
  readonly inspector: InspectorAddress
  readonly route: Route
  /** Whether a leakscope opened the inspector, as far as is known from outside: this one, or `leftBy`. */
  readonly opened: boolean
  /** Who opened it and was killed before it could shut it. */
  readonly leftBy: Visitor | undefined
  /** Where to connect. Throws a LeakscopeError that says why there is nothing. */
  url(): Promise<string>
  /** Undefined when the process is gone. */
  state(): Promise<ProcessState | undefined>
  isListening(): Promise<boolean>
  /** To the inspector, ours included; undefined when that cannot be known. */
  connections(): Promise<number | undefined>
  /** Asked every second in which an answer is due: why none will come any more, if so. */
  hopeless(): Promise<LeakscopeError | undefined>
  /** A better word for a connection that broke, or, with `connected` false, that there never was. */
  explain(error: LeakscopeError, connected: boolean): Promise<LeakscopeError>
}

const WATCH_MS = 1000
/** How long leaving may take: a snapshot that was given up goes on in the target, which can do nothing else meanwhile. */
const LEAVE_MS = 120_000
const PATIENCE_MS = 1000
const SILENT_LEAVE_MS = 500
/** A worker that is blocked does not answer; that is no reason to wait for long. */
const STOP_MS = 2000

interface Visit {
  readonly platform: Platform
  readonly outside: Outside
  readonly us: Visitor
  readonly notice: (notice: string) => void
  session?: InspectorSession
  /** Set once it is known that somebody else's inspector answers. */
  mistaken?: true
  /** Set when the target did not answer in time, so that nothing is to be hoped for from more waiting. */
  silent?: boolean
}

/**
 * Calls `work` with a session to the inspector, and returns what it returns. On every way out the inspector is shut if
 * it is leakscope's, unless another debugger has come to use it; where that fails, `onNotice` says so.
 */
export async function visit<T>(
  platform: Platform,
  us: Visitor,
  outside: Outside,
  options: VisitOptions,
  work: (session: InspectorSession, target: Target) => Promise<T>,
): Promise<T> {
  const it: Visit = { platform, outside, us, notice: options.onNotice ?? (() => {}) }
  const watch = watchTarget(outside, options.signal)
  try {
    const { session, identity } = await enter(it, watch.signal)
    watch.over(session)
    const target = {
      pid: outside.pid ?? identity.pid,
      nodeVersion: identity.version,
      command: outside.command ?? identity.command,
      inspector: outside.inspector,
      inspectorWasOpen: !outside.opened && identity.found === null,
    }
    if (await tellWhoLeftItOpen(it, identity)) await stopSampling(session)
    return await work(session, target)
  } catch (error) {
    if (!(error instanceof LeakscopeError)) throw error
    it.silent = error.code === 'target-timeout'
    throw error.code === 'target-unreachable' ? await outside.explain(error, it.session !== undefined) : error
  } finally {
    await leave(it)
    watch.stop()
  }
}

/** Connects, makes sure of who answers, and signs in. */
async function enter(it: Visit, signal: AbortSignal) {
  const session = await openSession(await it.outside.url(), signal, it.outside.route)
  it.session = session
  return { session, identity: await identify(session, it) }
}

async function identify(session: InspectorSession, it: Visit): Promise<Identity> {
  const { label, ownPid, opened, inspector } = it.outside
  const identity = await signIn(session, it.us, ownPid, opened)
  if (!identity) {
    it.mistaken = true
    throw new LeakscopeError('target-not-node', `what answers at ${label} is not Node.js`)
  }
  if (ownPid !== undefined && identity.pid !== ownPid) {
    it.mistaken = true
    throw new LeakscopeError(
      'target-wrong-process',
      `port ${inspector.port} leads to process ${identity.pid} instead of ${ownPid}`,
      { hint: 'Another process has taken the port. Try again when it has let go of it.' },
    )
  }
  return identity
}

/** Says so, and returns true, when the leakscope that opened the inspector is not there any more. */
async function tellWhoLeftItOpen({ platform, outside, notice }: Visit, { found }: Identity): Promise<boolean> {
  const known = found ?? (outside.leftBy ? [outside.leftBy] : undefined)
  if (!known) return false
  const running = await Promise.all(known.map((other) => isRunning(platform, other)))
  if (running.some((it) => it !== 'no')) return false
  const by = known[0]
  const who = by ? `process ${by.pid}, which came at ${new Date(by.at).toISOString()}` : 'an earlier visit'
  notice(
    `the inspector of ${outside.label} was left open by a leakscope that was cut off (${who}); ` +
      `it is shut at the end of this visit`,
  )
  return true
}

/** A worker goes on noting who allocates, as its session outlives the connection; V8 has one such profiler for all. */
async function stopSampling(session: InspectorSession): Promise<void> {
  try {
    const workers = await attachWorkers(session)
    const stop = (worker: WorkerThread) => worker.send('HeapProfiler.stopSampling', {}, { timeoutMs: STOP_MS })
    await Promise.allSettled(workers.list().map(stop)).finally(workers.leave)
  } catch {
    // An agent without an inspector has no way to workers, and so none of them is sampled.
  }
}

interface Watch {
  readonly signal: AbortSignal
  /** Begins to watch the process that the session leads to. */
  over(session: InspectorSession): void
  stop(): void
}

/** A signal that aborts with the caller's, and also when the target owes an answer that will not come. */
export function watchTarget(outside: Pick<Outside, 'hopeless'>, outer: AbortSignal): Watch {
  const controller = new AbortController()
  const forward = () => controller.abort(outer.reason)
  outer.addEventListener('abort', forward, { once: true })
  if (outer.aborted) forward()
  let session: InspectorSession | undefined
  let asking = false
  const timer = setInterval(async () => {
    if (!session || session.pending === 0 || asking) return
    asking = true
    const reason = await outside.hopeless()
    asking = false
    if (reason?.code === 'target-timeout') controller.abort(reason)
    // Its sockets close by themselves, unless a child has inherited them.
    else if (reason) session.close(reason)
  }, WATCH_MS)
  return {
    signal: controller.signal,
    over: (watched: InspectorSession) => {
      session = watched
    },
    stop: () => {
      clearInterval(timer)
      outer.removeEventListener('abort', forward)
    },
  }
}

async function leave(it: Visit): Promise<void> {
  const { outside } = it
  try {
    if (it.mistaken) return
    const lost = !it.session || (await isClosed(it.session))
    if (lost && (!outside.opened || isGone(await outside.state()))) return
    if (await shut(it, lost)) await confirmShut(it)
  } finally {
    it.session?.close()
  }
}

/** Shuts the inspector, if it is ours; returns whether it should be shut now. */
async function shut(it: Visit, lost: boolean): Promise<boolean> {
  const { outside, us, notice } = it
  const signal = AbortSignal.timeout(it.silent ? SILENT_LEAVE_MS : LEAVE_MS)
  const patience = setTimeout(() => {
    if (!it.silent) notice(`waiting for ${outside.label} to finish, so that its inspector can be left as it was`)
  }, PATIENCE_MS)
  try {
    if (lost) {
      // The connection went, but the process did not, and perhaps its inspector is there as well.
      if (!(await outside.isListening())) return false
      await enter(it, signal)
    }
    const session = it.session!
    let visitors = await signOut(session, us, { signal })
    if (visitors === null && outside.opened) {
      // Given up before we had signed in.
      await identify(session, it)
      visitors = (await signOut(session, us, { signal })) ?? []
    }
    // Whoever is left shuts it.
    if (visitors === null || (await isAnyInside(it, visitors))) return false
    if (await isUsedByOthers(outside)) {
      notice(`the inspector of ${outside.label} stays open on port ${outside.inspector.port}: another debugger uses it`)
      return false
    }
    // Node 22 and newer begin a snapshot that was asked for only when they have nothing else to do: it may be between
    // the two requests.
    const answered = new AbortController()
    await Promise.race([shutInspector(session, { signal }), untilShut(outside, answered.signal)]).finally(() =>
      answered.abort(),
    )
  } catch {
    if (!outside.opened || !it.session || it.mistaken) return false
    // No answer. The request is left behind, after the one to sign out, for when the target comes to itself.
    await shutInspector(it.session, { signal: AbortSignal.timeout(100) }, true)
  } finally {
    clearTimeout(patience)
  }
  return true
}

/** One from elsewhere is inside as long as there is a connection that is not ours. */
async function isAnyInside({ platform, outside }: Visit, visitors: readonly Visitor[]): Promise<boolean> {
  const running = await Promise.all(visitors.map((other) => isRunning(platform, other)))
  if (running.includes('yes')) return true
  return running.includes('unknown') && ((await outside.connections()) ?? 2) > 1
}

/** A connection that has just been ended takes a moment to be gone. */
async function isUsedByOthers(outside: Outside): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    const connections = await outside.connections()
    if (connections === undefined || connections <= 1) return false
    await sleep(25)
  }
  return true
}

/** Whether the target says so or not: a child may have inherited its end of the connection. */
async function untilShut(outside: Outside, signal: AbortSignal): Promise<void> {
  do await sleep(WATCH_MS, undefined, { signal })
  while (await outside.isListening())
}

async function confirmShut({ outside, notice }: Visit): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    if (!(await outside.isListening())) return
    await sleep(50)
  }
  const state = await outside.state()
  if (isGone(state)) return
  const why = state === 'stopped' ? 'the process is stopped' : 'the process does not answer'
  notice(
    `the inspector of ${outside.label} is still open on ${outside.inspector.host}:${outside.inspector.port}, because ${why}; ` +
      `it was asked to shut it when it goes on, and another visit by leakscope makes sure of it`,
  )
}

async function isClosed(session: InspectorSession): Promise<boolean> {
  return Promise.race([session.closed.then(() => true), sleep(0).then(() => false)])
}

const isGone = (state: ProcessState | undefined) => state === undefined || state === 'zombie'
