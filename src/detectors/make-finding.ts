// A candidate and its diagnosis become a finding, as the Report has it.

import type { AllocationSite } from '../analysis/allocations.ts'
import { blame, type Culprit, type ReadSource } from '../analysis/culprit.ts'
import { PathNames } from '../analysis/path-names.ts'
import { judgedBy } from '../findings/confidence.ts'
import { fingerprint } from '../findings/fingerprint.ts'
import type { ReportFinding } from '../findings/report.ts'
import { type PathStep, pathAlong } from '../graph/retaining-path.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { OriginalNames } from '../source/original-names.ts'
import { createScriptSources, type ScriptSources } from '../support/script-sources.ts'
import type { Candidate, Captures, Diagnosis } from './detector.ts'
import { inPackages } from './index.ts'
import { markPath, suspectReferences } from './leak-path.ts'
import { packagePart } from './package-part.ts'
import { culpritIn, packageBehind } from './packages.ts'
import { evidenceShown, shown, withNames, withPlaces } from './shown.ts'

/** Maps scripts to their sources: by what the process said, or else by the files on disk. */
export const sourcesFor = ({ sources, readSource }: Captures): ScriptSources =>
  sources ?? createScriptSources({ readFile: readSource })

/** A candidate's path with the names of the source, and a function that puts those, and places in the source, into a text. */
export function inSource(
  { of }: Candidate,
  asRan: readonly PathStep[],
  readSource: ReadSource,
  sources: ScriptSources,
) {
  const original = new OriginalNames(sourcesOf(readSource), sources)
  const { path, names } = new PathNames(of.graph, original).path(asRan)
  return { original, path, say: (text: string): string => withPlaces(withNames(text, names), sources) }
}

export function makeFinding(
  pattern: string,
  candidate: Candidate,
  diagnosis: Diagnosis,
  captures: Captures,
  sources: ScriptSources,
): ReportFinding {
  const { readSource } = captures
  const { suspect, of } = candidate
  const asRan = diagnosis.way ? pathAlong(of.graph, diagnosis.way) : candidate.path
  const { original, path, say } = inSource(candidate, asRan, readSource, sources)
  const { grounds } = diagnosis.likelihood ?? candidate.likelihood
  const steps = markPath(of, suspect, path)
  const blamed = { ...candidate, graph: of.graph, lineage: of.heap.lineage }
  const about = inPackages(pattern)
  const behind = packageBehind(candidate, about, captures, sources)
  const adds = behind?.role === 'adds' ? behind : undefined
  const options = { readSource, mapPosition: sources.mapPosition, allocations: of.allocations, via: adds?.via }
  const verdict = blame(blamed, options)
  const called = <T extends AllocationSite | Culprit>(it: T): T => ({
    ...it,
    function: (it.function && original.functionAround(it, it.function)) || it.function,
  })
  const known = adds ? culpritIn(adds, readSource) : diagnosis.culprit && shown(called(diagnosis.culprit), sources)
  const ranked = verdict.culprit && shown(called(verdict.culprit), sources)
  // The program's line goes before a package's, unless no evidence ties it to what the package makes.
  const isGuess = about.isMadeInside && !verdict.isSure
  const isPrograms = known?.culprit.package != null && ranked?.culprit.package === null && !isGuess
  const { culprit, codeFrame } = (isPrograms ? ranked : (known ?? ranked)) ?? { culprit: null, codeFrame: [] }
  return {
    pattern,
    fingerprint: fingerprint([
      pattern,
      ...suspectReferences(of.graph, steps, path),
      ...ownFile(path, culprit),
      ...(diagnosis.tellsApart ? [diagnosis.tellsApart] : []),
    ]),
    ...judgedBy(grounds.map((each) => ({ ...each, sentence: say(each.sentence) }))),
    title: say(diagnosis.title),
    isolate: of.isolate,
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
    ...packagePart(
      { pattern, advice: diagnosis.advice },
      { candidate, path: asRan, about, behind, captures, say },
      { shown: culprit, asRan: verdict.culprit },
    ),
  }
}

/** What Node holds looks alike in all programs: there the culprit's file makes the fingerprint differ. */
function ownFile([first]: readonly PathStep[], culprit: Culprit | null): string[] {
  const ofProgram = first?.thing.kind === 'module' && !first.thing.name.startsWith('node:')
  return ofProgram || !culprit ? [] : [culprit.url.replace(/[?#].*$/, '').replace(/^.*\//, '')]
}
