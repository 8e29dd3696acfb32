// What the agent can do where there is no inspector, because Node was built without it or `--permission` forbids it:
// the same requests, answered by what Node offers to every program, and by the compiled profiler where it is installed.

import type { Profiler } from './profiler.cts'
import type { Done, Engine, Event } from './wire.cts'

export function createSubstitute(profiler: Profiler, onEvent: (event: Event) => void): Engine {
  return {
    inspector: false,
    post(method, params, done) {
      try {
        if (method === 'HeapProfiler.takeHeapSnapshot') takeHeapSnapshot(params, onEvent, done)
        else done(null, profiler.answer(method, params) ?? answer(method, params))
      } catch (error) {
        done(error as Error)
      }
    },
    close: () => profiler.close(),
  }
}

function answer(method: string, { expression }: { readonly expression?: string }): object {
  switch (method) {
    case 'Runtime.evaluate':
      // An indirect eval runs in the global scope, as the inspector's does.
      // biome-ignore lint/security/noGlobalEval: it is what was asked for, by who may read all of our memory anyway
      return { result: { value: globalThis.eval(expression ?? '') } }
    case 'Debugger.enable':
    case 'Debugger.disable':
      // Asked for, one after the other, to make snapshots faster. There is nothing to be switched on here.
      return {}
  }
  throw new Error(`${method} needs the inspector, which this process was built without or may not use`)
}

function takeHeapSnapshot(
  { captureNumericValue }: { readonly captureNumericValue?: boolean },
  onEvent: (event: Event) => void,
  done: Done,
): void {
  const { getHeapSnapshot } = require('node:v8') as typeof import('node:v8')
  // Declarations for older versions do not know the options. https://nodejs.org/api/v8.html#v8getheapsnapshotoptions
  const take = getHeapSnapshot as (options: object) => NodeJS.ReadableStream
  const snapshot = take({ exposeNumericValues: captureNumericValue ?? false })
  snapshot.setEncoding('latin1')
  snapshot.on('data', (chunk: string) => onEvent({ method: 'HeapProfiler.addHeapSnapshotChunk', params: { chunk } }))
  snapshot.on('error', done)
  snapshot.on('end', () => done(null))
}
