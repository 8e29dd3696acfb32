// `handle-leak` as the system sees it: open files that become more, and that no object on the heap stands for, such as those
// of fs.openSync(), which are mere numbers.

import { z } from 'zod'
import { byNumber, ground } from '../findings/weights.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { formatCount, formatDuration } from '../support/format.ts'
import type { Captures, EvidenceBy, FilesDetector, FilesSeen, Observation, OpenFiles } from './detector.ts'
import * as field from './evidence-fields.ts'
import { type Called, scriptsOf, whereCalls } from './flows.ts'
import { lineOf } from './functions.ts'

const evidence = () => [
  z.object({
    seenBy: z.literal('system').describe('only the system sees it: nothing on the heap stands for it'),
    kind: field.name('`file` or `device`'),
    folder: field.name('the folder of the files; what the descriptors lead to, for devices'),
    example: field.name('path of one of them'),
    opened: field.count('files that came and are still open'),
    openedAgain: field.count('of those, files that were open already'),
    openInAll: field.count('all files, sockets and others that the process has open'),
    counts: field.counts('how many of them were open at each look'),
    perSecond: field.perSecond('files that come'),
    limit: z.number().nullable().describe('how many files the process may have open; null where that is not known'),
    secondsToLimit: z.number().nullable().describe('how long until the limit is reached, in seconds'),
  }),
]
type Observed = Observation<EvidenceBy<typeof evidence>>

export const openFiles: FilesDetector<EvidenceBy<typeof evidence>> = {
  name: 'open-files',
  patterns: ['handle-leak'],
  needs: 'files',
  evidence,
  diagnose(seen, captures) {
    const files = seen.looks.length < LEAST.looks ? [] : seen.looks.at(-1)!.files
    return files.flatMap((one) => (WITHOUT_OBJECTS.has(one.kind) ? (diagnoseOne(one, seen, captures) ?? []) : []))
  },
}

/** Sockets, watchers and threads have objects on the heap: other detectors say more of those. */
const WITHOUT_OBJECTS: ReadonlySet<string> = new Set(['file', 'device'])
/** Calls that open files, those first whose closing is forgotten most; also those of packages that wrap Node's `fs`. */
const OPENING = [/^openSync$/, /^open$/, /^create(Read|Write)Stream$/].map(
  (names) =>
    ({ name, from, root, names: { length } }: Called) =>
      names.test(name) && root !== 'declared' && (from === undefined ? length < 3 : /\bfs\b/.test(from)),
)
/** The fewest looks, and the fewest files that must have come: in all, and in each part of the time. */
const LEAST = { looks: 5, count: 6, step: 2 }
const PARTS = 3
/** A cache of open files that fills up slows down: in the last part there must come this share of the first. */
const LASTING = 0.7
/** Files that are open once each may be such a cache all the same: more must have come, and the finding is less sure. */
const ONCE_EACH = { count: 20 }
/** In each part there must come this share of the average. Files that are open many times are never meant to be: less will do. */
const EVEN = { onceEach: 0.5, again: 0.2 }
/** The largest part of what came that may have been closed in between: a program that closes its files has now more, now fewer. */
const MOST_GONE = 0.2

function diagnoseOne(
  { kind, peer, count, names, example }: FilesSeen['files'][number],
  { looks, limit }: OpenFiles,
  { isolates, readSource }: Captures,
): Observed | undefined {
  const [first, last] = [looks[0]!, looks.at(-1)!]
  const seconds = (last.atMs - first.atMs) / 1000
  const graph = isolates.find(({ isolate }) => isolate === 'main')?.graph
  const series = looks.map(({ files }) => files.find((each) => each.kind === kind && each.peer === peer))
  const counts = series.map((each) => each?.count ?? 0)
  const opened = count - counts[0]!
  const again = opened - (names - (series[0]?.names ?? 0))
  const isOnceEach = again < opened / 2
  if (!risesSteadily(counts, looks, isOnceEach)) return undefined
  if (isOnceEach && opened < ONCE_EACH.count) return undefined
  const perSecond = opened / seconds
  const line = graph && whereCalls(sourcesOf(readSource), scriptsOf(graph), ...OPENING)
  const said = `the system counted more of them in each third of ${formatDuration(seconds * 1000)}, and nothing on the heap stands for them`
  const how = isOnceEach
    ? ground('filesOnceEach', `${said}; each is open once, as in a cache of open files that fills up`)
    : ground('files', `${said}; the same files are open several times`)
  const total = last.files.reduce((sum, each) => sum + each.count, 0)
  const secondsLeft = limit === undefined ? null : Math.max(0, Math.round((limit - total) / perSecond))
  const end =
    secondsLeft === null ? '' : `; at the limit of ${formatCount(limit!)} in ${formatDuration(secondsLeft * 1000)}`
  const things = kind === 'file' ? `files in ${peer}` : `descriptors of ${peer}`
  const rounded = Math.round(perSecond * 10) / 10
  return {
    title: `${formatCount(opened)} more open ${things}, ${perSecond.toFixed(1)} each second, and they stay open${end}`,
    grounds: [how, byNumber(opened, 3)],
    culprit: line,
    // A folder may have another name each time.
    identity: (culprit) => [kind, culprit?.url.replace(/^.*\//, '') ?? peer],
    growth: { count: opened, perSecond: rounded },
    evidence: {
      ...{ seenBy: 'system', kind, folder: peer, example, opened, openedAgain: again, openInAll: total, counts },
      ...{ perSecond: rounded, limit: limit ?? null, secondsToLimit: secondsLeft },
    },
    advice: `Close each in finally, on every way out: closeSync() for what openSync() gave, close() for what open() gave${line ? `; ${lineOf(line)} opens files` : ''}. Where the whole content is wanted, readFile() and writeFile() leave nothing open.`,
  }
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

/** How many were open at some time: between two looks, in proportion. */
function countAt(atMs: number, counts: readonly number[], looks: readonly FilesSeen[]): number {
  const found = looks.findIndex((look) => look.atMs >= atMs)
  const after = found < 0 ? looks.length - 1 : Math.max(1, found)
  const [from, to] = [looks[after - 1]!.atMs, looks[after]!.atMs]
  const part = to > from ? (atMs - from) / (to - from) : 1
  return counts[after - 1]! + part * (counts[after]! - counts[after - 1]!)
}
