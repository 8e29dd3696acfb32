// A visit that reads the memory of the process, which is asked nothing.

import { noteBeside } from '../common/capturing.ts'
import { MAX_PAUSE_OUTSIDE_MS } from '../common/ways.ts'
import { attachOptions, DEFAULT_DURATION_MS, DEFAULT_LIMIT, type Visit } from './options.ts'
import type { Inspector, OutsideVisit, OutsideWanted } from './outside.ts'
import { samplingIn, type Visited } from './visited.ts'

/** Who asks for it is told what it has cost. */
export async function visitFromOutside(visit: Visit, pid: number): Promise<Visited> {
  const { context, progress, options, folder, outputs } = visit
  const [{ visitOutside }, { pausesText }] = await Promise.all([
    import('./outside.ts'),
    import('../snapshot/outside.ts'),
  ])
  const { quiet = false, force = false, snapshots } = options
  const note = quiet ? () => {} : noteBeside(context, progress)
  const wanted: OutsideWanted = {
    ...{ durationMs: options.duration ?? DEFAULT_DURATION_MS, snapshots, force },
    maxPauseMs: options.maxPause ?? MAX_PAUSE_OUTSIDE_MS,
    limit: options.limit ?? (outputs.detailed ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT),
    detailed: outputs.detailed,
  }
  const visitWith = (inspector?: Inspector) => visitOutside(context, progress, pid, folder, wanted, inspector)
  const look = async (): Promise<OutsideVisit> => {
    if (!options.withProfile) return visitWith()
    note(
      `allocations are sampled over the inspector: that takes a few percent of its time, and a full garbage collection after each of ${snapshots} pictures`,
    )
    const [{ withInspector }, target] = [await import('../../target/attach.ts'), { kind: 'process' as const, pid }]
    return withInspector(target, attachOptions(visit), (session, visited) => visitWith({ session, visited }))
  }
  const { pausesMs, captures, ...found } = await look()
  note(`process ${pid} ${pausesText(pausesMs)}`)
  return { ...found, via: 'outside', sampling: samplingIn(captures, wanted.durationMs) }
}
