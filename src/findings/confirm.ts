// What a look at the living objects says of findings: they went on growing, stand still, or were emptied meanwhile.

import { formatBytes, formatCount } from '../support/format.ts'
import { type Ground, judgedBy } from './confidence.ts'
import type { ReportFinding } from './report.ts'
import { ground, remark } from './weights.ts'

/** Less than this part of what was due in the meantime is none. */
const STOOD = 0.1
/** Numbers that were seen to become more are surer than that; less sure ones have a bound. */
const LEAST_OF_NUMBERS = 0.4

const withGround = (finding: ReportFinding, more: Ground): ReportFinding => ({
  ...finding,
  ...judgedBy([...finding.grounds, more]),
})

/** What a container held at two moments after the last snapshot, and half-way between; undefined where it could not be had. */
export interface LiveSizes {
  readonly first: number | undefined
  readonly half?: number | undefined
  readonly second: number | undefined
  /** The least that was seen in between. */
  readonly least?: number | undefined
  readonly seconds: number
}

/** Emptied below this part of what came and stayed in each of the holders, it was a batch that waits for its turn. */
const EMPTIED = 0.25

/** So many more must be due until the second look for their absence to mean something. */
const DUE = 5
/** Of those that are due, so many must have come: whoever brings them may have been slow just then. */
const CAME = 0.15
/** A machine that is busy holds up anything for a second or two. */
const LEAST_SECONDS = 4
/** Of those that came between the snapshots, Node must have counted so many. */
const MOST = 0.6

/** Whether a finding is of handles, and says of which class. */
const hasHandle = ({ handle }: ReportFinding['evidence']): boolean => typeof handle === 'string'

/** How long to look at Node's handles for their number to tell whether they still become more; 0 where it would not. */
export function handlesLookSeconds({ isolate, evidence, growth: { perSecond } }: ReportFinding): number {
  return hasHandle(evidence) && isolate === 'main' && perSecond > 0 ? Math.max(LEAST_SECONDS, (2 * DUE) / perSecond) : 0
}

/** What Node has open, by type, as `process.getActiveResourcesInfo()` counts it. */
export interface LiveHandles {
  /** Before the first snapshot. */
  readonly before: Readonly<Record<string, number>> | null
  /** After the last one. */
  readonly first: Readonly<Record<string, number>> | null
  readonly second: Readonly<Record<string, number>> | null
  readonly seconds: number
}

/**
 * Clients that became more, or a pool that got to its size while the process stood still for its snapshots, look like
 * handles that are never closed, until they do not become more. What has been unreferenced Node does not count, so that
 * it must have counted the growth before.
 */
export function stoodStill(
  { isolate, evidence, growth }: ReportFinding,
  { before, first, second, seconds }: LiveHandles,
): boolean {
  if (!hasHandle(evidence) || isolate !== 'main' || !before || !first || !second) return false
  const names = ['', 'Wrap', 'SocketWrap'].map((end) => `${evidence.handle}${end}`)
  const open = (all: Readonly<Record<string, number>>): number => names.reduce((sum, name) => sum + (all[name] ?? 0), 0)
  const due = growth.perSecond * seconds
  const counted = open(first) - open(before) >= MOST * growth.count
  return counted && due >= DUE && open(second) - open(first) < CAME * due
}

/** So much of what is due must have come for uneven growth to have gone on. */
const WENT_ON = 0.5

/**
 * What grows where no snapshot shows it must gain so many while it is looked at, and so much of that in each half. A look of
 * so few seconds makes it less sure: a batch may be emptied later, by who was not seen to.
 */
const UNSEEN = { count: 12, half: 0.25, seconds: 4 }

/** How long to look at what gained unevenly, or out of sight, for it to show whether it goes on. */
export const growthLookSeconds = ({ growth: { perSecond }, evidence }: ReportFinding): number =>
  evidence.isSeenAliveOnly ? UNSEEN.seconds : perSecond > 0 ? (2 * DUE) / perSecond : 0

/** A collection of numbers that gains in both halves of the look; undefined where it does not. */
function growsUnseen(finding: ReportFinding, { first, half, second, seconds }: LiveSizes): ReportFinding | undefined {
  if (first === undefined || half === undefined || second === undefined) return undefined
  const gained = second - first
  const least = UNSEEN.half * gained
  if (gained < UNSEEN.count || half - first < least || second - half < least) return undefined
  const perSecond = Math.round((10 * gained) / seconds) / 10
  const bytes = gained * Number(finding.evidence.bytesEach)
  const { isSeenAliveOnly: _, ...evidence } = finding.evidence
  const grew = `${formatCount(first)} → ${formatCount(half)} → ${formatCount(second)} in ${seconds.toFixed(1)} s`
  return {
    ...finding,
    ...judgedBy([
      ground(
        'seenAlive',
        `looked at alive it grew all the while (${grew}), and nothing in the source takes numbers out of it; snapshots show nothing of that, as its store has room for more`,
      ),
    ]),
    title: `${finding.title} gains ${perSecond.toFixed(1)} numbers each second, and loses none`,
    growth: {
      ...finding.growth,
      ...{ count: gained, shallowBytes: bytes, retainedBytes: bytes },
      ...{ perSecond, bytesPerSecond: Math.round(bytes / seconds) },
    },
    evidence: { ...evidence, gained, perSecond, liveSize: first, liveSizeLater: second, liveSeconds: seconds },
  }
}

