// The isolate that this code runs in: its memory after a full collection, its heap in files, and its scripts as V8 has them.

import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { writeHeapSnapshot } from 'node:v8'
import { readScripts } from '../capture/scripts.ts'
import { type Meter, meterOf, type Reading } from '../check/settle.ts'
import { LeakscopeError } from '../errors.ts'
import type { RunningScript } from '../support/script-sources.ts'
import { readOsFacts } from '../target/os-facts.ts'

export interface Here {
  readonly meter: Meter
  /** Has V8 remember where things are allocated; false where that is not to be had, as somebody else has it do so. */
  startSampling(): boolean
  /** Writes what was sampled and is still alive to a file. */
  writeSamples(file: string): void
  stopSampling(): void
  /** Writes the heap to a file. Objects have the same ids in all of them, as long as this is open. */
  snapshot(file: string): void
  /** Of the program's scripts, what their files do not say. */
  readScripts(): Promise<RunningScript[]>
  close(): void
}

/** What was begun is awaited by who began it; the rest is for finalizers, and for what a test runner does beside. */
const REST_MS = 50
/** Few things are allocated between the snapshots of a test: one sample for so many bytes costs next to nothing. */
const SAMPLED_BYTES = 2048

export function openHere(): Here {
  const session = new Session()
  try {
    session.connect()
  } catch (cause) {
    throw new LeakscopeError('target-not-permitted', `this process has no inspector: ${(cause as Error).message}`, {
      cause,
      hint: 'Under --permission it takes --allow-inspector.',
    })
  }
  return {
    meter: meterOf({
      rest: async (signal) => {
        await sleep(REST_MS, undefined, { signal }).catch(() => {})
        signal.throwIfAborted()
      },
      async collect() {
        // The inspector keeps what was logged, with all that hangs on it, for a console that may yet open.
        post(session, 'Runtime.discardConsoleEntries')
        post(session, 'HeapProfiler.collectGarbage')
      },
      read: async () => read(),
    }),
    startSampling() {
      try {
        // V8 samples for one only, and tells a profile only where it does.
        post(session, 'HeapProfiler.getSamplingProfile')
        return false
      } catch {
        post(session, 'HeapProfiler.startSampling', { samplingInterval: SAMPLED_BYTES })
        return true
      }
    },
    writeSamples(file) {
      const { profile } = post<{ profile: Samples }>(session, 'HeapProfiler.getSamplingProfile')!
      writeFileSync(file, JSON.stringify({ ...profile, head: withoutOwn(profile.head) }))
    },
    stopSampling: () => void post(session, 'HeapProfiler.stopSampling'),
    snapshot(file) {
      // Without line ends that are computed once, Node 20 walks a script from its beginning for every closure in it.
      post(session, 'Debugger.enable')
      post(session, 'Debugger.disable')
      writeHeapSnapshot(file, { exposeNumericValues: true })
    },
    readScripts: () =>
      readScripts({
        send: async (method, params) => post(session, method, params),
        on(method, handler) {
          const listener = ({ params }: { readonly params: object }) => handler(params)
          session.on(method, listener)
          return () => session.off(method, listener)
        },
      }),
    close: () => session.disconnect(),
  }
}

/** What a thread asks of itself is answered before `post` returns. */
function post<T>(session: Session, method: string, params: object = {}): T | undefined {
  let answer: T | undefined
  let failure: Error | null = null
  session.post(method, params, (error, result) => {
    failure = error
    answer = result as T
  })
  if (failure) throw new LeakscopeError('target-protocol', `${method} failed: ${(failure as Error).message}`)
  return answer
}

function read(): Reading {
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
  const os = readOsFacts(process.pid)
  const count = (counts: Readonly<Record<string, number>> | null | undefined) =>
    counts ? Object.values(counts).reduce((all, each) => all + each, 0) : null
  return {
    ...{ heapUsedBytes: heapUsed, externalBytes: external, arrayBuffersBytes: arrayBuffers, rssBytes: rss },
    workersBytes: null,
    ...{ handles: process.getActiveResourcesInfo().length, threads: count(os?.threads), files: count(os?.files) },
  }
}

interface SampleNode {
  readonly callFrame: { readonly url: string }
  readonly children: readonly SampleNode[]
}

interface Samples {
  readonly head: SampleNode
}

/** V8's profiler names a script as who compiled it does. */
const OWN_NAMES = [import.meta.url, fileURLToPath(import.meta.url)]

/** What is allocated for the sake of the measuring is none of the program's business. No deeper than V8's 128 frames. */
const withoutOwn = (node: SampleNode): SampleNode => ({
  ...node,
  children: node.children.filter(({ callFrame }) => !OWN_NAMES.includes(callFrame.url)).map(withoutOwn),
})
