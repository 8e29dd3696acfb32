// Whether the evidence of findings is what their detectors' schemas say.

import type { z } from 'zod'
import { evidenceOf } from '../../src/detectors/evidence.ts'
import type { ReportFinding } from '../../src/findings/report.ts'

const known = new Map<string, z.ZodType>()

/** @returns the same findings @throws where a finding has evidence that is not in its pattern's schema, or lacks some that is */
export function checkEvidence<T extends Pick<ReportFinding, 'pattern' | 'title' | 'evidence'>>(
  findings: readonly T[],
): readonly T[] {
  for (const { pattern, title, evidence } of findings) {
    const schema = known.get(pattern) ?? evidenceOf(pattern)
    known.set(pattern, schema)
    const { error } = schema.safeParse(evidence)
    if (!error) continue
    // Of several schemas, the one that comes nearest.
    const issues = error.issues.flatMap((issue) => (issue.code === 'invalid_union' ? issue.errors : [[issue]]))
    const [nearest] = issues.toSorted((a, b) => a.length - b.length)
    throw new Error(`${pattern}, ${title}: ${JSON.stringify(nearest)} of ${JSON.stringify(evidence)}`)
  }
  return findings
}
