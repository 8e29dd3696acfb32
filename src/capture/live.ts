// Looks at single objects of a process that is still attached to, by the ids that they have in its snapshots.

import { z } from 'zod'
import type { ProtocolClient } from '../target/session.ts'

const GROUP = 'leakscope'
const TIMEOUT_MS = 3000

const REMOTE = z.object({ result: z.object({ objectId: z.string() }) })
const NUMBER = z.object({ result: z.object({ type: z.literal('number'), value: z.number() }) })

/** Of an object with as many properties, nobody counts them in passing. */
const SIZE = `function () {
  if (Array.isArray(this)) return Object.getOwnPropertyDescriptor(this, 'length').value
  for (const kind of [Map, Set]) {
    try { return Object.getOwnPropertyDescriptor(kind.prototype, 'size').get.call(this) } catch {}
  }
  return Reflect.ownKeys(this).length
}`

/**
 * The getters of V8 itself: whatever the program has put in their place is not asked. That of a SharedArrayBuffer's
 * length counts as having side effects, so views of such give no answer.
 */
const VIEW = `function () {
  const kind = this instanceof DataView ? DataView : Object.getPrototypeOf(Uint8Array)
  const ask = (owner, name, of) => Object.getOwnPropertyDescriptor(owner.prototype, name).get.call(of)
  return {
    byteLength: ask(kind, 'byteLength', this),
    byteOffset: ask(kind, 'byteOffset', this),
    bufferByteLength: ask(ArrayBuffer, 'byteLength', ask(kind, 'buffer', this))
  }
}`

/**
 * What Node's handle of a socket says of its peer, and how much it has passed on. It is asked for by V8's own means, and
 * is the system's; the getters of the socket would be the program's to replace.
 */
const SOCKET = `function () {
  const own = (object, name) => Object.getOwnPropertyDescriptor(object, name)?.value
  const inherited = (object, name) => {
    for (let at = object; at; at = Object.getPrototypeOf(at)) {
      const found = Object.getOwnPropertyDescriptor(at, name)
      if (found) return found.value ?? found.get.call(object)
    }
  }
  const handle = own(this, Object.getOwnPropertySymbols(this).find((it) => it.description === 'kHandle') ?? '_handle')
  const peer = {}
  inherited(handle, 'getpeername').call(handle, peer)
  return { address: peer.address, port: peer.port, bytesWritten: inherited(handle, 'bytesWritten') }
}`

const BYTES = z.number().int().nonnegative()
const LIVE_VIEW = z.object({ byteLength: BYTES, byteOffset: BYTES, bufferByteLength: BYTES })
const LIVE_SOCKET = z.object({ address: z.string(), port: z.number(), bytesWritten: BYTES })
const OF_SOCKET = z.object({ result: z.object({ type: z.literal('object'), value: LIVE_SOCKET }) })
const OF_VIEW = z.object({ result: z.object({ type: z.literal('object'), value: LIVE_VIEW }) })

/** Which part of its buffer a view shows. */
export type LiveView = z.infer<typeof LIVE_VIEW>

/** V8's ids; of undefined nothing is asked. */
type Asked = readonly (number | undefined)[]

/** Who is at the other end of a socket, and what it has written there. */
export type LiveSocket = z.infer<typeof LIVE_SOCKET>

/**
 * How many things each of these objects holds now; undefined for one that is gone, or whose size cannot be had without
 * running the program's own code: V8 stops whatever has side effects.
 */
export const sizesNow = (client: ProtocolClient, nodeIds: Asked): Promise<(number | undefined)[]> =>
  askEach(client, nodeIds, SIZE, (answer) => NUMBER.safeParse(answer).data?.result.value)

/** How much of their buffers views show; undefined for one that is gone, or is no view. */
export const viewsNow = (client: ProtocolClient, nodeIds: Asked): Promise<(LiveView | undefined)[]> =>
  askEach(client, nodeIds, VIEW, (answer) => OF_VIEW.safeParse(answer).data?.result.value)

/** Whom sockets write to, and how much they have; undefined for one that is gone, closed, or no socket. */
export const socketsNow = (client: ProtocolClient, nodeIds: Asked): Promise<(LiveSocket | undefined)[]> =>
  askEach(client, nodeIds, SOCKET, (answer) => OF_SOCKET.safeParse(answer).data?.result.value, true)

async function askEach<T>(
  client: ProtocolClient,
  nodeIds: Asked,
  question: string,
  read: (answer: unknown) => T | undefined,
  asksTheSystem = false,
): Promise<(T | undefined)[]> {
  const answers: (T | undefined)[] = []
  try {
    for (const nodeId of nodeIds) {
      if (nodeId === undefined) answers.push(undefined)
      else answers.push(await askOne(client, nodeId, question, asksTheSystem).then(read, () => undefined))
    }
  } finally {
    // What is looked at is kept alive until then.
    await client.send('Runtime.releaseObjectGroup', { objectGroup: GROUP }, { timeoutMs: TIMEOUT_MS }).catch(() => {})
  }
  return answers
}

