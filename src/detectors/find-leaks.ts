// A series of captures becomes findings: every candidate goes to the first detector that recognises it, and one cause makes
// one finding.

import type { AllocationStack } from '../analysis/allocations.ts'
import type { HeapSeries } from '../analysis/compare.ts'
import { quietCollections } from '../analysis/other-suspects.ts'
import type { Suspect } from '../analysis/suspect.ts'
import { findSuspects } from '../analysis/suspects.ts'
import { type Ground, reasonBy } from '../findings/confidence.ts'
import type { ReportFinding, ReportSetAside } from '../findings/report.ts'
import { ground } from '../findings/weights.ts'
import { breathing, unlessAborted } from '../support/breathing.ts'
import { formatCount } from '../support/format.ts'
import type { ScriptSources } from '../support/script-sources.ts'
import { rememberingSources } from '../support/sources.ts'
import { candidateOf, growingCandidates, slowingCandidates, unevenCandidates } from './candidates.ts'
import type { Candidate, Captures, Diagnosis, HeapDetector, IsolateHeap } from './detector.ts'
import { ExplainedGrowth } from './explained-growth.ts'
import { diagnoseUnseen, growingCollection } from './growing-collection.ts'
import { firstDiagnosis, HEAP_DETECTORS } from './index.ts'
import { inSource, makeFinding, sourcesFor } from './make-finding.ts'

export interface Leaks {
  /** The first is the one to mend first. */
  readonly findings: readonly ReportFinding[]
  /** What gained unevenly: each is a finding only if a look at the living process shows that it goes on growing. */
  readonly undecided: readonly ReportFinding[]
  /** What gained, and is no finding, with the reason. */
  readonly setAside: readonly ReportSetAside[]
  /** How much came and stayed, in bytes, and how much of that the findings account for. */
  readonly explained: { readonly bytes: number; readonly growthBytes: number }
  /** The fingerprint of the finding that is about a suspect; only suspects that have one. */
  readonly reportedBy: ReadonlyMap<Suspect, string>
}

/** Where findings account for this part of what a candidate reaches, it is not reported again. */
const MOSTLY = 0.7
const SLOWING = ground('notGrowing', 'it gains less and less, as what fills up does; a longer look would tell')
/** Findings that are less likely are set aside. */
const LEAST_CONFIDENCE = 0.3

/** Finds the growing populations of one isolate. */
export async function lookForSuspects(
  isolate: string,
  heap: HeapSeries,
  seconds: readonly number[],
  { allocations, signal }: { allocations?: readonly AllocationStack[] | undefined; signal?: AbortSignal } = {},
): Promise<IsolateHeap> {
  const [first, last] = [heap.series[0]!, heap.series.at(-1)!]
  const suspects = await breathing(findSuspects(heap, seconds), signal)
  const growthBytes = last.totals.totalShallowBytes - first.totals.totalShallowBytes
  // Almost every detector asks for retainers.
  if (suspects.length > 0 && heap.retainers) await unlessAborted(heap.retainers, signal)
  return { isolate, heap, graph: heap.opened.graph, seconds, suspects, allocations, growthBytes }
}

/** What all steps of {@link findLeaks} need. */
interface World {
  readonly captures: Captures
  readonly sources: ScriptSources
  readonly detectors: readonly HeapDetector[]
}

/** Judges the suspects of all isolates together. Pure, but for reading sources. */
export function findLeaks(asGiven: Captures, detectors: readonly HeapDetector[] = HEAP_DETECTORS): Leaks {
  const sources = sourcesFor(asGiven)
  const captures = { ...asGiven, readSource: rememberingSources(asGiven.readSource) }
  const world = { captures, sources, detectors }
  const candidates = captures.isolates.flatMap((of) => growingCandidates(of, captures.readSource))
  const causes = new Causes(world, candidates)
  // One detector after the other: what the first explains is no candidate for those behind it.
  for (const { patterns, diagnose } of detectors) {
    for (const candidate of candidates) {
      const diagnosis = causes.isOpen(candidate) ? diagnose(candidate, captures) : undefined
      if (diagnosis) causes.add(diagnosis.pattern ?? patterns[0], candidate, diagnosis)
    }
  }
  const findings = causes.findings()
  return {
    findings,
    undecided: [...unevenFindings(world, causes), ...quietFindings(world, candidates.filter(causes.isTaken))],
    setAside: setAside(causes.unlikely(), findings.length > 0 ? [] : slowing(world)),
    explained: causes.explained(),
    reportedBy: causes.reportedBy,
  }
}

