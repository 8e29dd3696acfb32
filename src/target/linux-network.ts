// The way to a port on a loopback that is not ours: a small process in the other network (a container's, mostly) makes
// the connections there and hands them over, open; a socket stays in the network that it was made in.

import { type ChildProcess, spawn } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import type { Route } from './address.ts'

const ANSWER = z.object({ id: z.number(), code: z.string().optional() })
const START_MS = 10_000
const PRIVILEGES =
  'Run leakscope as root of this machine (it takes CAP_SYS_ADMIN and CAP_SYS_PTRACE), or inside the container.'

/** Enters the network of `pid`. Throws a LeakscopeError that says what is missing for it. */
export async function enterNetwork(pid: number): Promise<Route> {
  const helper = await startHelper(pid)
  const waiting = new Map<number, (code: string | undefined, socket?: Socket) => void>()
  let lastId = 0
  helper.on('message', (message, socket) => {
    const { id, code } = ANSWER.parse(message)
    const settle = waiting.get(id)
    waiting.delete(id)
    if (settle) settle(code, socket instanceof Socket ? socket : undefined)
    else if (socket instanceof Socket) socket.destroy() // nobody waits for it any more
  })
  helper.on('exit', () => {
    for (const settle of waiting.values()) settle('EPIPE')
    waiting.clear()
  })
  return {
    connect({ host, port }, { signal, receive }) {
      return new Promise((resolve, reject) => {
        signal.throwIfAborted()
        const id = ++lastId
        const abort = () => {
          waiting.delete(id)
          reject(signal.reason)
        }
        signal.addEventListener('abort', abort, { once: true })
        waiting.set(id, (code, socket) => {
          signal.removeEventListener('abort', abort)
          if (!socket) {
            reject(Object.assign(new Error(`connect ${code} ${host}:${port}`), { code }))
            return
          }
          if (receive) socket.on('data', receive)
          resolve(socket)
        })
        helper.send({ id, host, port }, (error) => {
          if (error) waiting.get(id)?.('EPIPE')
        })
      })
    },
    close() {
      if (helper.connected) helper.disconnect()
    },
  }
}

async function startHelper(pid: number): Promise<ChildProcess> {
  const args = ['--target', String(pid), '--net', ...ownUserNamespace(pid), '--', process.execPath, helperPath()]
  const helper = spawn('nsenter', args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '' },
    // In a group of its own, for Ctrl-C is meant for us, who have to tidy up with its help.
    detached: true,
  })
  let complaint = ''
  helper.stderr!.on('data', (part) => {
    complaint += part
  })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      helper.kill('SIGKILL')
      fail('unreachable', `it took longer than ${START_MS / 1000} s`, PRIVILEGES)
    }, START_MS)
    function fail(what: 'unreachable' | 'not-permitted', why: string, hint: string): void {
      clearTimeout(timer)
      const message = `process ${pid} has a network of its own (a container), and we cannot enter it: ${why}`
      reject(new LeakscopeError(`target-${what}`, message, { hint }))
    }
    helper.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const missing = code === 'ENOENT'
      const why = missing ? 'there is no nsenter here' : message
      fail('unreachable', why, `Run leakscope inside the container${missing ? ', or install util-linux' : ''}.`)
    })
    // Not before all is read that it said.
    helper.once('close', () => {
      const denied = /permission denied|not permitted/i.test(complaint)
      fail(denied ? 'not-permitted' : 'unreachable', complaint.trim() || 'nsenter failed', PRIVILEGES)
    })
    helper.once('message', () => {
      clearTimeout(timer)
      helper.unref()
      helper.channel?.unref()
      resolve(helper)
    })
  })
}

/** Whoever is not root may still be master of the user namespace that the network belongs to, as with rootless podman. */
function ownUserNamespace(pid: number): string[] {
  try {
    const same = readlinkSync(`/proc/${pid}/ns/user`) === readlinkSync('/proc/self/ns/user')
    return same || process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials']
  } catch {
    return []
  }
}

function helperPath(): string {
  return fileURLToPath(new URL('./linux-network-helper.js', import.meta.url))
}
