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
  return Object.keys(this).length
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

const BYTES = z.number().int().nonnegative()
const LIVE_VIEW = z.object({ byteLength: BYTES, byteOffset: BYTES, bufferByteLength: BYTES })
const OF_VIEW = z.object({ result: z.object({ type: z.literal('object'), value: LIVE_VIEW }) })

/** Which part of its buffer a view shows. */
export type LiveView = z.infer<typeof LIVE_VIEW>

/**
 * How many things each of these objects holds now; undefined for one that is gone, or whose size cannot be had without
 * running the program's own code: V8 stops whatever has side effects.
 */
export const sizesNow = (client: ProtocolClient, nodeIds: readonly number[]): Promise<(number | undefined)[]> =>
  askEach(client, nodeIds, SIZE, (answer) => NUMBER.safeParse(answer).data?.result.value)

/** How much of their buffers views show; undefined for one that is gone, or is no view. */
export const viewsNow = (client: ProtocolClient, nodeIds: readonly number[]): Promise<(LiveView | undefined)[]> =>
  askEach(client, nodeIds, VIEW, (answer) => OF_VIEW.safeParse(answer).data?.result.value)

async function askEach<T>(
  client: ProtocolClient,
  nodeIds: readonly number[],
  question: string,
  read: (answer: unknown) => T | undefined,
): Promise<(T | undefined)[]> {
  const answers: (T | undefined)[] = []
  try {
    for (const nodeId of nodeIds) answers.push(await askOne(client, nodeId, question).then(read, () => undefined))
  } finally {
    // What is looked at is kept alive until then.
    await client.send('Runtime.releaseObjectGroup', { objectGroup: GROUP }, { timeoutMs: TIMEOUT_MS }).catch(() => {})
  }
  return answers
}

async function askOne(client: ProtocolClient, nodeId: number, question: string): Promise<unknown> {
  const options = { timeoutMs: TIMEOUT_MS }
  const found = REMOTE.safeParse(
    await client.send('HeapProfiler.getObjectByHeapObjectId', { objectId: `${nodeId}`, objectGroup: GROUP }, options),
  )
  if (!found.success) return undefined
  const { objectId } = found.data.result
  const call = { functionDeclaration: question, objectId, returnByValue: true, silent: true, throwOnSideEffect: true }
  return client.send('Runtime.callFunctionOn', call, options)
}
