// The two ways to a heap, by the inspector and from outside, and when the second one is taken in place of the first.

import type { Quote } from '../capture/quote.ts'
import { LeakscopeError } from '../errors.ts'
import type { TargetName } from '../target/target.ts'

export const WAYS = ['inspector', 'outside'] as const
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
