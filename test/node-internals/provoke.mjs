// Fills places in which Node keeps things for a program, a little more in each of three rounds, and writes a heap snapshot after each round.
// node provoke.mjs FOLDER PLACE…

import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, unlinkSync, writeFileSync, writeSync } from 'node:fs'
import { Session } from 'node:inspector'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const require = createRequire(import.meta.url)
const [folder, ...ids] = process.argv.slice(2)
const ROUNDS = 3
const EACH = 60
const never = () => new Promise(() => {})
const kept = []

/** By row of the table: what is done for one more of the things; it may be given what it needs first. */
const WAYS = {
  'timers-by-number': () => (i) => Number(setTimeout(() => i, 3_600_000).unref()),
  'async-local-storages': () => {
    const { AsyncLocalStorage } = require('node:async_hooks')
    return (i) => new AsyncLocalStorage().run({ i }, () => i)
  },
  'performance-marks': () => (i) => performance.mark(`mark ${i}`),
  'performance-measures': () => (i) => performance.measure(`measure ${i}`, { start: 0, end: i + 1 }),
  'performance-observers': () => {
    const { PerformanceObserver } = require('node:perf_hooks')
    return (i) => new PerformanceObserver(() => i).observe({ entryTypes: ['function'] })
  },
  'source-maps': () => {
    process.setSourceMapsEnabled(true)
    const map = Buffer.from('{"version":3,"sources":["a"],"names":[],"mappings":"AAAA"}').toString('base64')
    return (i) => {
      new Function(
        `return ${i}\n//# sourceURL=made-${i}.js\n//# sourceMappingURL=data:application/json;base64,${map}`,
      )()
    }
  },
  'combined-signals': () => {
    const { signal } = keep(new AbortController())
    return (i) => AbortSignal.any([signal, new AbortController().signal]).addEventListener('abort', () => i)
  },
  'signals-listened-to': () => (i) => AbortSignal.timeout(3_600_000).addEventListener('abort', () => i),
  'async-hooks': () => {
    const { createHook } = require('node:async_hooks')
    return () => createHook({ destroy() {} }).enable()
  },
  'promise-hooks': () => {
    const { promiseHooks } = require('node:v8')
    return (i) => promiseHooks.onSettled(() => i)
  },
  'diagnostics-channels': () => {
    const { channel } = require('node:diagnostics_channel')
    return (i) => channel('made').subscribe(() => i)
  },
  'module-hooks': () => {
    const { registerHooks } = require('node:module')
    return () => registerHooks({ load: (url, context, next) => next(url, context) })
  },
  'trace-events': () => {
    const { createTracing } = require('node:trace_events')
    process.chdir(folder)
    return (i) => createTracing({ categories: [`made.${i}`] }).enable()
  },
  'console-timers': () => (i) => console.time(`time ${i}`),
  'console-counters': () => {
    const { Console } = require('node:console')
    const { Writable } = require('node:stream')
    const quiet = new Console(new Writable({ write: (_chunk, _encoding, done) => done() }))
    keep(quiet)
    return (i) => quiet.count(`count ${i}`)
  },
  'environment-data': () => {
    const { setEnvironmentData } = require('node:worker_threads')
    return (i) => setEnvironmentData(`data ${i}`, { i })
  },
  'debuglog-sections': () => {
    const { debuglog } = require('node:util')
    return (i) => debuglog(`section-${i}`)('made')
  },
  'object-urls': () => (i) => URL.createObjectURL(new Blob([`blob ${i}`])),
  'inspector-sessions': () => () => new Session().connect(),
  'web-locks': () => (i) => void navigator.locks.request(`lock ${i}`, never),
  'atomics-waiters': () => {
    const shared = keep(new Int32Array(new SharedArrayBuffer(4)))
    return () => Atomics.waitAsync(shared, 0, 0, 3_600_000)
  },
  'registered-symbols': () => (i) => Symbol.for(`symbol ${i}`),
  'module-paths': () => {
    const files = join(folder, 'modules')
    mkdirSync(files)
    return (i) => {
      const file = join(files, `module-${i}.cjs`)
      writeFileSync(file, `module.exports = ${i}`)
      require(file)
      unlinkSync(file)
    }
  },
  'performance-resources': () => {
    performance.setResourceTimingBufferSize(1e6)
    const connection = { domainLookupStartTime: 0, domainLookupEndTime: 0, connectionStartTime: 0 }
    const timing = { startTime: 0, endTime: 0, finalConnectionTimingInfo: connection }
    return (i) =>
      performance.markResourceTiming(timing, `http://made/${i}`, 'fetch', globalThis, '', { encodedSize: 0 }, 200)
  },
  'agent-requests': async () => {
    const http = require('node:http')
    const agent = keep(new http.Agent({ maxSockets: 1 }))
    const { port } = await listening(() => {})
    return (i) => http.get({ agent, port, host: '127.0.0.1', path: `/${i}` }).on('error', () => {})
  },
  'fetch-origins': async () => {
    const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\nkeep-alive: timeout=600\r\n\r\n'
    const answers = (socket) => socket.on('data', () => socket.write(answer))
    return async () => {
      const { port } = await listening(answers)
      await (await fetch(`http://127.0.0.1:${port}/`)).text()
    }
  },
  'web-stream-queue': () => {
    let controller
    keep(
      new ReadableStream({
        start(given) {
          controller = given
        },
      }),
    )
    return (i) => controller.enqueue({ i })
  },
  'child-messages': async () => {
    const { spawn } = require('node:child_process')
    const child = spawn(process.execPath, ['-e', 'process.on("message", () => {}); process.send(1)'], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    process.on('exit', () => child.kill('SIGKILL'))
    await once(child, 'message')
    child.kill('SIGSTOP')
    // More than a pipe takes.
    child.send('x'.repeat(4 << 20))
    return (i) => child.send({ i })
  },
}

/** What is open is held by Node, and is no row of the table. */
const OPEN = {
  'HTTP/2 sessions': async () => {
    const http2 = require('node:http2')
    const server = http2.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return () => once(http2.connect(`http://127.0.0.1:${server.address().port}`), 'connect')
  },
  'HTTP/2 streams': async () => {
    const http2 = require('node:http2')
    const server = http2.createServer({ settings: { maxConcurrentStreams: 10_000 } }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = keep(http2.connect(`http://127.0.0.1:${server.address().port}`))
    return (i) => session.request({ ':path': `/${i}` }).resume()
  },
  servers: () => () => listening(() => {}),
  'broadcast channels': () => (i) => {
    new BroadcastChannel('made').onmessage = () => i
  },
  'file watchers': () => {
    const { watchFile } = require('node:fs')
    return (i) => watchFile(join(folder, `none-${i}`), { interval: 3_600_000 }, () => i)
  },
}

function keep(thing) {
  kept.push(thing)
  return thing
}

async function listening(onConnection) {
  const server = createServer(onConnection).listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return server.address()
}

/** V8 knows objects again in one session only. */
const session = new Session()
session.connect()
async function snapshot(file) {
  const out = openSync(file, 'w')
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => writeSync(out, params.chunk))
  await new Promise((done, fail) => {
    const answered = (error) => (error ? fail(error) : done())
    session.post('HeapProfiler.takeHeapSnapshot', { captureNumericValue: true }, answered)
  })
  session.removeAllListeners('HeapProfiler.addHeapSnapshotChunk')
  closeSync(out)
}

const ways = []
for (const id of ids) ways.push(await (WAYS[id] ?? OPEN[id])())
let made = 0
for (let round = 0; round < ROUNDS; round++) {
  for (let each = 0; each < EACH; each++, made++) for (const way of ways) await way(made)
  await sleep(20)
  await snapshot(join(folder, `${round}.heapsnapshot`))
}
process.exit(0)
