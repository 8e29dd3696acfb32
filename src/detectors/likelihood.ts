// How likely growth is a leak, whatever its pattern: by its trend, by a bound or a lifetime, and by what the source says.

import type { Suspect } from '../analysis/suspect.ts'
import type { Ground } from '../findings/confidence.ts'
import { ground, remark } from '../findings/weights.ts'
import { formatBytes } from '../support/format.ts'
import { type Bound, type Collection, type Keeping, keepingOf, placeIn } from './bounds.ts'
import type { Likelihood } from './detector.ts'
import { countsOver } from './surroundings.ts'

/** What grows by fewer bytes a second, and has things taken out, takes hours before it matters. */
const SLOW_BYTES_PER_SECOND = 8000

const BY_TREND: Readonly<Record<Suspect['trend'], Ground>> = {
  steady: ground('steady', 'it grew at a steady rate in every interval, and nothing that came was released'),
  turning: ground('turning', 'it grew in every interval although some of it is released: more comes than goes'),
  unknown: ground('unknown', 'two snapshots cannot distinguish a leak from a cache that is still filling'),
  slowing: ground('notGrowing', 'it gains less and less'),
  swinging: ground('notGrowing', 'it rises and falls'),
  level: ground('level', 'there are no more than before'),
}

export function judgeCandidate(collection: Collection): Likelihood {
  const { of, suspect } = collection
  const { bound, lifetime, passed, removal, idle } = keepingOf(collection)
  if (bound?.isProven && bound.value !== undefined) {
    const reason = `it is filling up to its bound: ${bound.name} is ${bound.value}`
    return { grounds: [ground('filling', reason)], bounded: true, most: bound.value }
  }
  if (lifetime?.isProven && lifetime.value !== undefined) {
    const reason = `it holds no more than what came in the time that things stay in it: ${lifetime.name} is ${lifetime.value} ms`
    return { grounds: [ground('withinLifetime', reason)], bounded: true }
  }
  const grounds = [BY_TREND[suspect.trend]]
  if (of.heap.matching !== 'id') grounds.push(ground('matchedByPlace', 'objects could not be told apart one by one'))
  if (suspect.kind === 'added' && suspect.count < LITTLE.count && suspect.bytes < LITTLE.bytes)
    grounds.push(ground('little', 'it is little yet, and a longer look would tell'))
  if (isReplaced(collection)) {
    const why = `the heap is no larger than before, and there are no more ${suspect.className} in it: as much was released`
    return { grounds: [...grounds, ground('replaced', why)] }
  }
  const hint = bound ?? lifetime
  if (hint) return { grounds: [...grounds, ground('maybeBounded', aboutHint(hint))] }
  if (passed) return { grounds: [...grounds, remark(`it is past its bound: ${passed.name} is ${passed.value}`)] }
  if (removal) {
    const { tree, node } = removal
    const text = tree.source.slice(node.start, node.end).replace(/\s+/g, ' ').slice(0, 80)
    const line = `${placeIn(tree, node.start)} takes things out of it (${text})`
    const isSlow = suspect.bytesPerSecond < SLOW_BYTES_PER_SECOND
    const against = isSlow
      ? ground('takenOutSlowly', `${line}, but more come`)
      : ground('takenOut', `${line}, but not enough`)
    return { grounds: [...grounds, against], takenOut: true }
  }
  return { grounds: idle ? [...grounds, remark(aboutIdle(idle))] : grounds }
}

function aboutHint({ name, value, isUnclear, isProven }: Bound): string {
  if (isUnclear) return `${name} bounds it, and how many are in it could not be told`
  return isProven
    ? `${name} bounds it, by a number that could not be worked out`
    : `${name}, which is ${value}, may be its bound: the source could not be read`
}

/** What is said of a statement that takes things out, and does not run while the program works. */
function aboutIdle({ operation, when }: NonNullable<Keeping['idle']>): string {
  const place = placeIn(operation.tree, operation.node.start)
  if (when === 'ending') return `${place} takes things out of it only when the program ends`
  return when === 'once'
    ? `${place} takes things out of it only when its module is loaded`
    : `${place} would take things out of it, but nothing in the program was seen to call it`
}

/** Less than this share of what came shows in the heap as a whole. */
const HARDLY = 0.1

/** Whether what came has only taken the place of other objects: the heap has no more of its class, and is no larger. */
function isReplaced({ of, suspect: { kind, counted, sample, count, bytes } }: Collection): boolean {
  if (kind === 'grown' || counted !== 'entries' || of.growthBytes >= HARDLY * bytes) return false
  const counts = countsOver(of, sample)
  return counts.at(-1)! - counts[0]! < HARDLY * count
}

/** A waste of so many bytes, when the bound is reached, is worth a warning. */
const MUCH_BYTES = 50e6

/**
 * The likelihood of a finding whose objects keep many times what they need: within a bound that is worth a note, and, where
 * it comes to much, a warning.
 * @param bytesEach what each of them keeps alive
 */
export function despiteBound(likelihood: Likelihood, bytesEach: number): Likelihood {
  if (!likelihood.bounded) return likelihood
  const bytes = (likelihood.most ?? 0) * bytesEach
  const waste = 'but each keeps many times what it needs'
  return but(
    likelihood,
    bytes >= MUCH_BYTES
      ? ground('wasteGreat', `${waste}: ${formatBytes(bytes)} by then`)
      : ground('wasteBounded', `${waste}, and will until then`),
  )
}

/** The same with one more ground. */
export const but = ({ grounds }: Likelihood, more: Ground): Likelihood => ({ grounds: [...grounds, more] })

/** Fewer and smaller objects, such as a few more connections in a pool, may be chance. */
const LITTLE = { count: 50, bytes: 32 * 1024 }
