// All detectors, the most specific first: the first that knows a lead has it.

import { bufferSlabRetention } from './buffer-slab-retention.ts'
import { crossThreadRelease } from './cross-thread-release.ts'
import type { Detector } from './detector.ts'
import { growingCollection } from './growing-collection.ts'
import { growingLogArray } from './growing-log-array.ts'
import { handleLeak } from './handle-leak.ts'
import { outboundBufferPileup } from './outbound-buffer-pileup.ts'
import { taskQueuePileup } from './task-queue-pileup.ts'
import { threadGrowth } from './thread-growth.ts'

export const DETECTORS: readonly Detector[] = [
  outboundBufferPileup,
  crossThreadRelease,
  taskQueuePileup,
  threadGrowth,
  handleLeak,
  bufferSlabRetention,
  growingLogArray,
  growingCollection,
]
