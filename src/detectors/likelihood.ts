// How likely growth is a leak, whatever its kind: by its trend, by a bound or a lifetime beside it, by what the source says.

import type { Suspect } from '../analysis/suspect.ts'
import { boundOf, type Collection, lifetimeOf } from './bounds.ts'
import type { Likelihood } from './detector.ts'
import { shortPlace } from './functions.ts'
import { findRemoval, isProgram } from './source.ts'

/** Below so many bytes a second something with a way out is let alone: it has hours before it matters. */
const SLOW_BYTES_PER_SECOND = 8000

const BY_TREND: Readonly<Record<Suspect['trend'], Likelihood>> = {
  steady: {
    confidence: 0.9,
    reason: 'it gained at a steady rate between all snapshots, and nothing that came has gone',
  },
  turning: {
    confidence: 0.75,
    reason: 'it gained between all snapshots, though some of it goes: more comes than goes',
  },
  unknown: {
    confidence: 0.55,
    reason: 'there are only two snapshots, which cannot tell a leak from something that fills up',
  },
  slowing: { confidence: 0.1, reason: 'it gains less and less' },
  swinging: { confidence: 0.1, reason: 'it rises and falls' },
  level: { confidence: 0, reason: 'there are no more than before' },
}

export function judgeLead(collection: Collection): Likelihood {
  const { of, suspect, name, module, readSource } = collection
  const base = BY_TREND[suspect.trend]
  if (suspect.kind === 'grown') return base
  const bound = boundOf(collection)
  if (bound) {
    const reason = `it is filling up to its bound: ${bound.name} is ${bound.value}`
    return { confidence: 0.2, reason, bounded: true }
  }
  const lifetime = lifetimeOf(collection)
  if (lifetime) {
    const reason = `it holds no more than what came in the time that things stay in it: ${lifetime.name} is ${lifetime.value}`
    return { confidence: 0.25, reason, bounded: true }
  }
  const told = of.heap.matching === 'id' ? base : lessSure(base, 0.75, 'objects could not be told apart one by one')
  const isLittle = suspect.count < LITTLE.count && suspect.bytes < LITTLE.bytes
  const matched = isLittle ? lessSure(told, 0.5, 'it is little yet, and a longer look would tell') : told
  if (name === undefined) return matched
  const removal = findRemoval(readSource, module, name)
  if (removal) {
    const { url, text } = removal
    const line = shortPlace(removal)
    if (suspect.bytesPerSecond >= SLOW_BYTES_PER_SECOND) {
      const less = lessSure(matched, 0.9, `${line} takes things out of it (${text}), but not enough`)
      return { ...less, takenOut: true }
    }
    return {
      confidence: 0.25,
      reason: `it gains little, and ${line} takes things out of it: ${text}`,
      takenOut: true,
      ...(!isProgram(url) && { ifNotTakenOut: lessSure(matched, 0.75, 'it gains little') }),
    }
  }
  return matched
}

/** For what keeps many times what it needs: that is a waste however few there may come to be. */
export const despiteBound = (likelihood: Likelihood): Likelihood =>
  likelihood.bounded
    ? { confidence: 0.6, reason: `${likelihood.reason}; but each keeps many times what it needs, and will until then` }
    : likelihood

/** So few and so small, such as a few connections more in a pool, may be chance. */
const LITTLE = { count: 50, bytes: 32 * 1024 }

const lessSure = ({ confidence, reason }: Likelihood, by: number, why: string): Likelihood => ({
  confidence: confidence * by,
  reason: `${reason}; ${why}`,
})
