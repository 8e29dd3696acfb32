// The process that compares the snapshots of a test: reads a task, writes what it found as JSON.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { compareAll } from '../commands/common/comparison.ts'
import type { SnapshotInput } from '../commands/common/inputs.ts'
import { silentProgress } from '../support/progress.ts'
import type { RunningScript } from '../support/script-sources.ts'

export interface Task {
  /** In order of time. */
  readonly snapshots: readonly SnapshotInput[]
  readonly scripts: readonly RunningScript[]
}

const { snapshots, scripts } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Task
const comparison = {
  ...{ series: [{ isolate: 'main', snapshots }], notCompared: [] },
  ...{ scripts, cwd: process.cwd(), nodeVersion: process.version },
}
const compared = await compareAll(comparison, silentProgress, {
  ...{ limit: Number.POSITIVE_INFINITY, sort: 'retained', index: false, json: true },
  signal: new AbortController().signal,
})
// Where they were is gone by the time that anybody reads of them.
const named = compared.snapshots.map((it) => ({ ...it, file: basename(it.file) }))
process.stdout.write(JSON.stringify({ ...compared, snapshots: named }))
