// Node's handles: objects whose other side is native, and which hold a file descriptor, a watch or a process while open.
//
// Holds for Node 18 to 26; the classes of handles are of src/*_wrap.cc, which set them up:
// https://github.com/nodejs/node/blob/v24.x/src/tcp_wrap.cc
// https://github.com/nodejs/node/blob/v24.x/src/base_object.cc: the reference to the native side
// https://github.com/nodejs/node/blob/v24.x/lib/internal/async_hooks.js: `owner_symbol`
// https://github.com/nodejs/node/blob/v24.x/lib/net.js

import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, isObject, nodeName, numberAt, property } from '../graph/look.ts'
import { listenerTable } from './listeners.ts'

/** By what it is: the classes of the handle, and of the object that a program has of it. */
export const HANDLES = {
  childProcess: /^(Process|ChildProcess)$/,
  http2Session: /^(Client|Server)?Http2Session$/,
  http2Stream: /^(Client|Server)?Http2Stream$/,
  server: /^Server$/,
  socket: /^(TCP|TLSWrap|TLSSocket)$/,
  statWatcher: /^StatWatcher$/,
  fileWatcher: /^(FSEvent|FSWatcher)$/,
  compression: /^(Zlib|Gzip|Gunzip|Deflate|DeflateRaw|Inflate|InflateRaw|Unzip|Brotli\w*|Zstd\w*)$/,
  pipe: /^(Pipe|TTY)$/,
  udpSocket: /^UDP$/,
  file: /^FileHandle$/,
  broadcastChannel: /^BroadcastChannel$/,
  messagePort: /^MessagePort$/,
} as const

/** Handles with which another object comes, which says what they are for: by what that is. */
export const COMES_WITH = {
  childProcess: /^Pipe$/,
  http2Session: /^(TCP|TLSWrap|Pipe)$/,
  server: /^(TCP|Pipe)$/,
  broadcastChannel: /^MessagePort$/,
} as const

/** Handles each of which may have timers of its own. */
export const WITH_TIMERS: ReadonlySet<string> = new Set([
  ...['TCP', 'TLSWrap', 'Pipe', 'TTY', 'UDP', 'FSEvent', 'StatWatcher', 'Process', 'Worker', 'Zlib'],
])

/** What Node's native side has in a snapshot goes by names that begin so. */
export const NATIVE_PREFIX = 'Node / '
export const isNodesNative = (name: string): boolean => name.startsWith(NATIVE_PREFIX)

/** The field of an object that leads to its native side. */
export const TO_NATIVE = 'javascript_to_native'
/** The native side of an object of Node; undefined for what has none. */
export const nativeSide = (graph: HeapGraph, node: number): number | undefined => internal(graph, node, TO_NATIVE)

/** The object in the heap that a native side belongs to. */
export const objectOf = (graph: HeapGraph, native: number): number | undefined =>
  internal(graph, native, 'native_to_javascript')

/** Whether it is memory that Node's native side has for a handle, such as the tables of zlib. */
export const isNativeMemory = (graph: HeapGraph, node: number): boolean =>
  /^Node \/ \w+_memory$/.test(nodeName(graph, node))

/** The symbol by which a handle refers to the object that a program has of it. */
export const HANDLE_OWNER = 'owner_symbol'
/** The object that a program has of a handle. */
export const ownerOf = (graph: HeapGraph, handle: number): number | undefined =>
  property(graph, handle, HANDLE_OWNER, 'owner')

/** Whether it is the connection of a client, or its handle. */
export function isAccepted(graph: HeapGraph, handle: number): boolean {
  const socket = ownerOf(graph, handle) ?? handle
  const server = property(graph, socket, 'server') ?? property(graph, socket, '_server')
  return server !== undefined && isObject(graph, server) && listenerTable(graph, server) !== undefined
}

/** The address and port that a socket is connected to, as far as it has been asked for them; else undefined. */
export function peerAddress(
  graph: HeapGraph,
  socket: number,
): { readonly address: string; readonly port: number | undefined } | undefined {
  const peer = property(graph, socket, '_peername')
  const address = peer === undefined ? undefined : property(graph, peer, 'address')
  if (peer === undefined || address === undefined) return undefined
  return { address: nodeName(graph, address), port: numberAt(graph, peer, 'port') }
}

/** The host name that a socket was to connect to. */
export function hostOf(graph: HeapGraph, socket: number): string | undefined {
  const host = property(graph, socket, '_host')
  const text = host === undefined || isObject(graph, host) ? undefined : nodeName(graph, host)
  return text === undefined || /^$|^null$|^system \//.test(text) ? undefined : text
}

/** The command that a child process has started. */
export function commandOf(graph: HeapGraph, child: number): string | undefined {
  const file = property(graph, child, 'spawnfile')
  return file === undefined ? undefined : nodeName(graph, file)
}
