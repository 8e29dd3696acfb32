// What `diagnose` learns beside its snapshots: where CPU time goes, what lies idle, which files are open, and, of what was
// found, how the living objects are now.

import { readAllocated, readCpuTime } from '../../analysis/cpu-time.ts'
import { lookAtCpu } from '../../capture/cpu-look.ts'
import { readIsolateFacts } from '../../capture/isolate-facts.ts'
import { sizesNow, socketsNow } from '../../capture/live.ts'
import { pause } from '../../capture/pause.ts'
import { readProcessScripts } from '../../capture/scripts.ts'
import type { Vitals } from '../../capture/vitals.ts'
import { isChurning } from '../../detectors/allocation-churn.ts'
import type { FilesSeen, OpenFiles } from '../../detectors/detector.ts'
import { findInCpu, findInMemory } from '../../detectors/process-findings.ts'
import {
  confirm,
  gainingNode,
  growthLookSeconds,
  handlesLookSeconds,
  namePeer,
  socketNode,
  stillGrows,
  stoodStill,
} from '../../findings/confirm.ts'
import type { ReportFinding } from '../../findings/report.ts'
import type { Progress } from '../../support/progress.ts'
import { createScriptSources } from '../../support/script-sources.ts'
import { readOpenFileLimit, readOpenFiles } from '../../target/open-files.ts'
import type { InspectorSession } from '../../target/session.ts'
import type { Target } from '../../target/visit.ts'
import type { Compared } from '../common/comparison.ts'
import type { Context } from '../common/context.ts'
import type { Sample } from '../common/process-samples.ts'

/** The look at living objects: of how many findings, for how long, and how often in that time. */
const LIVE = { findings: 5, pauseMs: 1500, mostPauseMs: 6000, looks: 8 }

/** Where the time goes of those threads that are busy, and whether that is for nothing. */
export async function findWaste(
  context: Context,
  progress: Progress,
  session: InspectorSession,
  { nodeVersion }: Target,
): Promise<ReportFinding[]> {
  // Node 18 tells of nothing that is gone.
  const tellsCollected = Number(/^v(\d+)/.exec(nodeVersion)?.[1]) >= 20
  const looks = await lookAtCpu(session, {
    signal: context.signal,
    onProfile: () => progress.stage('it is busy: looking where its time goes, for 1.5s, which costs it a few percent'),
    wantsAllocations: ({ caught, cpu }) => !caught && isChurning(readCpuTime(cpu)),
  })
  const isolates = looks.map(({ isolate, cpu, allocated, ...look }) => ({
    ...{ isolate, look, cpu: readCpuTime(cpu) },
    allocated: allocated
      ? { stacks: readAllocated(allocated.content), seconds: allocated.seconds, tellsCollected }
      : undefined,
  }))
  const scripts = looks.some(({ cpu }) => cpu !== null) ? await readProcessScripts(session) : []
  return findInCpu(isolates, createScriptSources({ scripts }))
}

/** What lies idle in the allocator, and did all the while. */
export function findIdle(samples: readonly Sample[]): ReportFinding[] {
  const looks = samples.map(({ atMs, ledger: { rssBytes, lines } }) => ({
    ...{ atMs, rssBytes, idleBytes: lines.find(({ id }) => id === 'allocator-slack')!.bytes },
  }))
  return findInMemory({ idle: { looks, allocator: samples[0]?.ledger.allocator ?? null } })
}

/** The comparison with the findings that are left after the look at living objects. */
export function settled(before: Compared, findings: readonly ReportFinding[]): Compared {
  const { undecided = [], ...report } = before
  const isTold = (finding: ReportFinding): boolean =>
    findings.some(({ fingerprint }) => fingerprint === finding.fingerprint)
  const sum = (some: readonly ReportFinding[]): number =>
    some.reduce((bytes, { growth }) => bytes + growth.retainedBytes, 0)
  const [gone, come] = [before.findings.filter((each) => !isTold(each)), undecided.filter(isTold)]
  const { explained } = before
  return {
    ...report,
    findings: [...findings],
    // What has turned out to be a finding is not set aside as well.
    setAside: before.setAside.filter(
      ({ isolate, retainedBytes }) =>
        !come.some((finding) => finding.isolate === isolate && finding.growth.retainedBytes === retainedBytes),
    ),
    explained: explained && { ...explained, bytes: Math.max(0, explained.bytes - sum(gone) + sum(come)) },
  }
}

