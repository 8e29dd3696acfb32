// What several snapshots of each isolate say: what grew, by class and by what holds it, and which known leaks are in that.

import type { AllocationStack } from '../../analysis/allocations.ts'
import type { FollowAhead } from '../../analysis/follow-ahead.ts'
import type { ClassGrowth, Growth } from '../../analysis/growth.ts'
import type { OpenedSnapshot } from '../../analysis/open-snapshot.ts'
import type { PathNames } from '../../analysis/path-names.ts'
import type { Captures, IsolateHeap, LiveFrame, LiveView, OpenFiles } from '../../detectors/detector.ts'
import type { Leaks } from '../../detectors/find-leaks.ts'
import type { ShownClass } from '../../detectors/shown.ts'
import type { Report, ReportFinding } from '../../findings/report.ts'
import type { HeapGraph } from '../../graph/heap-graph.ts'
import { withWords } from '../../graph/path-words.ts'
import type { OriginalNames } from '../../source/original-names.ts'
import type { Progress } from '../../support/progress.ts'
import type { ScriptSources } from '../../support/script-sources.ts'
import type { Comparison, SnapshotInput } from './inputs.ts'

export const SORTS = ['retained', 'shallow', 'count'] as const

export interface CompareOptions {
  readonly limit: number
  readonly sort: (typeof SORTS)[number]
  readonly filter?: string
  readonly acrossProcesses?: boolean
  readonly index: boolean
  readonly json: boolean
  readonly signal: AbortSignal
  /** Asks views of buffers how much they show, by V8's id, where the process is still at hand; those that are gone are left out. */
  readonly askViews?: (isolate: string, ids: readonly number[]) => Promise<ReadonlyMap<number, LiveView>>
  /** The same for suspended functions: where they wait, and with what. */
  readonly askFrames?: (isolate: string, ids: readonly number[]) => Promise<ReadonlyMap<number, LiveFrame>>
  /** What the system said meanwhile of open files, and how many there may be; where the process is at hand. */
  readonly openFiles?: OpenFiles | undefined
  /** Has read the snapshots but the last of each isolate already. */
  readonly ahead?: FollowAhead
  /** Given what was found, while the heaps are still at hand. */
  readonly onLeaks?: (captures: Captures, leaks: Leaks) => void
}

/** Clusters with paths in JSON unless --limit says otherwise; beyond that they are crumbs. */
const JSON_CLUSTERS = 100

/** What a comparison adds to the Report. */
export interface Compared extends Pick<Report, 'snapshots' | 'growth' | 'findings' | 'setAside' | 'explained'> {
  /** Findings only if a look at the living process shows that they go on growing; where that is at hand. */
  readonly undecided?: readonly ReportFinding[]
}

