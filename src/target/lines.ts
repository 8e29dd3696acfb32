// A connection over a Unix socket on which every message is a line.

import { connect } from 'node:net'
import { LeakscopeError } from '../errors.ts'
import { type Connection, type ConnectionHandlers, createByteQueue } from './websocket.ts'

const READ_BYTES = 256 * 1024
const NEWLINE = 0x0a
const BRACE = 0x7b

/** Connects to the socket at `path`. Rejects with a LeakscopeError that says why nobody can be reached there. */
export function connectLines(path: string, signal: AbortSignal, handlers: ConnectionHandlers): Promise<Connection> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const received = createByteQueue()
    /** How much of `received` is known to hold no newline. */
    let searched = 0
    const socket = connect({
      path,
      onread: {
        // One piece of memory for all that comes, as gigabytes may.
        buffer: Buffer.allocUnsafe(READ_BYTES),
        callback(length: number, bytes: Uint8Array) {
          received.add((bytes as Buffer).subarray(0, length))
          searched = handOver(received.bytes(), searched)
          return true
        },
      },
    })

    /** Hands over the whole lines; returns how much of what is left was searched. */
    function handOver(bytes: Buffer, from: number): number {
      let at = 0
      for (let end = bytes.indexOf(NEWLINE, from); end !== -1; end = bytes.indexOf(NEWLINE, at)) {
        const line = bytes.subarray(at, end)
        at = end + 1
        if (line[0] !== BRACE) {
          socket.destroy() // whoever speaks there, it is not an agent
          return 0
        }
        handlers.onMessage(line)
      }
      received.drop(at)
      return bytes.length - at
    }

    let open = false
    const abort = () => {
      socket.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.on('connect', () => {
      open = true
      signal.removeEventListener('abort', abort)
      resolve({ send: (text) => void socket.write(`${text}\n`), destroy: () => socket.destroy() })
    })
    socket.on('error', (cause) => {
      signal.removeEventListener('abort', abort)
      reject(unreachable(path, cause))
    })
    socket.on('close', () => {
      if (open) handlers.onClose()
    })
  })
}

function unreachable(path: string, cause: NodeJS.ErrnoException): LeakscopeError {
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    return new LeakscopeError('target-not-permitted', `the socket ${path} belongs to another user`, {
      cause,
      hint: 'Run leakscope as the same user, or as root.',
    })
  }
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    ECONNREFUSED: 'nobody listens there any more',
    ENOTSOCK: 'it is not a socket',
  }
  const why = reasons[cause.code ?? ''] ?? cause.message
  return new LeakscopeError('target-unreachable', `no agent answers at ${path}: ${why}`, {
    cause,
    hint: '`leakscope ps --json` shows the sockets of the agents on this machine.',
  })
}
