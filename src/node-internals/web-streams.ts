// How Node's web streams keep what waits: in a queue of the stream's controller, or a list of writes.
//
// Holds for Node 18 to 26: https://github.com/nodejs/node/blob/v24.x/lib/internal/webstreams/util.js and the files beside it.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName, numberAt, property } from '../graph/look.ts'
import { isProperty, type PathReference } from '../graph/retaining-path.ts'

const CLASSES =
  /^(Internal)?(Readable|Writable|Transform)Stream(DefaultController|DefaultWriter|DefaultReader|BYOBReader)?$|^ReadableByteStreamController$/

/** Whether it is a web stream or a part of one. */
export const isWebStream = (graph: HeapGraph, node: number): boolean =>
  isObject(graph, node) && CLASSES.test(nodeName(graph, node))

/** The public name of its class. */
export const webStreamClass = (graph: HeapGraph, node: number): string => nodeName(graph, node).replace(/^Internal/, '')

/** Whether it leads to what waits. */
export const isWebStreamQueue = (reference: PathReference): boolean => isProperty(reference, 'queue', 'writeRequests')

export function webStreamHighWaterMark(graph: HeapGraph, node: number): number | undefined {
  const state = property(graph, node, 'kState')
  return state === undefined ? undefined : numberAt(graph, state, 'highWaterMark')
}
