// A second thread for work that can go on beside the first one's: functions of our own modules, over shared memory.

import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type ErrorCode, LeakscopeError } from '../errors.ts'
import { type Arena, adoptArena, arenasIn } from './arena.ts'

export interface SecondThread {
  /**
   * Calls the exported function `name` of the module at `url` there. Arguments and result are copied, but for what
   * stands in SharedArrayBuffers. Calls are carried out one after another.
   */
  call<T>(url: string, name: string, ...args: readonly unknown[]): Promise<T>
  /** Ends the thread at once, whatever it is doing; calls under way are rejected. */
  close(): Promise<void>
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  /** What `value` stands in. */
  readonly arenas?: readonly Arena[]
  readonly error?: unknown
  /** What a LeakscopeError was made of. */
  readonly refusal?: { readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined }
}

let ready: ReturnType<typeof start>

/**
 * Starts the thread for whoever is the next to want one, and has it load the module at `url` meanwhile: it takes as
 * long to come as a command takes to load its own.
 */
export function startAhead(url: string): void {
  ready ??= start()
  ready?.load(url)
}

/** Starts the thread; undefined where there is no processor to run it. */
export function startSecondThread(): SecondThread | undefined {
  const thread = ready ?? start()
  ready = undefined
  return thread
}

function start(): (SecondThread & { load(url: string): void }) | undefined {
  if (availableParallelism() < 2) return undefined
  // The flags of the program that we are part of (--input-type, --import) are not meant for it.
  const worker = new Worker(new URL(compiled(new URL('./second-thread-main.js', import.meta.url).href)), {
    execArgv: [],
  })
  const waiting = new Map<number, PromiseWithResolvers>()
  let calls = 0
  let ended: Error | undefined

  function end(error: Error): void {
    ended ??= error
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  worker.on('message', ({ id, value, arenas = [], error, refusal }: Answer) => {
    for (const arena of arenas) adoptArena(arena)
    const call = waiting.get(id)
    // What comes while the thread is being ended must not keep the process from waiting for that.
    if (!call) return
    waiting.delete(id)
    if (waiting.size === 0) worker.unref()
    if (refusal) {
      const { code, message, hint } = refusal
      call.reject(new LeakscopeError(code, message, hint === undefined ? {} : { hint }))
    } else if (error === undefined) call.resolve(value)
    else call.reject(error)
  })
  worker.on('error', end)
  worker.on('messageerror', end)
  worker.on('exit', () => end(new Error('the second thread has ended')))
  // A thread that nobody waits for keeps no process alive.
  worker.unref()

  return {
    load: (url) => worker.postMessage({ url: compiled(url) }),
    call<T>(url: string, name: string, ...args: readonly unknown[]): Promise<T> {
      return new Promise((resolve, reject) => {
        if (ended) return reject(ended)
        waiting.set(calls, { resolve: resolve as (value: unknown) => void, reject })
        worker.ref()
        worker.postMessage({ id: calls++, url: compiled(url), name, args, arenas: arenasIn(args) })
      })
    },
    async close() {
      end(new Error('the second thread was ended'))
      await worker.terminate()
    },
  }
}

interface PromiseWithResolvers {
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** Our tests run the sources, which a thread or a process of Node 20 cannot: it is handed what the build made of them. */
export function compiled(url: string): string {
  const source = fileURLToPath(new URL('../', import.meta.url))
  if (!import.meta.url.endsWith('.ts')) return url
  return url.replace(source, source.replace(/src\/$/, 'dist/')).replace(/\.ts$/, '.js')
}
