// What runs on the second thread: it calls what it is told to call.

import { parentPort } from 'node:worker_threads'
import { LeakscopeError } from '../errors.ts'
import { type Arena, adoptArena, arenasIn } from './arena.ts'

/** Without a name, the module is only to be there when it is needed. */
interface Call {
  readonly id: number
  readonly url: string
  readonly name?: string
  readonly args: readonly unknown[]
  readonly arenas: readonly Arena[]
}

let last = Promise.resolve()

// Nobody would ever be told of a call that cannot be read: the thread ends, and with it all that wait for it.
parentPort!.on('messageerror', (error) => {
  throw error
})

parentPort!.on('message', ({ id, url, name, args, arenas }: Call) => {
  last = last.then(async () => {
    if (name === undefined) return void (await import(url).catch(() => {}))
    for (const arena of arenas) adoptArena(arena)
    try {
      const functions = (await import(url)) as Record<string, (...args: readonly unknown[]) => unknown>
      const value = await functions[name]!(...args)
      parentPort!.postMessage({ id, value, arenas: arenasIn(value) })
    } catch (error) {
      // Of an error of ours, only what every error has would arrive.
      if (!(error instanceof LeakscopeError)) parentPort!.postMessage({ id, error })
      else parentPort!.postMessage({ id, refusal: { code: error.code, message: error.message, hint: error.hint } })
    }
  })
})
