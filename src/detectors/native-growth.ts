// `off-heap-growth` as the system sees it: resident memory that rises while neither the JS heap nor ArrayBuffers do. Either
// it is what the objects of another finding cost in truth, or it is a finding of its own.

import { type NativeSide, nativeSides } from '../analysis/native-sides.ts'
import type { OffHeapTrend } from '../analysis/off-heap.ts'
import type { Suspect } from '../analysis/suspect.ts'
import { judgedBy } from '../findings/confidence.ts'
import { fingerprint } from '../findings/fingerprint.ts'
import type { ReportFinding } from '../findings/report.ts'
import { ground, remark } from '../findings/weights.ts'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'
import { candidateOf } from './candidates.ts'
import type { Candidate, Captures, IsolateHeap } from './detector.ts'
import { sourcesFor } from './find-leaks.ts'
import { DETECTORS } from './index.ts'
import { makeFinding } from './make-finding.ts'
import { countsOver, plural, ratesOf } from './surroundings.ts'

const PATTERN = 'off-heap-growth'

/** Objects with a native side that became more all the while. */
export interface NativeCandidate extends Pick<NativeSide, 'className' | 'maker' | 'count'> {
  readonly perSecond: number
  /** What the snapshot has of each, with all that came with it; bytes. */
  readonly snapshotBytesEach: number
  /** Fingerprint of the finding that tells of them; undefined where none does. */
  readonly toldBy: string | undefined
  /** What to tell of them otherwise; how sure that is, and what each costs, is still to come. */
  readonly draft: ReportFinding
}

/** Suspects that are looked at, the biggest first, and candidates of each isolate. */
const MOST = { suspects: 60, candidates: 8 }
/** So many must have come, and in each step so much of what came on average. */
const LEAST = { count: 6, step: 0.35 }

/** @param toldBy the finding's fingerprint of each suspect that a finding tells of */
export function nativeCandidates(captures: Captures, toldBy: ReadonlyMap<Suspect, string>): NativeCandidate[] {
  return captures.isolates.flatMap((of) =>
    of.suspects
      .slice(0, MOST.suspects)
      .flatMap((suspect) => nativeCandidateOf(of, suspect, captures, toldBy.get(suspect)) ?? [])
      .slice(0, MOST.candidates),
  )
}

function nativeCandidateOf(
  of: IsolateHeap,
  suspect: Suspect,
  captures: Captures,
  toldBy: string | undefined,
): NativeCandidate | undefined {
  if (suspect.kind === 'grown' || suspect.reached.length === 0) return undefined
  const [side] = nativeSides(of.graph, of.heap.opened.classes, suspect.reached, suspect.sample)
  if (!side || side.count < LEAST.count || !risesEvenly(of, side)) return undefined
  const candidate = candidateOf(of, suspect, captures.readSource)
  return {
    ...{ className: side.className, maker: side.maker, count: side.count },
    perSecond: side.count / (of.seconds.at(-1)! - of.seconds[0]!),
    snapshotBytesEach: suspect.bytes / side.count,
    toldBy,
    draft: specificFinding(candidate, captures) ?? generalFinding(candidate, side, captures),
  }
}

/** Patterns that any objects would have. */
const GENERAL = new Set([PATTERN, 'growing-collection', 'growing-log-array'])

