// What a visit to a process has found, by whichever way.

import type { BundleCapture } from '../../capture/bundle.ts'
import type { Vitals } from '../../capture/vitals.ts'
import type { Report, ReportFinding, ReportOffHeap } from '../../findings/report.ts'
import type { InspectorSession } from '../../target/session.ts'
import type { Target } from '../../target/visit.ts'
import type { Compared } from '../common/comparison.ts'
import type { Sample } from '../common/process-samples.ts'
import { SAMPLING } from '../common/sampling.ts'
import type { Way } from '../common/ways.ts'

export interface Visited {
  /** Null where no snapshots were taken. */
  readonly via: Way | null
  readonly sampling: Report['sampling']
  readonly visited: Target
  readonly vitals: readonly Vitals[]
  /** At least one, from before the first snapshot or with it. */
  readonly samples: readonly Sample[]
  /** What is no leak, or was found without a snapshot. */
  readonly waste: readonly ReportFinding[]
  /** Undefined where no snapshots were taken. */
  readonly compared: Compared | undefined
  /** Null where no snapshots were taken. */
  readonly offHeap: ReportOffHeap | null
}

/** Where the memory of a process goes at the moment, that of its workers too. */
export async function sampleNow(
  session: InspectorSession,
  { nodeVersion }: Target,
  pid: number | undefined,
): Promise<Sample> {
  const [{ attachWorkers }, { takeSample }] = await Promise.all([
    import('../../target/workers.ts'),
    import('../common/process-samples.ts'),
  ])
  const workers = await attachWorkers(session)
  try {
    return await takeSample({ session, workers, pid, nodeVersion })
  } finally {
    await workers.leave()
  }
}

/** What was sampled beside snapshots of the main thread. */
export function samplingIn(captures: readonly BundleCapture[], durationMs: number): Report['sampling'] {
  const readings = captures.filter(({ isolate, profile }) => isolate === 'main' && profile !== null).length
  return readings > 0 ? { ...SAMPLING, readings, seconds: durationMs / 1000 } : null
}
