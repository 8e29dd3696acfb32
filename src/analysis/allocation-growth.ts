// Which functions allocate what stays, by sampling heap profiles alone: what of their samples lives, from reading to reading.

import { isOwn } from '../source/origins.ts'
import { type Frame, isRecord, numberIn, stacksOf } from './allocations.ts'
import { theilSen } from './trend.ts'

/** One reading of what has been sampled so far and is alive: `HeapProfiler.SamplingHeapProfile`. */
export interface SampleReading {
  readonly atMs: number
  readonly profile: unknown
}

/** A function whose allocations stay, and become more. */
export interface GrowingSite {
  /** The function, then those that called it, of the stack that allocated most. */
  readonly frames: readonly Frame[]
  /** Estimated bytes that came while it was sampled, and are alive. */
  readonly bytes: number
  readonly bytesPerSecond: number
  /** How many samples these are. */
  readonly samples: number
  /** Of what came before the last reading, the part that is alive. */
  readonly kept: number
  readonly seconds: number
}

interface Site {
  frames: readonly Frame[]
  /** Bytes of its stack that allocated most. */
  most: number
  /** Living bytes by reading. */
  readonly living: number[]
  /** By the reading in which samples were first seen: bytes, and those of them that are in the last one. */
  readonly born: number[]
  readonly left: number[]
  samples: number
}

/** Fewer readings, or samples that stay, may be chance. */
const LEAST = { readings: 4, samples: 8 }
/** How sure the rise must be; which part of what came must have stayed; and which, of its share, each third of the time. */
const GROWS = { confidence: 0.98, kept: 0.5, third: 0.35 }
const THIRDS = 3

/**
 * The sites that grow, those first that keep most. V8 collects garbage before each reading, so that what is in it is
 * alive. Undefined where the readings do not tell of single samples, or are too few.
 */
export function findGrowingSites(readings: readonly SampleReading[]): GrowingSite[] | undefined {
  if (readings.length < LEAST.readings) return undefined
  const sites = sitesIn(readings)
  return sites?.flatMap((site) => growthOf(site, readings) ?? []).sort((a, b) => b.bytes - a.bytes)
}

function sitesIn(readings: readonly SampleReading[]): Site[] | undefined {
  const sites = new Map<string, Site>()
  /** By ordinal of a sample: the reading that it was first seen in. */
  const born = new Map<number, number>()
  const count = readings.length
  for (const [at, { profile }] of readings.entries()) {
    if (!isRecord(profile) || !Array.isArray(profile.samples)) return undefined
    const stacks = stacksIn(profile.head)
    const perStack = new Map<number, number>()
    for (const sample of profile.samples) {
      if (!isRecord(sample)) continue
      const stack = numberIn(sample.nodeId)
      const frames = stacks.get(stack)
      if (!frames) continue
      const [ordinal, bytes] = [numberIn(sample.ordinal), numberIn(sample.size)]
      const site = siteOf(sites, frames, count)
      const isNew = !born.has(ordinal)
      if (isNew) born.set(ordinal, at)
      const since = born.get(ordinal)!
      site.living[at]! += bytes
      if (isNew) site.born[at]! += bytes
      if (at < count - 1) continue
      site.left[since]! += bytes
      site.samples++
      const ofStack = (perStack.get(stack) ?? 0) + bytes
      perStack.set(stack, ofStack)
      if (ofStack > site.most) Object.assign(site, { most: ofStack, frames })
    }
  }
  return [...sites.values()]
}

function siteOf(sites: Map<string, Site>, frames: readonly Frame[], count: number): Site {
  const { url, line, column } = frames[0]!
  const key = `${url}:${line}:${column}`
  let site = sites.get(key)
  if (!site) {
    const none = () => Array<number>(count).fill(0)
    site = { frames, most: 0, living: none(), born: none(), left: none(), samples: 0 }
    sites.set(key, site)
  }
  return site
}

/** By node of the profile: the frames from the innermost of the program's own on, or, without any, of a package's. */
function stacksIn(head: unknown): Map<number, readonly Frame[]> {
  const stacks = new Map<number, readonly Frame[]>()
  for (const [id, frames] of stacksOf(head)) {
    const first = firstOf(frames)
    if (first >= 0) stacks.set(id, frames.slice(first))
  }
  return stacks
}

/** What V8 compiles is no leak, and what Node does has no line of the program's. */
function firstOf(frames: readonly Frame[]): number {
  if (frames.some(({ function: name, url }) => url === '' && name === '(BYTECODE_COMPILER)')) return -1
  const own = frames.findIndex(({ url }) => url !== '' && isOwn(url))
  return own >= 0 ? own : frames.findIndex(({ url }) => url !== '' && !url.startsWith('node:'))
}

function growthOf(
  { frames, living, born, left, samples }: Site,
  readings: readonly SampleReading[],
): GrowingSite | undefined {
  if (samples < LEAST.samples) return undefined
  const last = readings.length - 1
  const sum = (bytes: readonly number[]) => bytes.reduce((total, each) => total + each, 0)
  // What came in the last step has not had the time to go.
  const [came, stayed] = [sum(born.slice(0, last)), sum(left.slice(0, last))]
  const kept = came > 0 ? stayed / came : 0
  const { slope, low, confidence } = theilSen(living.map((value, i) => ({ atMs: readings[i]!.atMs, value })))
  if (low <= 0 || confidence < GROWS.confidence || kept < GROWS.kept) return undefined
  const total = sum(left)
  const thirds = Array.from({ length: THIRDS }, (_, i) =>
    sum(left.slice(Math.floor((i * left.length) / THIRDS), Math.floor(((i + 1) * left.length) / THIRDS))),
  )
  if (thirds.some((bytes) => bytes < (GROWS.third * total) / THIRDS)) return undefined
  const seconds = (readings[last]!.atMs - readings[0]!.atMs) / 1000
  return { frames, bytes: living[last]!, bytesPerSecond: 1000 * slope, samples, kept: Math.min(1, kept), seconds }
}
