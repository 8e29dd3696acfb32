// The first sentence about the findings, for whichever format.

import type { Report, ReportFinding, ReportOffHeap } from '../findings/report.ts'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'

export interface Verdict {
  readonly good: boolean
  /** The words that must not be missed. */
  readonly headline: string
  /** What follows them, with what separates the two. */
  readonly rest: string
}

/** Growth that is worth a second look although no pattern fits it: so many bytes, and so much of what there was. */
const LARGE = { bytes: 5e6, share: 0.2 }
/** What a step gains that goes with the rest, as a part of what all of them gain on average. */
const WITH_THE_REST = 0.5

/** Whether a heap became much larger, and in every step. */
function risesAll(sizes: readonly number[]): boolean {
  const gains = sizes.slice(1).map((size, step) => size - sizes[step]!)
  const gain = gains.reduce((sum, each) => sum + each, 0)
  return (
    gains.length >= 2 &&
    gain >= Math.max(LARGE.bytes, LARGE.share * sizes[0]!) &&
    gains.every((each) => each >= (WITH_THE_REST * gain) / gains.length)
  )
}

/** A finding of which the heap holds nothing: the system alone saw the memory rise. */
const isResidentOnly = ({ evidence }: ReportFinding): boolean =>
  evidence.seenBy === 'system' && evidence.residentBytesPerSecond !== undefined

function besideText({ verdict, reason, marginBytes, seconds }: ReportOffHeap): string {
  return verdict === 'unknown'
    ? `What became of memory outside of the heap is not known: ${reason}.`
    : `Outside of the heap, memory rose by less than ${formatBytes(marginBytes ?? 0)} in ${formatDuration(1000 * (seconds ?? 0))}.`
}

/** Where allocations were sampled and no snapshot was taken. */
function bySamples(found: number, waste: string, sampling: NonNullable<Report['sampling']>): Verdict {
  const { seconds, readings, intervalBytes } = sampling
  const how = `by samples of allocations alone (one in ${formatBytes(intervalBytes)}, read ${readings} times in ${formatDuration(1000 * seconds)}), without a snapshot`
  if (found > 0) {
    const headline =
      found === 1 ? 'What one function allocates stays' : `What ${formatCount(found)} functions allocate stays`
    return {
      good: false,
      headline,
      rest: `: judged ${how}, so that who holds it is not known.${waste && ` Besides: ${waste}.`}`,
    }
  }
  if (waste !== '') return { good: false, headline: `No growing allocations, but ${waste}`, rest: `: judged ${how}.` }
  return {
    good: true,
    headline: 'No growing allocations found',
    rest: `: judged ${how}, which misses what grows slowly.`,
  }
}

/** Undefined where nobody has looked for leaks. */
export function verdictOf({
  findings: all,
  setAside,
  growth,
  explained,
  snapshots,
  offHeap,
  process,
  via,
  sampling,
}: Report): Verdict | undefined {
  const findings = all.filter(({ wastes }) => wastes === undefined)
  const wasted = all.length - findings.length
  const ofCpu = all.filter(({ wastes }) => wastes === 'cpu').length
  const waste = [
    ...(ofCpu > 0 ? [ofCpu === 1 ? 'a waste of CPU time' : `${formatCount(ofCpu)} wastes of CPU time`] : []),
    ...(wasted > ofCpu ? ['memory that lies idle'] : []),
  ].join(' and ')
  if (explained === null && sampling !== null) return bySamples(findings.length, waste, sampling)
  if (explained === null) {
    if (wasted === 0) return undefined
    const [first, ...rest] = waste
    return { good: false, headline: first!.toUpperCase() + rest.join(''), rest: '; nobody has looked for leaks.' }
  }
  const span = growth && growth.elapsedMs > 0 ? ` in ${formatDuration(growth.elapsedMs)}` : ''
  const ofFirst = snapshots.filter(({ isolate }) => isolate === snapshots[0]!.isolate)
  const many = ofFirst.length
  if (findings.length === 0) {
    const grown =
      growth && growth.totalShallowBytes > 0 ? `the heap grew by ${formatBytes(growth.totalShallowBytes)}${span}` : ''
    const rose =
      setAside.length > 0
        ? `${grown}${grown && '; '}what rose all the while has a reason to.`
        : `${grown ? `${grown}, but nothing in it` : `nothing${span}`} rose as a leak does.`
    const beside = offHeap ? ` ${besideText(offHeap)}` : ''
    if (wasted > 0) return { good: false, headline: `No leak, but ${waste}`, rest: `: ${rose}${beside}` }
    if (setAside.length === 0 && risesAll(ofFirst.map(({ totalShallowBytes }) => totalShallowBytes))) {
      const look = 'What grew by most may say more: `leakscope diff` lists it, of snapshots that `-o FOLDER` keeps.'
      return { good: true, headline: 'No leak recognized', rest: `: ${grown}, in every step. ${look}${beside}` }
    }
    const unexplained = (process?.rssBytesDelta ?? 0) - Math.max(0, growth?.totalShallowBytes ?? 0)
    // By the inspector, taking snapshots makes resident memory rise by itself.
    if (via === 'outside' && offHeap?.verdict === 'unknown' && unexplained >= LARGE.bytes) {
      const risen = ` Resident memory rose by ${formatBytes(unexplained)} for which the heap has no reason.`
      return { good: true, headline: 'No leak recognized', rest: `: ${rose}${risen}${beside}` }
    }
    const unsure = many < 3 ? ' Three snapshots or more tell a leak from something that fills up.' : ''
    return { good: true, headline: 'No leak found', rest: `: ${rose}${unsure}${beside}` }
  }
  if (offHeap && findings.every(isResidentOnly)) {
    const isSure = findings.some(({ severity }) => severity !== 'note')
    const { bytes, seconds } = offHeap
    return {
      good: false,
      headline: isSure ? 'Memory outside of the heap grows' : 'Memory outside of the heap rose',
      rest: `: by ${formatBytes(bytes ?? 0)} in ${formatDuration(1000 * (seconds ?? 0))}; nothing in the heap accounts for it.`,
    }
  }
  const share =
    explained.growthBytes > 0
      ? `, which ${findings.length === 1 ? 'explains' : 'explain'} ${Math.round((100 * explained.bytes) / explained.growthBytes)} % of the ${formatBytes(explained.growthBytes)} that came and stayed${span}`
      : ''
  const count = `${formatCount(findings.length)} ${findings.length === 1 ? 'leak' : 'leaks'} found`
  return { good: false, headline: count, rest: `${share}${wasted > 0 ? `; and ${waste}` : ''}.` }
}
