// `growing-allocations`: what a function allocates stays and becomes more, as samples of its allocations tell; no snapshot was taken.

import type { GrowingSite } from '../analysis/allocation-growth.ts'
import { judgedBy } from '../findings/confidence.ts'
import { fingerprint } from '../findings/fingerprint.ts'
import type { ReportFinding } from '../findings/report.ts'
import { byNumber, ground } from '../findings/weights.ts'
import { Sources } from '../source/app-modules.ts'
import { OriginalNames } from '../source/original-names.ts'
import { formatBytes, formatDuration } from '../support/format.ts'
import type { ScriptSources } from '../support/script-sources.ts'
import { shown } from './shown.ts'

const PATTERN = 'growing-allocations'
const MOST = { sites: 10, frames: 8 }
/** Of fewer samples, how many come in a second is told by chance as much. */
const FEW = 4
/** Who keeps all but some odd samples keeps it all. */
const ALL = 0.95

/** @param sites of one isolate */
export function tellGrowingSites(
  isolate: string,
  sites: readonly GrowingSite[],
  scripts: ScriptSources,
): ReportFinding[] {
  const names = new OriginalNames(new Sources(scripts.readScript), scripts)
  return sites.slice(0, MOST.sites).map((site) => tell(isolate, site, scripts, names))
}

function tell(isolate: string, site: GrowingSite, scripts: ScriptSources, names: OriginalNames): ReportFinding {
  const { bytes, bytesPerSecond, samples, kept, seconds } = site
  const stack = site.frames.slice(0, MOST.frames).map((frame) => {
    const name = (frame.function && names.functionAround(frame, frame.function)) || frame.function || null
    return shown({ ...frame, function: name, package: null, basis: 'allocation' }, scripts)
  })
  const { culprit, codeFrame } = stack[0]!
  const called = culprit.function ?? `a function of ${culprit.url.replace(/[?#].*$/, '').replace(/^.*[\\/]/, '')}`
  const span = formatDuration(1000 * seconds)
  const share = `${Math.round(100 * kept)} %`
  const stayed = kept >= ALL ? 'sampledAllStayed' : 'sampledStayed'
  return {
    pattern: PATTERN,
    fingerprint: fingerprint([PATTERN, culprit.url.replace(/[?#].*$/, '').replace(/^.*[\\/]/, ''), called]),
    ...judgedBy([
      ground(
        stayed,
        `of what it allocated in ${span}, ${share} was alive at the end, by ${samples} samples, and it became more in each third of the time; who holds it, no sample tells`,
      ),
      byNumber(samples, FEW),
    ]),
    title: `What ${called} allocates stays: ${formatBytes(bytes)} in ${span}, ${formatBytes(bytesPerSecond)} more each second`,
    isolate,
    growth: {
      ...{ count: 0, perSecond: 0, holders: 0 },
      ...{ shallowBytes: bytes, retainedBytes: bytes, bytesPerSecond: Math.round(bytesPerSecond) },
    },
    culprit,
    codeFrame: [...codeFrame],
    retainingPath: [],
    evidence: {
      seenBy: 'sampling',
      ...{ samples, keptShare: Math.round(100 * kept) / 100, seconds: Math.round(10 * seconds) / 10 },
      calledBy: stack.slice(1).map(({ culprit: { function: name, url, line } }) => ({ function: name, url, line })),
    },
    explains: [],
    advice:
      'Look where what this function makes is put, and take it out there once it is done with. A cache that is still filling looks the same: a snapshot tells more (`leakscope diagnose`, soon after a restart, or --via outside).',
  }
}
