// From what isolates were seen doing with their CPU time to findings that are no leaks: nothing grows by them.

import type { Culprit } from '../analysis/culprit.ts'
import { judgedBy } from '../findings/confidence.ts'
import { fingerprint } from '../findings/fingerprint.ts'
import type { ReportFinding } from '../findings/report.ts'
import { Sources } from '../source/app-modules.ts'
import { OriginalNames } from '../source/original-names.ts'
import type { ScriptSources } from '../support/script-sources.ts'
import { allocationChurn } from './allocation-churn.ts'
import { busyLoop } from './busy-loop.ts'
import type { IsolateWork, Waste, WasteDetector } from './detector.ts'
import { evidenceShown, shown, withNames, withPlaces } from './shown.ts'

export const WASTE_DETECTORS: readonly WasteDetector[] = [busyLoop, allocationChurn]

const NO_GROWTH = { count: 0, shallowBytes: 0, retainedBytes: 0, perSecond: 0, bytesPerSecond: 0, holders: 0 }

/** The surest first. Pure, but for reading sources. */
export function findWaste(isolates: readonly IsolateWork[], scripts: ScriptSources): ReportFinding[] {
  const sources = new Sources(scripts.readScript)
  const names = new OriginalNames(sources, scripts)
  const found = new Map<string, { finding: ReportFinding; isolates: string[] }>()
  for (const work of isolates) {
    for (const { pattern, diagnose } of WASTE_DETECTORS) {
      const waste = diagnose(work, { sources })
      if (!waste) continue
      const finding = tell(pattern, work.isolate, waste, scripts, names)
      // Ten workers that do the same have one cause.
      const known = found.get(finding.fingerprint)
      if (known) known.isolates.push(work.isolate)
      else found.set(finding.fingerprint, { finding, isolates: [work.isolate] })
      break
    }
  }
  return [...found.values()]
    .map(({ finding, isolates }) => ({ ...finding, evidence: { ...finding.evidence, isolates } }))
    .sort((a, b) => b.confidence - a.confidence)
}

function tell(
  pattern: string,
  isolate: string,
  { title, culprit: found, grounds, evidence, advice }: Waste,
  scripts: ScriptSources,
  names: OriginalNames,
): ReportFinding {
  const called = found?.function ? names.functionAround(found, found.function) : undefined
  const original = new Map(called === undefined ? [] : [[found!.function!, called]])
  const say = (text: string): string => withPlaces(withNames(text, original), scripts)
  const { culprit, codeFrame } = found
    ? shown({ ...found, function: called ?? found.function }, scripts)
    : { culprit: null, codeFrame: [] }
  const judged = judgedBy(grounds.map((each) => ({ ...each, sentence: say(each.sentence) })))
  return {
    pattern,
    fingerprint: fingerprint([pattern, ...nameOf(culprit, isolate)]),
    wastes: 'cpu',
    ...judged,
    // It kills nobody.
    severity: judged.severity === 'error' ? 'warning' : judged.severity,
    title: say(title),
    isolate,
    growth: NO_GROWTH,
    culprit,
    codeFrame,
    retainingPath: [],
    evidence: evidenceShown(evidence, scripts, say) as ReportFinding['evidence'],
    explains: [],
    advice: say(advice),
  }
}

/** What stays the same when lines are added above. */
const nameOf = (culprit: Culprit | null, isolate: string): string[] =>
  culprit ? [culprit.url.replace(/[?#].*$/, '').replace(/^.*\//, ''), culprit.function ?? ''] : [isolate]
