import { describe, expect, it } from 'vitest'
import type { Clues } from '../../src/analysis/clues.ts'
import { type BlameOptions, judgeClues } from '../../src/analysis/culprit.ts'
import type { NearFunction } from '../../src/analysis/surroundings.ts'

const APP = 'file:///app/main.mjs'

const nothing: Clues = {
  ...{ className: 'Object', bytes: 100_000, survivors: [], callback: undefined, names: [], home: APP },
  ...{ container: undefined, inside: [], holder: undefined, origins: new Map(), classes: new Map() },
  ...{ functions: [], steps: [], scripts: [APP] },
}

/** The line that is blamed, in a source where it ends in `// HERE`; the line that does. */
function blamed(source: string, clues: Partial<Clues>, options: Partial<BlameOptions> = {}) {
  const lines = source.split('\n')
  const { culprit } = judgeClues(
    { ...nothing, ...clues },
    { readSource: (url) => (url === APP ? source : undefined), ...options },
  )
  return { said: culprit && lines[culprit.line - 1]?.trim(), marked: lines.find((line) => /HERE/.test(line))?.trim() }
}

/** A function of the program's, by where its text begins. */
function functionAt(source: string, text: string, rest: Partial<NearFunction> = {}): NearFunction {
  const before = source.slice(0, source.indexOf(text)).split('\n')
  const location = { url: APP, line: before.length, column: before.at(-1)!.length + 1 }
  return { name: '', location, distance: 2, kind: 'callback', ...rest }
}

function expectHere(source: string, clues: Partial<Clues>, options: Partial<BlameOptions> = {}): void {
  const { said, marked } = blamed(source, clues, options)
  expect(said).toBe(marked)
}

describe('what is held by the program itself', () => {
  it('is blamed on the statement that puts it there, in a function rather than at the top', () => {
    const source = `
const seen = new Map()
seen.set('first', 1)
// seen.set(in, aComment)
const text = 'seen.set('
function onRequest(id) {
  return seen.has(id) || seen.set(id, 1) // HERE
}`
    expectHere(source, { names: ['seen'], container: 'seen' })
  })

  it.each([
    [
      'an entry of an object',
      'const byName = {}\nfunction hear(name) {\n  byName[name] = { name } // HERE\n}',
      'byName',
    ],
    [
      'a list',
      'class A {\n  latest = null\n  add(x) {\n    this.latest = new Node(x, this.latest) // HERE\n  }\n}',
      'latest',
    ],
    ['a text', "class A {\n  text = ''\n  add(x) {\n    this.text += x // HERE\n  }\n}", 'text'],
    ['a chain', 'let last = Promise.resolve()\nfunction pass(f) {\n  last = last.then(f) // HERE\n}', 'last'],
    [
      'a promise that is raced',
      'const off = new Promise(() => {})\nasync function go() {\n  await Promise.race([work(), off]) // HERE\n}',
      'off',
    ],
  ])('is %s', (_, source, container) => {
    expectHere(source, { names: [container], container })
  })

  it('is declared there, at the least', () => {
    expectHere('import { fill } from "./fill.mjs"\nexport const table = [] // HERE\n', { container: 'table' })
  })

  it('is a piece of a text that a function cut off', () => {
    const source = `
const titles = new Map()
function titleOf(page) {
  const start = page.indexOf('<')
  return page.slice(start, start + 9) // HERE
}
function read(page) {
  titles.set(page.id, titleOf(page))
}`
    expectHere(source, { container: 'titles', className: '(sliced string)' })
  })
})

describe('a function that leaks', () => {
  const source = `
function subscribe(bus, user) {
  const hear = (event) => {
    user.tell(event)
  }
  log('subscribed')
  bus.on('news', hear) // HERE
}`

  it('is blamed on whom it is handed to, also by its name', () => {
    expectHere(source, { callback: functionAt(source, '(event)', { name: 'hear', distance: 0 }) })
    const inline = 'function ask(bus) {\n  bus.once( // HERE\n    "news",\n    () => 1,\n  )\n}'
    expectHere(inline, { callback: functionAt(inline, '() => 1') })
  })

  it('is named itself where the source cannot be had', () => {
    const callback = functionAt(source, '(event)', { name: 'hear' })
    const { culprit } = judgeClues({ ...nothing, callback }, {})
    expect(culprit).toMatchObject({ function: 'hear', line: 3, basis: 'callback', package: null })
  })
})