/** What gained unevenly between the snapshots, and goes on while it is looked at; undefined where it does not. */
export function stillGrows(finding: ReportFinding, sizes: LiveSizes): ReportFinding | undefined {
  if (finding.evidence.isSeenAliveOnly) return growsUnseen(finding, sizes)
  const { first, second, seconds } = sizes
  const due = finding.growth.perSecond * seconds
  if (first === undefined || second === undefined || due < DUE) return undefined
  if (second - first < WENT_ON * due || hasFallenBack(finding, first)) return undefined
  const grew = `${formatCount(first)} → ${formatCount(second)} in ${seconds.toFixed(1)} s`
  return {
    ...finding,
    ...judgedBy([
      ground('wentOn', `it grew in every interval, though unevenly; looked at alive it went on growing (${grew})`),
    ]),
    evidence: { ...finding.evidence, liveSize: first, liveSizeLater: second, liveSeconds: seconds },
  }
}

/** A process is not held up by listing more keys. */
const MOST_KEYS = 100_000
/** An array with fewer slots than this part of what came is not what holds it. */
const PART = 0.5

/**
 * V8's id of what gains, where that is a collection whose size says how much is in it.
 * @param withObjects whether an object counts that is used as one: how many properties it has says whether it grows, but
 * V8 counts those that were deleted, too
 */
export function gainingNode(
  { retainingPath, evidence, growth }: ReportFinding,
  withObjects = false,
): number | undefined {
  // What holds numbers, or more of what was there, has grown itself.
  const step =
    evidence.things === 'numbers' || evidence.things === 'references'
      ? retainingPath.at(-1)
      : retainingPath.findLast(({ leaking }) => leaking === 'no')
  if (!step) return undefined
  const { kind, name, length, collection } = step.thing
  const isPlain = kind === 'object' && name === 'Object'
  if (kind !== 'array' && !isPlain && collection === null) return undefined
  if (isPlain && !withObjects) return undefined
  // The keys of an object have to be listed for that.
  if (isPlain && countsOf({ evidence }).every((count) => count > MOST_KEYS)) return undefined
  // One of the parts of a list of lists holds less than came.
  return (length ?? Number.POSITIVE_INFINITY) < PART * (growth.count / Math.max(1, growth.holders))
    ? undefined
    : step.nodeId
}

/** V8's id of the socket on the way to what gains, if there is one. */
export const socketNode = ({ retainingPath }: ReportFinding): number | undefined =>
  retainingPath.findLast(({ leaking, thing }) => leaking === 'no' && /^(TLS)?Socket$/.test(thing.name))?.nodeId

/** What a socket said of itself at two moments; undefined where it could not be asked. */
export interface LivePeer {
  readonly first: Peer | undefined
  readonly second: Peer | undefined
  readonly seconds: number
}

interface Peer {
  readonly address: string
  readonly port: number
  readonly bytesWritten: number
}

/** Names who does not read, and how slow that is. */
export function namePeer(finding: ReportFinding, { first, second, seconds }: LivePeer): ReportFinding {
  if (!first || !second) return finding
  const peer = `${first.address.includes(':') ? `[${first.address}]` : first.address}:${first.port}`
  const took = Math.max(0, second.bytesWritten - first.bytesWritten)
  const said = took === 0 ? 'nothing' : formatBytes(took)
  return {
    ...withGround(finding, remark(`one of the readers, ${peer}, took ${said} in ${seconds.toFixed(1)} s`)),
    evidence: { ...finding.evidence, peer, peerTookBytes: took, peerSeconds: seconds },
  }
}

/** How many entries the collection had in each snapshot; empty where that is not what was counted. */
const countsOf = ({ evidence: { counts, countsOf } }: Pick<ReportFinding, 'evidence'>): number[] =>
  Array.isArray(counts) && countsOf === 'entries' ? counts.map(Number) : []

/** Whether a collection that was seen to gain holds hardly more than when it was seen first. */
function hasFallenBack(finding: ReportFinding, now: number): boolean {
  const counts = countsOf(finding)
  if (counts.length === 0 || finding.growth.holders !== 1) return false
  const [before, after] = [counts[0]!, counts.at(-1)!]
  return after > before && now < before + EMPTIED * (after - before)
}

export function confirm(
  finding: ReportFinding,
  { first, second, least: between = first, seconds }: LiveSizes,
): ReportFinding {
  if (first === undefined || second === undefined) return finding
  const looked = {
    ...finding,
    evidence: { ...finding.evidence, liveSize: first, liveSizeLater: second, liveSeconds: seconds },
  }
  const least = Math.min(first, second, between!)
  if (least < (EMPTIED * finding.growth.count) / Math.max(1, finding.growth.holders) || hasFallenBack(finding, least)) {
    const emptied = `but looked at afterwards it held only ${formatCount(least)}: it is emptied now and then`
    return withGround(looked, ground('emptied', emptied))
  }
  const due = Number(finding.evidence.perSecond ?? finding.growth.perSecond) * seconds
  const last = countsOf(finding).at(-1)
  if (second - first < STOOD * due && due >= DUE && last !== undefined && second <= last) {
    const stood = `but it did not grow while it was looked at for ${seconds.toFixed(1)} s, when ${formatCount(Math.round(due))} more were due`
    return withGround(looked, ground('stoodStill', stood))
  }
  if (second <= first) return looked
  const grew = `looked at alive it went on growing (${formatCount(first)} → ${formatCount(second)} in ${seconds.toFixed(1)} s)`
  // The store of numbers grows in leaps, but not their number.
  // Of what was there before there is an end, unless an array has it again and again.
  const { things, container } = finding.evidence
  const isEndless = things === 'numbers' || (things === 'references' && container === 'Array')
  const isOfNumbers = isEndless && finding.confidence > LEAST_OF_NUMBERS
  return withGround(looked, isOfNumbers ? ground('numbersSeen', grew) : remark(grew))
}
