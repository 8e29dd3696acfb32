import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

/** So many sockets that are open, each with an agent of its own, or all with one; or accepted by a server. */
function sockets(d: Drawing, count: number, of: 'each' | 'one' | 'server'): void {
  const server = d.object('server', 'Server', { _events: d.object('server events', 'Object') }, { url: 'node:net' })
  if (of === 'server') d.variable('server', server)
  const one = d.object('agent', 'Agent', {}, { url: 'node:_http_agent' })
  for (let i = 0; i < count; i++) {
    const agent = of === 'each' ? d.object(`agent ${i}`, 'Agent', {}, { url: 'node:_http_agent' }) : one
    const members = of === 'server' ? { server } : { agent }
    const note = d.text(`note ${i}`, 'x', 400)
    const socket = d.object(`socket ${i}`, 'Socket', { ...members, note }, { size: 400, url: 'node:net' })
    d.members(socket, { '<symbol kHandle>': d.handle(`handle ${i}`, 'TCP', 'TCPSocketWrap', socket) })
  }
}

test('sockets that Node alone holds, each with an agent of its own', async () => {
  const source = "import { Agent } from 'node:http'\nfunction ask() {\n  const agent = new Agent()\n}\n"
  const [finding, ...others] = await findLeaksIn([(d, step) => sockets(d, 20 + 15 * step, 'each')], source)
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'handle-leak',
    culprit: { url: MODULE, line: 3 },
    evidence: { kind: 'socket', opened: 30, eachFromItsOwn: 'Agent', ofPackage: 'node' },
  })
})

test('sockets of one agent are told as such', async () => {
  const [finding] = await findLeaksIn([(d, step) => sockets(d, 20 + 15 * step, 'one')])
  expect(finding).toMatchObject({ pattern: 'handle-leak', evidence: { eachFromItsOwn: null } })
})

test('connections that a pool has opened as none came back are told with it', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const connections = times(20 + 15 * step, (i) => {
        const socket = d.object(`socket ${i}`, 'Socket', {}, { size: 400, url: 'node:net' })
        d.members(socket, { '<symbol kHandle>': d.handle(`handle ${i}`, 'TCP', 'TCPSocketWrap', socket) })
        return d.object(`client ${i}`, 'Client', { socket }, { url: 'file:///app/node_modules/db/client.js' })
      })
      d.variable('pool', d.object('pool', 'Pool', { clients: d.array('clients', connections) }))
    },
  ])
  expect(finding).toMatchObject({ pattern: 'handle-leak', evidence: { kind: 'socket', opened: 30, pool: 'Pool' } })
  expect(finding!.title).toContain('each for a Client more in a Pool')
  expect(finding!.advice).toContain('see that each comes back')
})

test('few, or those that came all at once, are no leak', async () => {
  expect(await findLeaksIn([(d, step) => sockets(d, 40 + 2 * step, 'one')])).toEqual([])
  expect(await findLeaksIn([(d, step) => sockets(d, [20, 23, 60][step]!, 'server')])).toEqual([])
})

test('connections of clients are less sure than those that the program opens', async () => {
  const [opened] = await findLeaksIn([(d, step) => sockets(d, 20 + 15 * step, 'one')])
  const [accepted] = await findLeaksIn([(d, step) => sockets(d, 20 + 15 * step, 'server')])
  expect(accepted!.confidence).toBeLessThan(opened!.confidence)
})

test('connections of requests that wait for something of the program are not what leaks', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const server = d.object('server', 'Server', { _events: d.object('server events', 'Object') }, { url: 'node:net' })
      const waiting = times(20 + 30 * step, (i) => {
        const socket = d.object(`socket ${i}`, 'Socket', { server }, { size: 400, url: 'node:net' })
        d.members(socket, { '<symbol kHandle>': d.handle(`handle ${i}`, 'TCP', 'TCPSocketWrap', socket) })
        return d.object(`item ${i}`, 'PendingItem', { callback: d.closure(`cb ${i}`, 'cb'), socket })
      })
      const clients = d.array('clients', [d.object('client', 'Client')])
      d.variable(
        'pool',
        d.object('pool', 'Pool', { _pendingQueue: d.array('queue', waiting), _clients: clients, server }),
      )
    },
  ])
  expect(finding).toMatchObject({ pattern: 'task-queue-pileup', evidence: { queue: 'pool._pendingQueue' } })
})

test('what the program keeps with an open handle in each is told with the memory outside the heap', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const feeds = times(10 * (step + 1), (i) => {
        const gzip = d.object(`gzip ${i}`, 'Gzip', {}, { url: 'node:zlib' })
        return d.members(gzip, { _handle: d.handle(`zlib ${i}`, 'Zlib', 'ZlibStream', gzip, 250_000) })
      })
      d.variable('feeds', d.map('feeds', feeds, 'Set'))
    },
  ])
  expect(finding).toMatchObject({
    pattern: 'handle-leak',
    evidence: { kind: 'compression stream', keptIn: 'feeds', opened: 20, nativeBytesEach: 250_000 },
  })
})

test('the ends of channels in two threads are one leak', async () => {
  const ports = (d: Drawing, step: number) => {
    for (let i = 0; i < 20 + 20 * step; i++) {
      const note = d.text(`note ${i}`, 'x', 400)
      d.handle(`port ${i}`, 'MessagePort', 'MessagePort', d.object(`listener ${i}`, 'Listener', { note }))
    }
  }
  const [finding, ...others] = await findLeaksIn([ports, ports])
  expect(others).toEqual([])
  expect(finding).toMatchObject({ pattern: 'handle-leak', isolate: 'main', evidence: { kind: 'message port' } })
})

test('HTTP/2 sessions are told as such and once, with the call that opens them', async () => {
  const source = "import http2 from 'node:http2'\nfunction ask(url) {\n  const session = http2.connect(url)\n}\n"
  const [finding, ...others] = await findLeaksIn(
    [
      (d, step) => {
        for (let i = 0; i < 20 + 15 * step; i++) {
          const socket = d.object(`socket ${i}`, 'Socket', {}, { size: 400, url: 'node:net' })
          const session = d.object(
            `session ${i}`,
            'ClientHttp2Session',
            { socket },
            { url: 'node:internal/http2/core' },
          )
          d.members(socket, { '<symbol session>': session })
          d.handle(`handle ${i}`, 'TCP', 'TCPSocketWrap', socket)
        }
      },
    ],
    source,
  )
  expect(others).toEqual([])
  expect(finding).toMatchObject({ culprit: { line: 3 }, evidence: { kind: 'HTTP/2 session', opened: 30 } })
  expect(finding!.advice).toContain('Call close() on each')
})

test('a class of the program that is called as one of Node makes no server of a socket', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      for (let i = 0; i < 20 + 15 * step; i++) {
        const owner = d.object(`mine ${i}`, 'Server', {}, { url: MODULE })
        const socket = d.object(`socket ${i}`, 'Socket', { owner }, { size: 400, url: 'node:net' })
        d.handle(`handle ${i}`, 'TCP', 'TCPSocketWrap', socket)
      }
    },
  ])
  expect(finding).toMatchObject({ pattern: 'handle-leak', evidence: { kind: 'socket' } })
})
