// Whether memory that is neither of the JS heap nor of ArrayBuffers rose while a process was watched. Pure.

/**
 * What an ArrayBuffer takes beside its bytes, for V8's records of it and for malloc(): 110 to 370 bytes as measured with
 * 200,000 of 128 to 1,040 bytes on Node 18 to 26, most on 22.
 */
export const BESIDE_ARRAY_BUFFER = 400

/** One look at a process: bytes of such memory, by the id of their line in the ledger. */
export interface OffHeapReading {
  readonly atMs: number
  readonly lines: Readonly<Record<string, number>>
}

/** A time without a snapshot in it, told by looks at its beginning and at its end. */
export interface OffHeapStretch {
  readonly from: readonly OffHeapReading[]
  readonly to: readonly OffHeapReading[]
}

export interface OffHeapWatch {
  /** From one full garbage collection to another. The looks follow each of them at once, before there is new garbage. */
  readonly whole: OffHeapStretch
  /** Parts of that time, in order. */
  readonly parts: readonly OffHeapStretch[]
  /** Whether the readings leave out what lies idle in the allocator, where a busy program has now more and now less. */
  readonly leavesOutIdle: boolean
  /** By how much the JS heap grew meanwhile, and what snapshots account for of the lines read, in bytes. */
  readonly heapGrowthBytes: number
  readonly accountedBytes: number
}

/**
 * `rose`: by more than chance and the engine's own needs, in each part of the time alike. `uneven`: the same, but not in
 * each part. `still`: by less than that.
 */
export type OffHeapVerdict = 'rose' | 'uneven' | 'still'

export interface OffHeapTrend {
  readonly verdict: OffHeapVerdict
  /** May be below 0. */
  readonly bytes: number
  readonly bytesPerSecond: number
  readonly seconds: number
  /** A smaller change could not be told from chance, in bytes. */
  readonly marginBytes: number
  /** Of each part, bytes a second. */
  readonly partsPerSecond: readonly number[]
  /** Of each line that changed, bytes. */
  readonly lines: Readonly<Record<string, number>>
  readonly leavesOutIdle: boolean
  /**
   * How many more dead objects of native code waited for their collection in the end than in the beginning; only where
   * nobody collected garbage for the readings.
   */
  readonly deadNatives?: number
}

/**
 * By so many bytes, and such a part of what there was, a healthy program at work comes to differ: compiled code, caches
 * of libraries, requests in flight. Of 25 healthy programs of many kinds, on Node 20 and 24, none came to differ by more
 * than 0.7 MB in half a minute, looks after collections compared. A JS heap that grows takes 1.5 % of its growth beside
 * itself, in V8's own tables.
 */
const MARGIN = { bytes: 2e6, share: 0.01, ofHeapGrowth: 0.04 }
/** A part goes with the whole when it gains so much, as a multiple of what it would at the rate of the whole. */
const ALIKE = { least: 0.35, most: 2.5 }
const FEWEST_PARTS = 2
/** In less time, a step says nothing of a rate. */
const LEAST_PART_SECONDS = 0.8

/** Undefined where there are no readings. */
export function judgeOffHeap(watch: OffHeapWatch): OffHeapTrend | undefined {
  const { whole, parts, heapGrowthBytes, accountedBytes, leavesOutIdle } = watch
  const [from, to] = [lowest(whole.from), lowest(whole.to)]
  if (!from || !to) return undefined
  const seconds = (to.atMs - from.atMs) / 1000
  if (seconds <= 0) return undefined
  const change = sumOf(to) - sumOf(from)
  // Snapshots tell how much was asked for, of which not all need be resident.
  const bytes = change - Math.min(Math.max(0, accountedBytes), Math.max(0, change))
  const marginBytes =
    MARGIN.bytes +
    MARGIN.share * sumOf(from) +
    MARGIN.ofHeapGrowth * Math.max(0, heapGrowthBytes) +
    chanceIn(whole.from) +
    chanceIn(whole.to)
  const bytesPerSecond = bytes / seconds
  const partsPerSecond = parts.flatMap((part) => rateOf(part) ?? [])
  const isAlike = (rate: number) => rate >= ALIKE.least * bytesPerSecond && rate <= ALIKE.most * bytesPerSecond
  const isEven = partsPerSecond.length >= FEWEST_PARTS && partsPerSecond.every(isAlike)
  return {
    verdict: bytes <= marginBytes ? 'still' : isEven ? 'rose' : 'uneven',
    ...{ bytes, bytesPerSecond, seconds, marginBytes, partsPerSecond, leavesOutIdle },
    lines: Object.fromEntries(
      Object.keys({ ...from.lines, ...to.lines })
        .map((id) => [id, (to.lines[id] ?? 0) - (from.lines[id] ?? 0)] as const)
        .filter(([, change]) => change !== 0),
    ),
  }
}

const sumOf = ({ lines }: OffHeapReading): number => Object.values(lines).reduce((sum, bytes) => sum + bytes, 0)

/** What is there now is never less than what stays: garbage that waits for its collection only adds to it. */
const lowest = (readings: readonly OffHeapReading[]): OffHeapReading | undefined =>
  readings.reduce<OffHeapReading | undefined>((low, it) => (low && sumOf(low) <= sumOf(it) ? low : it), undefined)

/** The lowest of a few looks lies so far beside the one that would be lowest of many: the gap to the next one. */
function chanceIn(readings: readonly OffHeapReading[]): number {
  const [least = 0, next = least] = readings.map(sumOf).sort((a, b) => a - b)
  return next - least
}

function rateOf({ from, to }: OffHeapStretch): number | undefined {
  const [first, last] = [lowest(from), lowest(to)]
  const seconds = first && last ? (last.atMs - first.atMs) / 1000 : 0
  return seconds >= LEAST_PART_SECONDS ? (sumOf(last!) - sumOf(first!)) / seconds : undefined
}
