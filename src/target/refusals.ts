// Why a process cannot be asked for its inspector, as precisely as can be known from outside, and what would help.

import { LeakscopeError } from '../errors.ts'
import { refusalOf } from './node-arguments.ts'
import type { NodeBinary } from './node-binary.ts'
import type { Platform, ProcessFacts } from './platform.ts'

const SEE_PS = '`leakscope ps` lists the Node processes of this machine.'
const PREPARE =
  'Start it with --inspect=127.0.0.1:0, or with NODE_OPTIONS=--inspect=127.0.0.1:0 in its environment: then its inspector is open from the beginning, on any free port, and leakscope finds it by the pid.'

/**
 * Makes sure, before anything is sent to it, that `pid` is a process that can answer us: there, ours, running, Node.
 * Throws a LeakscopeError that says which of these it is not.
 */
export async function requireNodeProcess(
  platform: Platform,
  pid: number,
  inspector: 'needed' | 'not needed' = 'needed',
): Promise<FoundNode> {
  const found = await requireNode(platform, pid, inspector)
  if (found.facts.state === 'stopped') throw stopped(found.facts)
  return found
}

interface FoundNode {
  readonly facts: ProcessFacts
  readonly binary: NodeBinary
}

/** The same for one that has to answer nothing, and may be stopped. */
export async function requireNode(
  platform: Platform,
  pid: number,
  inspector: 'needed' | 'not needed' = 'not needed',
): Promise<FoundNode> {
  if (pid === process.pid) throw new LeakscopeError('usage-invalid', `process ${pid} is leakscope itself`)
  const facts = await platform.describe(pid)
  if (!facts) throw new LeakscopeError('target-not-found', `there is no process ${pid}`, { hint: SEE_PS })
  if (facts.state === 'zombie') {
    const parent = facts.parentPid === undefined ? 'its parent' : `its parent, process ${facts.parentPid},`
    throw new LeakscopeError('target-not-found', `process ${pid} has ended; ${parent} has not taken notice yet`, {
      hint: SEE_PS,
    })
  }
  const binary = await platform.nodeBinary(pid)
  if (!maySignal(pid) || binary === 'unreadable') throw notPermitted(facts)
  if (!binary) {
    throw new LeakscopeError(
      'target-not-node',
      `process ${pid} is not Node.js (${facts.command[0]}); it was left alone`,
      { hint: SEE_PS },
    )
  }
  if (!binary.inspector && inspector === 'needed') {
    throw new LeakscopeError(
      'target-refuses-signal',
      `process ${pid} runs a Node.js that was built without the inspector (v8_enable_inspector is 0)`,
      { hint: 'No option can open what is not there: run the program on an official build of Node.js.' },
    )
  }
  return { facts, binary }
}

/** Says that `facts` are those of a process that is stopped, and by whom. */
export function stopped({ pid, tracerPid }: ProcessFacts): LeakscopeError {
  return tracerPid === undefined
    ? new LeakscopeError('target-timeout', `process ${pid} is stopped and cannot answer`, {
        hint: `Let it go on first: kill -CONT ${pid}`,
      })
    : new LeakscopeError('target-timeout', `process ${pid} is held by a debugger, process ${tracerPid}`, {
        hint: 'Let it go on there first.',
      })
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

function notPermitted({ pid, uid }: ProcessFacts): LeakscopeError {
  if (uid !== undefined && uid === process.geteuid?.()) {
    return new LeakscopeError('target-not-permitted', `the system does not let us look into process ${pid}`, {
      hint: 'It is of the same user, but has privileges of its own, such as capabilities of its executable or a change of user. Run leakscope as root.',
    })
  }
  const owner = uid === undefined ? 'another user' : `user ${uid}`
  return new LeakscopeError('target-not-permitted', `process ${pid} belongs to ${owner}, and we may not inspect it`, {
    hint: 'Run leakscope as the same user, or as root.',
  })
}

/** For a process that has no handler for SIGUSR1, which would kill it. */
export async function refusesSignal(platform: Platform, pid: number): Promise<LeakscopeError> {
  const option = refusalOf((await platform.nodeArguments(pid)) ?? [])
  const message = `process ${pid} does not open its inspector on SIGUSR1`
  if (option === '--disable-sigusr1') {
    return new LeakscopeError('target-refuses-signal', `${message}: it was started with --disable-sigusr1`, {
      hint: PREPARE,
    })
  }
  if (option === '--permission') {
    return new LeakscopeError(
      'target-refuses-signal',
      `${message}: it was started with --permission and without --allow-inspector`,
      {
        hint: 'Start it with --allow-inspector as well, which Node 24 and newer have, or without --permission; --inspect alone does not help.',
      },
    )
  }
  return new LeakscopeError('target-refuses-signal', `${message}: it does not handle that signal, which would end it`, {
    hint: `Either it has hardly begun, or was started with --disable-sigusr1, or with --permission and without --allow-inspector. ${PREPARE}`,
  })
}
