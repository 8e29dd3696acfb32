// What memory a process has beside its heap, told without its help: by the system, and by what pictures know of its heaps.

import {
  BESIDE_ARRAY_BUFFER,
  judgeOffHeap,
  type OffHeapReading,
  type OffHeapStretch,
  type OffHeapTrend,
} from '../../analysis/off-heap.ts'
import type { OutsideHeap } from '../../outside/open.ts'
import type { HeapUsage, SpaceUsage } from '../../outside/usage.ts'
import { type IsolateSizes, ledger } from '../../process/ledger.ts'
import { mappingKinds } from '../../process/mapping-kinds.ts'
import { leavesOutIdle, offHeapLines } from '../../process/off-heap.ts'
import type { ProcessMemory } from '../../process/read-memory.ts'
import { readMallocRegions } from '../../target/linux-malloc.ts'
import { type Mapping, readMemoryMap } from '../../target/memory-map.ts'
import { type OsFacts, readOsFacts } from '../../target/os-facts.ts'
import type { Sample } from './process-samples.ts'

/** What the system says of a process at one moment. */
export interface SystemLook {
  readonly atMs: number
  readonly mappings: readonly Mapping[] | null
  readonly malloc: ProcessMemory['malloc']
  readonly os: OsFacts | undefined
}

export function lookAtSystem(pid: number): SystemLook {
  const mappings = readMemoryMap(pid) ?? null
  const malloc = (mappings && readMallocRegions(pid, mappings)) ?? null
  return { atMs: Date.now(), mappings, malloc, os: readOsFacts(pid) }
}

const NOT_SEEN =
  'from outside nobody says what V8 has from malloc for itself, and how long external strings are: both are in the native heap'

type UsedHeap = Pick<OutsideHeap, 'isolate' | 'usage'>

/** The ledger of a look, with what a picture of the same moment knows. */
export function sampleOutside(look: SystemLook, heaps: readonly UsedHeap[]): Sample {
  const { atMs, mappings, malloc, os } = look
  const buffers = buffersInMalloc(mappings ?? [], heaps)
  const isolates = heaps.map(({ isolate, usage }, i) => ({ isolate, sizes: sizesOf(usage, buffers[i]!) }))
  const memory: ProcessMemory = {
    ...{ isolates, mappings, malloc, rssBytes: os?.rssBytes ?? 0, externalHasWasm: false },
    ownSources: { mainBytes: 0, workerBytes: 0 },
    main: {
      ...{ memoryUsage: null, heapStatistics: null, heapSpaces: null },
      ...{ activeResources: null, eventLoop: null, cpuMs: null },
    },
  }
  const told = ledger(memory)
  const spaces = heaps.flatMap(({ isolate, usage }) => usage.spaces.map((space) => ({ isolate, ...space })))
  return { atMs, memory, os, spaces, ledger: { ...told, notes: [...told.notes, NOT_SEEN] } }
}

/** By heap: bytes of its buffers that malloc handed out. Threads may share one, which then counts once. */
function buffersInMalloc(mappings: readonly Mapping[], heaps: readonly UsedHeap[]): number[] {
  const isInMalloc = mallocCheck(mappings)
  const seen = new Set<number>()
  return heaps.map(({ usage: { stores } }) => {
    let sum = 0
    for (const [i, address] of stores.addresses.entries()) {
      if (seen.has(address) || !isInMalloc(address)) continue
      seen.add(address)
      sum += stores.bytes[i]!
    }
    return sum
  })
}

/** Buffers that can be resized and WebAssembly's memory have mappings of their own, which have lines of their own. */
function mallocCheck(mappings: readonly Mapping[]): (address: number) => boolean {
  const kinds = mappingKinds(mappings)
  return (address) => {
    let [low, high] = [0, mappings.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (mappings[middle]!.start <= address) low = middle
      else high = middle - 1
    }
    return kinds[low] === 'arena' || kinds[low] === 'anonymous'
  }
}

function sizesOf({ spaces }: HeapUsage, arrayBufferBytes: number): IsolateSizes {
  const own = spaces.filter(({ space }) => space !== 'read-only')
  const sum = (of: readonly SpaceUsage[], bytes: (space: SpaceUsage) => number) =>
    of.reduce((total, each) => total + bytes(each), 0)
  const data = own.filter(({ space }) => space !== 'code')
  return {
    usedBytes: sum(data, usedIn),
    committedBytes: sum(data, ({ bytes }) => bytes),
    codeBytes: sum(own, ({ space, bytes }) => (space === 'code' ? bytes : 0)),
    arrayBufferBytes,
    externalBytes: arrayBufferBytes,
    mallocedBytes: 0,
  }
}

