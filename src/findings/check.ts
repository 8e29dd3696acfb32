// What `leakscope check` measured, as a part of the Report.

import { z } from 'zod'

const bytes = z.number()

export const RoundReadingSchema = z.object({
  /** From 1; 0 is the state after warm-up. */
  round: z.number().int(),
  /** Units of work done in this round. */
  work: z.number(),
  /** Units of work since the end of the warm-up, this round's among them. */
  workSoFar: z.number(),
  /** Of this round. */
  durationMs: z.number(),
  /** Of the main isolate, after a full garbage collection, as are the two that follow. */
  heapUsedBytes: bytes,
  /** Memory outside the heap that V8 knows of. */
  externalBytes: bytes,
  /** Part of `externalBytes`. */
  arrayBuffersBytes: bytes,
  /** Heap and external memory of all worker threads together; null where one does not answer, or nobody asks. */
  workersBytes: bytes.nullable(),
  /** Of the whole process. */
  rssBytes: bytes,
  /** What keeps the event loop alive; null where that cannot be had, as the two that follow. */
  handles: z.number().int().nullable(),
  /** Of the process, all that the system counts. */
  threads: z.number().int().nullable(),
  /** Open file descriptors. */
  files: z.number().int().nullable(),
})

export const MeasuredGrowthSchema = z.object({
  /**
   * `workers` is there only where the program has any; `threads` and `files`, counted for the whole process, only where
   * they grow.
   */
  measure: z.enum(['heap', 'external', 'workers', 'threads', 'files']),
  /** `growing` if all of the interval is above the budget and the rounds agree. */
  verdict: z.enum(['steady', 'growing', 'undecided']),
  /** Why that is said. */
  reason: z.string(),
  /** Bytes, or how many, for each unit of work, the best guess and what it lies between with the given confidence. */
  perUnit: z.number(),
  /** Null where there is no bound, as is the upper one. */
  lower: z.number().nullable(),
  /** See `lower`. */
  upper: z.number().nullable(),
  /** Of the interval from `lower` to `upper`, from 0 to 1. */
  confidence: z.number(),
  /** What a unit of work may cost. */
  budgetPerUnit: z.number(),
})

export const CheckSchema = z.object({
  /** `growing` if any measure is, `steady` if all are. */
  verdict: z.enum(['steady', 'growing', 'undecided']),
  /** What follows for the exit code: growth passes if a baseline knows its leaks, `undecided` fails with --strict. */
  outcome: z.enum(['passed', 'failed', 'undecided']),
  /** One sentence. */
  reason: z.string(),
  /** What work was counted in: `iteration`, or `second` where there was no load. */
  unit: z.enum(['iteration', 'second']),
  /** As it was asked for, or the default. */
  budget: z.string(),
  /** Rounds that were not judged. */
  warmupRounds: z.number().int(),
  /** Of all of it. */
  durationMs: z.number(),
  /** In order. */
  rounds: z.array(RoundReadingSchema),
  /** What was measured, each judged by itself. */
  measures: z.array(MeasuredGrowthSchema),
})

export type ReportCheck = z.infer<typeof CheckSchema>
export type RoundReading = z.infer<typeof RoundReadingSchema>
export type MeasuredGrowth = z.infer<typeof MeasuredGrowthSchema>
