// A conversation in the Chrome DevTools Protocol: requests with answers, and events in between, over a WebSocket or
// inside another conversation.

import { setMaxListeners } from 'node:events'
import type { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { direct } from './route.ts'
import { type Connection, type ConnectionHandlers, connectWebSocket } from './websocket.ts'

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
  /**
   * The same for events so large or so many that parsing each would cost: `handler` gets the whole message as JSON,
   * in bytes that are only valid during the call.
   */
  onRaw(method: string, handler: (message: Buffer) => void): () => void
}

export interface InspectorSession extends ProtocolClient {
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
  /** Aborts when nothing more is to be hoped for from the target, or wanted of it. */
  readonly signal: AbortSignal
  /** Requests that have no answer yet, those of nested conversations among them. */
  readonly pending: number
  /** Ends the connection; whatever waits for an answer gets `reason`. */
  close(reason?: LeakscopeError): void
  /** A conversation whose messages travel inside this one's, in a way that only the caller knows; it ends with it. */
  nest(send: (text: string) => void): Conversation
}

export interface Conversation extends ProtocolClient {
  readonly pending: number
  /** Hands over one message of the other side; its bytes are only read during the call. */
  receive(message: Buffer): void
  /** Whatever waits for an answer, now or later, gets `reason`; only the first counts. */
  end(reason: LeakscopeError): void
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

/** Connects to the inspector at `url`. When `signal` aborts, every request that has no answer yet is given up. */
export function openSession(url: string, signal: AbortSignal, route = direct): Promise<InspectorSession> {
  return openSessionOver((handlers) => connectWebSocket(url, signal, handlers, route), signal)
}

/** The same over any connection. */
export async function openSessionOver(
  connect: (handlers: ConnectionHandlers) => Promise<Connection>,
  signal: AbortSignal,
): Promise<InspectorSession> {
  signal.throwIfAborted()
  // Each request listens to it, and there may be many at a time; Node would suspect a leak.
  setMaxListeners(0, signal)
  const conversation = createConversation(signal, (text) => socket.send(text))
  const nested = new Set<Conversation>()
  function end(reason: LeakscopeError): void {
    for (const each of [conversation, ...nested]) each.end(reason)
  }

  let setClosed = () => {}
  const closed = new Promise<void>((resolve) => {
    setClosed = resolve
  })
  const socket = await connect({
    onMessage: conversation.receive,
    onClose() {
      end(
        new LeakscopeError('target-unreachable', 'the target closed the connection to its inspector', {
          hint: 'Somebody else may have shut it. Try again.',
        }),
      )
      setClosed()
    },
  })

  return {
    closed,
    signal,
    get pending() {
      return [conversation, ...nested].reduce((sum, each) => sum + each.pending, 0)
    },
    send: conversation.send,
    on: conversation.on,
    onRaw: conversation.onRaw,
    close(reason = new LeakscopeError('cancelled', 'the conversation with the target is over')) {
      end(reason)
      socket.destroy()
    },
    nest(send) {
      const inner: Conversation = createConversation(signal, send, () => nested.delete(inner))
      nested.add(inner)
      return inner
    },
  }
}

/** What is the same whatever carries the messages. */
function createConversation(
  signal: AbortSignal,
  carry: (text: string) => void,
  onEnd: () => void = () => {},
): Conversation {
  const waiting = new Map<number, Waiting>()
  const handlers = new Map<string, Set<(params: unknown) => void>>()
  const rawHandlers = new Map<string, Set<(message: Buffer) => void>>()
  let lastId = 0
  let ended: LeakscopeError | undefined

  return {
    get pending() {
      return waiting.size
    },

    send(method, params = {}, { signal: own = signal, timeoutMs } = {}) {
      if (own.aborted) return Promise.reject(own.reason)
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
                    hint: 'Its thread is blocked outside JavaScript, or it waits for somebody else’s debugger.',
                  }),
                )
              }, timeoutMs)
        const abort = () => giveUp(own.reason)
        const settle = () => {
          clearTimeout(timer)
          own.removeEventListener('abort', abort)
        }
        function giveUp(reason: LeakscopeError): void {
          waiting.delete(id)
          settle()
          reject(reason)
        }
        own.addEventListener('abort', abort, { once: true })
        waiting.set(id, {
          resolve(result) {
            settle()
            resolve(result)
          },
          reject: giveUp,
        })
        carry(JSON.stringify({ id, method, params }))
      })
    },

    on: (method, handler) => subscribe(handlers, method, handler),
    onRaw: (method, handler) => subscribe(rawHandlers, method, handler),

    receive(message) {
      const event = eventName(message)
      if (event !== undefined) {
        for (const handler of rawHandlers.get(event) ?? []) handler(message)
        const listening = handlers.get(event)
        // Most events are nobody's business, such as each script that there is, or the rest of a cancelled snapshot.
        if (!listening) return
        const { params } = JSON.parse(message.toString()) as Message
        for (const handler of listening) handler(params)
        return
      }
      const { id, result, error } = JSON.parse(message.toString()) as Message
      const request = id === undefined ? undefined : waiting.get(id)
      if (id === undefined || !request) return // nobody waits for it any more
      waiting.delete(id)
      if (error) request.reject(refusal(error.message))
      else request.resolve(result)
    },

    end(reason) {
      ended ??= reason
      for (const { reject } of waiting.values()) reject(ended)
      waiting.clear()
      onEnd()
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

/** V8's words where there is no program any more that anything could be asked of. */
const IS_OVER = /^(Cannot find (default execution )?context|Execution context was destroyed)/

const refusal = (message: string): LeakscopeError =>
  IS_OVER.test(message)
    ? new LeakscopeError('target-died', 'its program has come to its end')
    : new LeakscopeError('target-protocol', `the target answered: ${message}`)