const usedIn = ({ livingBytes, garbageBytes }: SpaceUsage): number => livingBytes + garbageBytes

/** As `process.memoryUsage()` counts it: garbage included. */
export const heapUsed = ({ spaces }: HeapUsage): number =>
  spaces.reduce((sum, space) => sum + (space.space === 'read-only' ? 0 : usedIn(space)), 0)

export const buffersOf = ({ stores }: HeapUsage): number => stores.bytes.reduce((sum, bytes) => sum + bytes, 0)

/** Looks at most so often, and no more of a processor's time than this is spent on looking. */
const LOOKS = { most: 40, leastMs: 200, share: 0.06 }

export interface OutsideWatch {
  /** A picture was taken, of the moment of the look. */
  add(look: SystemLook, heaps: readonly UsedHeap[]): void
  stop(): void
  /** Undefined where it was watched for too short. */
  trend(heapGrowthBytes: number): OffHeapTrend | undefined
}

/**
 * Looks at what is in use beside the heap, again and again. Nobody collects garbage for it, so that what dead objects of
 * the heap still have of it is in all figures: the lowest count, and what pictures know of the dead is taken off.
 */
export function watchOutside(pid: number, durationMs: number): OutsideWatch {
  const readings: OffHeapReading[] = []
  const pictures: Picture[] = []
  let idle = true
  const look = (): number => {
    const before = process.cpuUsage()
    const { ledger: told, atMs } = sampleOutside(lookAtSystem(pid), [])
    if (told.rssBytes > 0) {
      readings.push({ atMs, lines: offHeapLines(told) })
      idle &&= leavesOutIdle(told)
    }
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  let timer: NodeJS.Timeout | undefined
  const again = (): void => {
    const tookMs = look()
    timer = setTimeout(again, Math.max(durationMs / LOOKS.most, LOOKS.leastMs, tookMs / LOOKS.share))
  }
  again()
  return {
    add({ mappings }, heaps) {
      const total = (of: (usage: HeapUsage) => number) => heaps.reduce((sum, { usage }) => sum + of(usage), 0)
      pictures.push({
        storeBytes:
          buffersInMalloc(mappings ?? [], heaps).reduce((sum, bytes) => sum + bytes, 0) +
          total(({ deadStoreBytes }) => deadStoreBytes),
        stores: total(({ stores }) => stores.bytes.length),
        deadNatives: total(({ deadNatives }) => deadNatives),
      })
    },
    stop() {
      clearTimeout(timer)
      if (timer) look()
      timer = undefined
    },
    trend: (heapGrowthBytes) => judgeOutside({ readings, pictures, heapGrowthBytes, leavesOutIdle: idle }),
  }
}

/** What a picture knows of memory beside the heap. */
interface Picture {
  /** Of buffers, the dead among them. */
  readonly storeBytes: number
  /** How many buffers there are. */
  readonly stores: number
  readonly deadNatives: number
}

interface OutsideReadings {
  readonly readings: readonly OffHeapReading[]
  readonly pictures: readonly Picture[]
  readonly heapGrowthBytes: number
  readonly leavesOutIdle: boolean
}

/** Undefined where there are too few readings. */
export function judgeOutside({ readings, pictures, ...rest }: OutsideReadings): OffHeapTrend | undefined {
  const [first, last] = [pictures[0], pictures.at(-1)]
  const groups = groupsOf(readings)
  if (!first || !last || groups.length === 0) return undefined
  const trend = judgeOffHeap({
    // What falls back, if only once in the second half, has not been lost.
    whole: { from: groups[0]!, to: readings.slice(Math.ceil(readings.length / 2)) },
    parts: groups.slice(1).map((to, i): OffHeapStretch => ({ from: groups[i]!, to })),
    accountedBytes: last.storeBytes - first.storeBytes + BESIDE_ARRAY_BUFFER * Math.max(0, last.stores - first.stores),
    ...rest,
  })
  return trend && { ...trend, deadNatives: Math.max(0, last.deadNatives - first.deadNatives) }
}

/** Groups of looks that are held against each other, in order of time; of each the lowest counts. */
const GROUPS = { most: 4, least: 3, looks: 2 }

function groupsOf(readings: readonly OffHeapReading[]): OffHeapReading[][] {
  const count = Math.min(GROUPS.most, Math.floor(readings.length / GROUPS.looks))
  if (count < GROUPS.least) return []
  const at = (group: number): number => Math.round((group * readings.length) / count)
  return Array.from({ length: count }, (_, i) => readings.slice(at(i), at(i + 1)))
}
