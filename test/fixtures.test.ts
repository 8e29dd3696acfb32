// The fixture programs do what they are described to do: serve, leak or not, and leave nothing behind.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url))
const chatServer = join(fixtures, 'programs', 'chat-server')
const windows = process.platform === 'win32'

let folder: string
let children: ChildProcess[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leakscope-fixtures-'))
  children = []
})

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
})

describe('the chat server', () => {
  it.each(['leaky.mjs', 'fixed.mjs'])('%s tells the room, and nobody else, what is said in it', async (program) => {
    const { port } = await startServer(program)
    const ann = await enter(port, 'lobby', 'ann')
    const bob = await enter(port, 'lobby', 'bob')
    const eve = await enter(port, 'attic', 'eve')
    ann.say('hello')
    ann.say('again')
    await bob.hears('#lobby <ann> again')
    await ann.hears('#lobby <ann> again')
    expect(bob.heard).toEqual(['#lobby <bob> here', '#lobby <ann> hello', '#lobby <ann> again'])
    expect(eve.heard).toEqual(['#attic <eve> here'])
  })

  it.each(['leaky.mjs', 'fixed.mjs'])('%s shows whoever skips the greeting out', async (program) => {
    const { port } = await startServer(program)
    const rude = visit(port)
    rude.say('hello')
    await rude.hears('JOIN a room first')
    await rude.gone
  })

  it.skipIf(windows)('keeps timers and log records for ever when leaky, and only a few when fixed', async () => {
    const [leaky, fixed] = [await chatAndLook('leaky.mjs'), await chatAndLook('fixed.mjs')]
    // 300 lines are said; each is received once and sent to three.
    expect(leaky.timers).toBeGreaterThanOrEqual(1200)
    expect(leaky.sendRecords).toBeGreaterThanOrEqual(900)
    expect(fixed.timers).toBeLessThan(20)
    expect(fixed.sendRecords).toBeLessThan(250)
  })

  it('marks the lines to blame, in the leaky one only', () => {
    const marks = (program: string) =>
      readFileSync(join(chatServer, program), 'utf8').match(/\/\/ leak: [a-z-]+$/gm) ?? []
    expect(marks('leaky.mjs').sort()).toEqual([
      ...Array(3).fill('// leak: growing-log-array'),
      ...Array(2).fill('// leak: unbounded-timers'),
    ])
    expect(marks('fixed.mjs')).toEqual([])
  })

  it('has clients that talk for as long as they are told, and end', async () => {
    const { port } = await startServer('fixed.mjs')
    const clients = start(join(chatServer, 'clients.mjs'), [`${port}`, '4', '10', '1'])
    const { said, heard } = JSON.parse(await firstLine(clients))
    expect(said).toBeGreaterThan(100)
    // Two rooms of two: each line is heard twice, but for the last ones on their way when a client leaves.
    expect(heard).toBeGreaterThan(said)
  })
})

describe('the demo', () => {
  it.skipIf(windows).each(['SIGINT', 'SIGTERM'] as const)('leaves nothing behind on %s', async (signal) => {
    const demo = start(join(fixtures, 'demo.mjs'), [], { env: { ...process.env, TMPDIR: folder } })
    let text = ''
    demo.stdout!.on('data', (chunk) => {
      text += chunk
    })
    await vi.waitFor(() => expect(text).toContain('clients talk'), { timeout: 10_000 })
    const server = Number(/as process (\d+)/.exec(text)![1])
    expect(isRunning(server)).toBe(true)

    demo.kill(signal)
    const [code] = await once(demo, 'exit')
    expect(code).toBe(130)
    expect(isRunning(server)).toBe(false)
    expect(readdirSync(folder)).toEqual([])
  })
})

function start(
  program: string,
  args: string[] = [],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
  flags: string[] = [],
) {
  const child = spawn(process.execPath, [...flags, program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  })
  children.push(child)
  return child
}

async function startServer(program: string, flags: string[] = []): Promise<{ port: number; child: ChildProcess }> {
  const child = start(join(chatServer, program), [], { cwd: folder }, flags)
  return { child, ...JSON.parse(await firstLine(child)) }
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout!) {
    text += chunk
    if (text.includes('\n')) break
  }
  return text
}

/** A connection to the chat server that remembers what it heard. */
function visit(port: number) {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  return {
    say: (line: string) => void socket.write(`${line}\n`),
    hears: (line: string) => vi.waitFor(() => expect(text).toContain(`${line}\n`), { timeout: 10_000 }),
    get heard() {
      return text.split('\n').slice(0, -1)
    },
    gone: once(socket, 'close'),
  }
}

async function enter(port: number, room: string, nick: string) {
  const visitor = visit(port)
  visitor.say(`JOIN ${room} ${nick}`)
  visitor.say('here')
  await visitor.hears(`#${room} <${nick}> here`)
  return visitor
}

/** What is in the heap of the server after three clients said a hundred lines each. */
async function chatAndLook(program: string): Promise<{ timers: number; sendRecords: number }> {
  const { port, child } = await startServer(program, ['--heapsnapshot-signal=SIGUSR2'])
  const clients = [
    await enter(port, 'lobby', 'ann'),
    await enter(port, 'lobby', 'bob'),
    await enter(port, 'lobby', 'eve'),
  ]
  for (let i = 1; i <= 100; i++) for (const client of clients) client.say(`line ${i}`)
  for (const client of clients)
    for (const nick of ['ann', 'bob', 'eve']) await client.hears(`#lobby <${nick}> line 100`)
  child.kill('SIGUSR2')
  const heap = await vi.waitFor(() => readHeap(), { timeout: 20_000, interval: 100 })
  child.kill('SIGKILL')
  await once(child, 'exit')
  return heap
}

/** Reads, and removes, the one snapshot in the folder; throws while it is not all there. */
function readHeap() {
  const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.heapsnapshot'))!)
  const { snapshot, nodes, edges, strings } = JSON.parse(readFileSync(file, 'utf8'))
  rmSync(file)
  const [width, edgeWidth] = [snapshot.meta.node_fields.length, snapshot.meta.edge_fields.length]
  const [object, timeout] = [snapshot.meta.node_types[0].indexOf('object'), strings.indexOf('Timeout')]
  const [property, to] = [snapshot.meta.edge_types[0].indexOf('property'), strings.indexOf('to')]
  let [timers, sendRecords] = [0, 0]
  for (let i = 0; i < nodes.length; i += width) if (nodes[i] === object && nodes[i + 1] === timeout) timers++
  for (let i = 0; i < edges.length; i += edgeWidth) if (edges[i] === property && edges[i + 1] === to) sendRecords++
  return { timers, sendRecords }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
