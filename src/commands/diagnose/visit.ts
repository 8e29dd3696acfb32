// Chooses the way into a process, and another one where the first costs too much.

import { LeakscopeError } from '../../errors.ts'
import { noteBeside } from '../common/capturing.ts'
import { MAX_PAUSE_OUTSIDE_MS, takeByWay } from '../common/ways.ts'
import { SAMPLED, type Visit, wayOf } from './options.ts'
import { visitByInspector } from './visit-by-inspector.ts'
import { visitBySampling } from './visit-by-sampling.ts'
import { visitFromOutside } from './visit-from-outside.ts'
import type { Visited } from './visited.ts'

export async function visitByWay(visit: Visit): Promise<Visited> {
  const { context, progress, target, options } = visit
  if (options.light && options.via === 'outside') {
    throw new LeakscopeError('usage-invalid', '--via outside says how the heap is read, and --light reads none')
  }
  if (options.via === SAMPLED) {
    if (options.light) throw new LeakscopeError('usage-invalid', '--light takes no samples but of the CPU')
    return visitBySampling(visit)
  }
  const note = options.quiet ? () => {} : noteBeside(context, progress)
  try {
    return await takeByWay({
      ...{ target, asked: wayOf(options), signal: context.signal, note },
      // Only V8 tells where CPU time goes and who allocates, and its look at what was found is the surer one.
      first: 'inspector',
      maxPauseMs: options.maxPause ?? MAX_PAUSE_OUTSIDE_MS,
      fromOutside: (pid) => visitFromOutside(visit, pid),
      byV8: (whyNotOutside) => visitByInspector(visit, whyNotOutside),
    })
  } catch (error) {
    if (!(error instanceof LeakscopeError) || error.code !== 'price-too-high' || options.via === 'outside') throw error
    note(error.message)
    return visitBySampling(visit)
  }
}
