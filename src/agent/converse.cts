// One leakscope that has come: reads its requests, and writes answers and events.

import { writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { openEngine } from './engine.cts'
import { DESCRIBE, type Description, type Done, type Engine, type Event, type Request, WIRE_VERSION } from './wire.cts'

/** More than any request is; whoever sends more is no leakscope. */
const LONGEST_REQUEST = 64 << 20

export function converse(socket: Socket): void {
  socket.unref()
  socket.on('error', () => {})
  const writer = createWriter(socket)
  const engine = openEngine((event: Event) => writer.write(event))
  socket.on('close', () => engine.close())
  let unread = ''
  socket.setEncoding('utf8')
  socket.on('data', (part: string) => {
    const lines = (unread + part).split('\n')
    unread = lines.pop()!
    if (unread.length > LONGEST_REQUEST) socket.destroy()
    for (const line of lines) answer(line, engine, writer)
  })
}

function answer(line: string, engine: Engine, writer: Writer): void {
  const request = parse(line)
  if (!request) {
    writer.end()
    return
  }
  const { id, method, params } = request
  const done: Done = (error, result) => {
    writer.write(error ? { id, error: { message: error.message } } : { id, result: result ?? {} })
  }
  if (method === DESCRIBE) done(null, describe(engine))
  else engine.post(method, params ?? {}, done)
}

/** Undefined for what is no request: whoever sent it is no leakscope. */
function parse(line: string): Request | undefined {
  try {
    const { id, method, params } = JSON.parse(line)
    const isRequest = typeof id === 'number' && typeof method === 'string' && typeof (params ?? {}) === 'object'
    return isRequest ? { id, method, params } : undefined
  } catch {
    return undefined
  }
}

function describe({ inspector }: Engine): Description {
  const { pid, version, argv, execArgv } = process
  const command = [argv[0]!, ...execArgv, ...argv.slice(1)]
  return { wire: WIRE_VERSION, pid, nodeVersion: version, command, inspector }
}

interface Writer {
  /** Returns when all of it is on its way, or the reader has gone. */
  write(message: object): void
  end(): void
}

/** A reader that takes nothing for this long, while the program waits for it, has to come again. */
const PATIENCE_MS = 5000

/**
 * The pieces of a snapshot come one after the other with no turn of the event loop in between. What a stream does then
 * is keep them all: the whole snapshot, in the memory of a process that has none to spare. So they are written at once,
 * and where the reader is slower, the process stands still a little longer instead.
 */
function createWriter(socket: Socket): Writer {
  const nothing = new Int32Array(new SharedArrayBuffer(4))
  let bytes = Buffer.allocUnsafe(64 * 1024)

  function put(length: number): void {
    let waitedMs = 0
    for (let done = 0; done < length; ) {
      // A destroyed socket has no handle any more, and its descriptor may be somebody else's by now.
      const fd = (socket as unknown as { _handle: { readonly fd: number } | null })._handle?.fd ?? -1
      if (fd < 0 || socket.destroyed) return
      try {
        done += writeSync(fd, bytes, done, length - done)
        waitedMs = 0
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || waitedMs >= PATIENCE_MS) return void socket.destroy()
        Atomics.wait(nothing, 0, 0, 1)
        waitedMs++
      }
    }
  }

  return {
    write(message) {
      const text = `${JSON.stringify(message)}\n`
      // UTF-8 needs at most three bytes for one UTF-16 unit.
      if (bytes.length < 3 * text.length) bytes = Buffer.allocUnsafe(3 * text.length)
      put(bytes.write(text))
    },
    end: () => socket.destroy(),
  }
}
