// What Linux says of a process under /proc that explains its memory: resident parts, threads, open files, the cgroup.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { kindOf } from './open-files.ts'

export interface OsFacts {
  readonly rssBytes: number | null
  /** Of the resident memory: what no file stands behind, such as heaps and stacks. */
  readonly rssAnonBytes: number | null
  readonly rssFileBytes: number | null
  readonly rssShmemBytes: number | null
  /** The most that was ever resident. */
  readonly peakRssBytes: number | null
  readonly swapBytes: number | null
  readonly virtualBytes: number | null
  /** How many threads there are of each name; Node's are called after what they do, libuv's after their program. */
  readonly threads: Readonly<Record<string, number>> | null
  /** How many open files there are of each kind: `file`, `socket`, `pipe`, `eventfd`, `epoll`, `timerfd`, … */
  readonly files: Readonly<Record<string, number>> | null
  readonly cgroup: CgroupMemory | null
}

export interface CgroupMemory {
  readonly version: 1 | 2
  readonly path: string
  /** The tightest limit of it and of all above it; null when none of them has one. */
  readonly limitBytes: number | null
  /** What is used of that limit, or, when there is none, by the cgroup itself; page cache counts as well. */
  readonly usedBytes: number | null
}

/**
 * Undefined where there is no /proc. Each fact that cannot be had is null.
 * @param root where /proc and /sys are, which tests have elsewhere
 */
export function readOsFacts(pid: number, root = ''): OsFacts | undefined {
  if (process.platform !== 'linux') return undefined
  const proc = `${root}/proc/${pid}`
  const status = read(`${proc}/status`) ?? ''
  const kilobytes = (name: string): number | null => {
    const found = new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)
    return found ? Number(found[1]) * 1024 : null
  }
  return {
    rssBytes: kilobytes('VmRSS'),
    rssAnonBytes: kilobytes('RssAnon'),
    rssFileBytes: kilobytes('RssFile'),
    rssShmemBytes: kilobytes('RssShmem'),
    peakRssBytes: kilobytes('VmHWM'),
    swapBytes: kilobytes('VmSwap'),
    virtualBytes: kilobytes('VmSize'),
    threads: countNames(`${proc}/task`, (thread) => read(`${proc}/task/${thread}/comm`)?.trimEnd()),
    files: countNames(`${proc}/fd`, (fd) => kindOf(readlinkSync(`${proc}/fd/${fd}`))),
    cgroup: cgroupMemory(pid, root),
  }
}

/** The folder that a process works in; undefined where that cannot be known from outside. */
export function workingFolder(pid: number): string | undefined {
  return tolerate(() => readlinkSync(`/proc/${pid}/cwd`))
}

