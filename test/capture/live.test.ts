import { once } from 'node:events'
import { Session } from 'node:inspector/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sizesNow, socketsNow, viewsNow } from '../../src/capture/live.ts'
import type { ProtocolClient } from '../../src/target/session.ts'

// A process may look into itself, which is as good as another for what an object answers.
const session = new Session()
beforeAll(() => session.connect())
afterAll(() => session.disconnect())
const client = {
  send: (method: string, params?: object) => session.post(method as 'Runtime.enable', params as undefined),
} as unknown as ProtocolClient

const KEPT = 'leakscopeTest'

async function idsOf(...objects: readonly object[]): Promise<number[]> {
  Reflect.set(globalThis, KEPT, objects)
  // V8 gives numbers to what is there when it begins to track.
  await session.post('HeapProfiler.startTrackingHeapObjects')
  const ids: number[] = []
  for (const i of objects.keys()) {
    const { result } = await session.post('Runtime.evaluate', { expression: `${KEPT}[${i}]` })
    const found = await session.post('HeapProfiler.getHeapObjectId', { objectId: result.objectId! })
    ids.push(Number(found.heapSnapshotObjectId))
  }
  Reflect.deleteProperty(globalThis, KEPT)
  return ids
}

test('views tell which part of their buffer they show, whatever kind they are', async () => {
  const block = Buffer.alloc(65_536)
  const views = [block.subarray(100, 140), new DataView(block.buffer, 8, 16), new Float64Array(block.buffer, 8, 4)]
  expect(await viewsNow(client, await idsOf(...views))).toEqual([
    { byteLength: 40, byteOffset: block.byteOffset + 100, bufferByteLength: block.buffer.byteLength },
    { byteLength: 16, byteOffset: 8, bufferByteLength: block.buffer.byteLength },
    { byteLength: 32, byteOffset: 8, bufferByteLength: block.buffer.byteLength },
  ])
})

test("what the program has put in the place of V8's getters is not run", async () => {
  let ran = 0
  class Odd extends Uint8Array {
    override get byteLength(): number {
      return ++ran
    }
  }
  expect(await viewsNow(client, await idsOf(new Odd(new ArrayBuffer(64), 4, 8)))).toEqual([
    { byteLength: 8, byteOffset: 4, bufferByteLength: 64 },
  ])
  expect(ran).toBe(0)
})

test('what is no view, or is gone, answers nothing', async () => {
  expect(await viewsNow(client, [...(await idsOf({ byteLength: 3 })), 999_999_999])).toEqual([undefined, undefined])
})

test('collections tell how much is in them', async () => {
  const things = [[1, 2, 3], new Map([[1, 2]]), new Set([1, 2]), { a: 1, b: 2, c: 3, d: 4 }]
  expect(await sizesNow(client, await idsOf(...things))).toEqual([3, 1, 2, 4])
})

test('sockets tell whom they write to, and how much they have, without the getters of the program', async () => {
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  await new Promise((resolve) => socket.write('hello', resolve))
  let ran = 0
  Object.defineProperty(socket, 'remoteAddress', { get: () => ++ran })
  try {
    const closed = connect(port, '127.0.0.1').destroy()
    expect(await socketsNow(client, [...(await idsOf(socket, closed, {})), undefined])).toEqual([
      { address: '127.0.0.1', port, bytesWritten: 5 },
      ...[undefined, undefined, undefined],
    ])
    expect(ran).toBe(0)
  } finally {
    socket.destroy()
    server.close()
  }
})
