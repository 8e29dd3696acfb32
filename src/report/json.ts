// The Report as JSON, checked against its schema on the way out.

import { type Report, ReportSchema } from '../findings/report.ts'

/** What JSON leaves as it is though terminals obey it; see `printable`. */
const CONTROLS = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

export function reportJson(report: Report): string {
  return JSON.stringify(ReportSchema.parse(report), null, 2).replace(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
