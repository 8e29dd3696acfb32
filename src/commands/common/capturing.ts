// What the ways of taking snapshots have in common: what was asked for, and how to tell how far they are.

import type { HeapSnapshotProgress } from '../../capture/heap-snapshot.ts'
import type { Encoder } from '../../support/encoder.ts'
import { formatBytes } from '../../support/format.ts'
import type { Progress } from '../../support/progress.ts'
import { showTarget, type TargetName } from '../../target/target.ts'
import type { Context } from './context.ts'
import type { IsolateChoice } from './options.ts'
import type { Way } from './ways.ts'

/** What was asked for, with nothing left open. */
export interface Wanted {
  readonly name: string
  readonly isolate: IsolateChoice
  readonly count: number
  readonly every: number
  /** How long to wait for a port; undefined for not at all. */
  readonly waitMs: number | undefined
  /** Makes what redacts a file; undefined where that was not asked for. */
  readonly redactor: ((path: string) => Encoder) | undefined
  readonly force: boolean
  readonly maxPauseMs: number
  /** Undefined where the cgroup is to be asked. */
  readonly memoryLimitBytes: number | undefined
  readonly atAnyPrice: boolean
  /** Whether only the price is asked for. */
  readonly dryRun: boolean
  readonly json: boolean
  readonly quiet: boolean
}

/** The same for the command that takes snapshots and no more. */
export interface SnapshotsWanted extends Wanted {
  /** The way that was asked for; undefined where none was. */
  readonly via: Way | undefined
  /** Why V8 is asked; undefined where that was asked for, or the price alone was. */
  readonly whyNotOutside: string | undefined
  /** Says what was written, at once as a line, or in the end as JSON. */
  readonly tell: (taken: Taken, line: string) => void
}

/** As a Report names it. */
export const isolateName = (isolate: IsolateChoice): string =>
  typeof isolate === 'number' ? `worker:${isolate}` : isolate

/** A snapshot that was written; null is what one that could not be taken has not. */
export interface Taken {
  readonly via: Way
  readonly isolate: string
  readonly file: string | null
  readonly fileBytes: number | null
  readonly nodeCount: number | null
  readonly pausedMs: number | null
  /** Why it was not taken. */
  readonly reason: string | null
}

export function takenJson(target: TargetName, taken: readonly Taken[]): string {
  const via = taken[0]?.via ?? null
  const snapshots = taken.map(({ via, ...rest }) => rest)
  const answer = { schemaVersion: 1, command: 'snapshot', target: { name: showTarget(target) }, via, snapshots }
  return JSON.stringify(answer, null, 2)
}

/** Shows how far one snapshot is; the stage before the first call is that V8 walks the heap. */
export function showProgress(progress: Progress, which: string): (now: HeapSnapshotProgress) => void {
  let stage = 'walking'
  return (now) => {
    if (now.stage !== stage) progress.stage(`writing${which}`)
    stage = now.stage
    progress.update(now.fraction, now.bytes > 0 ? formatBytes(now.bytes) : '')
  }
}

/** For what a user should know while a bar is on the screen. */
export function noteBeside(context: Context, progress: Progress): (notice: string) => void {
  return (notice) => {
    progress.clear()
    context.note(`leakscope: ${notice}`)
  }
}
