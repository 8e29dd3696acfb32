// How a culprit is shown: in the source that a script was made of, with the lines around it.

import type { Culprit, MapPosition } from '../analysis/culprit.ts'
import type { ReportFinding } from '../findings/report.ts'
import { packageOf } from '../support/sources.ts'

export function mapped(culprit: Culprit, mapPosition: MapPosition | undefined): Culprit {
  const place = mapPosition?.(culprit.url, culprit.line, culprit.column)
  if (!place) return culprit
  const { url, line, column } = place
  return { ...culprit, url, line, column, package: packageOf(url) }
}

const FRAME = { before: 2, after: 2, width: 200 }

export function codeFrame(source: string | undefined, line: number): ReportFinding['codeFrame'] {
  const from = Math.max(0, line - 1 - FRAME.before)
  return (source?.split('\n', line + FRAME.after) ?? []).slice(from).map((text, i) => ({
    line: from + i + 1,
    text: text.replace(/\r$/, '').slice(0, FRAME.width),
  }))
}
