// How likely growth is a leak, whatever its kind: by its trend, by a bound or a lifetime beside it, by what the source says.

import type { Suspect } from '../analysis/suspect.ts'
import { formatBytes } from '../support/format.ts'
import { type Collection, keepingOf, placeIn } from './bounds.ts'
import type { Likelihood } from './detector.ts'
import { countsOver } from './surroundings.ts'

/** Below so many bytes a second something with a way out is let alone: it has hours before it matters. */
const SLOW_BYTES_PER_SECOND = 8000

const BY_TREND: Readonly<Record<Suspect['trend'], Likelihood>> = {
  steady: {
    confidence: 0.9,
    reason: 'it grew at a steady rate in every interval, and nothing that came was released',
  },
  turning: {
    confidence: 0.75,
    reason: 'it grew in every interval although some of it is released: more comes than goes',
  },
  unknown: {
    confidence: 0.55,
    reason: 'two snapshots cannot distinguish a leak from a cache that is still filling',
  },
  slowing: { confidence: 0.1, reason: 'it gains less and less' },
  swinging: { confidence: 0.1, reason: 'it rises and falls' },
  level: { confidence: 0, reason: 'there are no more than before' },
}

export function judgeLead(collection: Collection): Likelihood {
  const { of, suspect } = collection
  const base = BY_TREND[suspect.trend]
  const { bound, lifetime, passed, removal, idle } = keepingOf(collection)
  if (bound?.isProven && bound.value !== undefined) {
    const reason = `it is filling up to its bound: ${bound.name} is ${bound.value}`
    return { confidence: 0.2, reason, bounded: true, most: bound.value }
  }
  if (lifetime?.isProven && lifetime.value !== undefined) {
    const reason = `it holds no more than what came in the time that things stay in it: ${lifetime.name} is ${lifetime.value} ms`
    return { confidence: 0.25, reason, bounded: true }
  }
  const told = of.heap.matching === 'id' ? base : lessSure(base, 0.75, 'objects could not be told apart one by one')
  const isLittle = suspect.kind === 'added' && suspect.count < LITTLE.count && suspect.bytes < LITTLE.bytes
  const matched = isLittle ? lessSure(told, 0.5, 'it is little yet, and a longer look would tell') : told
  if (isReplaced(collection)) {
    const why = `the heap is no larger than before, and there are no more ${suspect.className} in it: as much was released`
    return lessSure(matched, REPLACED, why)
  }
  const hint = bound ?? lifetime
  if (hint) {
    const why = hint.isUnclear
      ? `${hint.name} bounds it, and how many are in it could not be told`
      : hint.isProven
        ? `${hint.name} bounds it, by a number that could not be worked out`
        : `${hint.name}, which is ${hint.value}, may be its bound: the source could not be read`
    return lessSure(matched, 0.5, why)
  }
  if (passed)
    return { ...matched, reason: `${matched.reason}; it is past its bound: ${passed.name} is ${passed.value}` }
  if (removal) {
    const { tree, node } = removal
    const text = tree.source.slice(node.start, node.end).replace(/\s+/g, ' ').slice(0, 80)
    const line = `${placeIn(tree, node.start)} takes things out of it (${text})`
    const isSlow = suspect.bytesPerSecond < SLOW_BYTES_PER_SECOND
    return {
      ...lessSure(matched, isSlow ? 0.75 : 0.9, `${line}, but ${isSlow ? 'more come' : 'not enough'}`),
      takenOut: true,
    }
  }
  if (idle) {
    const { operation, when } = idle
    const place = placeIn(operation.tree, operation.node.start)
    const why =
      when === 'ending'
        ? `${place} takes things out of it only when the program ends`
        : when === 'once'
          ? `${place} takes things out of it only when its module is loaded`
          : `${place} would take things out of it, but nothing in the program was seen to call it`
    return { ...matched, reason: `${matched.reason}; ${why}` }
  }
  return matched
}

/** What came by V8's ids, and shows in no number of the heap as a whole, makes a finding less sure by so much. */
const REPLACED = 0.3
/** So little of what came shows. */
const HARDLY = 0.1

/** V8 numbers objects by where they are: what takes the place of another one, as a whole, may have its number. */
function isReplaced({ of, suspect: { kind, counted, sample, count, bytes } }: Collection): boolean {
  if (kind === 'grown' || counted !== 'entries' || of.growthBytes >= HARDLY * bytes) return false
  const counts = countsOver(of, sample)
  return counts.at(-1)! - counts[0]! < HARDLY * count
}

/** A waste that comes to so many bytes until the bound is reached is no small one. */
const MUCH_BYTES = 50e6

/**
 * For what keeps many times what it needs: a waste within a bound is worth a note, and a great one more than that.
 * @param bytesEach that each of them keeps
 */
export function despiteBound(likelihood: Likelihood, bytesEach: number): Likelihood {
  if (!likelihood.bounded) return likelihood
  const bytes = (likelihood.most ?? 0) * bytesEach
  const [confidence, until] =
    bytes >= MUCH_BYTES ? [0.6, `: ${formatBytes(bytes)} by then`] : [0.45, ', and will until then']
  return { confidence, reason: `${likelihood.reason}; but each keeps many times what it needs${until}` }
}

/** So few and so small, such as a few connections more in a pool, may be chance. */
const LITTLE = { count: 50, bytes: 32 * 1024 }

const lessSure = ({ confidence, reason }: Likelihood, by: number, why: string): Likelihood => ({
  confidence: confidence * by,
  reason: `${reason}; ${why}`,
})
