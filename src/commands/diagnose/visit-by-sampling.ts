// A visit that takes no snapshot: allocations are sampled over the inspector.

import { showTarget } from '../../target/target.ts'
import { noteBeside } from '../common/capturing.ts'
import type { Sample } from '../common/process-samples.ts'
import { attachOptions, DEFAULT_DURATION_MS, LIGHT, type Visit } from './options.ts'
import { sampleNow, type Visited } from './visited.ts'

/** What can be told without a snapshot. */
export async function visitBySampling(visit: Visit): Promise<Visited> {
  const { context, progress, target, options } = visit
  const [{ withInspector }, { readVitals }, beside, sampler] = await Promise.all([
    import('../../target/attach.ts'),
    import('../../capture/vitals.ts'),
    import('./side-looks.ts'),
    import('./sampling.ts'),
  ])
  const { duration: durationMs = DEFAULT_DURATION_MS } = options
  const note = noteBeside(context, progress)
  progress.stage(`attaching to ${showTarget(target)}`)
  return withInspector(target, attachOptions(visit), async (session, visited) => {
    if (!options.quiet) note(sampler.samplingSentence(durationMs))
    const pid = target.kind === 'process' ? visited.pid : undefined
    const samples: Sample[] = []
    const look = async () => void samples.push(await sampleNow(session, visited, pid))
    await look()
    const readings = { pid, samples: 2, everyMs: LIGHT.everyMs, signal: context.signal }
    const vitals = await readVitals(session, readings)
    const ofCpu = await beside.findWaste(context, progress, session, visited)
    const { findings, sampling, problem } = await sampler.sampleAllocations(context, progress, session, durationMs)
    if (problem !== undefined) note(`nothing was sampled: ${problem}`)
    await look()
    vitals.push(...(await readVitals(session, readings)).slice(1))
    progress.stage('leaving')
    const waste = [...findings, ...ofCpu, ...beside.findIdle(samples)]
    return { via: null, sampling, visited, vitals, samples, waste, compared: undefined, offHeap: null }
  })
}
