// The isolates of a process that can be captured: its main thread and its worker threads.

import type { InspectorSession, ProtocolClient } from '../target/session.ts'
import type { Workers, WorkerThread } from '../target/workers.ts'

export interface Isolate {
  /** `main`, or `worker:` and the thread's id. */
  readonly name: string
  /** 0 for main. */
  readonly threadId: number
  /** Undefined for main. */
  readonly worker: WorkerThread | undefined
  readonly client: ProtocolClient
}

export const mainIsolate = (session: InspectorSession): Isolate => ({
  name: 'main',
  threadId: 0,
  worker: undefined,
  client: session,
})

export const workerIsolate = (worker: WorkerThread): Isolate => ({
  name: `worker:${worker.threadId}`,
  threadId: worker.threadId,
  worker,
  client: worker,
})

/** Main first, then by thread. */
export function listIsolates(session: InspectorSession, workers: Workers): Isolate[] {
  return [mainIsolate(session), ...workers.list().map(workerIsolate)]
}

/** Its files begin with it: `main`, `worker-3`. */
export const fileStem = ({ name }: Isolate): string => name.replace(':', '-')