/** What a detector knows of them, such as messages that wait, though it may not be sure by the heap alone. */
function specificFinding(candidate: Candidate, captures: Captures): ReportFinding | undefined {
  for (const { pattern, diagnose } of DETECTORS) {
    const diagnosis = GENERAL.has(pattern) ? undefined : diagnose(candidate, captures)
    if (diagnosis) return makeFinding(pattern, candidate, diagnosis, captures, sourcesFor(captures))
  }
  return undefined
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

/** What is known of classes that many programs keep: about how many bytes each takes, and what to do instead. */
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
/** About so much, where nothing is known; and from so much on each, it is something else that takes it. */
const UNKNOWN = {
  node: { bytes: 500, most: 64e3 },
  v8: { bytes: 5e3, most: 256e6 },
  addon: { bytes: 30e3, most: 256e6 },
}
const KNOWN_MOST = 20
/** Less than this is no native side to speak of. */
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

/** Whether it may be these that the memory is for, going by what each would take. */
function isLikely({ trend, candidate }: { trend: OffHeapTrend; candidate: NativeCandidate }): boolean {
  const each = trend.bytesPerSecond / candidate.perSecond
  const known = knownOf(candidate)
  const most = known ? KNOWN_MOST * known.bytes : UNKNOWN[candidate.maker].most
  return each >= LEAST_EACH && each <= most
}

const weightOf = (candidate: NativeCandidate): number =>
  candidate.perSecond * (knownOf(candidate)?.bytes ?? UNKNOWN[candidate.maker].bytes)

/** What a thread may take, in bytes. */
const OF_THREAD = { least: 64e3, most: 64e6 }

/** Beside others that come to this part of its weight, a candidate may not be alone. */
const BESIDE = 0.2

interface Known {
  readonly trend: OffHeapTrend
  readonly candidates: readonly NativeCandidate[]
  /** Undefined where that is not known. */
  readonly addons:
    | readonly { readonly file: string; readonly package: string | null; readonly version: string | null }[]
    | undefined
  readonly pid: number | undefined
}

/**
 * @param findings of the heap
 * @returns the same, those first that there is most to gain by, with what rose beside the heap in them or among them
 */
export function tellOffHeap(findings: readonly ReportFinding[], known: Known): ReportFinding[] {
  const { trend, candidates } = known
  if (trend.verdict === 'still') return [...findings]
  const threads = findings.find(({ pattern, growth }) => pattern === 'thread-growth' && growth.perSecond > 0)
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
  const isTold = ({ toldBy }: NativeCandidate) => findings.some((finding) => finding.fingerprint === toldBy)
  const [heaviest] = likely
  // The same objects may be reached from elsewhere too.
  const first = likely.find((each) => each.className === heaviest?.className && isTold(each)) ?? heaviest
  if (!first) return byWeight([...findings, tellAlone(known)])
  const others = likely.filter(({ className, toldBy }) => className !== first.className && toldBy !== first.toldBy)
  const isAlone = others.every((other) => weightOf(other) < BESIDE * weightOf(first))
  const cost = costOf(known, first, isAlone)
  const all = isTold(first)
    ? findings.map((finding) => (finding.fingerprint === first.toldBy ? withCost(finding, cost, trend) : finding))
    : [...findings, tellCandidate(known, first, cost)]
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

const residentEvidence = ({ bytes, bytesPerSecond, seconds }: OffHeapTrend) => ({
  residentBytes: Math.round(bytes),
  residentBytesPerSecond: Math.round(bytesPerSecond),
  residentSeconds: Math.round(10 * seconds) / 10,
})

const roseBy = ({ bytes, seconds }: OffHeapTrend): string =>
  `memory outside of the JS heap and of ArrayBuffers rose by ${formatBytes(bytes)} in ${formatDuration(1000 * seconds)}`

/** What costs memory all the while is worth a warning, however unsure the heap alone would be of it. */
function withCost(finding: ReportFinding, { words, reason, evidence }: Cost, { verdict }: OffHeapTrend): ReportFinding {
  const isLifted = verdict === 'rose' && finding.severity === 'note'
  return {
    ...finding,
    ...judgedBy([...finding.grounds, isLifted ? ground('resident', reason) : remark(reason)]),
    title: `${finding.title}; ${words}`,
    evidence: { ...finding.evidence, ...evidence },
  }
}

type Sureness = Pick<ReportFinding, 'confidence' | 'severity' | 'reason' | 'grounds'>

/** By the trend, alone or with a class of objects that became more at the same time. It kills nobody: never an error. */
function sureness({ verdict, leavesOutIdle, deadNatives }: OffHeapTrend, hasClass: boolean, reason: string): Sureness {
  const rose = verdict === 'rose'
  const how = rose
    ? 'in each part of the time alike'
    : 'not in each part of the time alike, as what fills up or warms up'
  const said = `${reason}, ${how}`
  const trend = hasClass
    ? ground(rose ? 'residentRoseWithClass' : 'residentUnevenWithClass', said)
    : ground(rose ? 'residentRose' : 'residentUneven', said)
  const idle = leavesOutIdle ? [] : [ground('withIdle', 'what lies idle in the allocator could not be told from it')]
  const garbage =
    deadNatives === undefined
      ? []
      : deadNatives >= LEAST.count
        ? [
            ground(
              'withGarbage',
              `${formatCount(deadNatives)} more objects of native code wait for a garbage collection, which may free it`,
            ),
          ]
        : [
            remark(
              'no garbage was collected for these figures, but little that waits for it has memory beside the heap',
            ),
          ]
  const judged = judgedBy([trend, ...idle, ...garbage])
  return { ...judged, severity: judged.severity === 'error' ? 'warning' : judged.severity }
}

function tellCandidate({ trend }: Known, candidate: NativeCandidate, cost: Cost): ReportFinding {
  const { draft } = candidate
  return {
    ...draft,
    ...sureness(trend, true, cost.reason),
    title: `${draft.title}, and ${cost.words}: ${formatBytes(trend.bytesPerSecond)} more each second, outside the JavaScript heap`,
    evidence: { ...draft.evidence, ...cost.evidence },
  }
}

function tellAlone({ trend, addons, pid }: Known): ReportFinding {
  const { bytesPerSecond, bytes, seconds, lines } = trend
  const named = (addons ?? []).map(({ file, package: from, version }) =>
    from === null ? file : `${from}${version === null ? '' : ` ${version}`}`,
  )
  const loaded = [...new Set(named)]
  const suspects =
    addons === undefined
      ? ''
      : loaded.length === 0
        ? '; no native addon is loaded'
        : `; ${plural(loaded.length, 'a native addon is', `${loaded.length} native addons are`)} loaded: ${loaded.slice(0, 4).join(', ')}`
  const update =
    loaded.length > 0
      ? `Memory that nothing in the heap stands for is lost by native code: look for a newer release of ${loaded.slice(0, 3).join(' or ')} that mends a leak, and leave out what calls it to see whether the growth ends. `
      : 'Memory that nothing in the heap stands for is lost by native code: of an addon, of a library, or of Node itself. '
  return {
    pattern: PATTERN,
    fingerprint: fingerprint([PATTERN, 'resident', ...(addons ?? []).map(({ file, package: from }) => from ?? file)]),
    ...sureness(trend, false, roseBy(trend)),
    title: `Resident memory grows by ${formatBytes(bytesPerSecond)} a second (${formatBytes(bytes)} in ${formatDuration(1000 * seconds)}) that neither the JavaScript heap nor ArrayBuffers account for: native memory${suspects}`,
    isolate: 'main',
    growth: {
      ...{ count: 0, shallowBytes: 0, retainedBytes: 0, perSecond: 0, holders: 0 },
      bytesPerSecond: Math.round(bytesPerSecond),
    },
    culprit: null,
    codeFrame: [],
    retainingPath: [],
    evidence: { seenBy: 'system', lines, addons: addons ? [...addons] : null, ...residentEvidence(trend) },
    explains: [],
    advice: `${update}heaptrack --pid ${pid ?? 'PID'} records which native functions allocate it; so does jemalloc, with LD_PRELOAD=libjemalloc.so.2 and MALLOC_CONF=prof:true,prof_final:true at the start of the program.`,
  }
}
