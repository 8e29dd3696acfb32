// Turns what an analysis found into the Report.

import { statSync } from 'node:fs'
import type { Report, ReportPathStep } from '../../findings/report.ts'
import { withWords } from '../../graph/path-words.ts'
import type { PathStep } from '../../graph/retaining-path.ts'
import { toolVersion } from '../../support/version.ts'

/** A Report about files with everything empty that a command does not fill. */
export function emptyReport(command: string): Report {
  return {
    schemaVersion: 1,
    tool: { name: 'leakscope', version: toolVersion() },
    command,
    target: null,
    via: null,
    sampling: null,
    ended: null,
    snapshots: [],
    growth: null,
    heap: null,
    process: null,
    offHeap: null,
    findings: [],
    setAside: [],
    explained: null,
    vitals: null,
    baseline: null,
    check: null,
  }
}

export function reportSnapshot(
  totals: {
    file: string
    fileBytes: number
    nodeCount: number
    edgeCount: number
    totalShallowBytes: number
  },
  { isolate, takenAt }: { isolate: string; takenAt: string | undefined },
): Report['snapshots'][number] {
  const { file, fileBytes, nodeCount, edgeCount, totalShallowBytes } = totals
  return {
    file,
    isolate,
    takenAt: takenAt ?? statSync(file).mtime.toISOString(),
    fileBytes,
    nodeCount,
    edgeCount,
    totalShallowBytes,
  }
}

export function reportPath(path: readonly PathStep[]): ReportPathStep[] {
  return path.map(withWords)
}
