// From a series of captures to findings: every lead goes to the most specific detector that knows it, one cause is told once.

import type { AllocationSite, AllocationStack } from '../analysis/allocations.ts'
import type { HeapSeries } from '../analysis/compare.ts'
import { blame, type Culprit, type ReadSource } from '../analysis/culprit.ts'
import { wayIn } from '../analysis/entries.ts'
import { quietCollections } from '../analysis/other-suspects.ts'
import { PathNames } from '../analysis/path-names.ts'
import type { Suspect } from '../analysis/suspect.ts'
import { findSuspects } from '../analysis/suspects.ts'
import { fingerprint } from '../findings/fingerprint.ts'
import type { ReportFinding, ReportSetAside } from '../findings/report.ts'
import { severityOf } from '../findings/severity.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { loopsFor } from '../graph/kernel-loops.ts'
import { nodeName } from '../graph/look.ts'
import { SHARED } from '../graph/ownership.ts'
import { NOT_REACHED, pathTo } from '../graph/paths.ts'
import { isUnnamed, isVariable, nameOfStep, type PathStep, pathAlong } from '../graph/retaining-path.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { OriginalNames } from '../source/original-names.ts'
import { isOwn } from '../source/origins.ts'
import { arenaOf, arenaUint8 } from '../support/arena.ts'
import { breathing, unlessAborted } from '../support/breathing.ts'
import { formatCount } from '../support/format.ts'
import { createScriptSources, type ScriptSources } from '../support/script-sources.ts'
import { rememberingSources } from '../support/sources.ts'
import type { Captures, Detector, Diagnosis, IsolateHeap, Lead } from './detector.ts'
import { quietly } from './growing-collection.ts'
import { DETECTORS } from './index.ts'
import { markPath, suspectReferences } from './leak-path.ts'
import { judgeLead } from './likelihood.ts'
import { framesToAsk, nameLocals } from './local-variables.ts'
import { culpritIn, packageBehind } from './packages.ts'
import { evidenceShown, shown, withNames, withPlaces } from './shown.ts'
import { withArticle } from './surroundings.ts'
import { tellPackage } from './tell-package.ts'

export interface Leaks {
  /** The first is the one to mend first. */
  readonly findings: readonly ReportFinding[]
  /** What gained unevenly, as findings: those that a look at the living process shows to go on growing. */
  readonly undecided: readonly ReportFinding[]
  /** What gained, and is no finding, with the reason. */
  readonly setAside: readonly ReportSetAside[]
  /** Of what came and stayed, in bytes, and how much of that the findings account for. */
  readonly explained: { readonly bytes: number; readonly growthBytes: number }
  /** The fingerprint of the finding that tells of a suspect, of those that one does. */
  readonly toldBy: ReadonlyMap<Suspect, string>
}

/** What grew by less, in bytes, or by less of all that grew, is no lead. */
const LEAST = { bytes: 8192, share: 0.02 }
/** Of entries that were counted one by one, so many are no chance, however small they are. */
const MANY = { count: 100, bytes: 2048 }
/** A store that was made larger in each step, as that of numbers is, tells of so many bytes as surely. */
const STORE_BYTES = 4096
/** Of what a lead reaches, so much must be accounted for already for it to be no news. */
const MOSTLY = 0.7
/** What gains less and less is set aside in words from so many bytes on, and as a part of all that grew. */
const SLOWING = {
  ...{ bytes: 65_536, share: 0.25, most: 3 },
  reason: 'it gains less and less, as what fills up does; a longer look would tell',
}
/** Findings that are less likely are not told. */
const LEAST_CONFIDENCE = 0.3

/** Works out what may leak in one isolate. */
export async function lookForSuspects(
  isolate: string,
  heap: HeapSeries,
  seconds: readonly number[],
  { allocations, signal }: { allocations?: readonly AllocationStack[] | undefined; signal?: AbortSignal } = {},
): Promise<IsolateHeap> {
  const [first, last] = [heap.series[0]!, heap.series.at(-1)!]
  const suspects = await breathing(findSuspects(heap, seconds), signal)
  const growthBytes = last.totals.totalShallowBytes - first.totals.totalShallowBytes
  // Almost every detector asks who refers to what.
  if (suspects.length > 0 && heap.retainers) await unlessAborted(heap.retainers, signal)
  return { isolate, heap, graph: heap.opened.graph, seconds, suspects, allocations, growthBytes }
}

