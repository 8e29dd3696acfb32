// The Report of a running process: it is visited, and what the visit has found is put together.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LeakscopeError } from '../../errors.ts'
import type { Report } from '../../findings/report.ts'
import type { TargetName } from '../../target/target.ts'
import type { Context } from '../common/context.ts'
import type { Outputs } from '../common/output.ts'
import type { Options } from './options.ts'
import { visitByWay } from './visit.ts'

/** V8 builds a snapshot in native memory, and the allocator keeps that. */
const OF_SNAPSHOTS =
  'the snapshots were taken meanwhile, which leaves memory idle in the allocator that was not there before'

/** All of it but the printing; `diagnose` of `import … from 'leakscope'` is this as well. */
export async function diagnoseTarget(
  context: Context,
  target: TargetName,
  options: Options,
  outputs: Outputs,
): Promise<Report> {
  const { snapshots, light = false, quiet = false } = options
  if (!light && snapshots < 2) {
    throw new LeakscopeError('usage-invalid', '--snapshots takes 2 or more: one has nothing to be compared with', {
      hint: 'Three or more tell a leak from something that fills up. --light takes none.',
    })
  }
  const { emptyReport } = await import('../common/report.ts')
  const progress = context.progress(quiet)
  const kept = options.output
  const scratch = kept === undefined && !light ? mkdtempSync(join(tmpdir(), 'leakscope-diagnose-')) : undefined
  try {
    const folder = kept ?? join(scratch ?? '', 'capture')
    const { via, sampling, visited, vitals, samples, waste, compared, offHeap } = await visitByWay({
      ...{ context, progress, target, options, folder, outputs },
    })
    const { reportProcess } = await import('../common/process-samples.ts')
    const memory =
      samples.length > 0 ? reportProcess(samples, target.kind === 'process' ? visited.pid : undefined) : null
    progress.end()
    return {
      ...emptyReport('diagnose'),
      ...compared,
      findings: [...(compared?.findings ?? []), ...waste],
      target: { pid: visited.pid, nodeVersion: visited.nodeVersion, command: visited.command.join(' ') },
      via,
      sampling,
      vitals: vitals.map(({ activeResources, ...rest }) => ({
        ...rest,
        activeResources: activeResources && { ...activeResources },
      })),
      process:
        via === null || via === 'outside' || !memory ? memory : { ...memory, notes: [...memory.notes, OF_SNAPSHOTS] },
      offHeap,
    }
  } finally {
    progress.end()
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true })
  }
}
