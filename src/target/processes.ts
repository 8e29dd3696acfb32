// The Node processes of this machine, and the checks that one of them can be attached to without harm.

import { LeakscopeError } from '../errors.ts'
import type { Answer, Platform, ProcessFacts } from './platform.ts'
import { currentPlatform } from './platform.ts'

export type InspectorState =
  | { readonly state: 'open'; readonly host: string; readonly port: number }
  /** Disabled: the process was started in a way that keeps it shut. Unknown: we may not look. */
  | { readonly state: 'closed' | 'disabled' | 'unknown' }

export interface NodeProcess extends ProcessFacts {
  /** As `process.version`; undefined when we may not look into the executable. */
  readonly nodeVersion: string | undefined
  readonly inspector: InspectorState
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
    return looksLikeNode ? { ...facts, nodeVersion: undefined, inspector: { state: 'unknown' } } : undefined
  }
  if (!binary) return undefined
  return { ...facts, nodeVersion: binary.version, inspector: await inspectorState(platform, facts) }
}

async function inspectorState(platform: Platform, { pid, state }: ProcessFacts): Promise<InspectorState> {
  const { findOpenInspector } = await import('./inspector.ts')
  const address = state === 'stopped' ? undefined : await findOpenInspector(platform, pid)
  if (address) return { state: 'open', ...address }
  if ((await platform.acceptsInspectorRequest(pid)) === 'no') return { state: 'disabled' }
  const unseen = state === 'stopped' || (await platform.listeners(pid)) === undefined
  return { state: unseen ? 'unknown' : 'closed' }
}

/**
 * Makes sure, before anything is sent to it, that `pid` is a process that can answer us: there, ours, running, Node.
 * Throws a LeakscopeError that says which of these it is not.
 */
export async function requireNodeProcess(platform: Platform, pid: number): Promise<ProcessFacts> {
  if (pid === process.pid) throw new LeakscopeError('usage-invalid', `process ${pid} is leakscope itself`)
  const facts = await platform.describe(pid)
  if (!facts) {
    throw new LeakscopeError('target-not-found', `there is no process ${pid}`, {
      hint: '`leakscope ps` lists the Node processes of this machine.',
    })
  }
  if (facts.state === 'zombie') {
    throw new LeakscopeError('target-not-found', `process ${pid} has ended; its parent has not taken notice yet`)
  }
  const binary = await platform.nodeBinary(pid)
  if (!maySignal(pid) || binary === 'unreadable') {
    const owner = facts.uid === undefined ? 'another user' : `user ${facts.uid}`
    throw new LeakscopeError('target-not-permitted', `process ${pid} belongs to ${owner}, and we may not inspect it`, {
      hint: 'Run leakscope as the same user, or as root.',
    })
  }
  if (!binary) {
    throw new LeakscopeError(
      'target-not-node',
      `process ${pid} is not Node.js (${facts.command[0]}); it was left alone`,
      {
        hint: '`leakscope ps` lists the Node processes of this machine.',
      },
    )
  }
  if (facts.state === 'stopped') {
    throw new LeakscopeError('target-timeout', `process ${pid} is stopped and cannot answer`, {
      hint: `Let it go on first: kill -CONT ${pid}`,
    })
  }
  if ((await platform.hasOwnNetwork(pid)) === 'yes') {
    throw new LeakscopeError(
      'target-unreachable',
      `process ${pid} has a network of its own (a container), so its inspector cannot be reached from here`,
      { hint: `Run leakscope inside the container, or as root: nsenter -t ${pid} -n leakscope …` },
    )
  }
  return facts
}

/** Signal 0 asks for permission and does nothing else. */
function maySignal(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EPERM'
  }
}

/** Throws unless asking `pid` for its inspector is known not to kill it. */
export function requireSignalHandler(pid: number, accepts: Answer): void {
  if (accepts !== 'no') return
  throw new LeakscopeError('target-refuses-signal', `process ${pid} does not open its inspector on SIGUSR1`, {
    hint: 'It was started with --disable-sigusr1, or with --permission and without --allow-inspector; or it handles the signal itself. Start it with --inspect=0 instead, which opens the inspector from the beginning.',
  })
}
