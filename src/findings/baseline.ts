// The leaks that a project knows of and lives with for now, by fingerprint: so that only a new one is a reason to fail.

import type { Baseline, BaselineOutcome } from './baseline-schema.ts'
import type { ReportFinding } from './report.ts'

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
