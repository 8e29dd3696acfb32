// Processes as Linux shows them under /proc. Reads are synchronous on purpose: no disk is behind them.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { agentSocket } from './linux-agent.ts'
import { enterNetwork } from './linux-network.ts'
import { connections, listeners, portHolder } from './linux-sockets.ts'
import { argumentsOf, inspectorPortOf } from './node-arguments.ts'
import { type NodeBinary, readNodeBinary } from './node-binary.ts'
import type { Platform, ProcessFacts, ProcessState } from './platform.ts'

/** USER_HZ: what the kernel counts in towards user space, 100 on every architecture that Node runs on. */
const TICK_MS = 10

/** SIGUSR1 is signal 10; signal n is bit n-1 of the masks in `/proc/PID/status`. */
const SIGUSR1_BIT = 1n << 9n

export const linux: Platform = {
  listPids: async () => listPids(),
  describe: async (pid) => describe(pid),
  nodeBinary: async (pid) => nodeBinary(pid),
  listeners: async (pid) => listeners(pid),
  connections: async (pid, port) => connections(pid, port),
  agentSocket: async (pid) => agentSocket(pid),
  portHolder: async (pid, port) => portHolder(pid, port, listPids()),
  nodeArguments: async (pid) => nodeArguments(pid),
  async inspectorPort(pid) {
    const args = nodeArguments(pid)
    return args && inspectorPortOf(args)
  },

  async acceptsInspectorRequest(pid) {
    const caught = statusField(read(pid, 'status') ?? '', 'SigCgt')
    if (caught === undefined) return 'unknown'
    return (BigInt(`0x${caught}`) & SIGUSR1_BIT) === 0n ? 'no' : 'yes'
  },

  async hasOwnNetwork(pid) {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net') ? 'no' : 'yes'
    } catch {
      return 'unknown'
    }
  },

  enterNetwork: (pid) => enterNetwork(pid),
  requestInspector: (pid) => void process.kill(pid, 'SIGUSR1'),
}

function read(pid: number | 'self', name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return undefined
  }
}

function listPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function statusField(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]
}

/** The fields of `/proc/PID/stat` from the third on; the second, the name, may hold spaces and parentheses itself. */
function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function describe(pid: number): ProcessFacts | undefined {
  const stat = read(pid, 'stat')
  const status = read(pid, 'status')
  const self = read('self', 'stat')
  if (stat === undefined || status === undefined || self === undefined) return undefined
  // A thread's id has a folder as well, though it is not listed.
  if (Number(statusField(status, 'Tgid')) !== pid) return undefined
  const fields = statFields(stat)
  const startTicks = Number(fields[19])
  // Measured against ourselves: the clocks in /proc/stat and /proc/uptime are not the same ones inside containers.
  const ageMs = process.uptime() * 1000 + (Number(statFields(self)[19]) - startTicks) * TICK_MS
  const command = (read(pid, 'cmdline') ?? '').replace(/\0+$/, '')
  return {
    pid,
    birth: fields[19]!,
    parentPid: Number(fields[1]),
    tracerPid: Number(statusField(status, 'TracerPid')) || undefined,
    ownPid: Number(statusField(status, 'NSpid')?.split(/\s+/).at(-1) ?? pid),
    state: stateOf(fields[0]!),
    uid: Number(statusField(status, 'Uid')?.split(/\s+/)[1]),
    rssBytes: Number.parseInt(statusField(status, 'VmRSS') ?? '0', 10) * 1024,
    ageMs: Math.max(0, ageMs),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    command: command === '' ? [`[${statusField(status, 'Name')}]`] : command.split('\0'),
  }
}

function stateOf(letter: string): ProcessState {
  if (letter === 'Z' || letter === 'X') return 'zombie'
  return letter === 'T' || letter === 't' ? 'stopped' : 'running'
}

function nodeBinary(pid: number): NodeBinary | undefined | 'unreadable' {
  try {
    // The link leads to the file itself, also when it was renamed or deleted since (an upgrade), or is in a container.
    return readNodeBinary(`/proc/${pid}/exe`) ?? sharedNode(pid)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // A kernel thread has no executable: ENOENT, as for a process that has just ended.
    return code === 'EACCES' || code === 'EPERM' ? 'unreadable' : undefined
  }
}

const UNKNOWN_NODE: NodeBinary = { version: undefined, inspector: true }

/** Node as a shared library, as some distributions build it. */
function sharedNode(pid: number): NodeBinary | undefined {
  const path = /\s(\/\S*\/libnode\.so[.\d]*)/.exec(read(pid, 'maps') ?? '')?.[1]
  if (path === undefined) return undefined
  try {
    return readNodeBinary(`/proc/${pid}/root${path}`) ?? UNKNOWN_NODE
  } catch {
    return UNKNOWN_NODE // replaced on disk since; the process still runs the old one
  }
}

function nodeArguments(pid: number): string[] | undefined {
  const command = describe(pid)?.command
  if (command === undefined) return undefined
  let executable: string
  try {
    executable = readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return undefined
  }
  const environment = (read(pid, 'environ') ?? '').split('\0')
  const nodeOptions = environment.find((it) => it.startsWith('NODE_OPTIONS='))?.slice('NODE_OPTIONS='.length)
  return argumentsOf(command, executable, nodeOptions)
}
