// A conversation in the Chrome DevTools Protocol over one WebSocket: requests with answers, and events in between.

import { WebSocket } from 'ws'
import type { z } from 'zod'
import { LeakscopeError } from '../errors.ts'

export interface SendOptions {
  /** Gives up waiting for the answer; the target still does what it was asked. Undefined takes the session's own. */
  readonly signal?: AbortSignal | undefined
  /** Undefined waits as long as the connection lives. */
  readonly timeoutMs?: number | undefined
}

/** What captures need of a target's isolate, whatever carries the messages. */
export interface ProtocolClient {
  send(method: string, params?: object, options?: SendOptions): Promise<unknown>
  /** Calls `handler` for every `method` event until the returned function is called. */
  on(method: string, handler: (params: unknown) => void): () => void
}

export interface InspectorSession extends ProtocolClient {
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
  /** When the last message came, by `performance.now()`. */
  readonly lastHeardMs: number
  /** Requests that have no answer yet. */
  readonly pending: number
  /** Ends the connection; whatever waits for an answer gets `reason`. */
  close(reason?: LeakscopeError): void
}

interface Waiting {
  resolve(result: unknown): void
  reject(error: LeakscopeError): void
}

interface Message {
  readonly id?: number
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

const CONNECT_MS = 5000

/** Connects to the inspector at `url`. When `signal` aborts, every request that has no answer yet is given up. */
export function openSession(url: string, signal: AbortSignal): Promise<InspectorSession> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    // Compression costs the target time that it stands still. V8 sends ASCII only, so there is no UTF-8 to check.
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      handshakeTimeout: CONNECT_MS,
      maxPayload: 0,
    })
    const session = createSession(socket, signal)
    const giveUp = () => {
      session.close()
      reject(signal.reason)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    const settle = () => signal.removeEventListener('abort', giveUp)
    socket.once('open', () => {
      settle()
      resolve(session)
    })
    socket.on('error', (cause) => {
      settle()
      reject(new LeakscopeError('target-unreachable', `the inspector at ${url} refuses the connection`, { cause }))
    })
  })
}

function createSession(socket: WebSocket, ownSignal: AbortSignal): InspectorSession {
  const waiting = new Map<number, Waiting>()
  const handlers = new Map<string, Set<(params: unknown) => void>>()
  let lastId = 0
  let lastHeardMs = performance.now()
  let ended: LeakscopeError | undefined

  function end(reason: LeakscopeError): void {
    ended ??= reason
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }

  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      end(new LeakscopeError('target-unreachable', 'the target closed the connection to its inspector'))
      resolve()
    })
  })

  socket.on('message', (data) => {
    lastHeardMs = performance.now()
    const bytes = data as Buffer
    const event = eventName(bytes)
    if (event !== undefined) {
      const listening = handlers.get(event)
      // Most events are nobody's business, such as each script that there is, or the rest of a cancelled snapshot.
      if (!listening) return
      const { params } = JSON.parse(bytes.toString()) as Message
      for (const handler of listening) handler(params)
      return
    }
    const message = JSON.parse(bytes.toString()) as Message
    if (message.id === undefined) return
    const request = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.error)
      request?.reject(new LeakscopeError('target-protocol', `the target answered: ${message.error.message}`))
    else request?.resolve(message.result)
  })

  return {
    closed,
    get lastHeardMs() {
      return lastHeardMs
    },
    get pending() {
      return waiting.size
    },

    send(method, params = {}, { signal = ownSignal, timeoutMs } = {}) {
      if (signal.aborted) return Promise.reject(signal.reason)
      if (ended) return Promise.reject(ended)
      const id = ++lastId
      return new Promise((resolve, reject) => {
        const timer =
          timeoutMs === undefined
            ? undefined
            : setTimeout(() => {
                const seconds = Math.round(timeoutMs / 1000)
                giveUp(
                  new LeakscopeError('target-timeout', `the target did not answer ${method} within ${seconds} s`, {
                    hint: 'Its main thread is blocked outside JavaScript, or it waits for somebody else’s debugger.',
                  }),
                )
              }, timeoutMs)
        const abort = () => giveUp(signal.reason)
        const settle = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', abort)
        }
        function giveUp(reason: LeakscopeError): void {
          waiting.delete(id)
          settle()
          reject(reason)
        }
        signal.addEventListener('abort', abort, { once: true })
        waiting.set(id, {
          resolve(result) {
            settle()
            resolve(result)
          },
          reject: giveUp,
        })
        socket.send(JSON.stringify({ id, method, params }))
      })
    },

    on: (method, handler) => subscribe(handlers, method, handler),

    close(reason = new LeakscopeError('cancelled', 'the conversation with the target is over')) {
      end(reason)
      // Not close(): that waits for the other side, which may be busy for minutes.
      socket.terminate()
    },
  }
}

const EVENT_START = Buffer.from('{"method":"')

/** An event's method, which V8 writes first; undefined for an answer. */
function eventName(message: Buffer): string | undefined {
  if (EVENT_START.compare(message, 0, EVENT_START.length) !== 0) return undefined
  return message.toString('latin1', EVENT_START.length, message.indexOf('"', EVENT_START.length))
}

function subscribe<T>(handlers: Map<string, Set<T>>, method: string, handler: T): () => void {
  const set = handlers.get(method) ?? new Set()
  handlers.set(method, set.add(handler))
  return () => {
    set.delete(handler)
    if (set.size === 0) handlers.delete(method)
  }
}

/** How long a target's main thread may take for a small question; it is interrupted for it, even inside a loop. */
export const ANSWER_MS = 15_000

/**
 * Runs `expression` in the target's main context and checks what comes back. It sees the console's `require`, also in
 * programs of ES modules only; it must not throw, nor leave anything behind that it does not mean to.
 */
export async function evaluate<T>(
  client: ProtocolClient,
  expression: string,
  answer: z.ZodType<T>,
  options: SendOptions = { timeoutMs: ANSWER_MS },
): Promise<T> {
  const raw = await client.send(
    'Runtime.evaluate',
    { expression, returnByValue: true, silent: true, includeCommandLineAPI: true },
    options,
  )
  const result = answer.safeParse((raw as { result?: { value?: unknown } } | undefined)?.result?.value)
  if (result.success) return result.data
  throw new LeakscopeError('target-protocol', 'the target gave an answer that makes no sense to leakscope', {
    cause: result.error,
  })
}
