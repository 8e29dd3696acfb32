// What the readers of Node's insides find in recorded heaps of each Node: one that finds nothing has a name that Node changed.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSnapshot } from '../../src/analysis/open-snapshot.ts'
import type { HeapGraph } from '../../src/graph/heap-graph.ts'
import { isObject, nodeName, property, referencesOf } from '../../src/graph/look.ts'
import { type PathReference, retainingPath, stringText } from '../../src/graph/retaining-path.ts'
import { keepsContext } from '../../src/node-internals/async-contexts.ts'
import * as handles from '../../src/node-internals/handles.ts'
import * as listeners from '../../src/node-internals/listeners.ts'
import * as modules from '../../src/node-internals/modules.ts'
import * as promises from '../../src/node-internals/promises.ts'
import { settleable } from '../../src/node-internals/settling.ts'
import * as streams from '../../src/node-internals/streams.ts'
import * as threads from '../../src/node-internals/threads.ts'
import * as timers from '../../src/node-internals/timers.ts'
import * as web from '../../src/node-internals/web-streams.ts'
import { EdgeType } from '../../src/snapshot/meta.ts'
import { edgeType } from '../../src/snapshot/snapshot.ts'
import { NODE_MAJORS } from '../matrix/nodes.mjs'
import { unpackBase, unpackBundle } from '../recorded/bundles.mjs'

const bundles = fileURLToPath(new URL('../recorded/bundles/', import.meta.url))

