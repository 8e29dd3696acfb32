// Resident memory that rises, while neither the JS heap nor ArrayBuffers do. It is put down to objects with memory of native
// code that became more at the same pace; where there are none, `resident-growth.ts` reports it by itself.

import { type NativeSide, nativeSides } from '../analysis/native-sides.ts'
import type { OffHeapTrend } from '../analysis/off-heap.ts'
import type { Suspect } from '../analysis/suspect.ts'
import { judgedBy } from '../findings/confidence.ts'
import type { ReportFinding } from '../findings/report.ts'
import { ground, remark } from '../findings/weights.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import { candidateOf } from './candidates.ts'
import type { Candidate, Captures, IsolateHeap, NativeAddon } from './detector.ts'
import { firstDiagnosis, isGeneral } from './index.ts'
import { makeFinding, sourcesFor } from './make-finding.ts'
import { findInMemory } from './process-findings.ts'
import { groundsOf, residentEvidence, residentGrowth, roseBy } from './resident-growth.ts'
import { countsOver, ratesOf } from './surroundings.ts'

/** What is put down to objects of the heap is of the pattern that the growth has without them. */
const [PATTERN] = residentGrowth.patterns

/** Objects that have memory of native code, and became more in each step. */
export interface NativeCandidate extends Pick<NativeSide, 'className' | 'maker' | 'count'> {
  readonly perSecond: number
  /** Bytes that the snapshot has of each, with all that came with it. */
  readonly snapshotBytesEach: number
  /** Fingerprint of the finding that is about them; undefined where none is. */
  readonly reportedBy: string | undefined
  /** The finding that they make otherwise; its confidence, and what each object costs, are still missing. */
  readonly draft: ReportFinding
}

/** Of each isolate: suspects that are looked at, the biggest first, and candidates. */
const MOST = { suspects: 60, candidates: 8 }
/** So many objects must have come, and in each step this part of the average step. */
const LEAST = { count: 6, step: 0.35 }

/** @param reportedBy the fingerprint of the finding that is about a suspect */
export function nativeCandidates(captures: Captures, reportedBy: ReadonlyMap<Suspect, string>): NativeCandidate[] {
  return captures.isolates.flatMap((of) =>
    of.suspects
      .slice(0, MOST.suspects)
      .flatMap((suspect) => nativeCandidateOf(of, suspect, captures, reportedBy.get(suspect)) ?? [])
      .slice(0, MOST.candidates),
  )
}

function nativeCandidateOf(
  of: IsolateHeap,
  suspect: Suspect,
  captures: Captures,
  reportedBy: string | undefined,
): NativeCandidate | undefined {
  if (suspect.kind === 'grown' || suspect.reached.length === 0) return undefined
  const [side] = nativeSides(of.graph, of.heap.opened.classes, suspect.reached, suspect.sample)
  if (!side || side.count < LEAST.count || !risesEvenly(of, side)) return undefined
  const candidate = candidateOf(of, suspect, captures.readSource)
  return {
    ...{ className: side.className, maker: side.maker, count: side.count },
    perSecond: side.count / (of.seconds.at(-1)! - of.seconds[0]!),
    snapshotBytesEach: suspect.bytes / side.count,
    reportedBy,
    draft: specificFinding(candidate, captures) ?? generalFinding(candidate, side, captures),
  }
}

/** What a detector recognises in them, such as messages that wait, though it may not be sure by the heap alone. */
function specificFinding(candidate: Candidate, captures: Captures): ReportFinding | undefined {
  const first = firstDiagnosis(candidate, captures, {
    isWanted: (pattern) => pattern !== PATTERN && !isGeneral(pattern),
  })
  return first && makeFinding(first.pattern, candidate, first.diagnosis, captures, sourcesFor(captures))
}

function generalFinding(candidate: Candidate, side: NativeSide, captures: Captures): ReportFinding {
  const { name } = candidate
  const diagnosis = {
    title: `${formatCount(side.count)} more ${side.className} in ${name}`,
    evidence: { keptIn: name, kind: side.className, pieces: side.count },
    advice: adviceFor(side, name),
  }
  return makeFinding(PATTERN, candidate, diagnosis, captures, sourcesFor(captures))
}

