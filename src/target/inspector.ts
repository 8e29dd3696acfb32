// Finds, opens and shuts the inspector of one process.

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import type { Route } from './address.ts'
import { type InspectorAddress, showAddress } from './address.ts'
import { DEFAULT_INSPECTOR_PORT } from './node-arguments.ts'
import type { Listener, Platform, PortHolder } from './platform.ts'
import { inspectorUrl, isInspector } from './probe.ts'
import { refusesSignal } from './refusals.ts'
import { evaluate, openSession, type ProtocolClient, type SendOptions } from './session.ts'
import { LIST } from './visitors.ts'

/** Node opens the port within milliseconds, except while its main thread is blocked outside JavaScript. */
const OPEN_MS = 10_000
/** How long it takes until a port that stays shut is blamed on who holds it. */
const BLAME_MS = 1000
const CONNECT_MS = 1000
/** After Ctrl-C: an inspector that is about to open must be waited for, or nobody would shut it. */
const OPEN_AFTER_ABORT_MS = 2000
/** A process that has just begun gets its handler for SIGUSR1 within this time. */
const START_MS = 2000

/** The inspector of `pid`, if it listens; ports that belong to the program are not touched. */
export async function findOpenInspector(
  platform: Platform,
  pid: number,
  route: Route,
): Promise<InspectorAddress | undefined> {
  return firstInspector(
    ((await platform.listeners(pid)) ?? []).filter((it) => it.suspect),
    route,
  )
}

export async function firstInspector(
  listeners: readonly Listener[],
  route: Route,
): Promise<InspectorAddress | undefined> {
  const answers = await Promise.all(listeners.map((it) => isInspector(it, route)))
  const found = listeners[answers.indexOf(true)]
  return found && { host: found.host, port: found.port }
}

/** Who listens on the port that a process needs for its inspector. */
export interface PortTaken extends PortHolder {
  readonly port: number
}

/**
 * Has the process open its inspector and tells where, or who has the port that it needs. Nothing is sent to a process
 * that would not survive it.
 */
