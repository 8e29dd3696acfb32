// Ways to a port: straight from here, or (see namespace.ts) from inside a network that is not ours.

import { connect } from 'node:net'
import { type Route, reachable } from './address.ts'
import type { Platform } from './platform.ts'

const READ_BYTES = 256 * 1024
/** A network that is gone says nothing; after this long without a word the system asks, ten times in ten seconds. */
const KEEP_ALIVE_MS = 10_000

export const direct: Route = {
  connect({ host, port }, { signal, receive }) {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      const socket = connect({
        host: reachable(host),
        port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
        ...(receive && {
          // One piece of memory for all that comes: gigabytes of messages would make us large before they are collected.
          onread: {
            buffer: Buffer.allocUnsafe(READ_BYTES),
            callback(length: number, bytes: Uint8Array) {
              receive((bytes as Buffer).subarray(0, length))
              return true
            },
          },
        }),
      })
      const abort = () => fail(signal.reason)
      function fail(reason: unknown): void {
        signal.removeEventListener('abort', abort)
        socket.destroy()
        reject(reason)
      }
      signal.addEventListener('abort', abort, { once: true })
      socket.once('error', fail)
      socket.once('connect', () => {
        signal.removeEventListener('abort', abort)
        socket.off('error', fail)
        resolve(socket)
      })
    })
  },
  close() {},
}

/** The way to the ports of process `pid`. Rejects with a LeakscopeError when its network cannot be entered. */
export async function routeTo(platform: Platform, pid: number): Promise<Route> {
  return (await platform.hasOwnNetwork(pid)) === 'yes' ? platform.enterNetwork(pid) : direct
}
