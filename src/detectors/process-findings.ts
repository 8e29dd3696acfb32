// Findings of detectors that are given no heap: CPU time that is wasted, memory that lies idle, open files.

import type { GrowingSite } from '../analysis/allocation-growth.ts'
import { judgedBy } from '../findings/confidence.ts'
import { fingerprint } from '../findings/fingerprint.ts'
import type { ReportFinding } from '../findings/report.ts'
import { Sources } from '../source/app-modules.ts'
import { OriginalNames } from '../source/original-names.ts'
import { createScriptSources, type ScriptSources } from '../support/script-sources.ts'
import type { Captures, IsolateWork, Observation, OpenFiles, ProcessMemory, ThreadTimes } from './detector.ts'
import { ALLOCATIONS_DETECTORS, CPU_DETECTORS, FILES_DETECTORS, MEMORY_DETECTORS, THREADS_DETECTORS } from './index.ts'
import { sourcesFor } from './make-finding.ts'
import { evidenceShown, shown, withNames, withPlaces } from './shown.ts'

/** What isolates waste of their CPU time, the surest first. Each isolate is judged by the first detector that recognises it. */
export function findInCpu(isolates: readonly IsolateWork[], scripts: ScriptSources): ReportFinding[] {
  const sources = new Sources(scripts.readScript)
  const names = new OriginalNames(sources, scripts)
  const found = new Map<string, { finding: ReportFinding; isolates: string[] }>()
  for (const work of isolates) {
    for (const { patterns, diagnose } of CPU_DETECTORS) {
      const seen = diagnose(work, { sources })
      if (!seen) continue
      const finding = findingOf(patterns[0], seen, { isolate: work.isolate, scripts, names })
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

/** What the resident memory of a process shows. */
export function findInMemory(memory: ProcessMemory): ReportFinding[] {
  const scripts = createScriptSources({ readFile: () => undefined })
  return MEMORY_DETECTORS.flatMap(({ patterns, diagnose }) => {
    const seen = diagnose(memory)
    return seen ? findingOf(patterns[0], seen, { isolate: 'main', scripts }) : []
  })
}

/** What the open files of a process show. */
export function findInFiles(files: OpenFiles, captures: Captures, ofHeap: readonly ReportFinding[]): ReportFinding[] {
  const scripts = sourcesFor(captures)
  // What the heap shows of the same pattern says more.
  const isFound = ({ patterns }: { readonly patterns: readonly string[] }): boolean =>
    ofHeap.some(({ pattern }) => patterns.includes(pattern))
  return FILES_DETECTORS.filter((each) => !isFound(each)).flatMap(({ patterns, diagnose }) =>
    diagnose(files, captures).map((seen) => findingOf(patterns[0], seen, { isolate: 'main', scripts })),
  )
}

/** Functions of one isolate whose allocations stay, as samples show. @param sites those that keep most first */
export function findInAllocations(
  isolate: string,
  sites: readonly GrowingSite[],
  scripts: ScriptSources,
): ReportFinding[] {
  const names = new OriginalNames(new Sources(scripts.readScript), scripts)
  return ALLOCATIONS_DETECTORS.flatMap(({ patterns, diagnose }) =>
    sites.slice(0, MOST_SITES).flatMap((site) => {
      const seen = diagnose(site)
      return seen ? findingOf(patterns[0], seen, { isolate, scripts, names }) : []
    }),
  )
}

const MOST_SITES = 10

/** What the times of a process's threads show. */
export function findInThreads(threads: readonly ThreadTimes[], scripts: ScriptSources): ReportFinding[] {
  const sources = new Sources(scripts.readScript)
  return threads.flatMap((thread) =>
    THREADS_DETECTORS.flatMap(({ patterns, diagnose }) => {
      const seen = diagnose(thread, { sources })
      return seen ? findingOf(patterns[0], seen, { isolate: thread.isolate, scripts }) : []
    }),
  )
}

interface Shown {
  readonly isolate: string
  readonly scripts: ScriptSources
  /** Finds the names that functions have in the source; left out, they stay as they ran. */
  readonly names?: OriginalNames
}

function findingOf(pattern: string, seen: Observation, { isolate, scripts, names }: Shown): ReportFinding {
  const { culprit: found, grounds, mostSevere = 'error', wastes } = seen
  const called = found?.function ? names?.functionAround(found, found.function) : undefined
  const original = new Map(called === undefined ? [] : [[found!.function!, called]])
  const say = (text: string): string => withPlaces(withNames(text, original), scripts)
  const { culprit, codeFrame } = found
    ? shown({ ...found, function: called ?? found.function }, scripts)
    : { culprit: null, codeFrame: [] }
  const judged = judgedBy(grounds.map((each) => ({ ...each, sentence: say(each.sentence) })))
  return {
    pattern,
    fingerprint: fingerprint([pattern, ...seen.identity(culprit)]),
    ...(wastes && { wastes }),
    ...judged,
    severity: noWorse(judged.severity, mostSevere),
    title: say(seen.title),
    isolate,
    growth: { ...NO_GROWTH, ...seen.growth },
    culprit,
    codeFrame,
    retainingPath: [],
    evidence: evidenceShown(seen.evidence, scripts, say) as ReportFinding['evidence'],
    explains: [],
    advice: say(seen.advice),
  }
}

const NO_GROWTH = { count: 0, shallowBytes: 0, retainedBytes: 0, perSecond: 0, bytesPerSecond: 0, holders: 0 }

const SEVERITIES = ['note', 'warning', 'error'] as const

const noWorse = (severity: ReportFinding['severity'], most: ReportFinding['severity']) =>
  SEVERITIES[Math.min(SEVERITIES.indexOf(severity), SEVERITIES.indexOf(most))]!
