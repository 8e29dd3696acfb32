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
// opens the inspector leaves a list of the leakscopes inside on the target's `process`, under a symbol. While the list
// is there, the inspector is leakscope's, and the last one out shuts it and takes the list away.
const VISITORS = `Symbol.for('leakscope.visitors')`

const IDENTITY = z.object({ pid: z.number(), version: z.string(), ours: z.boolean() })
const LEFT = z.array(z.number()).nullable()

export interface Identity {
  /** As the process sees it. */
  readonly pid: number
  readonly version: string
  /** Whether a leakscope opened the inspector. */
  readonly ours: boolean
}

/** Asks who answers, and puts us on the list of visitors, if there is one or, with `opened`, there is to be one. */
export function signIn(client: ProtocolClient, expectedPid: number | undefined, opened: boolean): Promise<Identity> {
  return evaluate(
    client,
    `(() => {
      const list = process[${VISITORS}] ?? (${opened} ? [] : undefined)
      const expected = ${expectedPid ?? 'process.pid'} === process.pid
      if (list && expected) ${setVisitors(`[...list, ${process.pid}]`)}
      return { pid: process.pid, version: process.version, ours: list !== undefined }
    })()`,
    IDENTITY,
  )
}

/**
 * Takes us off the list; returns who is left, of which some may have been killed long ago, or null when there is no
 * list: then the inspector is not ours to shut.
 */
export function signOut(client: ProtocolClient, options: SendOptions): Promise<number[] | null> {
  return evaluate(
    client,
    `(() => {
      const list = process[${VISITORS}]
      if (!list) return null
      const left = list.filter((pid) => pid !== ${process.pid})
      ${setVisitors('left')}
      return left
    })()`,
    LEFT,
    options,
  )
}

/** Not enumerable, so that no program stumbles over it; and no matter if the program has frozen its `process`. */
function setVisitors(list: string): string {
  return `Reflect.defineProperty(process, ${VISITORS}, { value: ${list}, configurable: true })`
}

/**
 * Shuts the inspector from the inside: the only way there is. The answer never comes, since close() ends every
 * connection first. Node 18 has no process.getBuiltinModule; there, the main module's require does it, or, in a program
 * of ES modules only, the console's.
 */
export async function shutInspector(client: ProtocolClient, options: SendOptions): Promise<void> {
  await client
    .send(
      'Runtime.evaluate',
      {
        expression: `(() => {
          delete process[${VISITORS}]
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
