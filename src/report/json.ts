// The Report as JSON, checked against its schema on the way out.

import { type Report, ReportSchema } from '../findings/report.ts'

export function reportJson(report: Report): string {
  return JSON.stringify(ReportSchema.parse(report), null, 2)
}
