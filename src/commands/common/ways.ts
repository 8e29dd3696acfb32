// The ways to a heap: it is read from outside, or V8 writes it, asked over the inspector or by leakscope's agent. Which one
// is taken, why not a better one, and when one stands in for another.

import type { Quote } from '../../capture/quote.ts'
import { type ErrorCode, LeakscopeError } from '../../errors.ts'
import { formatDuration } from '../../support/format.ts'
import { showTarget, type TargetName } from '../../target/target.ts'
import type { Target } from '../../target/visit.ts'

export const WAYS = ['inspector', 'outside', 'agent'] as const
export type Way = (typeof WAYS)[number]

/** What stands in front of the reasons when V8's own snapshot costs too much. */
export const NONE_TAKEN = 'no snapshot was taken: '

/** The longest that a process may stand still where nothing else is asked for. */
export const MAX_PAUSE_OUTSIDE_MS = 1000

/** What is to be done with a heap, by each way. */
export interface ByWay<T> {
  readonly target: TargetName
  /** The way that was asked for; undefined where none was, and where one may stand in for another. */
  readonly asked: Way | undefined
  /** The way to be tried first where none was asked for. */
  readonly first: 'outside' | 'inspector'
  readonly maxPauseMs: number
  readonly signal: AbortSignal
  /** Says which way is taken, before it is. */
  readonly note: (sentence: string) => void
  readonly fromOutside: (pid: number) => Promise<T>
  /** @param whyNotOutside undefined where it may be read from outside, but another way was asked for or comes first */
  readonly byV8: (whyNotOutside: string | undefined) => Promise<T>
  /** Whether it may be begun once more by the other way; default true. */
  readonly mayBeginAgain?: () => boolean
}

/** The one place where the way is decided. */
export async function takeByWay<T>(wanted: ByWay<T>): Promise<T> {
  const { target, asked, first, note, maxPauseMs, fromOutside, byV8, mayBeginAgain = () => true } = wanted
  if (asked === 'outside') {
    if (target.kind !== 'process') {
      throw new LeakscopeError(
        'usage-invalid',
        `--via outside reads processes of this machine by their pid, not ${showTarget(target)}`,
        { hint: '`leakscope ps` lists them.' },
      )
    }
    note(fromOutsideSentence(target.pid, maxPauseMs, true))
    return fromOutside(target.pid)
  }
  if (asked === 'agent') await requireAgent(target)
  if (asked !== undefined) return byV8(undefined)
  let problem = await whyNotOutside(target)
  let tried: LeakscopeError | undefined
  if (first === 'outside' && problem === undefined && target.kind === 'process') {
    note(fromOutsideSentence(target.pid, maxPauseMs, false))
    try {
      return await fromOutside(target.pid)
    } catch (error) {
      if (!isOfThatWay(error) || !mayBeginAgain()) throw error
      tried = error
      problem = error.message
    }
  }
  try {
    return await byV8(problem)
  } catch (price) {
    if (!mayReadOutside(price, target) || !mayBeginAgain()) throw price
    if (tried !== undefined) throw bothRefused(price, tried, wanted.signal)
    note(insteadSentence(price))
    return fromOutside((target as TargetName & { kind: 'process' }).pid).catch((refused: unknown) => {
      throw bothRefused(price, refused, wanted.signal)
    })
  }
}

/** What the way from outside is refused with while another may still do. */
const OF_THAT_WAY: ReadonlySet<ErrorCode> = new Set([
  'heap-unreadable',
  'platform-unsupported',
  'price-too-high',
  'target-not-node',
  'target-not-permitted',
  'target-timeout',
])

const isOfThatWay = (error: unknown): error is LeakscopeError =>
  error instanceof LeakscopeError && OF_THAT_WAY.has(error.code)

/**
 * Whether a heap that was refused by its price may be read from outside instead: neither memory of the process nor a long
 * pause is needed for that, but as much of the disk.
 */
function mayReadOutside(error: unknown, target: TargetName): error is LeakscopeError {
  if (!(error instanceof LeakscopeError) || error.code !== 'price-too-high') return false
  if (target.kind !== 'process' || process.platform !== 'linux') return false
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

export const fromOutsideSentence = (pid: number, maxPauseMs: number, isAsked: boolean): string =>
  `the heap of process ${pid} is read from outside${isAsked ? ', as asked' : ''}: it does nothing for that, and stands still for ${formatDuration(maxPauseMs)} at most`

/** By which of the other two ways V8 was asked. */
export const wayInto = ({ inspector }: Pick<Target, 'inspector'>): Exclude<Way, 'outside'> =>
  inspector === undefined ? 'agent' : 'inspector'

/** That V8 writes its heap, and why it is not read from outside, which costs the process less. */
export function byV8Sentence(
  name: TargetName,
  asked: Way | undefined,
  visited: Pick<Target, 'inspector'>,
  whyNotOutside: string | undefined,
): string {
  const by = wayInto(visited) === 'agent' ? 'asked by the agent in it' : 'asked over the inspector'
  const said = `V8 writes the heap of ${showTarget(name)}, ${by}`
  if (asked !== undefined) return `${said}, as --via says`
  return whyNotOutside === undefined
    ? `${said}: that tells most; --via outside costs the process least`
    : `${said}; it cannot be read from outside: ${whyNotOutside}`
}

/** As far as that is known beforehand; undefined where nothing is in the way. */
export async function whyNotOutside(name: TargetName): Promise<string | undefined> {
  if (name.kind !== 'process') return 'that takes a pid of this machine'
  if (process.platform !== 'linux') return 'that works on Linux only'
  const [{ openLiveMemory }, { currentPlatform }, { requireNode }] = await Promise.all([
    import('../../outside/live-memory.ts'),
    import('../../target/platform.ts'),
    import('../../target/refusals.ts'),
  ])
  try {
    await requireNode(await currentPlatform(), name.pid)
    openLiveMemory(name.pid).close()
    return undefined
  } catch (error) {
    if (error instanceof LeakscopeError) return error.message
    throw error
  }
}

/** Says that the other way is taken, and why. */
const insteadSentence = ({ message }: LeakscopeError): string =>
  `it is read from outside, as ${message.replace(NONE_TAKEN, 'by the inspector ')}`

/** What to say where V8's own snapshot costs too much, and the heap cannot be read from outside either. */
function bothRefused(price: LeakscopeError, outside: unknown, signal: AbortSignal): unknown {
  if (!(outside instanceof LeakscopeError) || signal.aborted) return outside
  return new LeakscopeError(price.code, `${price.message}; and from outside: ${outside.message}`, {
    cause: outside,
    hint: [outside.hint, price.hint].filter((hint) => hint !== undefined).join(' '),
  })
}
