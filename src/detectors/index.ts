// All detectors, the most specific first: the first that knows a lead has it.

import { closureRetention } from './closure-retention.ts'
import type { Detector } from './detector.ts'
import { duplicateModules } from './duplicate-modules.ts'
import { growingCollection } from './growing-collection.ts'
import { listenerLeak } from './listener-leak.ts'
import { promisePileup } from './promise-pileup.ts'
import { stringRetention } from './string-retention.ts'
import { unboundedTimers } from './unbounded-timers.ts'

export const DETECTORS: readonly Detector[] = [
  duplicateModules,
  unboundedTimers,
  listenerLeak,
  promisePileup,
  stringRetention,
  closureRetention,
  growingCollection,
]
