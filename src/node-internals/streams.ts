// How Node's streams keep what waits: in a state for each side, which has the queue and its numbers.
//
// Holds for Node 18 to 26:
// https://github.com/nodejs/node/blob/v24.x/lib/internal/streams/writable.js: `buffered`, from Node 20 on `kBufferedValue`
// https://github.com/nodejs/node/blob/v24.x/lib/internal/streams/readable.js: an array from Node 20 on, before that a BufferList
// https://github.com/nodejs/node/blob/v24.x/lib/_http_outgoing.js
// https://github.com/nodejs/node/blob/v24.x/lib/internal/stream_base_commons.js: the requests to write
// https://github.com/nodejs/node/blob/v24.x/lib/internal/child_process.js: the channel between processes

import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName, numberAt, property } from '../graph/look.ts'
import { isProperty, type PathReference } from '../graph/retaining-path.ts'
import { ownerOf } from './handles.ts'

/** Classes of the state of a stream's writable side, and of the request to write, which a stream has given to its handle. */
export const WRITABLE_STATE = 'WritableState'
export const WRITE_REQUEST = 'WriteWrap'

export const writableState = (graph: HeapGraph, stream: number): number | undefined =>
  property(graph, stream, '_writableState')

export const readableState = (graph: HeapGraph, stream: number): number | undefined =>
  property(graph, stream, '_readableState')

/** Whether it has what waits to be written: a state, or an HTTP message that is sent, which is its own. */
export const isWritableState = (graph: HeapGraph, node: number): boolean =>
  isObject(graph, node) &&
  (nodeName(graph, node) === WRITABLE_STATE ||
    (property(graph, node, 'outputData') !== undefined && property(graph, node, '_header', 'outputSize') !== undefined))

export const isReadableState = (graph: HeapGraph, node: number): boolean => nodeName(graph, node) === 'ReadableState'

export const isWriteRequest = (graph: HeapGraph, node: number): boolean =>
  isObject(graph, node) && nodeName(graph, node) === WRITE_REQUEST

/** The array of writes that wait. */
export const writeQueue = (graph: HeapGraph, state: number): number | undefined =>
  property(graph, state, 'kBufferedValue', 'buffered', 'outputData')

/** What a request writes, where it is several chunks. */
export const chunksOfRequest = (graph: HeapGraph, request: number): number | undefined =>
  property(graph, request, '_chunks', 'buffer')

/** The state of the stream that has made a request. */
export function stateOfRequest(graph: HeapGraph, request: number): number | undefined {
  const handle = property(graph, request, 'handle')
  const stream = handle === undefined ? undefined : ownerOf(graph, handle)
  return stream === undefined ? undefined : writableState(graph, stream)
}

/** Whether a request is a message to another process, by send(). */
export function isMessageToProcess(graph: HeapGraph, request: number): boolean {
  const done = property(graph, request, 'oncomplete')
  return done !== undefined && graph.sourceLocation(done)?.url === 'node:internal/child_process'
}

/** The chunk of a write that waits; some queues hold the chunks themselves. */
export const chunkOf = (graph: HeapGraph, write: number): number => property(graph, write, 'chunk', 'data') ?? write

/** How much waits: bytes, or objects in objectMode. */
export const waitingIn = (graph: HeapGraph, state: number): number | undefined =>
  numberAt(graph, state, 'length', 'outputSize')

export const highWaterMark = (graph: HeapGraph, state: number): number | undefined =>
  numberAt(graph, state, 'highWaterMark')

/** Whether it leads from the state of a readable side to the chunks that wait. */
export const isReadableQueue = (reference: PathReference): boolean => isProperty(reference, 'buffer')

/** The links of a BufferList; undefined for an array. */
export function linksOf(graph: HeapGraph, buffer: number): number[] | undefined {
  let link = property(graph, buffer, 'head')
  if (link === undefined) return undefined
  const links = new Set<number>()
  while (link !== undefined && isObject(graph, link) && !links.has(link)) {
    links.add(link)
    link = property(graph, link, 'next')
  }
  return [...links]
}
