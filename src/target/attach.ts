// One visit to a running process: opens its inspector if need be, hands over a session, and leaves as it came.

import { setTimeout as sleep } from 'node:timers/promises'
import { LeakscopeError } from '../errors.ts'
import {
  findOpenInspector,
  type Identity,
  isAlive,
  openInspector,
  shutInspector,
  signIn,
  signOut,
} from './inspector.ts'
import { currentPlatform, type Platform } from './platform.ts'
import { type InspectorAddress, inspectorUrl } from './probe.ts'
import { requireNodeProcess } from './processes.ts'
import { type InspectorSession, openSession } from './session.ts'

/** The process that a session leads to. */
export interface Target {
  readonly pid: number
  /** As `process.version`. */
  readonly nodeVersion: string
  readonly command: readonly string[]
  readonly inspector: InspectorAddress
  /** False when the inspector was opened for this visit, and so is shut after it. */
  readonly inspectorWasOpen: boolean
}

export interface AttachOptions {
  readonly signal: AbortSignal
  /** Told, in a sentence, what a user should know but what is no reason to stop. */
  readonly onNotice?: (notice: string) => void
}

/** A target that is stopped this long while it owes us an answer will not give it. */
const STOPPED_MS = 5000
const WATCH_MS = 1000
/** How long leaving may take: a snapshot that was given up goes on in the target, which can do nothing else meanwhile. */
const LEAVE_MS = 120_000
const PATIENCE_MS = 1000
const SILENT_LEAVE_MS = 500
const SHUT_MS = 5000

/**
 * Calls `work` with a session to the inspector of process `pid`, and returns what it returns. On every way out, an
 * inspector that this opened is shut again, unless another debugger has come to use it; where that fails, `onNotice`
 * says so. Throws LeakscopeErrors only, `work`'s own errors aside.
 */
export async function withInspector<T>(
  pid: number,
  options: AttachOptions,
  work: (session: InspectorSession, target: Target) => Promise<T>,
): Promise<T> {
  const platform = await currentPlatform()
  const { command, ownPid } = await requireNodeProcess(platform, pid)
  options.signal.throwIfAborted()
  const already = await findOpenInspector(platform, pid)
  const inspector = already ?? (await openInspector(platform, pid, options.signal))

  const notice = options.onNotice ?? (() => {})
  const visit: Visit = { platform, pid, ownPid, inspector, opened: already === undefined, notice }
  const watch = watchTarget(platform, pid, options.signal)
  try {
    const { session, identity } = await enter(visit, watch.signal)
    watch.over(session)
    const target = { pid, nodeVersion: identity.version, command, inspector, inspectorWasOpen: !identity.ours }
    return await work(session, target)
  } catch (error) {
    visit.silent = error instanceof LeakscopeError && error.code === 'target-timeout'
    throw await explain(error, visit)
  } finally {
    await leave(visit)
    watch.stop()
  }
}

interface Visit {
  readonly platform: Platform
  readonly pid: number
  readonly ownPid: number | undefined
  readonly inspector: InspectorAddress
  readonly notice: (notice: string) => void
  /** Whether this visit opened the inspector. */
  readonly opened: boolean
  session?: InspectorSession
  /** Set once it is known that somebody else's inspector answers. */
  mistaken?: true
  /** Set when the target did not answer in time, so that nothing is to be hoped for from more waiting. */
  silent?: boolean
}

/** Connects, makes sure of who answers, and signs in. */
async function enter(visit: Visit, signal: AbortSignal) {
  const session = await connect(visit, signal)
  return { session, identity: await identify(session, visit) }
}

async function identify(session: InspectorSession, visit: Visit): Promise<Identity> {
  const identity = await signIn(session, visit.ownPid, visit.opened)
  if (visit.ownPid !== undefined && identity.pid !== visit.ownPid) {
    visit.mistaken = true
    throw new LeakscopeError(
      'target-wrong-process',
      `port ${visit.inspector.port} leads to process ${identity.pid} instead of ${visit.pid}`,
      { hint: 'Another process has taken the port. Try again when it has let go of it.' },
    )
  }
  return identity
}

async function connect(visit: Visit, signal: AbortSignal): Promise<InspectorSession> {
  const url = await inspectorUrl(visit.inspector)
  if (url === undefined) {
    const { host, port } = visit.inspector
    throw new LeakscopeError('target-unreachable', `the inspector at ${host}:${port} does not answer`)
  }
  visit.session = await openSession(url, signal)
  return visit.session
}

