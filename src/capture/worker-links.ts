// Where isolates touch: which object in one leads to which in the other, as far as a running process can tell.

import { z } from 'zod'
import { ANSWER_MS, type ProtocolClient } from '../target/session.ts'

/**
 * A Worker object holds a port to its thread, whose other end is that thread's `parentPort`; the thread's number says
 * which. Of other MessagePorts nothing tells the peer: V8's snapshots hold neither an id nor an address that both ends
 * have (the ids of native nodes are new in every snapshot), and Node gives a program nothing to ask. What is seen of a
 * port is its unread messages, at the end that would receive them.
 */
export interface PortLink {
  readonly kind: 'worker'
  readonly from: {
    readonly isolate: string
    /** V8's ids, in the snapshots of the same capture: of the Worker object, and of its end of the channel. */
    readonly nodeId: number
    readonly portNodeId: number | null
  }
  readonly to: {
    readonly isolate: string
    /** Of the worker's `parentPort`; null when that could not be asked. */
    readonly portNodeId: number | null
  }
}

export interface WorkerObject {
  readonly threadId: number
  readonly nodeId: number
  readonly portNodeId: number | null
}

const OBJECT = z.object({ result: z.object({ objectId: z.string() }) })
const INSTANCES = z.object({ objects: z.object({ objectId: z.string() }) })
const PROPERTIES = z.object({
  result: z.array(
    z.object({
      name: z.string(),
      value: z.object({ objectId: z.string().optional(), value: z.unknown().optional() }).optional(),
    }),
  ),
})
const HEAP_ID = z.object({ heapSnapshotObjectId: z.string().regex(/^\d+$/) })

const GROUP = 'leakscope'
const WORKER_THREADS = `(process.getBuiltinModule ?? ((name) => (process.mainModule ?? { require }).require(name)))('worker_threads')`

/**
 * The Worker objects of an isolate whose threads still run. V8 looks through the heap for them, which takes a
 * collection of garbage; no code of the program runs.
 */
export async function findWorkerObjects(client: ProtocolClient): Promise<WorkerObject[]> {
  return inGroup(client, async () => {
    const prototypeObjectId = await reference(client, `${WORKER_THREADS}.Worker.prototype`)
    const instances = await client.send('Runtime.queryObjects', { prototypeObjectId, objectGroup: GROUP }, LIMIT)
    const candidates = await properties(client, INSTANCES.parse(instances).objects.objectId)
    const found = await Promise.all(
      candidates.map(({ name, objectId }) =>
        /^\d+$/.test(name) && objectId !== undefined ? describeWorkerObject(client, objectId) : undefined,
      ),
    )
    return found.filter((it) => it !== undefined)
  })
}

async function describeWorkerObject(client: ProtocolClient, objectId: string): Promise<WorkerObject | undefined> {
  // Its handle is gone when the thread is; the prototype of a derived class never had one.
  const own = await properties(client, objectId)
  const handle = own.find((it) => it.name === 'Symbol(kHandle)')?.objectId
  const threadId = handle && (await properties(client, handle)).find((it) => it.name === 'threadId')?.value
  if (typeof threadId !== 'number') return undefined
  const port = own.find((it) => it.name === 'Symbol(kPublicPort)')?.objectId
  return {
    threadId,
    nodeId: await heapId(client, objectId),
    portNodeId: port === undefined ? null : await heapId(client, port),
  }
}

/** V8's id of a worker's `parentPort`. */
export async function findParentPort(client: ProtocolClient): Promise<number> {
  return inGroup(client, async () => heapId(client, await reference(client, `${WORKER_THREADS}.parentPort`)))
}

const LIMIT = { timeoutMs: ANSWER_MS }

/** What is referred to is let go afterwards, or it would stay in the target's memory while we do. */
async function inGroup<T>(client: ProtocolClient, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    await client.send('Runtime.releaseObjectGroup', { objectGroup: GROUP }, LIMIT).catch(() => {})
  }
}

async function reference(client: ProtocolClient, expression: string): Promise<string> {
  const params = { expression, silent: true, includeCommandLineAPI: true, objectGroup: GROUP }
  return OBJECT.parse(await client.send('Runtime.evaluate', params, LIMIT)).result.objectId
}

/** Own properties; those with a getter have neither value nor object here. */
async function properties(client: ProtocolClient, objectId: string) {
  const answer = await client.send('Runtime.getProperties', { objectId, ownProperties: true }, LIMIT)
  return PROPERTIES.parse(answer).result.map(({ name, value }) => ({
    name,
    value: value?.value,
    objectId: value?.objectId,
  }))
}

async function heapId(client: ProtocolClient, objectId: string): Promise<number> {
  return Number(
    HEAP_ID.parse(await client.send('HeapProfiler.getHeapObjectId', { objectId }, LIMIT)).heapSnapshotObjectId,
  )
}
