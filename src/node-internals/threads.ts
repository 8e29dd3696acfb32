// Node's worker threads and message ports.
//
// Holds for Node 18 to 26:
// https://github.com/nodejs/node/blob/v24.x/lib/internal/worker.js
// https://github.com/nodejs/node/blob/v24.x/src/node_messaging.cc

import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName, property } from '../graph/look.ts'

export const WORKER = 'Worker'
const PORT = 'MessagePort'

/** Classes whose objects a message is posted to. */
export const POSTED_TO: readonly string[] = [PORT, WORKER]

/** Whether a class is one that each worker thread brings. */
export const isOfThread = (className: string): boolean => /^(MessagePort|MessageChannel|Worker)$/.test(className)

/** Whether it is one of Node's Worker objects: programs have classes called Worker, too. */
export const isWorker = (graph: HeapGraph, node: number): boolean =>
  nodeName(graph, node) === WORKER &&
  isObject(graph, node) &&
  (property(graph, node, 'kPublicPort', 'kPort', 'kHandle') !== undefined ||
    graph.sourceLocation(node)?.url === 'node:internal/worker')

/** Whether a class is that of messages that wait in a port. */
export const isMessage = (className: string): boolean => className === 'Node / Message'
/** Whether it is a message that waits, or a port's list of them. */
export const isOfMessages = (className: string): boolean =>
  isMessage(className) || className === 'Node / incoming_messages'
export const isReceiver = (className: string): boolean => className === PORT || className === 'BroadcastChannel'