export async function compareAll(
  { series, notCompared, scripts, cwd, nodeVersion }: Comparison,
  progress: Progress,
  options: CompareOptions,
): Promise<Compared> {
  const [
    { openSeries },
    { tellGrowth },
    { reportSnapshot },
    { findLeaks, lookForSuspects },
    { framesToAskOf },
    { findInFiles },
    { viewsToAsk },
    { createScriptSources },
    { createFileCheck },
    { OriginalNames },
    { PathNames },
    { sourcesOf },
  ] = await Promise.all([
    import('../../analysis/compare.ts'),
    import('../../analysis/growth.ts'),
    import('./report.ts'),
    import('../../detectors/find-leaks.ts'),
    import('../../detectors/candidates.ts'),
    import('../../detectors/process-findings.ts'),
    import('../../detectors/buffer-slab-retention.ts'),
    import('../../support/script-sources.ts'),
    import('../../analysis/functions-in-file.ts'),
    import('../../source/original-names.ts'),
    import('../../analysis/path-names.ts'),
    import('../../source/app-modules.ts'),
  ])
  const { limit, filter, json, signal } = options
  const parts: GrowthPart[] = []
  const heaps: IsolateHeap[] = []
  const open: OpenedSnapshot[] = []
  const graphs: HeapGraph[] = []
  const sources = createScriptSources({ scripts, cwd, isWhatRan: createFileCheck(graphs) })
  const { readScript: readSource, mapPosition } = sources
  const names = new OriginalNames(sourcesOf(readSource), sources)
  try {
    for (const { isolate, snapshots } of series) {
      progress.stage(`comparing ${snapshots.length} snapshots${series.length > 1 ? ` of ${isolate}` : ''}`)
      const growthOptions = {
        // A filter chooses among all.
        maxClusters: filter ? Number.POSITIVE_INFINITY : json ? Math.min(limit, JSON_CLUSTERS) : limit + 1,
        acrossProcesses: options.acrossProcesses ?? false,
        index: options.index,
        ...{ readSource, mapPosition },
        onProgress: (fraction: number) => progress.update(fraction),
        signal,
      }
      const files = snapshots.map(({ file }) => file)
      const followed = options.ahead?.history(isolate, files.slice(0, -1))
      const heap = await openSeries(files, { ...growthOptions, ...(followed && { followed }) })
      open.push(heap.opened)
      graphs.push(heap.opened.graph)
      const growth = tellGrowth(heap, growthOptions)
      const paths = new PathNames(heap.opened.graph, names)
      const rows = growth.snapshots.map((totals, i) =>
        reportSnapshot(totals, { isolate, takenAt: snapshots[i]!.takenAt }),
      )
      parts.push({
        snapshots: rows,
        growth: await growthReport(growth, isolate, rows, { names, paths, sources }, options),
      })
      const seconds = rows.map(({ takenAt }) => Date.parse(takenAt) / 1000)
      if (heap.matching === 'id' || !options.acrossProcesses) {
        const allocations = await readProfiles(snapshots)
        const found = await lookForSuspects(isolate, heap, seconds, { allocations, signal })
        const views = options.askViews ? viewsToAsk(found) : []
        const frames = options.askFrames ? framesToAskOf(found) : []
        const pauses = snapshots.map(({ pausedMs }) => pausedMs).filter((ms) => ms !== undefined)
        heaps.push({
          ...found,
          ...(pauses.length === snapshots.length && { pausedMs: pauses }),
          ...(views.length > 0 && { live: await options.askViews!(isolate, views) }),
          ...(frames.length > 0 && { frames: await options.askFrames!(isolate, frames) }),
        })
      }
    }
    progress.stage('looking for leaks')
    const captures = { isolates: heaps, readSource, sources, nodeVersion }
    const leaks = findLeaks(captures)
    const { findings, undecided, setAside, explained } = leaks
    options.onLeaks?.(captures, leaks)
    const byFiles = options.openFiles ? findInFiles(options.openFiles, captures, findings) : []
    return {
      snapshots: parts.flatMap(({ snapshots }) => snapshots),
      growth: { ...joinGrowth(parts.map(({ growth }) => growth)), notCompared: [...notCompared] },
      findings: [...findings, ...byFiles],
      ...(options.askViews && { undecided }),
      setAside: [...setAside],
      explained,
    }
  } finally {
    await Promise.all(open.map((opened) => opened.close()))
  }
}

/** What was allocated from one snapshot to the next, where a profile was read with each. */
async function readProfiles(snapshots: readonly SnapshotInput[]): Promise<AllocationStack[] | undefined> {
  const files = snapshots.map(({ profile }) => profile).filter((profile) => profile !== undefined)
  if (files.length < snapshots.length) return undefined
  const [{ readFile }, { readAllocations }] = await Promise.all([
    import('node:fs/promises'),
    import('../../analysis/allocations.ts'),
  ])
  try {
    return readAllocations(await Promise.all(files.map(async (file) => JSON.parse(await readFile(file, 'utf8')))))
  } catch {
    // Good to have, but no reason to fail.
    return undefined
  }
}

type ReportGrowth = NonNullable<Report['growth']>

/** What one isolate adds to the Report. */
interface GrowthPart {
  readonly snapshots: Report['snapshots']
  readonly growth: ReportGrowth
}