/** A signal that aborts with the caller's, and also when the target is stopped while it owes an answer. */
function watchTarget(platform: Platform, pid: number, outer: AbortSignal) {
  const controller = new AbortController()
  const forward = () => controller.abort(outer.reason)
  outer.addEventListener('abort', forward, { once: true })
  if (outer.aborted) forward()
  let session: InspectorSession | undefined
  let stoppedMs = 0
  const timer = setInterval(async () => {
    if (!session || session.pending === 0) return
    const facts = await platform.describe(pid)
    if (!facts || facts.state === 'zombie') {
      // Its sockets close by themselves, unless a child has inherited them.
      session.close(new LeakscopeError('target-unreachable', 'the target is gone'))
    }
    stoppedMs = facts?.state === 'stopped' ? stoppedMs + WATCH_MS : 0
    if (stoppedMs < STOPPED_MS) return
    controller.abort(
      new LeakscopeError('target-timeout', `process ${pid} is stopped and does not answer`, {
        hint: `Let it go on: kill -CONT ${pid}`,
      }),
    )
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

/** A lost connection says little; that the process behind it has ended says it all. */
async function explain(error: unknown, { platform, pid }: Visit): Promise<unknown> {
  if (!(error instanceof LeakscopeError) || error.code !== 'target-unreachable') return error
  // The kernel closes the sockets of a process a little before it is gone.
  for (let tries = 0; tries < 10 && (await isAlive(platform, pid)); tries++) await sleep(30)
  if (await isAlive(platform, pid)) return error
  return new LeakscopeError('target-died', `process ${pid} ended before the work was done`, {
    cause: error,
    hint: 'If nobody ended it, it may have run out of memory: a snapshot needs several times the heap while it is taken.',
  })
}

async function leave(visit: Visit): Promise<void> {
  const { platform, pid } = visit
  try {
    if (visit.mistaken) return
    const lost = !visit.session || (await isClosed(visit.session))
    if (lost && (!visit.opened || !(await isAlive(platform, pid)))) return
    if (await shut(visit, lost)) await confirmShut(visit)
  } finally {
    visit.session?.close()
  }
}

/** Shuts the inspector, if it is ours; returns whether it should be shut now. */
async function shut(visit: Visit, lost: boolean): Promise<boolean> {
  const { platform, pid, inspector, notice } = visit
  const signal = AbortSignal.timeout(visit.silent ? SILENT_LEAVE_MS : LEAVE_MS)
  const patience = setTimeout(() => {
    if (!visit.silent) notice(`waiting for process ${pid} to finish, so that its inspector can be shut`)
  }, PATIENCE_MS)
  try {
    if (lost) {
      // The connection went, but the process did not, and perhaps its inspector is there as well.
      if (!(await findOpenInspector(platform, pid))) return false
      await enter(visit, signal)
    }
    const session = visit.session!
    let visitors = await signOut(session, { signal })
    if (visitors === null && visit.opened) {
      // Given up before we had signed in.
      await identify(session, visit)
      visitors = (await signOut(session, { signal })) ?? []
    }
    // Whoever is left shuts it.
    if (visitors === null || visitors.some(isRunning)) return false
    if (await isUsedByOthers(visit)) {
      notice(`the inspector of process ${pid} stays open on port ${inspector.port}: another debugger uses it`)
      return false
    }
    await shutInspector(session, { signal, timeoutMs: SHUT_MS })
  } catch {
    // No answer. The request is left behind for when the target comes to itself; it obeys if it still sees it then.
    if (visit.opened && visit.session && !visit.mistaken)
      await shutInspector(visit.session, { signal: AbortSignal.timeout(100) })
  } finally {
    clearTimeout(patience)
  }
  return true
}

/** A connection that has just been ended takes a moment to be gone. */
async function isUsedByOthers({ platform, pid, inspector }: Visit): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    const connections = await platform.connections(pid, inspector.port)
    if (connections === undefined || connections <= 1) return false
    await sleep(25)
  }
  return true
}

async function confirmShut({ platform, pid, inspector, notice }: Visit): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    const listeners = await platform.listeners(pid)
    const open = listeners
      ? listeners.some((it) => it.port === inspector.port)
      : (await inspectorUrl(inspector)) !== undefined
    if (!open) return
    await sleep(50)
  }
  const state = (await platform.describe(pid))?.state
  if (state === undefined || state === 'zombie') return
  const why = state === 'stopped' ? 'the process is stopped' : 'the process does not answer'
  notice(
    `the inspector of process ${pid} is still open on ${inspector.host}:${inspector.port}, because ${why}; ` +
      `it was asked to shut it when it goes on, and another visit by leakscope makes sure of it`,
  )
}

async function isClosed(session: InspectorSession): Promise<boolean> {
  return Promise.race([session.closed.then(() => true), sleep(0).then(() => false)])
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
