// Visits to a process that has leakscope's agent in it: over its socket, with nothing to open and nothing to shut.

import { z } from 'zod'
import type { DESCRIBE, Description, WIRE_VERSION } from '../agent/wire.cts'
import { LeakscopeError } from '../errors.ts'
import { connectLines } from './lines.ts'
import { outlook } from './local.ts'
import type { Platform, ProcessFacts } from './platform.ts'
import { requireNodeProcess } from './refusals.ts'
import { ANSWER_MS, type InspectorSession, openSessionOver } from './session.ts'
import { type Target, type VisitOptions, watchTarget } from './visit.ts'

type Work<T> = (session: InspectorSession, target: Target) => Promise<T>

// The agent is of a kind of module that is not loaded here; the types see to it that these are the same.
const QUESTION: typeof DESCRIBE = 'LeakscopeAgent.describe'
const WIRE: typeof WIRE_VERSION = 1

const DESCRIPTION = z.object({
  wire: z.number(),
  pid: z.number(),
  nodeVersion: z.string(),
  command: z.array(z.string()),
  inspector: z.boolean(),
}) satisfies z.ZodType<Description>

/** Visits process `pid` by its agent's socket. */
export async function visitAgentOf<T>(
  platform: Platform,
  pid: number,
  path: string,
  options: VisitOptions,
  work: Work<T>,
): Promise<T> {
  const { facts } = await requireNodeProcess(platform, pid, 'not needed')
  options.onNotice?.(`process ${pid} has leakscope’s agent in it: no signal is sent, and no port opened`)
  return visitSocket(platform, path, facts, options, work)
}

/** Visits whatever process the agent at `path` is in. */
export function visitAgent<T>(platform: Platform, path: string, options: VisitOptions, work: Work<T>): Promise<T> {
  return visitSocket(platform, path, undefined, options, work)
}

async function visitSocket<T>(
  platform: Platform,
  path: string,
  facts: ProcessFacts | undefined,
  options: VisitOptions,
  work: Work<T>,
): Promise<T> {
  let view = facts && outlook(platform, facts)
  let session: InspectorSession | undefined
  const watch = watchTarget({ hopeless: async () => view?.hopeless() }, options.signal)
  try {
    session = await openSessionOver((handlers) => connectLines(path, watch.signal, handlers), watch.signal)
    watch.over(session)
    const description = await describe(session, path)
    const { pid, nodeVersion, command } = description
    if (facts && facts.ownPid !== undefined && pid !== facts.ownPid) {
      throw new LeakscopeError('target-wrong-process', `${path} leads to process ${pid} instead of ${facts.ownPid}`)
    }
    // A pid means something here only if the socket is that process's.
    if (!view && (await platform.agentSocket(pid)) === path) {
      const found = await platform.describe(pid)
      view = found && outlook(platform, found)
    }
    return await work(session, {
      pid: facts?.pid ?? pid,
      nodeVersion,
      command: facts?.command ?? command,
      inspector: undefined,
      inspectorWasOpen: true,
    })
  } catch (error) {
    if (!(error instanceof LeakscopeError)) throw error
    throw error.code === 'target-unreachable' && view && session ? await view.explain(error, true) : error
  } finally {
    session?.close()
    watch.stop()
  }
}

async function describe(session: InspectorSession, path: string): Promise<Description> {
  let answer: unknown
  try {
    answer = await session.send(QUESTION, {}, { timeoutMs: ANSWER_MS })
  } catch (cause) {
    if (!(cause instanceof LeakscopeError)) throw cause
    if (cause.code === 'target-protocol' || cause.code === 'target-unreachable') throw notAnAgent(path, cause)
    if (cause.code !== 'target-timeout') throw cause
    throw new LeakscopeError('target-timeout', `the agent at ${path} did not answer within ${ANSWER_MS / 1000} s`, {
      cause,
      hint: 'It runs on the main thread of the process, which is stopped, or busy in one piece of work that does not return to the event loop.',
    })
  }
  const { success, data, error } = DESCRIPTION.safeParse(answer)
  if (!success) throw notAnAgent(path, error)
  if (data.wire === WIRE) return data
  throw new LeakscopeError('target-protocol', `the agent in process ${data.pid} is of another version of leakscope`, {
    hint: 'It is the version that was installed when the process began. Start the process again, or use that version here.',
  })
}

function notAnAgent(path: string, cause: unknown): LeakscopeError {
  return new LeakscopeError('target-unreachable', `what listens at ${path} is not leakscope’s agent`, { cause })
}