describe('what a library holds', () => {
  it('is blamed on the call that feeds the variable of the program', () => {
    const source = `
import Redis from 'ioredis'
const redis = new Redis()
redis.on('error', () => {})
export async function view(slug) {
  const known = await redis.get('title')
  redis.set(slug, known) // HERE
}
export const close = () => redis.quit()`
    const inside = ['commandQueue', '_list']
    expectHere(source, { names: ['redis'], inside, holder: 'denque', origins: new Map([['ioredis', 0.7]]) })
  })

  it('is blamed on the statement that has the function waiting', () => {
    const source = `
import { createPool } from 'generic-pool'
const pool = createPool({})
async function stats() {
  pool.use(() => 1)
}
async function query(id) {
  const socket = await pool.acquire() // HERE
  pool.release(socket)
}`
    const functions = [functionAt(source, '(id)', { name: 'query', kind: 'frame', distance: 4 })]
    expectHere(source, { names: ['pool'], inside: ['_waitingClientsQueue'], functions })
  })

  it('is found through what came out of the variable: an element, an argument, a result', () => {
    const source = `
import { Server } from 'ws'
const room = new Server()
room.on('connection', (socket) => socket.ping())
function broadcast(text) {
  for (const client of room.clients) {
    client.send(text) // HERE
  }
}`
    expectHere(source, {
      ...{ names: ['room'], inside: ['clients', '_socket', '_writableState'], holder: 'ws' },
      origins: new Map([['ws', 0.6]]),
    })
  })

  it('is made there, by class or by a factory named after it, though no variable leads to it', () => {
    const source = `
import { Agent, request } from 'undici'
export async function proxy(url) {
  const target = new URL(url)
  const dispatcher = new Agent({ connect: {} }) // HERE
  return request(target, { dispatcher })
}`
    const clues = { origins: new Map([['undici', 0.8]]), classes: new Map([['Agent', 0.6]]), home: undefined }
    expectHere(source, clues)
    const logger = `const winston_1 = require('winston')
exports.loggerFor = function (request) {
  return (0, winston_1.createLogger)({ request }) // HERE
}`
    expectHere(logger, { ...clues, classes: new Map([['DerivedLogger', 0.9]]), origins: new Map([['winston', 0.8]]) })
  })

  it('is blamed on its setting up, where the program calls nothing else of it', () => {
    const source = `
import express from 'express'
import session from 'express-session'
const app = express()
app.use(session({ secret: 'x' })) // HERE
app.get('/', (req, res) => res.json({ ok: true }))`
    const origins = new Map([['express-session', 0.8]])
    expectHere(source, {
      names: ['app'],
      inside: ['router', 'stack', 'handle', 'store', 'sessions'],
      holder: 'express-session',
      origins,
    })
  })
})

describe('what Node holds', () => {
  const source = `
import { spawn } from 'node:child_process'
import { watch } from 'node:fs'
export function convert(text) {
  const helper = spawn('cat') // HERE
  helper.stdin.write(text)
}
export const look = () => watch('.')
export async function reload(n) {
  return import('./rules.mjs?' + n) // MODULE
}`

  it('is blamed on the call that makes such handles', () => {
    expectHere(source, { home: undefined, classes: new Map([['ChildProcess', 0.9]]) }, { first: 'made' })
    expect(blamed(source, { home: undefined, classes: new Map([['FSWatcher', 0.9]]) }).said).toMatch(/watch/)
    expect(blamed(source, { home: undefined, classes: new Map([['ModuleJob', 0.9]]) }).said).toMatch(/MODULE/)
  })

  it('is asked for where it is made, though it is put somewhere, too', () => {
    const zlib = `
import { createGzip } from 'node:zlib'
const feeds = new Set()
class Feed {
  #gzip = createGzip() // HERE
}
export const open = () => feeds.add(new Feed())`
    const clues = {
      names: ['feeds'],
      container: 'feeds',
      classes: new Map([
        ['Gzip', 1],
        ['Feed', 0.9],
      ]),
    }
    const functions = [functionAt(zlib, 'class Feed', { name: 'Feed', kind: 'class' })]
    expect(blamed(zlib, { ...clues, functions }).said).toMatch(/feeds\.add/)
    expectHere(zlib, { ...clues, functions }, { first: 'made' })
  })
})

