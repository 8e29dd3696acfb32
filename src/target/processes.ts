// The Node processes of this machine.

import type { NodeBinary } from './node-binary.ts'
import type { Listener, Platform, ProcessFacts } from './platform.ts'
import { currentPlatform } from './platform.ts'
import { routeTo } from './route.ts'

export type InspectorState =
  | { readonly state: 'open'; readonly host: string; readonly port: number }
  /** Disabled: the process was started, or its Node built, in a way that keeps it shut. Unknown: we may not look. */
  | { readonly state: 'closed' | 'disabled' | 'unknown' }

export interface NodeProcess extends ProcessFacts {
  /** As `process.version`; undefined when we may not look into the executable. */
  readonly nodeVersion: string | undefined
  readonly inspector: InspectorState
  /** A path to the socket of the leakscope agent in it; undefined when it has none, or none that we may see. */
  readonly agent: string | undefined
}

/** Every Node process but ourselves, the largest first. */
export async function listNodeProcesses(platform?: Platform): Promise<NodeProcess[]> {
  const system = platform ?? (await currentPlatform())
  const pids = (await system.listPids()).filter((pid) => pid !== process.pid)
  const found = await Promise.all(pids.map((pid) => describeNodeProcess(system, pid)))
  return found.filter((it) => it !== undefined).sort((a, b) => b.rssBytes - a.rssBytes || a.pid - b.pid)
}

async function describeNodeProcess(platform: Platform, pid: number): Promise<NodeProcess | undefined> {
  const facts = await platform.describe(pid)
  if (!facts || facts.state === 'zombie') return undefined
  const binary = await platform.nodeBinary(pid)
  if (binary === 'unreadable') {
    // Somebody else's process: only its name is left to go by.
    const looksLikeNode = /(^|[/\\])(node|nodejs)(\.exe)?$/.test(facts.command[0] ?? '')
    return looksLikeNode
      ? { ...facts, nodeVersion: undefined, inspector: { state: 'unknown' }, agent: undefined }
      : undefined
  }
  if (!binary) return undefined
  const [inspector, agent] = await Promise.all([inspectorState(platform, facts, binary), platform.agentSocket(pid)])
  return { ...facts, nodeVersion: binary.version, inspector, agent }
}

async function inspectorState(
  platform: Platform,
  { pid, state }: ProcessFacts,
  binary: NodeBinary,
): Promise<InspectorState> {
  if (!binary.inspector) return { state: 'disabled' }
  const listeners = state === 'stopped' ? undefined : await platform.listeners(pid)
  const suspects = listeners?.filter((it) => it.suspect) ?? []
  if (suspects.length > 0) {
    try {
      const address = await findFrom(platform, pid, suspects)
      if (address) return { state: 'open', ...address }
    } catch {
      return { state: 'unknown' } // in a network that we may not enter
    }
  }
  if ((await platform.acceptsInspectorRequest(pid)) === 'no') return { state: 'disabled' }
  return { state: listeners ? 'closed' : 'unknown' }
}

async function findFrom(platform: Platform, pid: number, suspects: readonly Listener[]) {
  const [{ firstInspector }, route] = await Promise.all([import('./inspector.ts'), routeTo(platform, pid)])
  return firstInspector(suspects, route).finally(() => route.close())
}
