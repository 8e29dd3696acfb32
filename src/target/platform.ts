// What leakscope needs to know from an operating system about other processes, and who answers it here.

import { LeakscopeError } from '../errors.ts'
import type { Route } from './address.ts'
import type { NodeBinary } from './node-binary.ts'

/** Where a process is in its life, as far as it matters to someone who wants an answer from it. */
export type ProcessState = 'running' | 'stopped' | 'zombie'

/** One process as the system describes it; `undefined` stands for what this system does not tell. */
export interface ProcessFacts {
  readonly pid: number
  /** Tells it from others that have, or had, the same pid; empty when the system does not. */
  readonly birth: string
  readonly parentPid: number | undefined
  /** The debugger (as strace, gdb) that holds it, if one does. */
  readonly tracerPid: number | undefined
  /** The id that the process itself knows, which differs inside a container's PID namespace. */
  readonly ownPid: number | undefined
  readonly state: ProcessState
  readonly uid: number | undefined
  readonly rssBytes: number
  /** Since the process began, in milliseconds. */
  readonly ageMs: number
  /** Processor time used so far by all threads, in milliseconds. */
  readonly cpuMs: number | undefined
  /** The command line in its parts; a process that renamed itself shows its new name here. */
  readonly command: readonly string[]
}

/** A TCP port that a process listens on. */
export interface Listener {
  readonly host: string
  readonly port: number
  /** Tells two sockets apart that had the same port one after the other. */
  readonly id: string
  /** False when the socket belongs to the process's own event loop, which an inspector's never does. */
  readonly suspect: boolean
}

/** Who has a port that somebody else wants; the pid is missing when the system keeps it from us. */
export interface PortHolder {
  readonly pid: number | undefined
}

export type Answer = 'yes' | 'no' | 'unknown'

export interface Platform {
  listPids(): Promise<number[]>
  /** Undefined when there is no such process (any more). */
  describe(pid: number): Promise<ProcessFacts | undefined>
  /** What runs in the process; undefined when that is not Node, `unreadable` when we may not look. */
  nodeBinary(pid: number): Promise<NodeBinary | undefined | 'unreadable'>
  /** Undefined when we may not look. */
  listeners(pid: number): Promise<Listener[] | undefined>
  /** How many connections to its own `port` the process has; undefined when that cannot be known. */
  connections(pid: number, port: number): Promise<number | undefined>
  /** Where the leakscope agent inside the process listens; undefined when there is none, or none that we may see. */
  agentSocket(pid: number): Promise<string | undefined>
  /** Who, other than `pid`, listens where `pid` would have to listen on `port`. */
  portHolder(pid: number, port: number): Promise<PortHolder | undefined>
  /** What Node was started with, NODE_OPTIONS first, the program's own arguments last; undefined when that cannot be read. */
  nodeArguments(pid: number): Promise<readonly string[] | undefined>
  /** The port that Node was told to use for its inspector; undefined when that cannot be read. */
  inspectorPort(pid: number): Promise<number | undefined>
  /** Whether the process would survive the request, that is, has a handler for it. */
  acceptsInspectorRequest(pid: number): Promise<Answer>
  /** Whether the process listens on a loopback that is not ours: it runs in another network namespace. */
  hasOwnNetwork(pid: number): Promise<Answer>
  /** The way to the ports of a process in another network. Rejects with a LeakscopeError that says what is missing. */
  enterNetwork(pid: number): Promise<Route>
  /** Asks Node to open its inspector. Throws what `process.kill` throws. */
  requestInspector(pid: number): void
}

/** The platform this process runs on. Loaded on demand, so that only one of them costs start-up time. */
export async function currentPlatform(): Promise<Platform> {
  switch (process.platform) {
    case 'linux':
      return (await import('./linux.ts')).linux
    case 'darwin':
    case 'freebsd':
    case 'openbsd':
      return (await import('./portable.ts')).unix
    case 'win32':
      return (await import('./portable.ts')).windows
    default:
      throw new LeakscopeError(
        'platform-unsupported',
        `leakscope does not know how to find processes on ${process.platform}`,
      )
  }
}