describe('a place in a script that was made of others', () => {
  it('is the one to blame where its source is the program’s, and not where that is a package’s', () => {
    const source = `
function libraryAdd(queue, item) { queue.items.push(item) }
export function serve(item) { jobs.add(item) }`
    const { culprit } = judgeClues(
      { ...nothing, names: ['jobs', 'items'], container: 'items' },
      {
        readSource: () => source,
        mapPosition: (_, line) =>
          line === 2
            ? { url: 'file:///app/node_modules/queue/index.js', line: 70, column: 1 }
            : { url: 'file:///app/src/serve.ts', line: 12, column: 5 },
      },
    )
    expect(culprit).toMatchObject({ line: 3, package: null })
  })
})

describe('with a profile', () => {
  const source = `
import { Queue } from 'queue'
const queue = new Queue()
function first(item) {
  queue.push(item)
}
function second(item) {
  const text = JSON.stringify(item)
  queue.push(text) // HERE
}`
  const clues = { names: ['queue'], inside: ['list'], holder: 'queue', survivors: [10, 10] }
  const stack = (text: string, bytes: number) => {
    const { location } = functionAt(source, text)
    return { frames: [{ function: 'f', ...location }], bytes, bytesPerStep: [bytes, bytes] }
  }

  it('the statement is looked for in the function that allocates most of what stays', () => {
    const allocations = [stack('(item) {\n  queue', 1000), stack('(item) {\n  const', 90_000)]
    const { culprit, sites } = judgeClues({ ...nothing, ...clues }, { readSource: () => source, allocations })
    expect(culprit).toMatchObject({ line: 9, basis: 'allocation' })
    expect(sites.map(({ line, bytes }) => [line, bytes])).toEqual([
      [7, 90_000],
      [4, 1000],
    ])
  })

  it('a statement that fits well stays, as V8 may have named a function that calls its own', () => {
    const allocations = [stack('(item) {\n  const', 90_000)]
    const functions = [functionAt(source, '(item) {\n  queue', { kind: 'frame', distance: 1 })]
    const { culprit } = judgeClues({ ...nothing, ...clues, functions }, { readSource: () => source, allocations })
    expect(culprit).toMatchObject({ line: 5, basis: 'retainer' })
  })

  it('where nothing else is known, something in the function that allocates is to blame', () => {
    const unknown = { ...nothing, classes: new Map([['Queue', 0.2]]), home: undefined }
    const allocations = [stack('(item) {\n  const', 90_000)]
    const { culprit } = judgeClues(unknown, { readSource: () => source, allocations })
    expect(culprit).toMatchObject({ line: 7, basis: 'allocation' })
    expect(judgeClues(unknown, { readSource: () => source }).culprit).toBeUndefined()
  })

  it('names the function where there is no source', () => {
    const allocations = [stack('(item) {\n  const', 90_000)]
    expect(judgeClues({ ...nothing, ...clues }, { allocations }).culprit).toMatchObject({
      line: 7,
      basis: 'allocation',
    })
  })
})

it('reads a source once, however often it is asked about, and takes hostile ones', () => {
  let reads = 0
  const hostile = [
    'logs['.repeat(40_000),
    'f(function('.repeat(20_000),
    'a.b(a,a,'.repeat(20_000),
    'import a,'.repeat(20_000),
  ]
  for (const source of hostile) {
    const readSource = () => {
      reads++
      return source
    }
    for (let i = 0; i < 3; i++) judgeClues({ ...nothing, container: 'logs', names: ['logs'] }, { readSource })
  }
  expect(reads).toBe(hostile.length)
}, 60_000)
