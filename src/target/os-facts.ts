// What Linux says of a process under /proc that explains its memory: resident parts, threads, open files, the cgroup.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

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
    files: countNames(`${proc}/fd`, (fd) => fileKind(readlinkSync(`${proc}/fd/${fd}`))),
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

/** From what the link of a descriptor says: `socket:[123]`, `anon_inode:[eventpoll]`, `/var/log/x`. */
function fileKind(link: string): string {
  const anonymous = /^anon_inode:\[?([^\]]+)\]?$/.exec(link)?.[1]
  if (anonymous !== undefined) return anonymous === 'eventpoll' ? 'epoll' : anonymous
  if (link.startsWith('/dev/')) return 'device'
  return /^(\w+):\[/.exec(link)?.[1] ?? 'file'
}

interface Mount {
  /** The part of the hierarchy that is seen at the mount point. */
  readonly root: string
  readonly point: string
}

function cgroupMemory(pid: number, root: string): CgroupMemory | null {
  // Lines such as `4:memory:/path` (version 1) and `0::/path` (version 2); both may be there, and then 1 counts.
  const lines = (read(`${root}/proc/${pid}/cgroup`) ?? '').split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
  const pathOf = (wanted: (controllers: string[]) => boolean) =>
    lines.find((line) => line && wanted(line[1]!.split(',')))?.[2]
  const first = pathOf((controllers) => controllers.includes('memory'))
  if (first !== undefined) {
    const mount = findMount(root, (type, options) => type === 'cgroup' && options.split(',').includes('memory'))
    return mount ? measure(1, mount, first, 'memory.limit_in_bytes', 'memory.usage_in_bytes') : null
  }
  const second = pathOf((controllers) => controllers[0] === '')
  const mount = second === undefined ? undefined : findMount(root, (type) => type === 'cgroup2')
  return second !== undefined && mount ? measure(2, mount, second, 'memory.max', 'memory.current') : null
}

function measure(version: 1 | 2, mount: Mount, path: string, limitFile: string, usageFile: string): CgroupMemory {
  // Seen from inside a container, the mount begins at its own cgroup, whatever the path says.
  const below = path.startsWith(mount.root) ? path.slice(mount.root.length) : ''
  const parts = below.split('/').filter((part) => part !== '')
  let limitBytes: number | null = null
  let usedBytes: number | null = null
  // From the cgroup itself upwards.
  for (let depth = parts.length; depth >= 0; depth--) {
    const folder = join(mount.point, ...parts.slice(0, depth))
    const limit = readNumber(join(folder, limitFile))
    if (usedBytes === null) usedBytes = readNumber(join(folder, usageFile))
    if (limit === null || limit >= UNLIMITED || (limitBytes !== null && limit >= limitBytes)) continue
    limitBytes = limit
    usedBytes = readNumber(join(folder, usageFile))
  }
  return { version, path, limitBytes, usedBytes }
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
