// All detectors, the most specific first: the first that knows a candidate has it.

import { bufferSlabRetention } from './buffer-slab-retention.ts'
import { closureRetention } from './closure-retention.ts'
import { crossThreadRelease } from './cross-thread-release.ts'
import type { Detector } from './detector.ts'
import { duplicateModules } from './duplicate-modules.ts'
import { growingCollection } from './growing-collection.ts'
import { growingLogArray } from './growing-log-array.ts'
import { handleLeak } from './handle-leak.ts'
import { listenerLeak } from './listener-leak.ts'
import { nodeInternals, unknownInternals } from './node-internals.ts'
import { offHeapGrowth } from './off-heap-growth.ts'
import { outboundBufferPileup } from './outbound-buffer-pileup.ts'
import { promisePileup } from './promise-pileup.ts'
import { stringRetention } from './string-retention.ts'
import { taskQueuePileup } from './task-queue-pileup.ts'
import { threadGrowth } from './thread-growth.ts'
import { threadPoolSaturation } from './thread-pool-saturation.ts'
import { unboundedTimers } from './unbounded-timers.ts'

export const DETECTORS: readonly Detector[] = [
  duplicateModules,
  outboundBufferPileup,
  crossThreadRelease,
  threadGrowth,
  threadPoolSaturation,
  nodeInternals('handle-leak'),
  handleLeak,
  unboundedTimers,
  nodeInternals('listener-leak'),
  nodeInternals('growing-collection'),
  nodeInternals('off-heap-growth'),
  nodeInternals('promise-pileup'),
  nodeInternals('duplicate-modules'),
  nodeInternals('task-queue-pileup'),
  nodeInternals('outbound-buffer-pileup'),
  listenerLeak,
  taskQueuePileup,
  promisePileup,
  unknownInternals,
  bufferSlabRetention,
  stringRetention,
  closureRetention,
  growingLogArray,
  offHeapGrowth,
  growingCollection,
]
