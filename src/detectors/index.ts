// All detectors, the most specific first: the first that knows a lead has it.

import type { Detector } from './detector.ts'
import { growingCollection } from './growing-collection.ts'

export const DETECTORS: readonly Detector[] = [growingCollection]