describe.each(NODE_MAJORS)('on Node %i', (major) => {
  let folder: string
  const close: (() => Promise<void>)[] = []
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'leakscope-readers-'))
  })
  afterAll(async () => {
    for (const each of close) await each()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A heap of the first of these programs that is recorded on this Node. */
  async function heapOf(...programs: string[]): Promise<HeapGraph> {
    const program = programs.find((each) => existsSync(join(bundles, `${each}-node${major}.br`)))
    if (program === undefined) throw new Error(`none of ${programs.join(', ')} is recorded on Node ${major}`)
    return openLast(program, major, folder, close)
  }

  it('timers that are set are found with what they were given, in their lists', async () => {
    const graph = await heapOf('timers-settimeout')
    const set = nodesThat(graph, timers.isSetTimer)
    const own = set
      .map((node) => timers.timerAt(graph, node)!)
      .filter(({ callback }) => graph.sourceLocation(callback)?.url.startsWith('node:') === false)
    expect(own.length).toBeGreaterThan(100)
    for (const { delayMs, setAtMs, repeats } of own) {
      expect(delayMs).toBeGreaterThan(0)
      expect(setAtMs).toBeGreaterThan(0)
      expect(typeof repeats).toBe('boolean')
    }
    const lists = objectsThat(graph, timers.isTimerList).map((list) => ({
      list,
      inIt: [...timers.timersOfList(graph, list)],
    }))
    expect(lists.flatMap(({ inIt }) => inIt).toSorted((a, b) => a - b)).toEqual(set)
    const { list, inIt } = lists.find(({ inIt: { length } }) => length > 10)!
    expect(inIt.at(-1)).toBe(timers.oldestOfList(graph, list))
    const retainers = graph.retainers(list).flatMap(({ node }) => [node, ...graph.retainers(node).map((it) => it.node)])
    expect(retainers.some((node) => !timers.isTimerList(graph, node) && timers.isTimerListOrQueue(graph, node))).toBe(
      true,
    )
    expect(variablesOf(graph).filter((reference) => timers.isTimerTable(reference))).not.toEqual([])
    expect(variablesOf(graph).filter((reference) => timers.isTimerNumberTable(reference))).not.toEqual([])
  })

  it('what timers keep of AsyncLocalStorage is found', async () => {
    const graph = await heapOf('asynclocalstorage-timers')
    const set = nodesThat(graph, timers.isSetTimer)
    expect(set.filter((node) => keepsContext(graph, node)).length).toBeGreaterThan(500)
    // Node's own have none.
    expect(set.every((node) => keepsContext(graph, node))).toBe(false)
  })

  it('listeners of an emitter are found by event', async () => {
    const graph = await heapOf('eventemitter-on')
    const most = objectsThat(graph, (_, node) => listeners.listenerTable(graph, node) !== undefined)
      .flatMap((emitter) => [...listeners.eventsOf(graph, emitter)])
      .map((it) => ({ ...it, functions: listeners.functionsIn(graph, it.listeners).length }))
      .sort((a, b) => b.functions - a.functions)[0]!
    expect(most.functions).toBeGreaterThan(100)
    expect(most.event).toMatch(/^\w+$/)
  })

  it('listeners of a signal are found, and the table of signals', async () => {
    const graph = await heapOf('abortsignal')
    expect(nodesThat(graph, listeners.isTargetListener).length).toBeGreaterThan(500)
    const targets = objectsThat(graph, listeners.isEventTarget)
    expect(targets.some((node) => /^(AbortSignal|EventTarget)$/.test(nodeName(graph, node)))).toBe(true)
    expect(targets.some((node) => listeners.maxListeners(graph, node) !== undefined)).toBe(true)
    expect(variablesOf(graph).filter((reference) => listeners.isSignalTable(reference))).not.toEqual([])
  })

  it('events that wait in an iterator are found, and whose they are', async () => {
    const graph = await heapOf('events-on-nobody-reads')
    const { edges, edgeNameOrIndex, firstEdge, nodeCount, strings } = graph.snapshot
    const scopes = Array.from({ length: nodeCount }, (_, node) => node).filter((node) => {
      for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
        if (
          edgeType(edges[edge]!) === EdgeType.context &&
          listeners.isIteratorQueue(strings.get(edgeNameOrIndex[edge]!))
        )
          return true
      }
      return false
    })
    const emitters = scopes.flatMap((scope) => listeners.iteratorEmitter(graph, scope) ?? [])
    expect(emitters.some((node) => listeners.listenerTable(graph, node) !== undefined)).toBe(true)
  })

  it('promises that wait for one another are found, and which could still be settled', async () => {
    const graph = await heapOf('promise-chain')
    const waiting = nodesThat(graph, promises.isPromise).filter((node) => promises.isAwaited(graph, node))
    expect(waiting.length).toBeGreaterThan(500)
    expect(waiting.filter((node) => promises.waiterOf(graph, node) !== undefined).length).toBeGreaterThan(500)
    expect(waiting.every(settleable(graph))).toBe(true)
    const reactions = nodesThat(graph, promises.isReaction)
    expect(reactions.some((node) => promises.handlerOf(graph, node) !== undefined)).toBe(true)
  })

  it('a promise that nothing can settle is told from others', async () => {
    const graph = await heapOf('promise-that-stays-pending-await')
    const waiting = nodesThat(graph, promises.isPromise).filter((node) => promises.isAwaited(graph, node))
    expect(waiting.some((node) => !settleable(graph)(node))).toBe(true)
    expect(nodesThat(graph, promises.isReaction).length).toBeGreaterThan(500)
  })

  it('messages that wait are found in their port', async () => {
    const graph = await heapOf('messageport-nobody-reads')
    const names = nodesThat(graph, (_, node) => threads.isOfMessages(nodeName(graph, node)))
    const messages = names.filter((node) => threads.isMessage(nodeName(graph, node)))
    expect(messages.length).toBeGreaterThan(500)
    const path = retainingPath(graph, messages[0]!)
    expect(path.some(({ thing }) => threads.isReceiver(thing.name))).toBe(true)
    expect(path.some(({ thing }) => threads.isOfMessages(thing.name) && !threads.isMessage(thing.name))).toBe(true)
  })

  it('worker threads are found', async () => {
    // Where none was recorded with threads, the prototype is an object of that class, of Node's script.
    const graph = await heapOf('thread-growth-leaky', 'cross-thread-release-leaky', 'messageport-nobody-reads')
    const workers = objectsThat(graph, threads.isWorker)
    expect(workers.length).toBeGreaterThan(0)
    for (const node of workers) expect(threads.isOfThread(nodeName(graph, node))).toBe(true)
  })

  it('handles are found, by class, with what the program has of them', async () => {
    const graph = await heapOf('handles-servers')
    const native = objectsThat(graph, (_, node) => handles.nativeSide(graph, node) !== undefined)
    const sockets = native.filter((node) => handles.HANDLES.socket.test(nodeName(graph, node)))
    expect(sockets.length).toBeGreaterThan(50)
    const owners = sockets.flatMap((node) => handles.ownerOf(graph, node) ?? [])
    expect(owners.filter((node) => handles.HANDLES.server.test(nodeName(graph, node))).length).toBeGreaterThan(50)
    const sides = native.map((node) => handles.nativeSide(graph, node)!)
    expect(sides.some((side) => handles.isNodesNative(nodeName(graph, side)))).toBe(true)
    expect(sides.every((side, i) => (handles.objectOf(graph, side) ?? native[i]) === native[i])).toBe(true)
    expect(sides.some((side) => handles.objectOf(graph, side) !== undefined)).toBe(true)
  })

  it("writes that wait in a socket are found, by its state and by Node's request to the system", async () => {
    const graph = await heapOf('socket-nobody-reads')
    expect(objectsThat(graph, handles.isAccepted).length).toBeGreaterThan(0)
    const states = objectsThat(graph, streams.isWritableState)
    const queues = states.flatMap((state) => streams.writeQueue(graph, state) ?? [])
    const chunks = queues.flatMap((queue) =>
      [...referencesOf(graph, queue)].filter(
        ({ type, target }) => type === EdgeType.element && streams.chunkOf(graph, target) !== target,
      ),
    )
    expect(chunks.length).toBeGreaterThan(100)
    expect(states.some((state) => (streams.waitingIn(graph, state) ?? 0) > 0)).toBe(true)
    const requests = nodesThat(graph, streams.isWriteRequest)
    const asked = requests.filter((request) => streams.chunksOfRequest(graph, request) !== undefined)
    expect(asked.length).toBeGreaterThan(0)
    expect(asked.flatMap((request) => streams.stateOfRequest(graph, request) ?? [])).not.toEqual([])
    const owners = objectsThat(graph, (_, node) => states.includes(streams.writableState(graph, node)!))
    const readable = owners.flatMap((node) => streams.readableState(graph, node) ?? [])
    expect(readable.every((state) => streams.isReadableState(graph, state))).toBe(true)
    expect(readable.some((state) => referencesAs(graph, state).some(streams.isReadableQueue))).toBe(true)
  })

  it('chunks that wait in a web stream are found', async () => {
    const graph = await heapOf('web-readablestream-nobody-reads')
    const parts = nodesThat(graph, web.isWebStream)
    const classes = parts.map((node) => web.webStreamClass(graph, node))
    expect(classes).toContain('ReadableStream')
    expect(classes).toContain('ReadableStreamDefaultController')
    expect(parts.some((node) => (web.webStreamHighWaterMark(graph, node) ?? 0) > 0)).toBe(true)
    const states = parts.flatMap((node) => property(graph, node, 'kState') ?? [])
    expect(states.some((state) => referencesAs(graph, state).some(web.isWebStreamQueue))).toBe(true)
  })

  it('modules are found in the caches of the loader, and with their files', async () => {
    const imported = await heapOf('modules-import-with-a-query', 'abortsignal')
    const caches = objectsThat(imported, modules.isImportCache)
    expect(caches.some((node) => modules.isResolveCache(imported, node))).toBe(true)
    expect(caches.some((node) => !modules.isResolveCache(imported, node))).toBe(true)
    const required = await heapOf('modules-require-once-more', 'messageport-nobody-reads')
    const files = objectsThat(required, modules.isRequiredModule).flatMap(
      (node) => modules.fileOfModule(required, node) ?? [],
    )
    expect(files.map((file) => stringText(required, file)).filter((file) => file.endsWith('.cjs'))).not.toEqual([])
  })
})