/** What gained, and is no finding. */
interface SetAside {
  readonly candidate: Candidate
  readonly title: string
  readonly grounds: readonly Ground[]
}

/** What has been found so far. One cause may show in several places, and what it retains is no second finding. */
class Causes {
  /** The fingerprint of the finding that is about a suspect. */
  readonly reportedBy = new Map<Suspect, string>()
  readonly #world: World
  readonly #candidates: readonly Candidate[]
  readonly #explained: ReadonlyMap<IsolateHeap, ExplainedGrowth>
  readonly #taken = new Set<Candidate>()
  readonly #unlikely: SetAside[] = []
  readonly #found = new Map<string, { finding: ReportFinding; explains: ReportFinding['explains'] }>()

  constructor(world: World, candidates: readonly Candidate[]) {
    this.#world = world
    this.#candidates = candidates
    this.#explained = new Map(world.captures.isolates.map((of) => [of, new ExplainedGrowth(of)]))
  }

  readonly isTaken = (candidate: Candidate): boolean => this.#taken.has(candidate)
  /** Whether findings account for most of a candidate already. */
  readonly isKnown = ({ of, suspect }: Candidate): boolean => this.#explained.get(of)!.shareKnown(suspect) >= MOSTLY
  readonly isOpen = (candidate: Candidate): boolean => !this.isTaken(candidate) && !this.isKnown(candidate)

