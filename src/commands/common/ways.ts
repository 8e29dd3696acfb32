// The ways to a heap: V8 writes it, asked over the inspector or by leakscope's agent, or it is read from outside. Which one
// is taken, why, and when the one from outside stands in for the others.

import type { Quote } from '../../capture/quote.ts'
import { LeakscopeError } from '../../errors.ts'
import { showTarget, type TargetName } from '../../target/target.ts'
import type { Target } from '../../target/visit.ts'

export const WAYS = ['inspector', 'outside', 'agent'] as const
export type Way = (typeof WAYS)[number]

/** What stands in front of the reasons when V8's own snapshot costs too much. */
export const NONE_TAKEN = 'no snapshot was taken: '

/**
 * Whether a heap that was refused by its price may be read from outside instead: neither memory of the process nor a long
 * pause is needed for that, but as much of the disk.
 */
export function mayReadOutside(error: unknown, target: TargetName, asked: Way | undefined): error is LeakscopeError {
  if (!(error instanceof LeakscopeError) || error.code !== 'price-too-high') return false
  if (asked !== undefined || target.kind !== 'process' || process.platform !== 'linux') return false
  const { objections = [] } = (error.cause ?? {}) as Partial<Quote>
  return objections.length > 0 && objections.every(({ about }) => about !== 'disk')
}

/** @throws LeakscopeError where the agent is asked for, and there is none */
export async function requireAgent(target: TargetName): Promise<void> {
  if (target.kind === 'agent') return
  const { currentPlatform } = await import('../../target/platform.ts')
  const pid = target.kind === 'process' ? target.pid : undefined
  if (pid !== undefined && (await (await currentPlatform()).agentSocket(pid)) !== undefined) return
  throw new LeakscopeError('target-unreachable', `no agent of leakscope is known in ${showTarget(target)}`, {
    hint: 'It has to be started with one: node --require leakscope/agent app.js.',
  })
}

export const fromOutsideSentence = (pid: number): string =>
  `the heap of process ${pid} is read from outside, as asked: it does nothing for that`

/** By which of the other two ways V8 was asked. */
export const wayInto = ({ inspector }: Pick<Target, 'inspector'>): Exclude<Way, 'outside'> =>
  inspector === undefined ? 'agent' : 'inspector'

/** That V8 writes its heap, and why it is not read from outside, which costs the process less. */
export async function byV8Sentence(
  name: TargetName,
  asked: Way | undefined,
  visited: Pick<Target, 'inspector'>,
): Promise<string> {
  const by = wayInto(visited) === 'agent' ? 'asked by the agent in it' : 'asked over the inspector'
  const said = `V8 writes the heap of ${showTarget(name)}, ${by}`
  if (asked !== undefined) return `${said}, as --via says`
  const problem = await whyNotOutside(name)
  return problem === undefined
    ? `${said}: that tells most; --via outside costs the process least`
    : `${said}; it cannot be read from outside: ${problem}`
}

/** As far as that is known beforehand. */
async function whyNotOutside(name: TargetName): Promise<string | undefined> {
  if (name.kind !== 'process') return 'that takes a pid of this machine'
  if (process.platform !== 'linux') return 'that works on Linux only'
  const { openLiveMemory } = await import('../../outside/live-memory.ts')
  try {
    openLiveMemory(name.pid).close()
    return undefined
  } catch (error) {
    return error instanceof LeakscopeError ? error.message : undefined
  }
}

/** Says that the other way is taken, and why. */
export const insteadSentence = ({ message }: LeakscopeError): string =>
  `it is read from outside, as ${message.replace(NONE_TAKEN, 'by the inspector ')}`

/** What to say where V8's own snapshot costs too much, and the heap cannot be read from outside either. */
export function bothRefused(price: LeakscopeError, outside: unknown, signal: AbortSignal): unknown {
  if (!(outside instanceof LeakscopeError) || signal.aborted) return outside
  return new LeakscopeError(price.code, `${price.message}; and from outside: ${outside.message}`, {
    cause: outside,
    hint: [outside.hint, price.hint].filter((hint) => hint !== undefined).join(' '),
  })
}
