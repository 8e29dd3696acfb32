// What room there is for a snapshot, and what speaks against paying its price; what is not known speaks for nothing.

import { freeBytes } from '../support/files.ts'
import { formatBytes, formatDuration } from '../support/format.ts'
import { type MemoryLevel, readAvailableMemory, readMemoryLevels, readOsFacts } from '../target/os-facts.ts'
import type { Price, Range } from './price.ts'

export interface MemoryRoom {
  readonly kind: 'cgroup' | 'machine' | 'limit'
  readonly freeBytes: number
  /** Of which that is left; null for a machine, where it does not matter. */
  readonly limitBytes: number | null
}

export interface Room {
  /** All that bound it; none where nothing is known, as of a process elsewhere. */
  readonly memory: readonly MemoryRoom[]
  /** Where the files go; null when unknown. */
  readonly diskBytes: number | null
}

export interface RoomOptions {
  /** On this machine; undefined for a process elsewhere. */
  readonly pid: number | undefined
  readonly folder: string
  /** Takes the place of the cgroup's. */
  readonly memoryLimitBytes: number | undefined
  /** What the process has now, by its own word. */
  readonly rssBytes: number | null
  /** Where /proc and /sys are, which tests have elsewhere. */
  readonly root?: string
}

export function findRoom({ pid, folder, memoryLimitBytes, rssBytes, root = '' }: RoomOptions): Room {
  const memory: MemoryRoom[] = []
  if (memoryLimitBytes !== undefined) {
    const usedBytes = (pid === undefined ? undefined : readOsFacts(pid, root)?.rssBytes) ?? rssBytes
    if (usedBytes !== null) memory.push(left('limit', memoryLimitBytes, usedBytes))
  } else if (pid !== undefined) memory.push(...tightest(readMemoryLevels(pid, root)))
  const available = pid === undefined ? null : readAvailableMemory(root)
  if (available !== null) memory.push({ kind: 'machine', freeBytes: available, limitBytes: null })
  return { memory, diskBytes: freeBytes(folder) }
}

/** The one with the least room, which need not be that with the lowest limit. */
function tightest(levels: readonly MemoryLevel[]): MemoryRoom[] {
  return levels
    .flatMap(({ limitBytes, usedBytes, reclaimableBytes }) =>
      limitBytes === null || usedBytes === null
        ? []
        : [left('cgroup', limitBytes, usedBytes - (reclaimableBytes ?? 0))],
    )
    .sort((a, b) => a.freeBytes - b.freeBytes)
    .slice(0, 1)
}

function left(kind: MemoryRoom['kind'], limitBytes: number, usedBytes: number): MemoryRoom {
  return { kind, limitBytes, freeBytes: Math.max(0, limitBytes - usedBytes) }
}

export interface Objection {
  readonly about: 'memory' | 'disk' | 'pause'
  /** In words, with the numbers. */
  readonly reason: string
}

export interface Bounds {
  readonly room: Room
  readonly maxPauseMs: number
  /** The longest pause of any one isolate. */
  readonly longestPauseMs: Range
}

/** What speaks against `price`, with its guesses taken at one end: the cautious one is `high`. */
export function objections(price: Price, { room, maxPauseMs, longestPauseMs }: Bounds, end: keyof Range): Objection[] {
  const found: Objection[] = []
  const memory = price.memoryBytes[end]
  for (const { kind, freeBytes, limitBytes } of room.memory) {
    if (memory <= freeBytes) continue
    const left = formatBytes(freeBytes)
    const limit = limitBytes === null ? '' : formatBytes(limitBytes)
    const where = {
      cgroup: `its cgroup has ${left} left of ${limit}`,
      machine: `the machine has ${left} left`,
      limit: `the limit of ${limit} leaves it ${left}`,
    }
    found.push({ about: 'memory', reason: `it may need ${formatBytes(memory)} more memory, and ${where[kind]}` })
  }
  const disk = price.fileBytes[end]
  if (room.diskBytes !== null && disk > room.diskBytes) {
    const reason = `it may need ${formatBytes(disk)} on the disk, which has ${formatBytes(room.diskBytes)} left`
    found.push({ about: 'disk', reason })
  }
  const pause = longestPauseMs[end]
  if (pause > maxPauseMs) {
    const reason = `its thread may stand still for ${formatDuration(pause)}, longer than the ${formatDuration(maxPauseMs)} of --max-pause`
    found.push({ about: 'pause', reason })
  }
  return found
}
