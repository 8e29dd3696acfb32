// All detectors, the most specific first: the first that knows a lead has it.

import type { Detector } from './detector.ts'
import { growingCollection } from './growing-collection.ts'
import { outboundBufferPileup } from './outbound-buffer-pileup.ts'
import { taskQueuePileup } from './task-queue-pileup.ts'

export const DETECTORS: readonly Detector[] = [outboundBufferPileup, taskQueuePileup, growingCollection]