function risesEvenly(of: IsolateHeap, { one }: NativeSide): boolean {
  const rates = ratesOf(countsOver(of, one), of.seconds)
  const average = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
  return average > 0 && rates.every((rate) => rate >= LEAST.step * average)
}

/** Classes that many programs keep objects of: about how many bytes each object takes, and what to do instead. */
const KNOWN: readonly { readonly of: RegExp; readonly bytes: number; readonly advice: string }[] = [
  {
    of: /^(DateTimeFormat|NumberFormat|Collator|PluralRules|ListFormat|RelativeTimeFormat|DurationFormat|DisplayNames|Segmenter)$/,
    bytes: 10e3,
    advice: 'One for each locale and set of options is enough, for it has no state: make it once and use it again.',
  },
  {
    of: /^((De|In)flate(Raw)?|Gzip|Gunzip|Unzip|Brotli(Dec|C)ompress|Zstd(Dec|C)ompress)$/,
    bytes: 100e3,
    advice: 'Call close() on each that is not read to its end: until then it keeps its tables.',
  },
  {
    of: /^(StatementSync|Statement)$/,
    bytes: 3e3,
    advice: 'Prepare each statement once, with parameters in place of values, and use it again.',
  },
  {
    of: /^(SecureContext|(Secret|Public|Private)KeyObject|KeyObjectHandle|X509Certificate)$/,
    bytes: 5e3,
    advice: 'Make one for each key or certificate, and use it again.',
  },
  { of: /^TextDecoder$/, bytes: 500, advice: 'One for each encoding is enough: make it once and use it again.' },
]
/** What an object of any other class takes, in bytes: about, and at most. Where more is missing, something else takes it. */
const UNKNOWN = {
  node: { bytes: 500, most: 64e3 },
  v8: { bytes: 5e3, most: 256e6 },
  addon: { bytes: 30e3, most: 256e6 },
}
/** An object of a known class takes at most this multiple of its bytes. */
const KNOWN_MOST = 20
/** An object that takes fewer bytes than this has no memory of native code. */
const LEAST_EACH = 64

const knownOf = ({ className }: Pick<NativeSide, 'className'>) => KNOWN.find(({ of }) => of.test(className))

function adviceFor(side: Pick<NativeSide, 'className' | 'maker'>, name: string): string {
  const out = `Take out of ${name} what is done with, or give ${name} a bound: the heap's limit does not stop this, only the memory of the machine does.`
  const known = knownOf(side)?.advice
  const ofAddon =
    side.maker === 'addon'
      ? ' Free each by what its package has for that (close(), dispose(), destroy(), free()), rather than leave it to the collector.'
      : ''
  return `${known ? `${known} ` : ''}${out}${ofAddon}`
}

/** Whether these objects may be what takes the memory, by what each would take. */
function isLikely({ trend, candidate }: { trend: OffHeapTrend; candidate: NativeCandidate }): boolean {
  const each = trend.bytesPerSecond / candidate.perSecond
  const known = knownOf(candidate)
  const most = known ? KNOWN_MOST * known.bytes : UNKNOWN[candidate.maker].most
  return each >= LEAST_EACH && each <= most
}

const weightOf = (candidate: NativeCandidate): number =>
  candidate.perSecond * (knownOf(candidate)?.bytes ?? UNKNOWN[candidate.maker].bytes)

/** What a thread may take of resident memory, in bytes. */
const OF_THREAD = { least: 64e3, most: 64e6 }

/** Where others have this part of a candidate's weight, it may not be the only one that takes the memory. */
const BESIDE = 0.2

interface Known {
  readonly trend: OffHeapTrend
  readonly candidates: readonly NativeCandidate[]
  /** Undefined where that is not known. */
  readonly addons: readonly NativeAddon[] | undefined
  readonly pid: number | undefined
}

/**
 * @param findings of the heap
 * @returns the same, with the growth of resident memory in one of them, or in one more; the first has most to gain by mending
 */
