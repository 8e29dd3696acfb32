// Opens a heap snapshot with Chrome DevTools' engine, run headless, without its guessed interface names.

import { isMainThread, MessageChannel, parentPort, Worker } from 'node:worker_threads'
import { bundleEngine } from './bundle-engine.mjs'

// The engine uses this; Node has it from 22 on.
Promise.withResolvers ??= function withResolvers() {
  let resolve, reject
  const promise = new this((...functions) => {
    ;[resolve, reject] = functions
  })
  return { promise, resolve, reject }
}

const engine = await import(await bundleEngine())
// Plain objects keep the name V8 gives them; DevTools' own names for them ({a, b, c}) are a guess from their properties.
engine.HeapSnapshot.prototype.inferInterfaceDefinitions = () => []

export const { CPUProfileDataModel, NodeFilter } = engine

if (!isMainThread) {
  // The engine works out dominators on a second thread, which is this file again.
  parentPort.once('message', ({ port }) => new engine.SecondaryInitManager(port))
  parentPort.postMessage('ready')
}

/** Leaves out what only DevTools works out: which web page owns what, and the statistics of its pie chart. */
export function withoutExtras() {
  engine.HeapSnapshot.prototype.calculateNativeContextAttribution = () => {}
  engine.HeapSnapshot.prototype.calculateNativeContextSizes = () => {}
  engine.JSHeapSnapshot.prototype.calculateStatistics = () => {}
}

/**
 * DevTools' model of the heap, and what it complained about while building it.
 * @param pieces the file's bytes: a Buffer, or an (async) iterable of Buffers
 */
export async function openWithDevTools(pieces) {
  const complaints = []
  const warn = console.warn
  console.warn = (text) => complaints.push(String(text))
  const loader = new engine.HeapSnapshotLoader({ sendEvent() {} })
  const decoder = new TextDecoder()
  for await (const piece of Buffer.isBuffer(pieces) ? inPieces(pieces) : pieces) {
    loader.write(decoder.decode(piece, { stream: true }))
    await new Promise(setImmediate)
  }
  loader.close()
  await loader.parsingComplete

  const second = new Worker(new URL(import.meta.url))
  await new Promise((resolve) => second.once('message', resolve))
  const { port1, port2 } = new MessageChannel()
  second.postMessage({ port: port2 }, [port2])
  const heap = await loader.buildSnapshot(port1)
  port1.close()
  await second.terminate()
  console.warn = warn
  return { heap, complaints }
}

function* inPieces(bytes) {
  for (let at = 0; at < bytes.length; at += 4 << 20) yield bytes.subarray(at, at + (4 << 20))
}