function joinGrowth(parts: readonly ReportGrowth[]): ReportGrowth {
  return {
    elapsedMs: Math.max(...parts.map(({ elapsedMs }) => elapsedMs)),
    totalShallowBytes: parts.reduce((sum, { totalShallowBytes }) => sum + totalShallowBytes, 0),
    matching: parts.every(({ matching }) => matching === 'id') ? 'id' : 'place',
    isolates: parts.flatMap(({ isolates }) => isolates),
    notCompared: [],
    constructors: parts.flatMap(({ constructors }) => constructors),
    clusters: parts.flatMap(({ clusters }) => clusters),
  }
}

async function growthReport(
  growth: Growth,
  isolate: string,
  snapshots: Report['snapshots'],
  { names, paths, sources }: { names: OriginalNames; paths: PathNames; sources: ScriptSources },
  { filter, sort }: CompareOptions,
): Promise<ReportGrowth> {
  const [{ reportPath }, { shown, shownClass }] = await Promise.all([
    import('./report.ts'),
    import('../../detectors/shown.ts'),
  ])
  const wanted = filter?.toLowerCase()
  const matches = (...texts: string[]) => !wanted || texts.some((text) => text.toLowerCase().includes(wanted))
  const first = snapshots[0]!
  const last = snapshots.at(-1)!
  const whole = {
    elapsedMs: Math.max(0, Date.parse(last.takenAt) - Date.parse(first.takenAt)),
    totalShallowBytes: last.totalShallowBytes - first.totalShallowBytes,
    matching: growth.matching,
  }
  return {
    ...whole,
    isolates: [{ isolate, ...whole }],
    notCompared: [],
    constructors: growth.classes
      .filter(({ name }) => matches(name))
      .sort(ORDER[sort])
      .map((row) => reportClass(row, isolate, shownClass(row, names, sources))),
    clusters: growth.clusters
      .filter(({ className, path }) =>
        matches(className, ...path.map(withWords).flatMap(({ edge, node }) => [edge, node])),
      )
      .map(({ kind, className, count, countPerStep, bytes, path: asRan, culprit }) => {
        const { path, names: original } = paths.path(asRan)
        return {
          kind,
          constructor: original.get(className) ?? className,
          isolate,
          count,
          countPerStep: [...countPerStep],
          retainedBytes: bytes,
          retainingPath: reportPath(path),
          culprit: culprit ? shown(culprit, sources).culprit : null,
        }
      }),
  }
}

/** All fields one by one: of rows that are spread, V8 gives each a shape of its own, and there can be a million. */
const reportClass = (
  row: ClassGrowth,
  isolate: string,
  { name, location }: ShownClass,
): ReportGrowth['constructors'][number] => ({
  name,
  countBefore: row.countBefore,
  countAfter: row.countAfter,
  shallowBytesBefore: row.shallowBytesBefore,
  shallowBytesAfter: row.shallowBytesAfter,
  retainedBytesBefore: row.retainedBytesBefore,
  retainedBytesAfter: row.retainedBytesAfter,
  isolate,
  location,
  countDelta: row.countAfter - row.countBefore,
  shallowBytesDelta: row.shallowBytesAfter - row.shallowBytesBefore,
  retainedBytesDelta: row.retainedBytesAfter - row.retainedBytesBefore,
})

type Order = (a: ClassGrowth, b: ClassGrowth) => number
const byRetained: Order = (a, b) =>
  b.retainedBytesAfter - b.retainedBytesBefore - (a.retainedBytesAfter - a.retainedBytesBefore)
const ORDER: Record<CompareOptions['sort'], Order> = {
  retained: byRetained,
  shallow: (a, b) =>
    b.shallowBytesAfter - b.shallowBytesBefore - (a.shallowBytesAfter - a.shallowBytesBefore) || byRetained(a, b),
  count: (a, b) => b.countAfter - b.countBefore - (a.countAfter - a.countBefore) || byRetained(a, b),
}
