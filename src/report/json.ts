// The Report as JSON, checked against its schema on the way out.

import { type Report, ReportSchema } from '../findings/report.ts'
import { jsonText } from '../support/format.ts'

export function reportJson(report: Report): string {
  return jsonText(ReportSchema.parse(report))
}
