// The kernel's freezer for groups of processes, for what signals do not stop: the first process of a container.
//
// https://docs.kernel.org/admin-guide/cgroup-v2.html (cgroup.freeze)

import { accessSync, constants, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'

/** The folder of a cgroup that has only the process in it; or why there is none that could be frozen. */
export type FoundFreezer =
  | { readonly folder: string; readonly problem?: undefined }
  | { readonly folder?: undefined; readonly problem: string }

/** Processes that are named, of those that would be stopped as well. */
const MOST_NAMED = 5

export function findFreezer(pid: number, proc = '/proc'): FoundFreezer {
  const folder = folderOf(pid, proc)
  if (folder === undefined) return { problem: 'its cgroup (v2) is not to be seen from here' }
  try {
    // The root has no such file.
    if (readFileSync(join(folder, 'cgroup.freeze'), 'latin1').trim() !== '0')
      return { problem: 'its cgroup is frozen by somebody else' }
  } catch {
    return { problem: `its cgroup ${folder} cannot be frozen` }
  }
  const others = processesIn(folder).filter((each) => each !== pid)
  if (others.length > 0) {
    const named = others.slice(0, MOST_NAMED).map((each) => (each === 0 ? 'of another namespace' : String(each)))
    const more = others.length > MOST_NAMED ? `, and ${others.length - MOST_NAMED} more` : ''
    return { problem: `freezing its cgroup would stop other processes as well (${named.join(', ')}${more})` }
  }
  try {
    accessSync(join(folder, 'cgroup.freeze'), constants.W_OK)
  } catch {
    return { problem: `we may not write ${join(folder, 'cgroup.freeze')}` }
  }
  return { folder }
}

function folderOf(pid: number, proc: string): string | undefined {
  try {
    const own = /^0::(.*)$/m.exec(readFileSync(`${proc}/${pid}/cgroup`, 'latin1'))?.[1]
    if (own === undefined) return undefined
    for (const line of readFileSync(`${proc}/self/mountinfo`, 'latin1').split('\n')) {
      // id, parent, device, root in the file system, mount point, options …, a hyphen, the file system's type
      const [before, type] = line.split(' - ')
      if (!type?.startsWith('cgroup2 ')) continue
      const [root, point] = before!.split(' ').slice(3, 5) as [string, string]
      const inside = posix.relative(root, own)
      if (!inside.startsWith('..')) return join(point, inside)
    }
  } catch {
    // It has ended.
  }
  return undefined
}

/** Of the cgroup and all below, which are frozen with it. What is in another namespace is 0. */
function processesIn(folder: string): number[] {
  const own = readFileSync(join(folder, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean).map(Number)
  const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return [...own, ...below.flatMap(({ name }) => processesIn(join(folder, name)))]
}

export const freeze = (folder: string): void => writeFileSync(join(folder, 'cgroup.freeze'), '1')
export const thaw = (folder: string): void => writeFileSync(join(folder, 'cgroup.freeze'), '0')
export const isFrozen = (folder: string): boolean =>
  /^frozen 1$/m.test(readFileSync(join(folder, 'cgroup.events'), 'latin1'))
