// What `leakscope diagnose` is told, and what holds where it is told nothing.

import type { FailOn } from '../../findings/fail-on.ts'
import type { Progress } from '../../support/progress.ts'
import type { AttachOptions } from '../../target/attach.ts'
import type { TargetName } from '../../target/target.ts'
import { noteBeside } from '../common/capturing.ts'
import type { Context } from '../common/context.ts'
import type { FormatWish } from '../common/options.ts'
import type { Outputs } from '../common/output.ts'
import type { Way } from '../common/ways.ts'

export interface Options {
  readonly via?: Way | typeof SAMPLED
  readonly duration?: number
  readonly snapshots: number
  readonly light?: true
  readonly withProfile?: true
  readonly output?: string
  readonly force?: true
  readonly executable?: string
  readonly wait?: number | true
  readonly maxPause?: number
  readonly memoryLimit?: number
  readonly atAnyPrice?: true
  readonly limit?: number
  readonly failOn: FailOn
  readonly baseline?: string
  readonly updateBaseline?: true
  readonly configFolder?: string
  readonly format: readonly FormatWish[]
  readonly json?: true
  readonly quiet?: true
}

/** What every visit is given. */
export interface Visit {
  readonly context: Context
  readonly progress: Progress
  readonly target: TargetName
  readonly options: Options
  /** Where the snapshots go. */
  readonly folder: string
  readonly outputs: Outputs
}

/** In the place of a way to the heap: allocations are sampled. */
export const SAMPLED = 'sampling'
export const DEFAULT_DURATION_MS = 30_000
export const DEFAULT_MAX_PAUSE_MS = 30_000
export const DEFAULT_WAIT_MS = 600_000
export const DEFAULT_LIMIT = 5
/** The look that costs nothing: so many samples, so far apart. */
export const LIGHT = { samples: 4, everyMs: 1000, share: 0.15 }

export const wayOf = ({ via }: Options): Way | undefined => (via === SAMPLED ? undefined : via)

export function attachOptions({ context, progress, options: { wait } }: Visit): AttachOptions {
  return {
    signal: context.signal,
    onNotice: noteBeside(context, progress),
    waitMs: wait === true ? DEFAULT_WAIT_MS : wait,
  }
}
