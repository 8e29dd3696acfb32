// `growing-collection`: a Map, Set, array, dictionary or list that gains and never loses. The last resort of all detectors.

import { formatCount } from '../support/format.ts'
import type { Detector } from './detector.ts'

export const growingCollection: Detector = {
  pattern: 'growing-collection',
  diagnose({ suspect, name, path }) {
    const { count, perSecond, survivors, counts, className } = suspect
    if (suspect.kind === 'grown') return undefined
    const container = path.findLast(({ ordinal }) => ordinal === suspect.container)?.node ?? 'collection'
    return {
      title: `${name} gained ${formatCount(count)} ${className}, ${perSecond.toFixed(1)} more each second`,
      evidence: { container, counts: [...counts], stayedPerStep: [...survivors] },
      advice: `Give ${name} a bound or a lifetime, or take out of it what is done with: nothing does so fast enough now.`,
    }
  },
}