export function withResidentGrowth(findings: readonly ReportFinding[], known: Known): ReportFinding[] {
  const { trend, candidates } = known
  if (trend.verdict === 'still') return [...findings]
  const threads = findings.find(({ evidence, growth }) => evidence.threadsStarted !== undefined && growth.perSecond > 0)
  if (threads) {
    // Each has a heap and a stack of its own.
    const each = trend.bytesPerSecond / threads.growth.perSecond
    if (each >= OF_THREAD.least && each <= OF_THREAD.most) {
      const words = `each takes about ${formatBytes(each)} of resident memory`
      const evidence = { residentKind: 'thread', residentBytesEach: Math.round(each), ...residentEvidence(trend) }
      const cost = { words, reason: roseBy(trend), evidence }
      return byWeight(findings.map((finding) => (finding === threads ? withCost(finding, cost, trend) : finding)))
    }
  }
  const likely = candidates
    .filter((candidate) => isLikely({ trend, candidate }))
    .sort((a, b) => weightOf(b) - weightOf(a))
  const hasFinding = ({ reportedBy }: NativeCandidate) => findings.some((finding) => finding.fingerprint === reportedBy)
  const [heaviest] = likely
  // The same objects may be reached from another place as well: prefer the one that has a finding.
  const first = likely.find((each) => each.className === heaviest?.className && hasFinding(each)) ?? heaviest
  if (!first) return byWeight([...findings, ...findInMemory({ unexplained: known })])
  const others = likely.filter(
    ({ className, reportedBy }) => className !== first.className && reportedBy !== first.reportedBy,
  )
  const isAlone = others.every((other) => weightOf(other) < BESIDE * weightOf(first))
  const cost = costOf(known, first, isAlone)
  const all = hasFinding(first)
    ? findings.map((finding) => (finding.fingerprint === first.reportedBy ? withCost(finding, cost, trend) : finding))
    : [...findings, findingOf(known, first, cost)]
  return byWeight(all)
}

const byWeight = (findings: readonly ReportFinding[]): ReportFinding[] =>
  findings.toSorted((a, b) => weight(b) - weight(a))

const weight = ({ growth, evidence, confidence }: ReportFinding): number => {
  const resident = evidence.residentBytesPerSecond
  return Math.max(growth.bytesPerSecond, typeof resident === 'number' ? resident : 0) * confidence
}

/** What each object takes beside the heap, in words and in numbers. */
interface Cost {
  readonly words: string
  readonly reason: string
  readonly evidence: Readonly<Record<string, unknown>>
}

function costOf({ trend }: Known, candidate: NativeCandidate, isAlone: boolean): Cost {
  const { className, perSecond, snapshotBytesEach, count } = candidate
  const each = trend.bytesPerSecond / perSecond + snapshotBytesEach
  return {
    words: `each ${className} takes ${isAlone ? 'about' : 'up to'} ${formatBytes(each)} of resident memory (${formatBytes(snapshotBytesEach)} in the snapshot)`,
    reason: `${roseBy(trend)} while ${formatCount(count)} ${className} came`,
    evidence: {
      residentKind: className,
      residentBytesEach: Math.round(each),
      residentIsEstimate: isAlone ? 'about' : 'at most',
      ...residentEvidence(trend),
    },
  }
}

/** Resident memory that rose is worth a warning, however unsure the heap alone would be of the finding. */
function withCost(finding: ReportFinding, { words, reason, evidence }: Cost, { verdict }: OffHeapTrend): ReportFinding {
  const isLifted = verdict === 'rose' && finding.severity === 'note'
  return {
    ...finding,
    ...judgedBy([...finding.grounds, isLifted ? ground('resident', reason) : remark(reason)]),
    title: `${finding.title}; ${words}`,
    evidence: { ...finding.evidence, ...evidence },
  }
}

/** It ends no process within the time that was measured: never an error. */
function judged(
  { trend }: Known,
  reason: string,
): Pick<ReportFinding, 'confidence' | 'severity' | 'reason' | 'grounds'> {
  const by = judgedBy(groundsOf(trend, true, reason))
  return { ...by, severity: by.severity === 'error' ? 'warning' : by.severity }
}

function findingOf(known: Known, { draft }: NativeCandidate, cost: Cost): ReportFinding {
  return {
    ...draft,
    ...judged(known, cost.reason),
    title: `${draft.title}, and ${cost.words}: ${formatBytes(known.trend.bytesPerSecond)} more each second, outside the JavaScript heap`,
    evidence: { ...draft.evidence, ...cost.evidence },
  }
}
