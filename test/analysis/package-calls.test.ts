import { describe, expect, it } from 'vitest'
import type { Clues, Via } from '../../src/analysis/clues.ts'
import { rankPackageCalls } from '../../src/analysis/package-calls.ts'
import { Sources } from '../../src/source/app-modules.ts'

const URL = 'file:///app/server.mjs'
const VIA: Via = { packages: new Map([['queue', 1]]), functions: [], given: undefined, makesOne: false }

/** The text of the likeliest call, from its last name on; undefined where there is none. */
function likeliest(source: string, via: Partial<Via> = {}, more: Readonly<Record<string, string>> = {}) {
  const clues: Clues = {
    ...{ className: 'Listener', bytes: 1, survivors: [], callback: undefined, names: [], home: undefined },
    ...{ container: undefined, inside: [], holder: undefined, origins: new Map(), classes: new Map() },
    ...{ functions: [], steps: [], scripts: [URL, ...Object.keys(more)] },
  }
  const sources: Readonly<Record<string, string>> = { [URL]: source, ...more }
  const best = rankPackageCalls(new Sources((url) => sources[url]), clues, { ...VIA, ...via })[0]
  return best?.module.outline.source.slice(best.call.at).split('\n')[0]
}

describe('the call that hands a package what it adds to', () => {
  it('is one that is made again and again, not the one that sets the package up', () => {
    const source = `import { Queue } from 'queue'
const jobs = new Queue({ size: 3 })
function onRequest(request) {
  jobs.add(() => work(request))
}
`
    expect(likeliest(source)).toBe('add(() => work(request))')
  })

  it('is the one that names what the package was given, and never one of another package', () => {
    const source = `import { Queue } from 'queue'
import { setMaxListeners } from 'node:events'
const jobs = new Queue()
function onRequest() {
  setMaxListeners(0, shutdown.signal)
  jobs.pause()
  jobs.run(task, { signal: shutdown.signal })
  other(shutdown.signal)
}
`
    expect(likeliest(source, { given: 'shutdown.signal' })).toBe('run(task, { signal: shutdown.signal })')
  })

  it('is the one that is called as the package calls its function', () => {
    const source = `import Queue from 'queue'
const jobs = new Queue()
async function run(work) {
  const job = await jobs.add(work)
  return job.finished()
}
server(() => { run({}).catch(() => {}) })
`
    expect(likeliest(source, { functions: ['finished'] })).toBe('finished()')
  })

  it('is the constructor where one of the objects came for each thing that leaks', () => {
    const source = `import { Client } from 'queue'
function onRequest() {
  const client = new Client()
  client.greet('x')
}
`
    expect(likeliest(source, { makesOne: true })).toBe('Client()')
  })

  it('is found through what is made with something of the package, and through another module of the program', () => {
    const transport = `import { createTransport } from 'queue'
import { createClient } from 'client'
const transport = createTransport()
const client = createClient(Service, transport)
async function onRequest() {
  return client.ping({})
}
`
    expect(likeliest(transport)).toBe('ping({})')
    const other = { 'file:///app/jobs.mjs': "import { Queue } from 'queue'\nexport const jobs = new Queue()\n" }
    const source = `import { jobs } from './jobs.mjs'\nexport function onRequest() {\n  jobs.add(1)\n}\n`
    expect(likeliest(source, {}, other)).toBe('add(1)')
  })

  it('of a package that needs it must be told by more than its name', () => {
    const packages = new Map([['framework', 0.6]])
    const source = `import { make } from 'framework'
const app = make()
function onRequest() { app.respond(1) }
function onJob() { app.watch(bus) }
`
    expect(likeliest(source, { packages })).toBeUndefined()
    expect(likeliest(source, { packages, given: 'bus' })).toBe('watch(bus) }')
  })

  it('is none where the program calls nothing of it', () => {
    expect(likeliest(`function onRequest() { run().catch(() => {}) }`, { functions: ['finished'] })).toBeUndefined()
  })
})
