// The registry of all detectors.

import { allocationChurn } from './allocation-churn.ts'
import { allocatorRetention } from './allocator-retention.ts'
import { bufferSlabRetention } from './buffer-slab-retention.ts'
import { busyLoop } from './busy-loop.ts'
import { busyThread } from './busy-thread.ts'
import { closureRetention } from './closure-retention.ts'
import { crossThreadRelease } from './cross-thread-release.ts'
import type { Candidate, Captures, Detector, Diagnosis, HeapDetector, InPackages } from './detector.ts'
import { duplicateModules } from './duplicate-modules.ts'
import { growingAllocations } from './growing-allocations.ts'
import { growingCollection } from './growing-collection.ts'
import { growingLogArray } from './growing-log-array.ts'
import { handleLeak } from './handle-leak.ts'
import { listenerLeak } from './listener-leak.ts'
import { nodeHandles, nodeInternals, nodeListeners, unknownInternals } from './node-internals.ts'
import { offHeapGrowth } from './off-heap-growth.ts'
import { openFiles } from './open-files.ts'
import { inOrder } from './order.ts'
import { outboundBufferPileup } from './outbound-buffer-pileup.ts'
import { promisePileup } from './promise-pileup.ts'
import { residentGrowth } from './resident-growth.ts'
import { stringRetention } from './string-retention.ts'
import { taskQueuePileup } from './task-queue-pileup.ts'
import { threadGrowth } from './thread-growth.ts'
import { threadPoolSaturation } from './thread-pool-saturation.ts'
import { unboundedTimers } from './unbounded-timers.ts'

/** By name: this list says nothing of their order. */
export const DETECTORS: readonly Detector[] = [
  allocationChurn,
  allocatorRetention,
  bufferSlabRetention,
  busyLoop,
  busyThread,
  closureRetention,
  crossThreadRelease,
  duplicateModules,
  growingAllocations,
  growingCollection,
  growingLogArray,
  handleLeak,
  listenerLeak,
  nodeHandles,
  nodeInternals,
  nodeListeners,
  offHeapGrowth,
  openFiles,
  outboundBufferPileup,
  promisePileup,
  residentGrowth,
  stringRetention,
  taskQueuePileup,
  threadGrowth,
  threadPoolSaturation,
  unboundedTimers,
  unknownInternals,
]

const thatNeed = <N extends Detector['needs']>(needs: N): Extract<Detector, { needs: N }>[] =>
  DETECTORS.filter((each): each is Extract<Detector, { needs: N }> => each.needs === needs)

/** In the order in which they are asked. */
export const HEAP_DETECTORS = inOrder(thatNeed('heap'))
export const CPU_DETECTORS = thatNeed('cpu')
export const MEMORY_DETECTORS = thatNeed('memory')
export const FILES_DETECTORS = thatNeed('files')
export const ALLOCATIONS_DETECTORS = thatNeed('allocations')
export const THREADS_DETECTORS = thatNeed('threads')

const GENERAL = new Set(HEAP_DETECTORS.flatMap(({ isGeneral, patterns }) => (isGeneral ? patterns : [])))

/** Whether any collection would be of such a pattern, as far as one snapshot can show. */
export const isGeneral = (pattern: string): boolean => GENERAL.has(pattern)

const IN_PACKAGES = new Map(HEAP_DETECTORS.map(({ name, inPackages }) => [name, inPackages]))

/** What the detector that a pattern is named after says of packages. */
export const inPackages = (pattern: string): InPackages => IN_PACKAGES.get(pattern) ?? {}

/** What the first detector that recognises a candidate says of it. @param isWanted asked of the pattern */
export function firstDiagnosis(
  candidate: Candidate,
  captures: Captures,
  {
    detectors = HEAP_DETECTORS,
    isWanted = () => true,
  }: { readonly detectors?: readonly HeapDetector[]; readonly isWanted?: (pattern: string) => boolean } = {},
): { readonly pattern: string; readonly diagnosis: Diagnosis } | undefined {
  for (const { patterns, diagnose } of detectors) {
    if (!patterns.some(isWanted)) continue
    const diagnosis = diagnose(candidate, captures)
    const pattern = diagnosis?.pattern ?? patterns[0]
    if (diagnosis && isWanted(pattern)) return { pattern, diagnosis }
  }
  return undefined
}
