// Finds, opens and shuts the inspector of one process.

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { DEFAULT_INSPECTOR_PORT } from './inspector-port.ts'
import type { Listener, Platform } from './platform.ts'
import { type InspectorAddress, isInspector } from './probe.ts'
import { requireSignalHandler } from './processes.ts'
import { evaluate, type ProtocolClient, type SendOptions } from './session.ts'

/** Node opens the port within milliseconds, except while its main thread is blocked outside JavaScript. */
const OPEN_MS = 10_000
/** How long it takes until a port that stays shut is blamed on who holds it. */
const BLAME_MS = 1000
/** After Ctrl-C: an inspector that is about to open must be waited for, or nobody would shut it. */
const OPEN_AFTER_ABORT_MS = 2000
/** A process that has just begun gets its handler for SIGUSR1 within this time. */
const START_MS = 2000

/** The inspector of `pid`, if it listens; ports that belong to the program are not touched. */
export async function findOpenInspector(platform: Platform, pid: number): Promise<InspectorAddress | undefined> {
  return firstInspector(((await platform.listeners(pid)) ?? []).filter((it) => it.suspect))
}

async function firstInspector(listeners: readonly Listener[]): Promise<InspectorAddress | undefined> {
  const answers = await Promise.all(listeners.map((it) => isInspector(it)))
  const found = listeners[answers.indexOf(true)]
  return found && { host: found.host, port: found.port }
}

/** Has the process open its inspector and tells where. Nothing is sent to a process that would not survive it. */
export async function openInspector(platform: Platform, pid: number, signal: AbortSignal): Promise<InspectorAddress> {
  const startedMs = performance.now()
  while ((await platform.acceptsInspectorRequest(pid)) === 'no') {
    const ageMs = (await platform.describe(pid))?.ageMs ?? Number.POSITIVE_INFINITY
    if (ageMs > START_MS || performance.now() - startedMs > START_MS) {
      requireSignalHandler(pid, 'no')
    }
    await sleep(20, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
  const wantedPort = await platform.inspectorPort(pid)
  await requireFreePort(platform, pid, wantedPort)
  const before = new Set((await platform.listeners(pid))?.map((it) => it.id))
  signal.throwIfAborted()
  request(platform, pid)
  return waitForInspector(platform, pid, before, wantedPort ?? DEFAULT_INSPECTOR_PORT, signal)
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
  signal: AbortSignal,
): Promise<InspectorAddress> {
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
    const found = await firstInspector(fresh)
    if (found) return found

    if (!(await isAlive(platform, pid))) {
      throw new LeakscopeError('target-died', `process ${pid} ended while its inspector was opening`)
    }
    if (nowMs - startedMs > BLAME_MS) await requireFreePort(platform, pid, likelyPort)
    if (nowMs - abortedMs > OPEN_AFTER_ABORT_MS) signal.throwIfAborted()
    if (nowMs - startedMs > OPEN_MS) {
      // Perhaps it was open all along, on a socket that looked like the program's.
      const hidden = await firstInspector(all ?? [])
      if (hidden) return hidden
      throw new LeakscopeError(
        'target-timeout',
        `process ${pid} did not open its inspector within ${OPEN_MS / 1000} s`,
        {
          hint: 'Its main thread is blocked outside JavaScript (execSync, Atomics.wait), and the inspector will open once it is not; or the program handles SIGUSR1 itself.',
        },
      )
    }
  }
}

async function requireFreePort(platform: Platform, pid: number, port: number | undefined): Promise<void> {
  if (port === undefined || port === 0) return
  const holder = await platform.portHolder(pid, port)
  if (!holder) return
  const who = holder.pid === undefined ? 'a process of another user' : `process ${holder.pid}`
  throw new LeakscopeError(
    'target-port-taken',
    `process ${pid} cannot open its inspector on port ${port}, because ${who} listens there`,
    {
      hint: `Try again when ${who} has let go of the port, or start the target with --inspect-port=0, which takes any free one.`,
    },
  )
}

export async function isAlive(platform: Platform, pid: number): Promise<boolean> {
  const facts = await platform.describe(pid)
  return facts !== undefined && facts.state !== 'zombie'
}

// Several leakscopes may be in one process at once, and one may have been killed before it could tidy up. So whoever
// opens the inspector leaves a list of the leakscopes inside on the target's `process`, under a symbol, and the last
// one out takes the list away and shuts the inspector. The list is not enumerable, and gone after the visit.
const VISITORS = `Symbol.for('leakscope.visitors')`

const IDENTITY = z.object({ pid: z.number(), version: z.string(), visitors: z.array(z.number()).nullable() })
const PIDS = z.array(z.number())

export interface Identity {
  /** As the process sees it. */
  readonly pid: number
  readonly version: string
  /** The leakscopes that were there before us; null when the inspector is not leakscope's to shut. */
  readonly visitors: readonly number[] | null
}

/** Who answers, and who of us is there. */
export function askIdentity(client: ProtocolClient): Promise<Identity> {
  return evaluate(
    client,
    `({ pid: process.pid, version: process.version, visitors: process[${VISITORS}] ?? null })`,
    IDENTITY,
  )
}

/** Puts us on the list of visitors. */
export async function signIn(client: ProtocolClient): Promise<void> {
  await evaluate(
    client,
    `Object.defineProperty(process, ${VISITORS}, {
      value: [...(process[${VISITORS}] ?? []), ${process.pid}], configurable: true }) && 0`,
    z.number(),
  )
}

/** Takes us off the list again; returns who is left, of which some may have been killed long ago. */
export function signOut(client: ProtocolClient, options: SendOptions): Promise<number[]> {
  return evaluate(
    client,
    `(() => {
      const left = (process[${VISITORS}] ?? []).filter((pid) => pid !== ${process.pid})
      if (left.length === 0) delete process[${VISITORS}]
      else Object.defineProperty(process, ${VISITORS}, { value: left, configurable: true })
      return left
    })()`,
    PIDS,
    options,
  )
}

/**
 * Shuts the inspector from the inside: the only way there is. The answer never comes, since close() ends every
 * connection first. Node 18 has no process.getBuiltinModule; there, the console's own require finds the module.
 */
export async function shutInspector(client: ProtocolClient, options: SendOptions): Promise<void> {
  await client
    .send(
      'Runtime.evaluate',
      {
        expression: `(process.getBuiltinModule ?? require).call(process, 'inspector').close()`,
        silent: true,
        includeCommandLineAPI: true,
      },
      options,
    )
    .catch(() => {})
}