function countNames(folder: string, nameOf: (entry: string) => string | undefined): Record<string, number> | null {
  const entries = tolerate(() => readdirSync(folder))
  if (!entries) return null
  const counts = new Map<string, number>()
  for (const entry of entries) {
    // What has gone since the folder was read is not counted.
    const name = tolerate(() => nameOf(entry))
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
}

interface Mount {
  /** The part of the hierarchy that is seen at the mount point. */
  readonly root: string
  readonly point: string
}

/** A cgroup as the control files of one controller show it. */
interface Cgroup {
  readonly version: 1 | 2
  readonly path: string
  /** Its own folder, and those of the cgroups that it is in. */
  readonly folders: readonly string[]
}

function findCgroup(pid: number, root: string, controller: string): Cgroup | undefined {
  // Lines such as `4:memory:/path` (version 1) and `0::/path` (version 2); both may be there, and then 1 counts.
  const lines = (read(`${root}/proc/${pid}/cgroup`) ?? '').split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
  const pathOf = (wanted: (controllers: string[]) => boolean) =>
    lines.find((line) => line && wanted(line[1]!.split(',')))?.[2]
  const first = pathOf((controllers) => controllers.includes(controller))
  if (first !== undefined) {
    const mount = findMount(root, (type, options) => type === 'cgroup' && options.split(',').includes(controller))
    return mount && { version: 1, path: first, folders: foldersOf(mount, first) }
  }
  const second = pathOf((controllers) => controllers[0] === '')
  const mount = second === undefined ? undefined : findMount(root, (type) => type === 'cgroup2')
  return second === undefined ? undefined : mount && { version: 2, path: second, folders: foldersOf(mount, second) }
}

/** From the cgroup itself upwards. */
function foldersOf(mount: Mount, path: string): string[] {
  // Seen from inside a container, the mount begins at its own cgroup, whatever the path says.
  const below = path.startsWith(mount.root) ? path.slice(mount.root.length) : ''
  const parts = below.split('/').filter((part) => part !== '')
  return Array.from({ length: parts.length + 1 }, (_, up) => join(mount.point, ...parts.slice(0, parts.length - up)))
}

function cgroupMemory(pid: number, root: string): CgroupMemory | null {
  const cgroup = findCgroup(pid, root, 'memory')
  if (!cgroup) return null
  const levels = memoryLevels(cgroup)
  let counted = levels.find(({ usedBytes }) => usedBytes !== null)
  let limitBytes: number | null = null
  for (const level of levels) {
    if (level.limitBytes === null || (limitBytes !== null && level.limitBytes >= limitBytes)) continue
    limitBytes = level.limitBytes
    counted = level
  }
  return { version: cgroup.version, path: cgroup.path, limitBytes, usedBytes: counted?.usedBytes ?? null }
}

/** What one cgroup, of those that a process is in, says of its memory. */
export interface MemoryLevel {
  /** Null where it has none of its own. */
  readonly limitBytes: number | null
  readonly usedBytes: number | null
  /** Of the used: page cache that nobody has asked for lately, which the kernel gives up rather than end a process. */
  readonly reclaimableBytes: number | null
}

/** Of the cgroup of process `pid` and all above it, in this order; none where that cannot be known. */
export function readMemoryLevels(pid: number, root = ''): MemoryLevel[] {
  const cgroup = process.platform === 'linux' ? findCgroup(pid, root, 'memory') : undefined
  return cgroup ? memoryLevels(cgroup) : []
}

function memoryLevels({ version, folders }: Cgroup): MemoryLevel[] {
  const [limitFile, usageFile, cache] =
    version === 1
      ? ['memory.limit_in_bytes', 'memory.usage_in_bytes', /^total_inactive_file (\d+)$/m]
      : ['memory.max', 'memory.current', /^inactive_file (\d+)$/m]
  return folders.map((folder) => {
    const limit = readNumber(join(folder, limitFile))
    const inactive = cache.exec(read(join(folder, 'memory.stat')) ?? '')?.[1]
    return {
      limitBytes: limit === null || limit >= UNLIMITED ? null : limit,
      usedBytes: readNumber(join(folder, usageFile)),
      reclaimableBytes: inactive === undefined ? null : Number(inactive),
    }
  })
}

/** How many processors' time the tightest limit of its cgroups leaves process `pid`; null where there is none. */
export function readCpuLimit(pid: number, root = ''): number | null {
  if (process.platform !== 'linux') return null
  const { version, folders = [] } = findCgroup(pid, root, 'cpu') ?? {}
  const limits = folders.map((folder) => {
    const [quota, period] =
      version === 1
        ? [readNumber(join(folder, 'cpu.cfs_quota_us')), readNumber(join(folder, 'cpu.cfs_period_us'))]
        : (read(join(folder, 'cpu.max')) ?? '').trim().split(' ').map(Number)
    return quota && period && quota > 0 ? quota / period : Number.POSITIVE_INFINITY
  })
  const tightest = Math.min(...limits)
  return Number.isFinite(tightest) ? tightest : null
}

/** What this machine could give to programs now, by its own estimate; null where it has none. */
export function readAvailableMemory(root = ''): number | null {
  if (process.platform !== 'linux') return null
  const found = /^MemAvailable:\s*(\d+) kB$/m.exec(read(`${root}/proc/meminfo`) ?? '')?.[1]
  return found === undefined ? null : Number(found) * 1024
}

/** Version 1 writes the largest number of pages where there is no limit. */
const UNLIMITED = 2 ** 62

function findMount(root: string, matches: (type: string, options: string) => boolean): Mount | undefined {
  for (const line of (read(`${root}/proc/self/mountinfo`) ?? '').split('\n')) {
    // Fields of proc(5): id, parent, device, root, mount point, …, `-`, type, source, options of the file system.
    const [before = '', after = ''] = line.split(' - ')
    const [, , , from, point] = before.split(' ')
    const [type, , options] = after.split(' ')
    if (from === undefined || point === undefined || !matches(type ?? '', options ?? '')) continue
    return { root: from === '/' ? '' : from, point: `${root}${point}` }
  }
  return undefined
}

function readNumber(path: string): number | null {
  const text = read(path)?.trim()
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null
}

function read(path: string): string | undefined {
  return tolerate(() => readFileSync(path, 'utf8'))
}

function tolerate<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
