// What the descriptors of a Linux process lead to, by kind and by what is at the other end, from /proc.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseAddress } from './linux-sockets.ts'

/** Descriptors that lead to the same. */
export interface OpenFiles {
  /** `file`, `device`, `pipe`, `socket`, `eventfd`, `epoll`, … */
  readonly kind: string
  /** Of a file its folder, of a socket whom it is with; empty where that says nothing. */
  readonly peer: string
  readonly count: number
  /** How many names there are among them: fewer than `count` where one was opened several times. */
  readonly names: number
  /** One of them, as the system names it. */
  readonly example: string
}

/** Undefined where that may not be seen. @param root where /proc is, which tests have elsewhere */
export function readOpenFiles(pid: number, root = ''): OpenFiles[] | undefined {
  const folder = `${root}/proc/${pid}/fd`
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return undefined
  }
  const links = names.flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)]
    } catch {
      return [] // closed since
    }
  })
  const peers = links.some((link) => link.startsWith('socket:')) ? readPeers(pid, root) : new Map<string, string>()
  const groups = new Map<string, { kind: string; peer: string; links: string[] }>()
  for (const link of links) {
    const kind = kindOf(link)
    const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1]
    const peer = kind === 'file' ? dirname(link) : kind === 'device' ? link : inode ? (peers.get(inode) ?? '') : ''
    const key = `${kind} ${peer}`
    const group = groups.get(key) ?? { kind, peer, links: [] }
    group.links.push(link)
    groups.set(key, group)
  }
  return [...groups.values()].map(({ kind, peer, links: own }) => {
    return { kind, peer, count: own.length, names: new Set(own).size, example: own.at(-1)! }
  })
}

/** From what the link of a descriptor says: `socket:[123]`, `anon_inode:[eventpoll]`, `/var/log/x`. */
export function kindOf(link: string): string {
  const anonymous = /^anon_inode:\[?([^\]]+)\]?$/.exec(link)?.[1]
  if (anonymous !== undefined) return anonymous === 'eventpoll' ? 'epoll' : anonymous
  if (link.startsWith('/dev/')) return 'device'
  return /^(\w+):\[/.exec(link)?.[1] ?? 'file'
}

/** The most that the process may have open; undefined where that is not known, or without bounds. */
export function readOpenFileLimit(pid: number, root = ''): number | undefined {
  try {
    const text = readFileSync(`${root}/proc/${pid}/limits`, 'latin1')
    const limit = Number(/^Max open files\s+(\d+)/m.exec(text)?.[1])
    return Number.isFinite(limit) ? limit : undefined
  } catch {
    return undefined
  }
}

/** From the kernel's include/net/tcp_states.h. */
const STATES: Readonly<Record<string, string>> = {
  '01': 'established',
  '02': 'connecting',
  '04': 'closing',
  '05': 'closing',
  '07': 'closed',
  // The other side has closed, and this process has not.
  '08': 'closed by the other side',
  '0A': 'listening',
}

/** Whom each TCP socket of the network that the process lives in is with, by inode. */
function readPeers(pid: number, root: string): Map<string, string> {
  const rows = ['tcp', 'tcp6'].flatMap((name) => {
    try {
      return readFileSync(`${root}/proc/${pid}/net/${name}`, 'latin1').split('\n').slice(1)
    } catch {
      return []
    }
  })
  const fields = rows.map((row) => row.trim().split(/\s+/)).filter(({ length }) => length > 9)
  const port = (address: string) => Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16)
  const listening = new Set(fields.filter(([, , , state]) => state === '0A').map(([, local]) => port(local!)))
  return new Map(
    fields.map(([, local = '', remote = '', state = '', , , , , , inode = '']) => {
      const said = STATES[state] ?? `state ${state}`
      if (state === '0A') return [inode, `listening on port ${port(local)}`]
      // Each client has a port of its own.
      if (listening.has(port(local))) return [inode, `clients on port ${port(local)}, ${said}`]
      return [inode, `${parseAddress(remote.slice(0, remote.lastIndexOf(':')))}:${port(remote)}, ${said}`]
    }),
  )
}