async function askOne(
  client: ProtocolClient,
  nodeId: number,
  question: string,
  asksTheSystem: boolean,
): Promise<unknown> {
  const options = { timeoutMs: TIMEOUT_MS }
  const found = REMOTE.safeParse(
    await client.send('HeapProfiler.getObjectByHeapObjectId', { objectId: `${nodeId}`, objectGroup: GROUP }, options),
  )
  if (!found.success) return undefined
  const { objectId } = found.data.result
  const call = { functionDeclaration: question, objectId, returnByValue: true, silent: true }
  // To V8, every call into the system has side effects.
  return client.send('Runtime.callFunctionOn', { ...call, throwOnSideEffect: !asksTheSystem }, options)
}

/** A local variable of a function that is suspended. */
export interface LiveLocal {
  readonly name: string
  /** V8's id of the object that it holds; undefined for numbers and the like. */
  readonly nodeId: number | undefined
  /** Of that object: `Map`. */
  readonly className: string
}

/** Where a function waits that is suspended, and for what with. */
export interface LiveFrame {
  /** In its script, both 1-based. */
  readonly line: number
  readonly column: number
  readonly locals: readonly LiveLocal[]
}

const VALUE = z.object({
  className: z.string().optional(),
  objectId: z.string().optional(),
  value: z.unknown().optional(),
})
const PROPERTIES = z.object({
  result: z.array(
    z.object({ name: z.string(), value: VALUE.extend({ description: z.string().optional() }).optional() }),
  ),
  internalProperties: z.array(z.object({ name: z.string(), value: VALUE.optional() })).optional(),
})
const POSITION = z.object({ lineNumber: z.number(), columnNumber: z.number().optional() })
const HEAP_ID = z.object({ heapSnapshotObjectId: z.string() })
/** V8's names for the parts of a function that are its own: behind them are those of the functions around it. */
const OWN_SCOPE = /^(Local|Block|Catch|With|Module)\b/
const MOST_LOCALS = 40

/**
 * The local variables of suspended functions (async functions and generators), as V8 tells them to a debugger: in a
 * snapshot they have no names. Undefined for one that is gone, or runs.
 */
export async function framesNow(
  client: ProtocolClient,
  nodeIds: readonly number[],
): Promise<(LiveFrame | undefined)[]> {
  const frames: (LiveFrame | undefined)[] = []
  try {
    for (const nodeId of nodeIds) frames.push(await frameNow(client, nodeId).catch(() => undefined))
  } finally {
    await client.send('Runtime.releaseObjectGroup', { objectGroup: GROUP }, { timeoutMs: TIMEOUT_MS }).catch(() => {})
  }
  return frames
}

async function frameNow(client: ProtocolClient, nodeId: number): Promise<LiveFrame | undefined> {
  const options = { timeoutMs: TIMEOUT_MS }
  const propertiesOf = async (objectId: string) =>
    PROPERTIES.parse(await client.send('Runtime.getProperties', { objectId, ownProperties: true }, options))
  const found = REMOTE.parse(
    await client.send('HeapProfiler.getObjectByHeapObjectId', { objectId: `${nodeId}`, objectGroup: GROUP }, options),
  )
  const { internalProperties = [] } = await propertiesOf(found.result.objectId)
  const position = POSITION.safeParse(
    internalProperties.find(({ name }) => name === '[[GeneratorLocation]]')?.value?.value,
  )
  const scopes = internalProperties.find(({ name }) => name === '[[Scopes]]')?.value?.objectId
  if (!position.success || scopes === undefined) return undefined
  const locals: LiveLocal[] = []
  for (const { value: scope } of (await propertiesOf(scopes)).result) {
    if (!scope?.objectId || !OWN_SCOPE.test(scope.description ?? '')) break
    for (const { name, value } of (await propertiesOf(scope.objectId)).result) {
      if (!value?.objectId || locals.length === MOST_LOCALS) continue
      const id = HEAP_ID.safeParse(
        await client.send('HeapProfiler.getHeapObjectId', { objectId: value.objectId }, options),
      )
      const heapId = id.success ? Number(id.data.heapSnapshotObjectId) : undefined
      locals.push({ name, nodeId: heapId, className: value.className ?? '' })
    }
  }
  const { lineNumber, columnNumber = 0 } = position.data
  return { line: lineNumber + 1, column: columnNumber + 1, locals }
}