it('what is recorded on one Node only is found: compression streams, child processes, watchers, buffer lists', async () => {
  const close: (() => Promise<void>)[] = []
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-readers-'))
  try {
    const deflate = await openLast('handles-deflate-streams-in-a-map', 26, folder, close)
    const native = objectsThat(deflate, (_, node) => handles.nativeSide(deflate, node) !== undefined)
    expect(native.some((node) => handles.HANDLES.compression.test(nodeName(deflate, node)))).toBe(true)
    const readable = await openLast('readable-nobody-reads', 18, folder, close)
    const buffers = objectsThat(readable, streams.isReadableState).flatMap(
      (state) => property(readable, state, 'buffer') ?? [],
    )
    expect(Math.max(...buffers.map((buffer) => streams.linksOf(readable, buffer)?.length ?? 0))).toBeGreaterThan(100)
    const child = await openLast('handles-children', 24, folder, close)
    expect(objectsThat(child, (_, node) => handles.commandOf(child, node) !== undefined).length).toBeGreaterThan(5)
    const watched = await openLast('handles-watchers', 22, folder, close)
    const watchers = objectsThat(watched, (_, node) => handles.HANDLES.fileWatcher.test(nodeName(watched, node)))
    expect(watchers.length).toBeGreaterThan(10)
  } finally {
    for (const each of close) await each()
    rmSync(folder, { recursive: true, force: true })
  }
})

/** Opens the last heap of a recorded program's main thread. */
async function openLast(
  program: string,
  major: number,
  folder: string,
  close: (() => Promise<void>)[],
): Promise<HeapGraph> {
  const into = mkdtempSync(join(folder, 'bundle-'))
  const base = unpackBase(readFileSync(join(bundles, `base-node${major}.br`)))
  unpackBundle(readFileSync(join(bundles, `${program}-node${major}.br`)), into, base)
  const { captures } = JSON.parse(readFileSync(join(into, 'capture.json'), 'utf8'))
  const last = captures.findLast(({ isolate }: { isolate: string }) => isolate === 'main')
  const opened = await openSnapshot(join(into, last.file), { index: false })
  close.push(() => opened.close())
  return opened.graph
}

type Test = (graph: HeapGraph, node: number) => boolean

const nodesThat = (graph: HeapGraph, isIt: Test): number[] =>
  Array.from({ length: graph.snapshot.nodeCount }, (_, node) => node).filter((node) => isIt(graph, node))

const objectsThat = (graph: HeapGraph, isIt: Test): number[] =>
  nodesThat(graph, (_, node) => isObject(graph, node) && isIt(graph, node))

const referencesAs = (graph: HeapGraph, node: number): PathReference[] =>
  [...referencesOf(graph, node)].map(({ name }) => ({ kind: 'property', name }))

/** The variables of all modules of Node. */
const variablesOf = (graph: HeapGraph): PathReference[] =>
  [...graph.moduleScopes].filter(([, url]) => url.startsWith('node:')).flatMap(([scope]) => referencesAs(graph, scope))
