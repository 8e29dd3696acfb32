// What answers requests inside the process: a session of Node's own inspector, or what does without one.

import type { InspectorNotification, Session } from 'node:inspector'
import { createProfiler } from './profiler.cts'
import { createSubstitute } from './substitute.cts'
import type { Engine, Event } from './wire.cts'

/** Nothing of it is loaded before somebody asks. */
export function openEngine(onEvent: (event: Event) => void): Engine {
  const profiler = createProfiler()
  const { Session } = tryInspector() ?? {}
  let session: Session
  try {
    if (!Session) return createSubstitute(profiler, onEvent)
    session = new Session()
    session.connect()
  } catch {
    return createSubstitute(profiler, onEvent) // --permission without --allow-inspector
  }
  session.on('inspectorNotification', (event: InspectorNotification<object>) => onEvent(event))
  return {
    inspector: true,
    post(method, params, done) {
      try {
        const refusal = refuse(method)
        if (refusal) return done(new Error(refusal))
        const answered = profiler.answer(method, params)
        if (answered) return done(null, answered)
        session.post(method, harmless(method, params), done)
      } catch (error) {
        done(error as Error)
      }
    },
    close() {
      profiler.close()
      session.disconnect()
    },
  }
}

function tryInspector(): typeof import('node:inspector') | undefined {
  try {
    return require('node:inspector')
  } catch {
    return undefined // built without it
  }
}

/** Whoever stops the thread that the answers come from waits for ever. */
function refuse(method: string): string | undefined {
  if (!method.startsWith('Debugger.') || method === 'Debugger.enable' || method === 'Debugger.disable') return undefined
  return `${method} would stop the process for good: the agent runs on the thread that it is to stop`
}

/** Progress would be told to JavaScript while V8 walks the heap, which ends the process (seen on Node 18 to 24). */
function harmless(method: string, params: object): object {
  return method === 'HeapProfiler.takeHeapSnapshot' ? { ...params, reportProgress: false } : params
}