/** Where scripts and their maps come from: from the process, or else from the disk. */
export const sourcesFor = ({ sources, readSource }: Captures): ScriptSources =>
  sources ?? createScriptSources({ readFile: readSource })

/** Judges what is suspect in all isolates together. Pure, but for reading sources. */
export function findLeaks(asGiven: Captures, detectors: readonly Detector[] = DETECTORS): Leaks {
  const sources = sourcesFor(asGiven)
  const captures = { ...asGiven, readSource: rememberingSources(asGiven.readSource) }
  const leads = captures.isolates.flatMap((of) => leadsOf(of, captures.readSource))
  const accounts = new Map(captures.isolates.map((of) => [of, new Account(of)]))
  const taken = new Set<Lead>()
  const unlikely: { readonly lead: Lead; readonly title: string; readonly reason: string }[] = []
  const found = new Map<string, { finding: ReportFinding; explains: ReportFinding['explains'] }>()
  const toldBy = new Map<Suspect, string>()
  for (const detector of detectors) {
    for (const lead of leads) {
      if (taken.has(lead)) continue
      const account = accounts.get(lead.of)!
      if (account.shareKnown(lead.suspect) >= MOSTLY) continue
      const diagnosis = detector.diagnose(lead, captures)
      if (!diagnosis) continue
      taken.add(lead)
      const finding = tell(detector.pattern, lead, diagnosis, captures, sources)
      if (finding.confidence < LEAST_CONFIDENCE) {
        unlikely.push({ lead, title: finding.title, reason: finding.reason })
        continue
      }
      account.take(lead.suspect)
      const cause = `${detector.pattern} ${diagnosis.cause ?? finding.fingerprint}`
      const known = found.get(cause)
      const twin = known ?? [...found.values()].find((each) => areTwins(each.finding, finding))
      toldBy.set(lead.suspect, (twin?.finding ?? finding).fingerprint)
      if (known) {
        const { title, growth } = finding
        known.finding = withGrowth(known.finding, growth)
        known.explains.push({ title, count: growth.count, retainedBytes: growth.retainedBytes })
        continue
      }
      if (twin) {
        const { count, retainedBytes } = finding.growth
        twin.explains.push({ title: finding.title, count, retainedBytes })
        continue
      }
      const explains: ReportFinding['explains'] = []
      for (const other of leads) {
        if (taken.has(other) || other.of !== lead.of) continue
        const covered = diagnosis.covers?.(other) ?? false
        if (!covered && account.shareKnown(other.suspect) < MOSTLY) continue
        if (covered) account.take(other.suspect)
        taken.add(other)
        toldBy.set(other.suspect, finding.fingerprint)
        explains.push({
          title: inSource(other, other.path, captures.readSource, sources).say(
            `${other.suspect.className} in ${other.name}`,
          ),
          count: other.suspect.count,
          retainedBytes: other.suspect.bytes,
        })
      }
      found.set(cause, { finding, explains })
    }
  }
  const all = [...accounts.values()]
  const undecided = captures.isolates.flatMap((of) =>
    unevenIn(of, captures.readSource)
      .filter(({ suspect, likelihood }) => !likelihood.bounded && accounts.get(of)!.shareKnown(suspect) < MOSTLY)
      .flatMap((lead) => {
        for (const { pattern, diagnose } of detectors) {
          const diagnosis = diagnose(lead, captures)
          if (diagnosis) return [tell(pattern, lead, diagnosis, captures, sources)]
        }
        return []
      }),
  )
  const told = new Set(leads.filter((lead) => taken.has(lead)).map(({ suspect }) => suspect.container))
  const quiet = captures.isolates.flatMap((of) =>
    quietCollections(of.heap)
      .filter(({ sample }) => !told.has(sample))
      .flatMap((suspect) => {
        const lead = leadOf(of, suspect, captures.readSource)
        const diagnosis = quietly(lead, captures.readSource)
        return diagnosis ? tell('growing-collection', lead, diagnosis, captures, sources) : []
      }),
  )
  const slowing = found.size > 0 ? [] : captures.isolates.flatMap((of) => slowingIn(of, captures.readSource, sources))
  return {
    findings: [...found.values()]
      .map(({ finding, explains }) => ({ ...finding, explains }))
      .sort((a, b) => weight(b) - weight(a)),
    undecided: [...undecided, ...quiet],
    setAside: [...unlikely.filter(({ lead }) => accounts.get(lead.of)!.shareKnown(lead.suspect) < MOSTLY), ...slowing]
      .map(({ lead: { of, suspect }, title, reason }) => ({
        ...{ title, reason, isolate: of.isolate },
        ...{ retainedBytes: suspect.bytes, bytesPerSecond: Math.round(suspect.bytesPerSecond) },
      }))
      .sort((a, b) => b.retainedBytes - a.retainedBytes),
    explained: {
      bytes: all.reduce((sum, account) => sum + account.bytes, 0),
      growthBytes: all.reduce((sum, account) => sum + Math.max(account.bytes, account.of.growthBytes, 0), 0),
    },
    toldBy,
  }
}

