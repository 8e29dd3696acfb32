// Where the leakscope agent inside a Linux process listens, from /proc: the socket is the process's own beyond doubt, in
// whatever folder and container it is.

import { readFileSync, readlinkSync } from 'node:fs'
import { readDescriptors } from './linux-sockets.ts'

/** From the kernel's include/uapi/linux/net.h: the flag of a socket that listens. */
const ACCEPTS_CONNECTIONS = 0x10000

/** A path that leads there from here; undefined when there is no agent, or we may not look. */
export function agentSocket(pid: number): string | undefined {
  let table: string
  try {
    table = readFileSync(`/proc/${pid}/net/unix`, 'utf8')
  } catch {
    return undefined
  }
  const candidates = parseAgentSockets(table)
  if (candidates.length === 0) return undefined
  const own = readDescriptors(pid)?.sockets
  const path = candidates.find((it) => own?.has(it.inode))?.path
  return path === undefined ? undefined : `${rootOf(pid)}${path}`
}

/** The sockets in the text of `/proc/net/unix` that listen under an agent's name. */
export function parseAgentSockets(text: string): { readonly inode: string; readonly path: string }[] {
  return [...text.matchAll(/^\w+: \w+ \w+ (\w+) \w+ \w+ +(\d+) (\/.*\/agent-\d+(?:-\d+)?\.sock)$/gm)].flatMap(
    ([, flags, inode, path]) =>
      Number.parseInt(flags!, 16) & ACCEPTS_CONNECTIONS ? [{ inode: inode!, path: path! }] : [],
  )
}

/** What to put before a path of the process; nothing where it sees the same files as we do. */
function rootOf(pid: number): string {
  try {
    const same = readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt')
    return same && readlinkSync(`/proc/${pid}/root`) === readlinkSync('/proc/self/root') ? '' : `/proc/${pid}/root`
  } catch {
    return ''
  }
}
