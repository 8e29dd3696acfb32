// Inspectors by host:port and URL, against one made of paper that does what Node's does, or does not.

import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { withInspector } from '../../src/target/attach.ts'
import { parseTarget } from '../../src/target/target.ts'

interface PaperInspector {
  readonly port: number
  /** The Host header of every request, handshakes included. */
  readonly hosts: (string | undefined)[]
  /** Expressions that were evaluated. */
  readonly asked: string[]
  /** Ends every connection, and listens no more. */
  cut(): void
  /** Goes on listening, and says nothing any more. */
  hang(): void
}

const servers = new Set<PaperInspector>()
afterEach(() => {
  for (const server of servers) server.cut()
  servers.clear()
})

const NODE = { type: 'node', title: 'app.js', webSocketDebuggerUrl: 'ws://elsewhere:1/the-id' }

async function paperInspector(
  targets: readonly object[] = [NODE],
  identity: object | null = {},
): Promise<PaperInspector> {
  const hosts: (string | undefined)[] = []
  const asked: string[] = []
  let hanging = false
  const server: Server = createServer((request, response) => {
    hosts.push(request.headers.host)
    if (hanging) return
    const answer = request.url === '/json/version' ? { Browser: 'node.js/v24.0.0', 'Protocol-Version': '1.1' } : targets
    response.end(JSON.stringify(answer))
  })
  const sockets = new WebSocketServer({
    server,
    verifyClient: ({ req }: { req: IncomingMessage }) => req.url === '/the-id',
  })
  sockets.on('error', () => {})
  sockets.on('connection', (socket, request) => {
    hosts.push(request.headers.host)
    socket.on('message', (text) => {
      const { id, method, params } = JSON.parse(String(text))
      if (method !== 'Runtime.evaluate') return
      asked.push(params.expression)
      const who = identity && { pid: 77, version: 'v24.0.0', command: ['node', 'app.js'], found: null, ...identity }
      const value = params.expression.includes('version') ? who : null
      socket.send(JSON.stringify({ id, result: { result: { value } } }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const paper: PaperInspector = {
    port: (server.address() as { port: number }).port,
    hosts,
    asked,
    cut() {
      for (const client of sockets.clients) client.terminate()
      server.close()
      server.closeAllConnections()
    },
    hang() {
      hanging = true
    },
  }
  servers.add(paper)
  return paper
}

const signal = new AbortController().signal
const visit = (text: string, work: Parameters<typeof withInspector>[2] = async (_, target) => target) =>
  withInspector(parseTarget(text), { signal }, work)

test('the process tells who it is, and is left with its inspector open', async () => {
  const { port, asked } = await paperInspector()
  expect(await visit(`localhost:${port}`)).toEqual({
    pid: 77,
    nodeVersion: 'v24.0.0',
    command: ['node', 'app.js'],
    inspector: { host: '127.0.0.1', port },
    inspectorWasOpen: true,
  })
  expect(asked.join()).not.toContain('close()')
})

test('what is sent as Host is an address, whatever name was given, for Node answers to no other', async () => {
  const { port, hosts } = await paperInspector()
  await visit(`localhost:${port}`)
  await visit(`ws://localhost:${port}/the-id`)
  expect(new Set(hosts)).toEqual(new Set([`127.0.0.1:${port}`]))
})

test('of several targets, the one that is Node is taken', async () => {
  const { port } = await paperInspector([{ type: 'page', title: 'x', webSocketDebuggerUrl: 'ws://a:1/page' }, NODE])
  expect(await visit(`127.0.0.1:${port}`)).toMatchObject({ pid: 77 })
})

test('several that are Node have to be told apart by the user', async () => {
  const { port } = await paperInspector([NODE, { ...NODE, title: 'b.js', webSocketDebuggerUrl: 'ws://a:1/other' }])
  await expect(visit(`127.0.0.1:${port}`)).rejects.toMatchObject({
    code: 'target-unreachable',
    message: `the inspector at 127.0.0.1:${port} leads to 2 Node processes`,
    hint: expect.stringContaining(`ws://127.0.0.1:${port}/the-id (app.js), ws://127.0.0.1:${port}/other (b.js)`),
  })
})

test.each([
  [[], 'It has no target at all.'],
  [[{ type: 'page', title: 'x' }], 'What it has is of type page.'],
])('a debugger without a Node process is named as such: %j', async (targets, hint) => {
  const { port } = await paperInspector(targets)
  await expect(visit(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'target-not-node', hint })
})

test('what speaks the protocol and is not Node is left alone', async () => {
  const { port } = await paperInspector([NODE], null)
  await expect(visit(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'target-not-node' })
})

test('a URL with the id of yesterday is refused with advice', async () => {
  const { port } = await paperInspector()
  await expect(visit(`ws://127.0.0.1:${port}/old-id`)).rejects.toMatchObject({
    code: 'target-unreachable',
    hint: expect.stringContaining('a new one each time'),
  })
})

test('nobody there, no such name, and a port of something else', async () => {
  await expect(visit('localhost:1')).rejects.toMatchObject({
    message: 'nothing answers at localhost:1 (127.0.0.1: nobody listens; ::1: nobody listens)',
  })
  await expect(visit('no-such-host.invalid:9229')).rejects.toMatchObject({ code: 'target-unreachable' })
  const other = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  await expect(visit(`127.0.0.1:${port}`)).rejects.toMatchObject({
    message: `what listens at 127.0.0.1:${port} is not the inspector of a Node process`,
  })
  other.close()
})

test('a port that takes connections and says nothing is given up', async () => {
  const mute = createTcpServer(() => {}).listen(0, '127.0.0.1')
  await new Promise((resolve) => mute.once('listening', resolve))
  const { port } = mute.address() as { port: number }
  await expect(visit(`127.0.0.1:${port}`)).rejects.toMatchObject({
    message: `nothing answers at 127.0.0.1:${port} (127.0.0.1: no answer in time)`,
  })
  mute.close()
}, 30_000)

test('a port-forward that breaks half-way is named, with what to do', async () => {
  const paper = await paperInspector()
  const broken = visit(`localhost:${paper.port}`, async (session) => {
    setTimeout(paper.cut, 50)
    await session.send('HeapProfiler.takeHeapSnapshot')
  })
  await expect(broken).rejects.toMatchObject({
    code: 'target-unreachable',
    message: `the connection to localhost:${paper.port} broke before the work was done`,
    hint: expect.stringContaining('start it again'),
  })
})

test('a port-forward that stays up, but leads nowhere any more, is noticed', async () => {
  const paper = await paperInspector()
  const broken = visit(`localhost:${paper.port}`, async (session) => {
    paper.hang()
    await session.send('HeapProfiler.takeHeapSnapshot')
  })
  await expect(broken).rejects.toMatchObject({
    code: 'target-unreachable',
    message: `the connection to localhost:${paper.port} broke before the work was done`,
    cause: { message: `localhost:${paper.port} does not answer any more` },
  })
}, 60_000)
