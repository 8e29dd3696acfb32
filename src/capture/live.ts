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
 * How many things each of these objects holds now; undefined for one that is gone, or whose size cannot be had without
 * running the program's own code: V8 stops whatever has side effects.
 */
export async function sizesNow(client: ProtocolClient, nodeIds: readonly number[]): Promise<(number | undefined)[]> {
  const sizes: (number | undefined)[] = []
  try {
    for (const nodeId of nodeIds) sizes.push(await sizeNow(client, nodeId).catch(() => undefined))
  } finally {
    // What is looked at is kept alive until then.
    await client.send('Runtime.releaseObjectGroup', { objectGroup: GROUP }, { timeoutMs: TIMEOUT_MS }).catch(() => {})
  }
  return sizes
}

async function sizeNow(client: ProtocolClient, nodeId: number): Promise<number | undefined> {
  const options = { timeoutMs: TIMEOUT_MS }
  const found = REMOTE.safeParse(
    await client.send('HeapProfiler.getObjectByHeapObjectId', { objectId: `${nodeId}`, objectGroup: GROUP }, options),
  )
  if (!found.success) return undefined
  const { objectId } = found.data.result
  const call = { functionDeclaration: SIZE, objectId, returnByValue: true, silent: true, throwOnSideEffect: true }
  return NUMBER.safeParse(await client.send('Runtime.callFunctionOn', call, options)).data?.result.value
}
