// Suspects become candidates: those that grew enough, and as a leak does, with the retaining path and how likely a leak is.

import type { ReadSource } from '../analysis/culprit.ts'
import type { Suspect } from '../analysis/suspect.ts'
import { containerName, nodesTo, stepsTo } from './candidate-path.ts'
import type { Candidate, IsolateHeap } from './detector.ts'
import { judgeCandidate } from './likelihood.ts'
import { framesToAsk, nameLocals } from './local-variables.ts'
import { withArticle } from './surroundings.ts'

/** What grew by less, in bytes or as a part of all that grew, is no candidate. */
const LEAST = { bytes: 8192, share: 0.02 }
/** So many entries that were counted one by one are no chance, however small they are. */
const MANY = { count: 100, bytes: 2048 }
/** A store that was enlarged in each step, as that of a collection of numbers is, needs no more bytes than this. */
const STORE_BYTES = 4096
/** What gains less and less is mentioned from so many bytes on, and from this part of all that grew; so many at most. */
const SLOWING = { bytes: 65_536, share: 0.25 }
const MOST_UNCERTAIN = 3

/** What grew as a leak does. */
export function growingCandidates(of: IsolateHeap, readSource: ReadSource): Candidate[] {
  const likely = of.suspects.filter(({ trend }) => trend === 'steady' || trend === 'turning' || trend === 'unknown')
  return likely.filter((suspect) => isEnough(of, suspect)).map((suspect) => candidateOf(of, suspect, readSource))
}

/** What seems to slow down, or to swing: on a busy machine things come late, so that steady growth may look so. */
export function unevenCandidates(of: IsolateHeap, readSource: ReadSource): Candidate[] {
  return of.suspects
    .filter(({ trend }) => trend === 'slowing' || trend === 'swinging')
    .filter(
      ({ counted, counts, holders }) => counted === 'entries' && holders.length === 1 && counts.at(-1)! > counts[0]!,
    )
    .filter((suspect) => isEnough(of, suspect))
    .slice(0, MOST_UNCERTAIN)
    .map((suspect) => candidateOf(of, suspect, readSource))
}

/** What has gained much, and gains less and less. */
export function slowingCandidates(of: IsolateHeap, readSource: ReadSource): Candidate[] {
  const least = Math.max(SLOWING.bytes, SLOWING.share * of.growthBytes)
  return of.suspects
    .filter(({ trend, bytes }) => trend === 'slowing' && bytes >= least)
    .slice(0, MOST_UNCERTAIN)
    .map((suspect) => candidateOf(of, suspect, readSource))
}

const isEnough = ({ growthBytes }: IsolateHeap, suspect: Suspect): boolean =>
  suspect.bytes >= Math.max(leastFor(suspect), LEAST.share * growthBytes)

function leastFor({ kind, counted, count, trend }: Suspect): number {
  if (counted === 'entries' && count >= MANY.count) return MANY.bytes
  return kind === 'grown' && trend === 'steady' ? STORE_BYTES : LEAST.bytes
}

export function candidateOf(of: IsolateHeap, suspect: Suspect, readSource: ReadSource): Candidate {
  const way = nodesTo(of, suspect)
  nameLocals(of, way, readSource)
  const path = stepsTo(of, way, suspect)
  const name = containerName(of, way, path, suspect)
  const likelihood = judgeCandidate({ of, suspect, way, readSource })
  return { suspect, of, way, path, name: name ?? withArticle(suspect.className), likelihood }
}

/** V8's ids of the suspended functions whose local variables the process is to be asked for. */
export const framesToAskOf = (of: IsolateHeap): number[] => framesToAsk(of, (suspect) => nodesTo(of, suspect))
