// One visit to a running process: finds or opens its inspector, hands over a session, and leaves as it came.

import { visitAgent, visitAgentOf } from './agent.ts'
import { outsideOfProcess } from './local.ts'
import { currentPlatform } from './platform.ts'
import { outsideOfInspector } from './remote.ts'
import type { InspectorSession } from './session.ts'
import type { TargetName } from './target.ts'
import { type Target, type VisitOptions, visit } from './visit.ts'
import { ourselves } from './visitors.ts'

export type { Target } from './visit.ts'

export interface AttachOptions extends VisitOptions {
  /**
   * How long to wait while somebody else has the port that the target needs for its inspector. Undefined waits for
   * nobody but other leakscopes, and for those two minutes at most.
   */
  readonly waitMs?: number | undefined
  /** Whether an inspector that this opens moves away from its usual port, where it is in the way of other processes'. */
  readonly movesAside?: boolean
}

/**
 * Calls `work` with a session to the inspector of a process, by its pid or as `parseTarget` reads it, and returns what
 * it returns. A process that has leakscope's agent in it is reached through that: no signal is sent, no port opened. On every way out, an inspector that this opened is shut again, unless another debugger has come to use
 * it; where that fails, `onNotice` says so. Throws LeakscopeErrors only, `work`'s own errors aside.
 */
export async function withInspector<T>(
  name: number | TargetName,
  options: AttachOptions,
  work: (session: InspectorSession, target: Target) => Promise<T>,
): Promise<T> {
  const platform = await currentPlatform()
  const us = await ourselves(platform)
  if (typeof name === 'object' && name.kind === 'inspector') {
    return visit(platform, us, await outsideOfInspector(name, options.signal), options, work)
  }
  const { signal, waitMs, movesAside = false, onNotice: notice = () => {} } = options
  if (typeof name === 'object' && name.kind === 'agent') return visitAgent(platform, name.path, options, work)
  const pid = typeof name === 'number' ? name : name.pid
  const agent = await platform.agentSocket(pid)
  if (agent !== undefined) return visitAgentOf(platform, pid, agent, options, work)
  const { outside, done } = await outsideOfProcess(platform, us, pid, { signal, notice, waitMs, movesAside })
  try {
    return await visit(platform, us, outside, options, work)
  } finally {
    await done()
  }
}
