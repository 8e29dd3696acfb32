// Turns what an analysis found into the Report, and prints it the way that was asked for.

import { statSync } from 'node:fs'
import type { Report, ReportPathStep } from '../findings/report.ts'
import type { PathStep } from '../graph/describe.ts'
import { reportJson } from '../report/json.ts'
import { reportTerminal } from '../report/terminal.ts'
import { toolVersion } from '../support/version.ts'
import type { Context } from './context.ts'
import { FAIL_ON, type FailOn } from './options.ts'

/** A Report about files with everything empty that a command does not fill. */
export function emptyReport(command: string): Report {
  return {
    schemaVersion: 1,
    tool: { name: 'leakscope', version: toolVersion() },
    command,
    target: null,
    snapshots: [],
    growth: null,
    heap: null,
    process: null,
    findings: [],
    explained: null,
    vitals: null,
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
  return path.map(({ edge, node, nodeId, times }) => ({ edge, node, nodeId, times }))
}

export async function printReport(
  context: Context,
  report: Report,
  options: { json: boolean; limit: number; failOn?: FailOn },
): Promise<void> {
  const { failOn = 'never' } = options
  const rank = FAIL_ON.indexOf(failOn)
  if (report.findings.some(({ severity }) => FAIL_ON.indexOf(severity) >= rank)) context.fail()
  context.out(
    options.json
      ? reportJson(report)
      : reportTerminal(report, { color: await context.colors(), width: context.width, limit: options.limit }),
  )
}
