// Which TCP sockets a Linux process has, from /proc: the inodes of its descriptors joined with the kernel's socket table.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Listener, PortHolder } from './platform.ts'

interface Socket {
  readonly host: string
  readonly port: number
  readonly listening: boolean
  readonly inode: string
}

// From the kernel's include/net/tcp_states.h.
const ESTABLISHED = '01'
const LISTEN = '0A'

/**
 * How many event loops every Node has before anybody opens its inspector: one that only starts libuv, the platform's
 * timer thread and the main thread, in this order (seen on 18 to 26). The inspector's thread has a loop of its own, so
 * a socket in one of the first three is the program's, and is left alone.
 */
const LOOPS_OF_THE_PROGRAM = 3

/** Whoever listens on one of these keeps Node from listening on its default host, 127.0.0.1. */
const CONFLICTING_HOSTS = new Set(['127.0.0.1', '0.0.0.0', '::'])

/** The sockets of the network namespace that `pid` lives in. */
function readTable(pid: number): Socket[] {
  return ['tcp', 'tcp6'].flatMap((name) => {
    let text: string
    try {
      text = readFileSync(`/proc/${pid}/net/${name}`, 'latin1')
    } catch {
      // No IPv6 here, or the process is gone, which the caller notices by itself.
      return []
    }
    return parseSocketTable(text)
  })
}

/** Listening and established sockets in the text of `/proc/net/tcp` or `tcp6`. */
export function parseSocketTable(text: string): Socket[] {
  const sockets: Socket[] = []
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/)
    const [, local, , state] = fields
    const inode = fields[9]
    if ((state !== LISTEN && state !== ESTABLISHED) || local === undefined || inode === undefined) continue
    const colon = local.lastIndexOf(':')
    sockets.push({
      host: parseAddress(local.slice(0, colon)),
      port: Number.parseInt(local.slice(colon + 1), 16),
      listening: state === LISTEN,
      inode,
    })
  }
  return sockets
}

/** `0100007F` → `127.0.0.1`: the kernel prints each 32-bit word as the (little-endian) machine holds it. */
export function parseAddress(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse())
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.')
  const groups: string[] = []
  for (let i = 0; i < bytes.length; i += 2) groups.push(`${bytes[i]}${bytes[i + 1]}`.toLowerCase())
  const address = groups.join(':')
  if (/^(0000:){5}ffff:/.test(address)) return parseAddress(hex.slice(24))
  if (/^(0000:){7}0000$/.test(address)) return '::'
  return address === `${'0000:'.repeat(7)}0001` ? '::1' : address
}

/** Descriptors of a process by what they are; undefined when we may not look. */
export function readDescriptors(pid: number): { sockets: Map<string, number>; loops: number[] } | undefined {
  let names: string[]
  try {
    names = readdirSync(`/proc/${pid}/fd`)
  } catch {
    return undefined
  }
  const sockets = new Map<string, number>()
  const loops: number[] = []
  for (const name of names) {
    let link: string
    try {
      link = readlinkSync(`/proc/${pid}/fd/${name}`)
    } catch {
      continue // closed since
    }
    if (link.startsWith('socket:[')) sockets.set(link.slice(8, -1), Number(name))
    else if (link === 'anon_inode:[eventpoll]') loops.push(Number(name))
  }
  return { sockets, loops: loops.sort((a, b) => a - b) }
}

/** The descriptors that the event loops of the program itself wait for. */
function watchedByProgram(pid: number, loops: readonly number[]): Set<number> {
  const watched = new Set<number>()
  for (const loop of loops.slice(0, LOOPS_OF_THE_PROGRAM)) {
    try {
      for (const match of readFileSync(`/proc/${pid}/fdinfo/${loop}`, 'latin1').matchAll(/^tfd:\s*(\d+)/gm)) {
        watched.add(Number(match[1]))
      }
    } catch {
      // Gone, or a kernel that does not tell: then every socket stays a suspect.
    }
  }
  return watched
}

export function listeners(pid: number): Listener[] | undefined {
  const descriptors = readDescriptors(pid)
  if (!descriptors) return undefined
  const watched = watchedByProgram(pid, descriptors.loops)
  return readTable(pid).flatMap(({ listening, inode, host, port }) => {
    const descriptor = descriptors.sockets.get(inode)
    if (!listening || descriptor === undefined) return []
    return [{ host, port, id: inode, suspect: !watched.has(descriptor) }]
  })
}

export function connections(pid: number, port: number): number | undefined {
  const sockets = readDescriptors(pid)?.sockets
  if (!sockets) return undefined
  return readTable(pid).filter((it) => !it.listening && it.port === port && sockets.has(it.inode)).length
}

export function portHolder(pid: number, port: number, pids: readonly number[]): PortHolder | undefined {
  const own = readDescriptors(pid)?.sockets
  const rivals = readTable(pid).filter(
    (it) => it.listening && it.port === port && CONFLICTING_HOSTS.has(it.host) && !own?.has(it.inode),
  )
  if (rivals.length === 0) return undefined
  const holder = pids.find((other) => {
    const sockets = other === pid ? undefined : readDescriptors(other)?.sockets
    return rivals.some(({ inode }) => sockets?.has(inode))
  })
  return { pid: holder }
}