/** One cause may show in several places, such as a queue in each of several workers. */
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

/** Of two collections that the same line fills at the same rate, mending one mends the other. */
const ALIKE = 0.05

const areTwins = (a: ReportFinding, b: ReportFinding): boolean =>
  a.pattern === b.pattern &&
  a.isolate === b.isolate &&
  a.culprit !== null &&
  a.culprit.url === b.culprit?.url &&
  a.culprit.line === b.culprit.line &&
  Math.abs(a.growth.count - b.growth.count) <= ALIKE * a.growth.count

/** How much there is to gain by mending it. */
const weight = ({ growth, confidence }: ReportFinding): number => growth.bytesPerSecond * confidence

/** What of an isolate's growth is accounted for. */
class Account {
  readonly of: IsolateHeap
  readonly #known: Uint8Array
  readonly #shares = new Map<Suspect, { readonly share: number; readonly bytes: number }>()
  bytes = 0

  constructor(of: IsolateHeap) {
    this.of = of
    const { edges, nodeCount } = of.graph.snapshot
    this.#known = arenaUint8(arenaOf(edges), nodeCount)
  }

  /** Of the bytes that a suspect stands for. */
  shareKnown(suspect: Suspect): number {
    const { reached } = suspect
    // Every detector asks, and there is nothing new until one has taken something.
    const before = this.#shares.get(suspect)
    if (before?.bytes === this.bytes) return before.share
    const { shallowSize } = this.of.graph.ownership
    const loops = loopsFor(reached, shallowSize, this.#known)
    const known = loops.sumAmong(reached, shallowSize, this.#known, 1)
    const all = known + loops.sumAmong(reached, shallowSize, this.#known, 0)
    const share = all === 0 ? 0 : known / all
    this.#shares.set(suspect, { share, bytes: this.bytes })
    return share
  }

  take({ reached, bytes }: Suspect): void {
    if (reached.length === 0) this.bytes += bytes
    const { shallowSize } = this.of.graph.ownership
    const loops = loopsFor(reached, shallowSize, this.#known)
    this.bytes += loops.sumAmong(reached, shallowSize, this.#known, 0)
    loops.markAll(reached, this.#known)
  }
}

/** Where nothing leaks, what has gained much and gains less and less is worth a word: it may only have been held up. */
function slowingIn(
  of: IsolateHeap,
  readSource: ReadSource,
  sources: ScriptSources,
): { lead: Lead; title: string; reason: string }[] {
  const least = Math.max(SLOWING.bytes, SLOWING.share * of.growthBytes)
  return of.suspects
    .filter(({ trend, bytes }) => trend === 'slowing' && bytes >= least)
    .slice(0, SLOWING.most)
    .map((suspect) => {
      const lead = leadOf(of, suspect, readSource)
      const title = `${formatCount(suspect.count)} ${suspect.className} more in ${lead.name}`
      const { reason, bounded } = lead.likelihood
      const { say } = inSource(lead, lead.path, readSource, sources)
      return { lead, title: say(title), reason: say(bounded ? reason : SLOWING.reason) }
    })
}

/** A machine that is busy has things come late, so that what gains steadily may seem to slow down, or to swing. */
function unevenIn(of: IsolateHeap, readSource: ReadSource): Lead[] {
  return of.suspects
    .filter(({ trend }) => trend === 'slowing' || trend === 'swinging')
    .filter(
      ({ counted, counts, holders }) => counted === 'entries' && holders.length === 1 && counts.at(-1)! > counts[0]!,
    )
    .filter((suspect) => suspect.bytes >= Math.max(leastFor(suspect), LEAST.share * of.growthBytes))
    .slice(0, SLOWING.most)
    .map((suspect) => leadOf(of, suspect, readSource))
}

function leadsOf(of: IsolateHeap, readSource: ReadSource): Lead[] {
  const { suspects, growthBytes } = of
  const likely = suspects.filter(({ trend }) => trend === 'steady' || trend === 'turning' || trend === 'unknown')
  return likely
    .filter((suspect) => suspect.bytes >= Math.max(leastFor(suspect), LEAST.share * growthBytes))
    .map((suspect) => leadOf(of, suspect, readSource))
}

function leastFor({ kind, counted, count, trend }: Suspect): number {
  if (counted === 'entries' && count >= MANY.count) return MANY.bytes
  return kind === 'grown' && trend === 'steady' ? STORE_BYTES : LEAST.bytes
}

/** V8's ids of the suspended functions that the process is to be asked of, for their local variables. */
export const framesToAskOf = (of: IsolateHeap): number[] => framesToAsk(of, (suspect) => wayTo(of, suspect))

/** Ordinals, from where the program keeps it to one of the objects. */
function wayTo({ graph, heap }: Pick<IsolateHeap, 'graph' | 'heap'>, suspect: Suspect): readonly number[] {
  const inside = suspect.kind === 'grown' ? [suspect.sample] : wayIn(graph, heap.lineage, suspect)
  const way = byWeakMap(graph, [...pathTo(graph.paths, inside[0]!).slice(0, -1), ...inside])
  return byOwnName(graph, way, suspect.container)
}

/** Of what refers to an object, so many are looked at for a way by the program's names. */
const MOST_RETAINERS = 32

/**
 * The shortest way may be one by a timer or a callback of Node's. Where the program has an object on it by a name as well,
 * that way says more.
 */
function byOwnName(graph: HeapGraph, way: readonly number[], container: number): readonly number[] {
  const { edges, edgeNameOrIndex, nodeType, strings } = graph.snapshot
  const isFromProgram = (node: number): boolean => isOwn(graph.moduleScopes.get(node) ?? 'node:')
  const last = way.indexOf(container)
  // Something of the program's on the way has names as well; the global object has only such.
  if (way.slice(0, last + 1).some((node) => isOwn(urlOf(graph, node) ?? 'node:'))) return way
  if (/^global\b/.test(nodeName(graph, way[0]!))) return way
  if (way.some((node, at) => at >= last - 1 && /^(TimersList|PriorityQueue)$/.test(nodeName(graph, node)))) return way
  for (let at = last; at > 0; at--) {
    const node = way[at]!
    if (nodeType[node] !== NodeType.object) continue
    for (const { node: holder, edge } of graph.retainers(node, MOST_RETAINERS)) {
      const type = edgeType(edges[edge]!)
      if (type !== EdgeType.property && type !== EdgeType.context) continue
      if (!/^[\p{ID_Start}$#][\p{ID_Continue}$]*$/u.test(strings.get(edgeNameOrIndex[edge]!))) continue
      if (graph.paths.via[holder] === NOT_REACHED) continue
      const toHolder = pathTo(graph.paths, holder)
      if (isFromProgram(toHolder[0]!) && !toHolder.includes(node)) return [...toHolder, ...way.slice(at)]
    }
  }
  return way
}

export function leadOf(of: IsolateHeap, suspect: Suspect, readSource: ReadSource): Lead {
  const { graph } = of
  const way = wayTo(of, suspect)
  nameLocals(of, way, readSource)
  const isTree = suspect.isTree === true && goesRound(of, way, suspect)
  const path = isTree ? pathToTree(graph, way, suspect) : pathAlong(graph, way)
  const name = nameOf(path, suspect.kind, isTree)
  const likelihood = judgeLead({ of, suspect, way, readSource })
  return { suspect, of, way, path, name: name ?? withArticle(suspect.className), likelihood }
}

/**
 * Whether the way comes by something like the tree's topmost node once more. Listeners of a signal each of which has a
 * signal of its own make a tree of signals, and the way to one of them is a plain one all the same.
 */
function goesRound({ heap }: IsolateHeap, way: readonly number[], { container }: Suspect): boolean {
  const { of } = heap.opened.classes
  return way.slice(way.indexOf(container) + 1).some((node) => of[node] === of[container])
}

/** The way to the tree's topmost node, and at once to one that came: which branches lead there is chance. */
function pathToTree(graph: HeapGraph, way: readonly number[], { container, sample }: Suspect): PathStep[] {
  const top = way.indexOf(container)
  const path = pathAlong(graph, way)
  const at = path.findIndex(({ ordinal }) => ordinal === container)
  if (top < 0 || at < 0 || at + 2 >= path.length) return path
  const last = path.at(-1)!
  return [...path.slice(0, at + 1), { ...last, reference: path[at + 1]!.reference, times: way.indexOf(sample) - top }]
}

/** A value of a WeakMap's lives by its key, but it is in the WeakMap that the program keeps it. */
function byWeakMap(graph: HeapGraph, way: readonly number[]): readonly number[] {
  for (let at = way.length - 1; at > 0; at--) {
    const table = tableBetween(graph, way[at - 1]!, way[at]!)
    const map = table === undefined ? SHARED : graph.ownership.owner[table]!
    // A table may have no owner, or several.
    if (table === undefined || map >= SHARED || map === table || graph.paths.via[map] === NOT_REACHED) continue
    const toMap = pathTo(graph.paths, map)
    // In a package it is how private fields are compiled: the object that has them says more.
    const nearest = toMap.findLast((node) => urlOf(graph, node) !== undefined)
    if (nearest !== undefined && isOwn(urlOf(graph, nearest)!)) return [...toMap, table, ...way.slice(at)]
  }
  return way
}

const urlOf = (graph: HeapGraph, node: number): string | undefined =>
  graph.moduleScopes.get(node) ?? graph.sourceLocation(node)?.url

/** The table of the WeakMap in which one node is a key and the other its value. */
function tableBetween(graph: HeapGraph, key: number, value: number): number | undefined {
  const { firstEdge, edges, edgeNameOrIndex, strings } = graph.snapshot
  for (let edge = firstEdge[key]!; edge < firstEdge[key + 1]!; edge++) {
    if (edgeTarget(edges[edge]!) !== value || edgeType(edges[edge]!) !== EdgeType.internal) continue
    const id = / pair in WeakMap \(table @(\d+)\)$/.exec(strings.get(edgeNameOrIndex[edge]!))?.[1]
    const table = id === undefined ? -1 : graph.snapshot.nodeId.indexOf(Number(id))
    if (table >= 0) return table
  }
  return undefined
}

/** References by which V8 and Node hold things on their own account: names in front of them are of something else. */
const isOfV8 = ({ reference }: PathStep): boolean =>
  isUnnamed(reference) && !/^(value|buffer$|backing_store)/.test(reference.name ?? '')

/**
 * What a path's container is called: its last name, and that with the name of what it belongs to; of a list, by what its
 * links are linked. Variables belong to nothing. Without a name, whose local variable it is.
 */
function nameOf(path: readonly PathStep[], kind: Suspect['kind'], isTree: boolean): string | undefined {
  // What has grown itself is called by the last name.
  const isNamed = kind === 'grown' || (!isTree && path.length > 0 && path.at(-1)!.times > 1)
  const steps = isNamed ? path : path.slice(0, -1)
  const from = steps.findLastIndex((step) => isOfV8(step) || isVariable(step.reference))
  const names = steps
    .slice(Math.max(0, from))
    .map((step) => (step.thing.kind === 'scope' ? undefined : nameOfStep(step)))
    .filter((name) => name !== undefined && name !== '__proto__')
  // Where a list has a name, that of its links says nothing more.
  const isList = kind === 'added' && isNamed && names.length > 2
  if (names.length > 0) return (isList ? names.slice(-3, -1) : names.slice(-2)).join('.')
  const of = steps[from]?.reference
  if (of?.kind !== 'local' || isVariable(of)) return undefined
  const holder = steps[from - 1]!.thing.name
  return holder === '' ? 'a local variable' : `a local variable of ${holder}`
}

/** The path of a lead, and its texts, as the source has the names and the places in them. */
function inSource({ of }: Lead, asRan: readonly PathStep[], readSource: ReadSource, sources: ScriptSources) {
  const original = new OriginalNames(sourcesOf(readSource), sources)
  const { path, names } = new PathNames(of.graph, original).path(asRan)
  return { original, path, say: (text: string): string => withPlaces(withNames(text, names), sources) }
}

export function tell(
  pattern: string,
  lead: Lead,
  diagnosis: Diagnosis,
  captures: Captures,
  sources: ScriptSources,
): ReportFinding {
  const { readSource } = captures
  const { suspect, of } = lead
  const asRan = diagnosis.way ? pathAlong(of.graph, diagnosis.way) : lead.path
  const { original, path, say } = inSource(lead, asRan, readSource, sources)
  const { confidence, reason } = diagnosis.likelihood ?? lead.likelihood
  const steps = markPath(of, suspect, path)
  const blamed = { ...lead, graph: of.graph, lineage: of.heap.lineage }
  const behind = packageBehind(lead, pattern, captures, sources)
  const adds = behind?.role === 'adds' ? behind : undefined
  const options = { readSource, mapPosition: sources.mapPosition, allocations: of.allocations, via: adds?.via }
  const verdict = blame(blamed, options)
  const called = <T extends AllocationSite | Culprit>(it: T): T => ({
    ...it,
    function: (it.function && original.functionAround(it, it.function)) || it.function,
  })
  const known = adds ? culpritIn(adds, readSource) : diagnosis.culprit && shown(called(diagnosis.culprit), sources)
  const ranked = verdict.culprit && shown(called(verdict.culprit), sources)
  // The program's line goes before a package's, unless a package's own promises pile up, and nothing says that a line of the
  // program's has to do with them.
  const isGuess = pattern === 'promise-pileup' && !verdict.isSure
  const isPrograms = known?.culprit.package != null && ranked?.culprit.package === null && !isGuess
  const { culprit, codeFrame } = (isPrograms ? ranked : (known ?? ranked)) ?? { culprit: null, codeFrame: [] }
  return {
    pattern,
    fingerprint: fingerprint([pattern, ...suspectReferences(of.graph, steps, path), ...ownFile(path, culprit)]),
    severity: severityOf(confidence),
    confidence: Math.round(confidence * 100) / 100,
    reason: say(reason),
    title: say(diagnosis.title),
    isolate: diagnosis.isolate ?? of.isolate,
    growth: {
      count: suspect.count,
      shallowBytes: suspect.count * of.graph.shallowSize(suspect.sample),
      retainedBytes: suspect.bytes,
      perSecond: Math.round(suspect.perSecond * 10) / 10,
      bytesPerSecond: Math.round(suspect.bytesPerSecond),
      holders: suspect.holders.length,
    },
    culprit,
    codeFrame,
    retainingPath: steps,
    evidence: evidenceShown(
      { ...diagnosis.evidence, ...(verdict.sites.length > 0 && { allocationSites: verdict.sites.map(called) }) },
      sources,
      say,
    ) as ReportFinding['evidence'],
    explains: [],
    ...tellPackage(
      { pattern, advice: diagnosis.advice },
      { lead, path: asRan, behind, captures, say },
      { shown: culprit, asRan: verdict.culprit },
    ),
  }
}

/** What Node holds looks alike in all programs: there the file that is to blame tells leaks apart. */
function ownFile([first]: readonly PathStep[], culprit: Culprit | null): string[] {
  const ofProgram = first?.thing.kind === 'module' && !first.thing.name.startsWith('node:')
  return ofProgram || !culprit ? [] : [culprit.url.replace(/[?#].*$/, '').replace(/^.*\//, '')]
}
