// The file that a baseline is kept in, and what it says of the findings, as the Report has it.

import { z } from 'zod'

const fingerprint = z.string().regex(/^[0-9a-f]{16}$/, 'a fingerprint is 16 hex digits, as findings have it')
const day = z.iso.date('a date such as 2026-12-31')

export const KnownFindingSchema = z.object({
  /** As the finding has it. */
  fingerprint,
  /** As the finding has it. */
  pattern: z.string(),
  /** As the finding had it then. */
  title: z.string(),
  /** When it came into the baseline. */
  since: day,
})

export const SuppressionSchema = z.object({
  /** As the finding has it. */
  fingerprint,
  /** Why it may stay: for who reads it in a year. */
  reason: z.string().trim().min(1, 'a suppression needs a reason'),
  /** The last day on which it holds. */
  until: day,
})

/** `leakscope.baseline.json`, schema version 1. */
export const BaselineSchema = z.object({
  schemaVersion: z.literal(1),
  findings: z.array(KnownFindingSchema),
  /** Written by hand; kept when the baseline is brought up to date. */
  suppressions: z.array(SuppressionSchema).default([]),
})

/** What a baseline says beyond the status of each finding. */
export const BaselineOutcomeSchema = z.object({
  /** Of the baseline. */
  file: z.string(),
  /** Findings that it does not know. */
  new: z.number().int(),
  /** Findings that it knows. */
  known: z.number().int(),
  /** Findings that it suppresses. */
  suppressed: z.number().int(),
  /** Known ones that are not there any more. */
  fixed: z.array(KnownFindingSchema),
  /** Suppressions that do nothing: they have expired, or nothing matches them. */
  stale: z.array(
    SuppressionSchema.extend({
      /** `expired`: its last day is over; `unmatched`: no finding has this fingerprint. */
      why: z.enum(['expired', 'unmatched']),
    }),
  ),
})

export type Baseline = z.infer<typeof BaselineSchema>
export type BaselineOutcome = z.infer<typeof BaselineOutcomeSchema>
