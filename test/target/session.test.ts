// The protocol over a WebSocket, against a server that is somebody else's work.

import { afterEach, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { openSession } from '../../src/target/session.ts'

const never = new AbortController().signal
const servers = new Set<WebSocketServer>()
afterEach(() => {
  for (const server of servers) {
    for (const client of server.clients) client.terminate()
    server.close()
  }
  servers.clear()
})

/** A server that gives each message of a client to `answer`. */
async function serve(answer: (socket: WebSocket, message: { id: number; method: string; params: object }) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  servers.add(server)
  server.on('connection', (socket) => socket.on('message', (text) => answer(socket, JSON.parse(String(text)))))
  await new Promise((resolve) => server.once('listening', resolve))
  return `ws://127.0.0.1:${(server.address() as { port: number }).port}/id`
}

test('answers find their questions, in any order', async () => {
  const held: (() => void)[] = []
  const url = await serve((socket, { id, params }) => {
    held.push(() => socket.send(JSON.stringify({ id, result: params })))
    if (held.length === 2) for (const release of held.reverse()) release()
  })
  const session = await openSession(url, never)
  const answers = await Promise.all([session.send('a', { n: 1 }), session.send('b', { n: 2 })])
  expect(answers).toEqual([{ n: 1 }, { n: 2 }])
  session.close()
})

test('messages of every size arrive whole, in both directions', async () => {
  const url = await serve((socket, { id, params }) => socket.send(JSON.stringify({ id, result: params })))
  const session = await openSession(url, never)
  for (const length of [0, 80, 100, 125, 126, 127, 65_000, 65_536, 70_000, 1_000_000, 5_000_000]) {
    const text = 'é"'.repeat(length / 2)
    expect(await session.send('echo', { text })).toEqual({ text })
  }
  session.close()
})

test('divided messages, and pings between their parts, are understood', async () => {
  const url = await serve((socket, { id }) => {
    const text = JSON.stringify({ id, result: 'x'.repeat(300_000) })
    socket.send(text.slice(0, 10), { fin: false })
    socket.ping('are you there')
    socket.send(text.slice(10, 200_000), { fin: false })
    socket.send(text.slice(200_000), { fin: true })
  })
  const ponged = new Promise((resolve) => [...servers][0]!.on('connection', (socket) => socket.on('pong', resolve)))
  const session = await openSession(url, never)
  expect(await session.send('a')).toBe('x'.repeat(300_000))
  expect(String(await ponged)).toBe('are you there')
  session.close()
})

test('events reach who listens, until they stop listening', async () => {
  const url = await serve((socket, { id }) => {
    for (const n of [1, 2]) socket.send(JSON.stringify({ method: 'Thing.happened', params: { n } }))
    socket.send(JSON.stringify({ method: 'Other.thing', params: {} }))
    socket.send(JSON.stringify({ id, result: {} }))
  })
  const session = await openSession(url, never)
  const seen: unknown[] = []
  const off = session.on('Thing.happened', (params) => seen.push(params))
  const offRaw = session.onRaw('Thing.happened', (message) => seen.push(message.toString()))
  await session.send('a')
  off()
  offRaw()
  await session.send('a')
  const raw = (n: number) => `{"method":"Thing.happened","params":{"n":${n}}}`
  expect(seen).toEqual([raw(1), { n: 1 }, raw(2), { n: 2 }])
  session.close()
})

test('what the target refuses is an error', async () => {
  const url = await serve((socket, { id }) =>
    socket.send(JSON.stringify({ id, error: { code: 1, message: 'no such' } })),
  )
  const session = await openSession(url, never)
  await expect(session.send('a')).rejects.toMatchObject({
    code: 'target-protocol',
    message: 'the target answered: no such',
  })
  session.close()
})

test('a connection that ends fails what waits, and everything after', async () => {
  const url = await serve((socket) => socket.terminate())
  const session = await openSession(url, never)
  await expect(session.send('a')).rejects.toMatchObject({ code: 'target-unreachable' })
  await expect(session.send('b')).rejects.toMatchObject({ code: 'target-unreachable' })
  await session.closed
})

test('silence ends at the time-out, or when told to stop', async () => {
  const url = await serve(() => {})
  const session = await openSession(url, never)
  await expect(session.send('a', {}, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'target-timeout' })
  const stop = new AbortController()
  const asked = session.send('a', {}, { signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(asked).rejects.toThrow('enough')
  expect(session.pending).toBe(0)
  session.close()
})

test('nobody there, and somebody who speaks no WebSocket', async () => {
  await expect(openSession('ws://127.0.0.1:1/x', never)).rejects.toMatchObject({ code: 'target-unreachable' })
  const { createServer } = await import('node:http')
  const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await expect(openSession(`ws://127.0.0.1:${port}/x`, never)).rejects.toMatchObject({ code: 'target-unreachable' })
  server.close()
})
