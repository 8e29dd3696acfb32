// `handle-leak` from the system's side: open files that get more where no object on the heap stands for them, as those of
// fs.openSync(), which are mere numbers.

import { judgedBy } from '../findings/confidence.ts'
import { fingerprint } from '../findings/fingerprint.ts'
import type { ReportFinding } from '../findings/report.ts'
import { byNumber, ground } from '../findings/weights.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { formatCount, formatDuration } from '../support/format.ts'
import { createScriptSources } from '../support/script-sources.ts'
import type { Captures } from './detector.ts'
import { type Called, scriptsOf, whereCalls } from './flows.ts'
import { lineOf } from './functions.ts'
import { shown, withPlaces } from './shown.ts'

/** What was open at one moment, as `readOpenFiles` tells it. */
export interface FilesSeen {
  readonly atMs: number
  readonly files: readonly {
    readonly kind: string
    readonly peer: string
    readonly count: number
    readonly names: number
    readonly example: string
  }[]
}

/** Sockets, watchers and threads have objects on the heap, by which others tell more of them. */
const WITHOUT_OBJECTS: ReadonlySet<string> = new Set(['file', 'device'])
/** Calls that open files, the likeliest to be forgotten first; of a package's that has Node's functions, those too. */
const OPENING = [/^openSync$/, /^open$/, /^create(Read|Write)Stream$/].map(
  (names) =>
    ({ name, from, root, names: { length } }: Called) =>
      names.test(name) && root !== 'declared' && (from === undefined ? length < 3 : /\bfs\b/.test(from)),
)
/** So many times must have been looked, and so many files come, in all and in each part of the time. */
const LEAST = { looks: 5, count: 6, step: 2 }
const PARTS = 3
/** What fills up, such as a cache of open files, slows down: the last part must bring this much of the first. */
const LASTING = 0.7
/** Files that are open once each may be such a cache all the same: more must have come, and it is said less surely. */
const ONCE_EACH = { count: 20 }
/** Each part must bring this much of its share. Nobody means to have the same files open many times, however they came. */
const EVEN = { onceEach: 0.5, again: 0.2 }
/** Of what came, no more may have gone again in between: who opens and closes has now more and now fewer. */
const MOST_GONE = 0.2

/**
 * @param looks in the order of time
 * @param limit how many the process may have open at most
 */
export function findOpenFiles(
  looks: readonly FilesSeen[],
  limit: number | undefined,
  { isolates, readSource, sources = createScriptSources({ readFile: readSource }) }: Captures,
): ReportFinding[] {
  const [first, last] = [looks[0], looks.at(-1)]
  if (!first || !last || looks.length < LEAST.looks) return []
  const seconds = (last.atMs - first.atMs) / 1000
  const graph = isolates.find(({ isolate }) => isolate === 'main')?.graph
  return last.files.flatMap(({ kind, peer, count, names, example }): ReportFinding[] => {
    if (!WITHOUT_OBJECTS.has(kind)) return []
    const series = looks.map(({ files }) => files.find((each) => each.kind === kind && each.peer === peer))
    const counts = series.map((each) => each?.count ?? 0)
    const opened = count - counts[0]!
    const again = opened - (names - (series[0]?.names ?? 0))
    const isOnceEach = again < opened / 2
    if (!risesSteadily(counts, looks, isOnceEach)) return []
    if (isOnceEach && opened < ONCE_EACH.count) return []
    const perSecond = opened / seconds
    const line = graph && whereCalls(sourcesOf(readSource), scriptsOf(graph), ...OPENING)
    const { culprit, codeFrame } = line ? shown(line, sources) : { culprit: null, codeFrame: [] }
    const seen = `the system counted more of them in each third of ${formatDuration(seconds * 1000)}, and nothing on the heap stands for them`
    const how = isOnceEach
      ? ground('filesOnceEach', `${seen}; each is open once, as in a cache of open files that fills up`)
      : ground('files', `${seen}; the same files are open several times`)
    const total = last.files.reduce((sum, each) => sum + each.count, 0)
    const secondsLeft = limit === undefined ? null : Math.max(0, Math.round((limit - total) / perSecond))
    const end =
      secondsLeft === null ? '' : `; at the limit of ${formatCount(limit!)} in ${formatDuration(secondsLeft * 1000)}`
    const things = kind === 'file' ? `files in ${peer}` : `descriptors of ${peer}`
    return [
      {
        pattern: 'handle-leak',
        // A folder may have another name each time.
        fingerprint: fingerprint(['handle-leak', kind, culprit?.url.replace(/^.*\//, '') ?? peer]),
        ...judgedBy([how, byNumber(opened, 3)]),
        title: `${formatCount(opened)} more open ${things}, ${perSecond.toFixed(1)} each second, and they stay open${end}`,
        isolate: 'main',
        growth: {
          ...{ count: opened, shallowBytes: 0, retainedBytes: 0, bytesPerSecond: 0, holders: 0 },
          perSecond: Math.round(perSecond * 10) / 10,
        },
        culprit,
        codeFrame,
        retainingPath: [],
        evidence: {
          ...{ seenBy: 'system', kind, folder: peer, example, opened, openedAgain: again, openInAll: total, counts },
          perSecond: Math.round(perSecond * 10) / 10,
          ...{ limit: limit ?? null, secondsToLimit: secondsLeft },
        },
        explains: [],
        advice: `Close each in finally, on every way out: closeSync() for what openSync() gave, close() for what open() gave${line ? withPlaces(`; ${lineOf(line)} opens files`, sources) : ''}. Where the whole content is wanted, readFile() and writeFile() leave nothing open.`,
      },
    ]
  })
}

function risesSteadily(counts: readonly number[], looks: readonly FilesSeen[], isOnceEach: boolean): boolean {
  const [from, to] = [looks[0]!.atMs, looks.at(-1)!.atMs]
  const gained = counts.at(-1)! - counts[0]!
  if (gained < LEAST.count) return false
  const ends = Array.from({ length: PARTS + 1 }, (_, part) =>
    countAt(from + ((to - from) * part) / PARTS, counts, looks),
  )
  const gains = ends.slice(1).map((count, part) => count - ends[part]!)
  if (gains.some((gain) => gain < Math.max(LEAST.step, ((isOnceEach ? EVEN.onceEach : EVEN.again) * gained) / PARTS)))
    return false
  if (isOnceEach && gains.at(-1)! < LASTING * gains[0]!) return false
  const gone = counts.slice(1).reduce((sum, count, i) => sum + Math.max(0, counts[i]! - count), 0)
  return gone <= MOST_GONE * gained
}

/** Between two looks, in proportion. */
function countAt(atMs: number, counts: readonly number[], looks: readonly FilesSeen[]): number {
  const found = looks.findIndex((look) => look.atMs >= atMs)
  const after = found < 0 ? looks.length - 1 : Math.max(1, found)
  const [from, to] = [looks[after - 1]!.atMs, looks[after]!.atMs]
  const part = to > from ? (atMs - from) / (to - from) : 1
  return counts[after - 1]! + part * (counts[after]! - counts[after - 1]!)
}