const FILES_EVERY_MS = 1000

export interface WatchedFiles extends OpenFiles {
  stop(): void
}

/** Counts what the process has open, now and then until it is told to stop; undefined where that cannot be seen. */
export function watchOpenFiles(pid: number | undefined): WatchedFiles | undefined {
  if (pid === undefined || process.platform !== 'linux') return undefined
  const looks: FilesSeen[] = []
  const look = () => {
    const files = readOpenFiles(pid)
    if (files) looks.push({ atMs: performance.now(), files })
  }
  look()
  const timer = setInterval(look, FILES_EVERY_MS)
  return {
    looks,
    limit: readOpenFileLimit(pid),
    stop() {
      clearInterval(timer)
      look()
    },
  }
}

/**
 * Ids mean the same objects as long as the session lasts: the containers of the main thread are asked what they hold now,
 * and sockets whom they write to.
 */
export async function lookAgain(
  session: InspectorSession,
  { findings: sure, undecided = [] }: Pick<Compared, 'findings' | 'undecided'>,
  before: Vitals['activeResources'],
  signal: AbortSignal,
): Promise<ReportFinding[]> {
  const openHandles = async () => {
    const facts = await readIsolateFacts(session, true).catch(() => null)
    return facts?.activeResources ?? null
  }
  const findings = [...sure, ...undecided]
  const handlesMs = 1000 * Math.max(0, ...findings.map(handlesLookSeconds))
  const nodeOf = (finding: ReportFinding) => gainingNode(finding, undecided.includes(finding))
  const asked = findings
    .filter((finding) => finding.isolate === 'main' && (nodeOf(finding) ?? socketNode(finding)) !== undefined)
    .slice(0, LIVE.findings + undecided.length)
  const growthMs = 1000 * Math.max(0, ...asked.filter((each) => undecided.includes(each)).map(growthLookSeconds))
  const look = async () => ({
    sizes: await sizesNow(session, asked.map(nodeOf)),
    sockets: await socketsNow(session, asked.map(socketNode)),
  })
  const startedMs = performance.now()
  const handles = handlesMs > 0 ? await openHandles() : null
  const first = await look()
  const pauseMs = Math.max(LIVE.pauseMs, Math.min(LIVE.mostPauseMs, Math.max(handles ? handlesMs : 0, growthMs)))
  // What is emptied and filled again is soon as large as before: only looks in between show it.
  const least = [...first.sizes]
  let half: (number | undefined)[] = []
  for (let i = 1; i <= LIVE.looks; i++) {
    if (handles || asked.length > 0) await pause(pauseMs / LIVE.looks, session.closed, signal)
    if (asked.length === 0 || i === LIVE.looks) continue
    const isHalf = i === LIVE.looks / 2
    // An object's keys are listed no oftener than needed.
    const sizes = await sizesNow(session, isHalf ? asked.map(nodeOf) : asked.map((finding) => gainingNode(finding)))
    if (isHalf) half = sizes
    for (const [at, size] of sizes.entries()) if (size !== undefined && size < (least[at] ?? 0)) least[at] = size
  }
  const second = await look()
  const handlesLater = handles && (await openHandles())
  const seconds = (performance.now() - startedMs) / 1000
  return findings.flatMap((finding) => {
    if (stoodStill(finding, { before, first: handles, second: handlesLater, seconds })) return []
    const i = asked.indexOf(finding)
    if (undecided.includes(finding)) {
      const sizes = { first: first.sizes[i], half: half[i], second: second.sizes[i], seconds }
      return (i >= 0 && stillGrows(finding, sizes)) || []
    }
    if (i < 0) return finding
    const sized = confirm(finding, { first: first.sizes[i], second: second.sizes[i], least: least[i], seconds })
    return namePeer(sized, { first: first.sockets[i], second: second.sockets[i], seconds })
  })
}