  add(pattern: string, candidate: Candidate, diagnosis: Diagnosis): void {
    const { captures, sources } = this.#world
    this.#taken.add(candidate)
    const finding = makeFinding(pattern, candidate, diagnosis, captures, sources)
    if (finding.confidence < LEAST_CONFIDENCE) {
      this.#unlikely.push({ candidate, title: finding.title, grounds: finding.grounds })
      return
    }
    this.#explained.get(candidate.of)!.take(candidate.suspect)
    const key = `${pattern} ${diagnosis.cause ?? finding.fingerprint}`
    const same = this.#found.get(key)
    const known = same ?? [...this.#found.values()].find((each) => areOfOneLine(each.finding, finding))
    this.reportedBy.set(candidate.suspect, (known?.finding ?? finding).fingerprint)
    if (!known) {
      this.#found.set(key, { finding, explains: this.#explainedBy(candidate, diagnosis, finding.fingerprint) })
      return
    }
    const { title, growth } = finding
    if (same) same.finding = withGrowth(same.finding, growth)
    known.explains.push({ title, count: growth.count, retainedBytes: growth.retainedBytes })
  }

  /** Takes other candidates that have the same cause, or that the finding's objects retain. */
  #explainedBy(candidate: Candidate, { covers }: Diagnosis, fingerprint: string): ReportFinding['explains'] {
    const { captures, sources } = this.#world
    return this.#candidates.flatMap((other) => {
      if (this.isTaken(other) || other.of !== candidate.of) return []
      const isCovered = covers?.(other) ?? false
      if (!isCovered && !this.isKnown(other)) return []
      if (isCovered) this.#explained.get(other.of)!.take(other.suspect)
      this.#taken.add(other)
      this.reportedBy.set(other.suspect, fingerprint)
      const { say } = inSource(other, other.path, captures.readSource, sources)
      const { className, count, bytes } = other.suspect
      return [{ title: say(`${className} in ${other.name}`), count, retainedBytes: bytes }]
    })
  }

  /** The first is the one to mend first. */
  findings(): ReportFinding[] {
    return [...this.#found.values()]
      .map(({ finding, explains }) => ({ ...finding, explains }))
      .sort((a, b) => weight(b) - weight(a))
  }

  /** What is not likely enough to be a finding, and is not a part of one. */
  unlikely(): SetAside[] {
    return this.#unlikely.filter(({ candidate }) => !this.isKnown(candidate))
  }

  explained(): Leaks['explained'] {
    const all = [...this.#explained.values()]
    return {
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      growthBytes: all.reduce((sum, { bytes, of }) => sum + Math.max(bytes, of.growthBytes, 0), 0),
    }
  }
}

/** What gained unevenly, as the first detector that recognises it reports it. */
function unevenFindings({ captures, sources, detectors }: World, causes: Causes): ReportFinding[] {
  return captures.isolates
    .flatMap((of) => unevenCandidates(of, captures.readSource))
    .filter((candidate) => !candidate.likelihood.bounded && !causes.isKnown(candidate))
    .flatMap((candidate) => {
      const first = firstDiagnosis(candidate, captures, { detectors })
      return first ? [makeFinding(first.pattern, candidate, first.diagnosis, captures, sources)] : []
    })
}

/** Collections of numbers, whose growth no snapshot shows; without those that are found already. */
function quietFindings({ captures, sources }: World, taken: readonly Candidate[]): ReportFinding[] {
  const known = new Set(taken.map(({ suspect }) => suspect.container))
  return captures.isolates.flatMap((of) =>
    quietCollections(of.heap)
      .filter(({ sample }) => !known.has(sample))
      .flatMap((suspect) => {
        const candidate = candidateOf(of, suspect, captures.readSource)
        const diagnosis = diagnoseUnseen(candidate, captures.readSource)
        return diagnosis ? makeFinding(growingCollection.name, candidate, diagnosis, captures, sources) : []
      }),
  )
}

/** What gains less and less. */
const slowing = ({ captures, sources }: World): SetAside[] =>
  captures.isolates
    .flatMap((of) => slowingCandidates(of, captures.readSource))
    .map((candidate) => {
      const { suspect, name, path, likelihood } = candidate
      const { say } = inSource(candidate, path, captures.readSource, sources)
      const title = `${formatCount(suspect.count)} ${suspect.className} more in ${name}`
      const grounds = likelihood.bounded ? likelihood.grounds : [SLOWING]
      return {
        candidate,
        title: say(title),
        grounds: grounds.map((each) => ({ ...each, sentence: say(each.sentence) })),
      }
    })

const setAside = (...lists: readonly (readonly SetAside[])[]): ReportSetAside[] =>
  lists
    .flat()
    .map(({ candidate: { of, suspect }, title, grounds }) => ({
      ...{ title, reason: reasonBy(grounds), grounds: [...grounds], isolate: of.isolate },
      ...{ retainedBytes: suspect.bytes, bytesPerSecond: Math.round(suspect.bytesPerSecond) },
    }))
    .sort((a, b) => b.retainedBytes - a.retainedBytes)

/** The growth of several places with one cause, such as a queue in each of several workers. */
const withGrowth = (finding: ReportFinding, more: ReportFinding['growth']): ReportFinding => ({
  ...finding,
  growth: {
    count: finding.growth.count + more.count,
    shallowBytes: finding.growth.shallowBytes + more.shallowBytes,
    retainedBytes: finding.growth.retainedBytes + more.retainedBytes,
    perSecond: Math.round((finding.growth.perSecond + more.perSecond) * 10) / 10,
    bytesPerSecond: finding.growth.bytesPerSecond + more.bytesPerSecond,
    holders: finding.growth.holders + more.holders,
  },
})

/** Counts that differ by less than this part are of one rate. */
const ALIKE = 0.05

/** Two collections that the same line fills at the same rate: mending one mends the other. */
const areOfOneLine = (a: ReportFinding, b: ReportFinding): boolean =>
  a.pattern === b.pattern &&
  a.isolate === b.isolate &&
  a.culprit !== null &&
  a.culprit.url === b.culprit?.url &&
  a.culprit.line === b.culprit.line &&
  Math.abs(a.growth.count - b.growth.count) <= ALIKE * a.growth.count

/** How much there is to gain by mending it. */
const weight = ({ growth, confidence }: ReportFinding): number => growth.bytesPerSecond * confidence
