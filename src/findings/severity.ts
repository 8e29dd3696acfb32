// How serious a finding is, by how sure it is.

import type { ReportFinding } from './report.ts'

/** @param confidence from 0 to 1 */
export const severityOf = (confidence: number): ReportFinding['severity'] =>
  confidence >= 0.7 ? 'error' : confidence >= 0.5 ? 'warning' : 'note'
