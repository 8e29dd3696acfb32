// Chooses the way into a process, and another one where the first costs too much.

import { LeakscopeError } from '../../errors.ts'
import { showTarget } from '../../target/target.ts'
import { noteBeside } from '../common/capturing.ts'
import { bothRefused, fromOutsideSentence, insteadSentence, mayReadOutside, requireAgent } from '../common/ways.ts'
import { SAMPLED, type Visit, wayOf } from './options.ts'
import { visitByInspector } from './visit-by-inspector.ts'
import { visitBySampling } from './visit-by-sampling.ts'
import { visitFromOutside } from './visit-from-outside.ts'
import type { Visited } from './visited.ts'

export async function visitByWay(visit: Visit): Promise<Visited> {
  const { context, progress, target, options } = visit
  const outside = (pid: number) => visitFromOutside(visit, pid)
  const sampled = () => visitBySampling(visit)
  const note = options.quiet ? () => {} : noteBeside(context, progress)
  if (options.via === 'outside') {
    if (target.kind !== 'process' || options.light) {
      throw new LeakscopeError(
        'usage-invalid',
        options.light
          ? '--via outside says how the heap is read, and --light reads none'
          : `--via outside reads processes of this machine by their pid, not ${showTarget(target)}`,
      )
    }
    note(fromOutsideSentence(target.pid))
    return outside(target.pid)
  }
  if (options.via === SAMPLED) {
    if (options.light) throw new LeakscopeError('usage-invalid', '--light takes no samples but of the CPU')
    return sampled()
  }
  if (options.via === 'agent') await requireAgent(target)
  try {
    return await visitByInspector(visit)
  } catch (error) {
    if (!(error instanceof LeakscopeError) || error.code !== 'price-too-high') throw error
    if (!mayReadOutside(error, target, wayOf(options)) || target.kind !== 'process') {
      note(error.message)
      return sampled()
    }
    note(insteadSentence(error))
    return await outside(target.pid).catch((refused: unknown) => {
      const both = bothRefused(error, refused, context.signal)
      if (both === refused) throw refused
      note((both as LeakscopeError).message)
      return sampled()
    })
  }
}
