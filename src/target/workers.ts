// The worker threads of a target: a conversation with each, carried inside the one with its main thread.

import { setMaxListeners } from 'node:events'
import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { unescapeJson } from '../support/unescape.ts'
import { ANSWER_MS, type Conversation, type InspectorSession, type ProtocolClient } from './session.ts'

export interface WorkerThread extends ProtocolClient {
  /** As the program knows it, from 1; never used again for another in the life of the process. */
  readonly threadId: number
  /** The name that the program gave it; from Node 24 on, `WorkerThread` where it gave none. */
  readonly title: string
  /** The URL of its script; empty when it runs a piece of text. */
  readonly url: string
  /** Whether it runs and was not given up. */
  readonly isOpen: boolean
  /** When it last sent something, on the clock of `performance.now()`. */
  readonly heardAtMs: number
  /** Lets go of it: whatever waits for an answer, now or later, gets `reason`. */
  giveUp(reason: LeakscopeError): void
}

export interface Workers {
  /** All that run, whoever started them, by thread; those that were given up as well. */
  list(): WorkerThread[]
  /** Lets go of all of them. */
  leave(): Promise<void>
}

const ATTACHED = z.object({ sessionId: z.string(), workerInfo: z.object({ title: z.string(), url: z.string() }) })
const DETACHED = z.object({ sessionId: z.string() })
const CARRIED = z.object({ params: z.object({ sessionId: z.string(), message: z.string() }) })

/** How long letting go may take; what was asked for is done even if nobody waits for the answer. */
const LEAVE_MS = 5000
const CANCELLED_LEAVE_MS = 500

/**
 * Opens a conversation with every worker thread, and with those that start later. Node's main thread knows them all,
 * a worker's own workers as well, and passes messages on; that needs its own attention only for moments.
 */
export async function attachWorkers(session: InspectorSession): Promise<Workers> {
  const known = new Map<string, OpenWorker>()
  const off = [
    session.on('NodeWorker.attachedToWorker', (params) => {
      const { data } = ATTACHED.safeParse(params)
      // `[worker 3]`, or `[worker 3] name`.
      const [, threadId, title = ''] = /^\[worker (\d+)\] ?(.*)$/s.exec(data?.workerInfo.title ?? '') ?? []
      if (!data || threadId === undefined) return
      known.set(data.sessionId, openWorker(session, data.sessionId, Number(threadId), title, data.workerInfo.url))
    }),
    session.on('NodeWorker.detachedFromWorker', (params) => {
      const { sessionId = '' } = DETACHED.safeParse(params).data ?? {}
      const worker = known.get(sessionId)
      if (!worker?.thread.isOpen) return // that is our own doing
      worker.end(new LeakscopeError('target-died', `worker ${worker.thread.threadId} ended`))
      known.delete(sessionId)
    }),
    session.onRaw('NodeWorker.receivedMessageFromWorker', (message) => {
      passOn(message, (sessionId) => known.get(sessionId))
    }),
  ]
  await session.send('NodeWorker.enable', { waitForDebuggerOnStart: false }, { timeoutMs: ANSWER_MS })

  return {
    list: () => [...known.values()].map(({ thread }) => thread).sort((a, b) => a.threadId - b.threadId),
    async leave() {
      for (const end of off) end()
      // One by one: only that ends a worker's session, and with it the sampling and whatever else was begun there. It
      // outlives `NodeWorker.disable` and the connection (seen on Node 18 to 26), so it is ended after Ctrl-C as well.
      const timeoutMs = session.signal.aborted ? CANCELLED_LEAVE_MS : LEAVE_MS
      const signal = AbortSignal.timeout(LEAVE_MS)
      // All of them wait for it.
      setMaxListeners(0, signal)
      const options = { signal, timeoutMs }
      const detached = [...known.keys()].map((sessionId) => session.send('NodeWorker.detach', { sessionId }, options))
      await Promise.allSettled([...detached, session.send('NodeWorker.disable', {}, options)])
    },
  }
}

interface OpenWorker {
  readonly thread: WorkerThread
  receive(message: Buffer): void
  end(reason: LeakscopeError): void
}

function openWorker(
  session: InspectorSession,
  sessionId: string,
  threadId: number,
  title: string,
  url: string,
): OpenWorker {
  let heardAtMs = performance.now()
  let isOpen = true
  const conversation: Conversation = session.nest((text) => {
    // Node keeps only the low byte of each UTF-16 unit on the way to a worker.
    const message = text.replace(/[\u0080-\uffff]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`)
    // Answered by the main thread, and only when it could not be passed on of any interest.
    session.send('NodeWorker.sendMessageToWorker', { sessionId, message }).catch(end)
  })
  function end(reason: LeakscopeError): void {
    isOpen = false
    conversation.end(reason)
  }
  return {
    end,
    receive(message) {
      heardAtMs = performance.now()
      conversation.receive(message)
    },
    thread: {
      threadId,
      title,
      url,
      get isOpen() {
        return isOpen
      },
      get heardAtMs() {
        return heardAtMs
      },
      send: conversation.send,
      on: conversation.on,
      onRaw: conversation.onRaw,
      giveUp(reason) {
        if (!isOpen) return
        end(reason)
        // So that it does not begin, once it could, what nobody waits for any more.
        session.send('NodeWorker.detach', { sessionId }, { timeoutMs: LEAVE_MS }).catch(() => {})
      },
    },
  }
}

const HEAD = Buffer.from('{"method":"NodeWorker.receivedMessageFromWorker","params":{"sessionId":"')
const MIDDLE = Buffer.from('","message":"')
const TAIL = Buffer.from('"}}')

/** Reused for every message: a snapshot is thousands of large ones. */
let unpacked = Buffer.allocUnsafe(1 << 16)

/** Takes a worker's message out of its envelope, where it is a JSON string, and hands it to its conversation. */
function passOn(envelope: Buffer, find: (sessionId: string) => OpenWorker | undefined): void {
  const middle = envelope.indexOf(MIDDLE, HEAD.length)
  const start = middle + MIDDLE.length
  const end = envelope.length - TAIL.length
  const plain = middle !== -1 && envelope.subarray(0, HEAD.length).equals(HEAD) && envelope.subarray(end).equals(TAIL)
  if (plain && start <= end) {
    if (unpacked.length < end - start) unpacked = Buffer.allocUnsafe(2 * (end - start))
    const length = unescapeJson(envelope, start, end, unpacked, 0)
    if (length !== -1) {
      find(envelope.toString('latin1', HEAD.length, middle))?.receive(unpacked.subarray(0, length))
      return
    }
  }
  const { data } = CARRIED.safeParse(JSON.parse(envelope.toString()))
  if (data) find(data.params.sessionId)?.receive(Buffer.from(data.params.message))
}
