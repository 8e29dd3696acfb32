// The leaks that a project knows of and lives with for now, by fingerprint: so that only a new one is a reason to fail.

import { z } from 'zod'
import type { ReportFinding } from './report.ts'

const fingerprint = z.string().regex(/^[0-9a-f]{16}$/, 'a fingerprint is 16 hex digits, as findings have it')
const day = z.iso.date('a date such as 2026-12-31')

export const KnownFindingSchema = z.object({
  fingerprint,
  pattern: z.string(),
  title: z.string(),
  /** When it came into the baseline. */
  since: day,
})

export const SuppressionSchema = z.object({
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
  file: z.string(),
  new: z.number().int(),
  known: z.number().int(),
  suppressed: z.number().int(),
  /** Known ones that are not there any more. */
  fixed: z.array(KnownFindingSchema),
  /** Suppressions that do nothing: they have expired, or nothing matches them. */
  stale: z.array(SuppressionSchema.extend({ why: z.enum(['expired', 'unmatched']) })),
})

export type Baseline = z.infer<typeof BaselineSchema>
export type BaselineOutcome = z.infer<typeof BaselineOutcomeSchema>

export interface Judged {
  readonly findings: ReportFinding[]
  readonly outcome: BaselineOutcome
}

/**
 * Tells new findings from known ones. Pure.
 * @param today ISO 8601, the day alone
 */
export function judgeByBaseline(
  findings: readonly ReportFinding[],
  { findings: known, suppressions }: Baseline,
  file: string,
  today: string,
): Judged {
  const inForce = new Set(suppressions.filter(({ until }) => until >= today).map((it) => it.fingerprint))
  const knownPrints = new Set(known.map((it) => it.fingerprint))
  const judged = findings.map((finding): ReportFinding => {
    const print = finding.fingerprint
    return { ...finding, status: inForce.has(print) ? 'suppressed' : knownPrints.has(print) ? 'known' : 'new' }
  })
  const there = new Set(findings.map((it) => it.fingerprint))
  const count = (wanted: ReportFinding['status']) => judged.filter(({ status }) => status === wanted).length
  return {
    findings: judged,
    outcome: {
      file,
      new: count('new'),
      known: count('known'),
      suppressed: count('suppressed'),
      fixed: known.filter((it) => !there.has(it.fingerprint)),
      stale: suppressions
        .filter((it) => it.until < today || !there.has(it.fingerprint))
        .map((it) => ({ ...it, why: it.until < today ? 'expired' : 'unmatched' })),
    },
  }
}

/** The baseline as it should be after these findings: what is there is known, what is gone is forgotten. */
export function updatedBaseline(findings: readonly ReportFinding[], before: Baseline, today: string): Baseline {
  const suppressed = new Set(before.suppressions.map((it) => it.fingerprint))
  const since = new Map(before.findings.map((it) => [it.fingerprint, it.since]))
  const now = new Map<string, Baseline['findings'][number]>()
  for (const { fingerprint: print, pattern, title } of findings) {
    if (suppressed.has(print)) continue
    now.set(print, { fingerprint: print, pattern, title, since: since.get(print) ?? today })
  }
  return {
    schemaVersion: 1,
    findings: [...now.values()].sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1)),
    suppressions: before.suppressions,
  }
}

export const NO_BASELINE: Baseline = { schemaVersion: 1, findings: [], suppressions: [] }