export async function openInspector(
  platform: Platform,
  pid: number,
  route: Route,
  signal: AbortSignal,
): Promise<{ readonly opened: InspectorAddress } | { readonly taken: PortTaken }> {
  const startedMs = performance.now()
  while ((await platform.acceptsInspectorRequest(pid)) === 'no') {
    const ageMs = (await platform.describe(pid))?.ageMs ?? Number.POSITIVE_INFINITY
    if (ageMs > START_MS || performance.now() - startedMs > START_MS) throw await refusesSignal(platform, pid)
    await sleep(20, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
  const wantedPort = await platform.inspectorPort(pid)
  const taken = await whoHas(platform, pid, wantedPort)
  if (taken) return { taken }
  const before = new Set((await platform.listeners(pid))?.map((it) => it.id))
  signal.throwIfAborted()
  request(platform, pid)
  return waitForInspector(platform, pid, before, wantedPort ?? DEFAULT_INSPECTOR_PORT, route, signal)
}

function request(platform: Platform, pid: number): void {
  try {
    platform.requestInspector(pid)
  } catch (cause) {
    const gone = (cause as NodeJS.ErrnoException).code === 'ESRCH'
    throw new LeakscopeError(
      gone ? 'target-not-found' : 'target-not-permitted',
      gone ? `process ${pid} has just ended` : `the system does not let us signal process ${pid}`,
      { cause },
    )
  }
}

async function waitForInspector(
  platform: Platform,
  pid: number,
  before: ReadonlySet<string>,
  likelyPort: number,
  route: Route,
  signal: AbortSignal,
): ReturnType<typeof openInspector> {
  const startedMs = performance.now()
  let abortedMs = Number.POSITIVE_INFINITY
  for (let pauseMs = 10; ; pauseMs = Math.min(200, pauseMs * 1.5)) {
    await sleep(pauseMs)
    const nowMs = performance.now()
    if (signal.aborted) abortedMs = Math.min(abortedMs, nowMs)
    const all = await platform.listeners(pid)
    const fresh = all
      ? all.filter((it) => it.suspect && !before.has(it.id))
      : // Not to be known here: try the likely one; whose it is will be asked before anything else.
        [{ host: '127.0.0.1', port: likelyPort, id: '', suspect: true }]
    const found = await firstInspector(fresh, route)
    if (found) return { opened: found }

    if (!(await isAlive(platform, pid))) {
      throw new LeakscopeError('target-died', `process ${pid} ended while its inspector was opening`)
    }
    const taken = nowMs - startedMs > BLAME_MS ? await whoHas(platform, pid, likelyPort) : undefined
    if (taken) return { taken }
    if (nowMs - abortedMs > OPEN_AFTER_ABORT_MS) signal.throwIfAborted()
    if (nowMs - startedMs > OPEN_MS) {
      // Perhaps it was open all along, on a socket that looked like the program's.
      const hidden = await firstInspector(all ?? [], route)
      if (hidden) return { opened: hidden }
      const deaf = all && (await whyDeaf(fresh, route))
      if (deaf) {
        throw new LeakscopeError(
          'target-unreachable',
          `process ${pid} listens on ${showAddress(fresh[0]!)} now, which cannot be connected to: ${deaf}`,
          { hint: 'Is its loopback up (ip link set lo up, in its network), and no firewall in between?' },
        )
      }
      throw await tookTooLong(platform, pid)
    }
  }
}

const MOVE_MS = 10_000

/**
 * Has an inspector that listens on its usual port, the same for all of a machine, listen on any free one instead, so that
 * it is not in the way of another process's. Returns where it listens then. The port that the process would take the
 * next time stays what it was. Not to be cut off by Ctrl-C: nobody would know where it is.
 */
export async function moveInspector(
  platform: Platform,
  { pid, ownPid }: { readonly pid: number; readonly ownPid: number | undefined },
  at: InspectorAddress,
  route: Route,
): Promise<InspectorAddress> {
  const before = await platform.listeners(pid)
  if (!before || (await platform.inspectorPort(pid)) === 0) return at
  const signal = AbortSignal.timeout(MOVE_MS)
  const session = await openSession(await inspectorUrl(at, route), signal, route)
  try {
    if (!(await evaluate(session, MOVE(ownPid), z.boolean()))) return at
    await Promise.race([session.closed, sleep(MOVE_MS)])
  } finally {
    session.close()
  }
  const answer = await waitForInspector(platform, pid, new Set(before.map(({ id }) => id)), 0, route, signal)
  return 'opened' in answer ? answer.opened : at
}

/** The answer has to be on its way before the connection ends; and that has to be gone before another can be had. */
const MOVE = (ownPid: number | undefined): string => `(() => {
  if (typeof process !== 'object' || ${ownPid ?? 'process.pid'} !== process.pid) return false
  const load = process.getBuiltinModule ?? ((name) => (process.mainModule ?? { require }).require(name))
  const inspector = load('inspector')
  const { setImmediate, setTimeout } = load('timers')
  const port = process.debugPort
  let tries = 100
  const open = () => {
    try {
      inspector.open(0, '127.0.0.1')
      process.debugPort = port
    } catch {
      if (--tries > 0) setTimeout(open, 10)
    }
  }
  setImmediate(() => {
    inspector.close()
    open()
  })
  return true
})()`

async function tookTooLong(platform: Platform, pid: number): Promise<LeakscopeError> {
  const later = 'Its inspector will open when it does, and the next visit by leakscope shuts it.'
  if ((await platform.describe(pid))?.state === 'stopped') {
    return new LeakscopeError('target-timeout', `process ${pid} was stopped before it opened its inspector`, {
      hint: `Let it go on (kill -CONT ${pid}) and try again. ${later}`,
    })
  }
  return new LeakscopeError('target-timeout', `process ${pid} did not open its inspector within ${OPEN_MS / 1000} s`, {
    hint: `Its main thread is blocked outside JavaScript (execSync, Atomics.wait) and has to come back from there. ${later} Or the program handles SIGUSR1 itself: then start it with --inspect=127.0.0.1:0.`,
  })
}

/** What the system says to a connection to the first of `listeners`; undefined when it is made, or there is none. */
async function whyDeaf([listener]: readonly Listener[], route: Route): Promise<string | undefined> {
  if (!listener) return undefined
  try {
    const socket = await route.connect(listener, { signal: AbortSignal.timeout(CONNECT_MS) })
    socket.destroy()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message
  }
}

/** Who, if anybody, listens on the port that `pid` needs. */
export async function whoHas(
  platform: Platform,
  pid: number,
  port: number | undefined,
): Promise<PortTaken | undefined> {
  if (port === undefined || port === 0) return undefined
  const holder = await platform.portHolder(pid, port)
  return holder && { ...holder, port }
}

export async function isAlive(platform: Platform, pid: number): Promise<boolean> {
  const facts = await platform.describe(pid)
  return facts !== undefined && facts.state !== 'zombie'
}

/**
 * Shuts the inspector from the inside: the only way there is. The answer never comes, since close() ends every
 * connection first. Node 18 has no process.getBuiltinModule; there, the main module's require does it, or, in a program
 * of ES modules only, the console's. With `unlessVisited`, it stays open if leakscopes are on the list by then.
 */
export async function shutInspector(
  client: ProtocolClient,
  options: SendOptions,
  unlessVisited = false,
): Promise<void> {
  await client
    .send(
      'Runtime.evaluate',
      {
        expression: `(() => {
          if (${unlessVisited} && ${LIST}?.length) return
          delete ${LIST}
          const load = process.getBuiltinModule ?? ((name) => (process.mainModule ?? { require }).require(name))
          load('inspector').close()
        })()`,
        silent: true,
        includeCommandLineAPI: true,
      },
      options,
    )
    .catch(() => {})
}
