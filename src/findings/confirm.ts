// What a look at the living objects says of findings: they went on growing, stand still, or were emptied meanwhile.

import type { ReportFinding } from './report.ts'

/** What a container held at two moments after the last snapshot; undefined where it could not be had. */
export interface LiveSizes {
  readonly first: number | undefined
  readonly second: number | undefined
  readonly seconds: number
}

/**
 * Emptied below this part of what came and stayed in each of the holders, it was a batch that waits for its turn. An entry
 * of a Map may be two objects that came.
 */
const EMPTIED = 0.25

/** V8's id of what gains, where that is a collection whose size says how much is in it. */
export function gainingNode({ retainingPath }: ReportFinding): number | undefined {
  const step = retainingPath.findLast(({ leaking }) => leaking === 'no')
  return step && /^(Array\[|Map$|Set$)/.test(step.node) ? step.nodeId : undefined
}

export function confirm(finding: ReportFinding, { first, second, seconds }: LiveSizes): ReportFinding {
  if (first === undefined || second === undefined) return finding
  const evidence = { ...finding.evidence, liveSize: first, liveSizeLater: second, liveSeconds: seconds }
  const least = Math.min(first, second)
  if (least < (EMPTIED * finding.growth.count) / Math.max(1, finding.growth.holders)) {
    const reason = `${finding.reason}; but looked at afterwards it held only ${least.toLocaleString('en-US')}: it is emptied now and then`
    return { ...finding, evidence, reason, confidence: Math.min(finding.confidence, 0.4), severity: 'note' }
  }
  if (second <= first) return { ...finding, evidence }
  const grew = `${first.toLocaleString('en-US')} → ${second.toLocaleString('en-US')} in ${seconds.toFixed(1)} s`
  return { ...finding, evidence, reason: `${finding.reason}; looked at alive it went on growing (${grew})` }
}
