// How Node keeps listeners: EventEmitters by event in one object, EventTargets (such as AbortSignals) in a Map with a chain
// of Listeners for each event, and iterators of events.on() in a list of events that wait.
//
// Holds for Node 18 to 26:
// https://github.com/nodejs/node/blob/v24.x/lib/events.js
// https://github.com/nodejs/node/blob/v24.x/lib/internal/event_target.js
// https://github.com/nodejs/node/blob/v24.x/lib/internal/abort_controller.js

import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, isFunction, isObject, nodeName, numberAt, property, referencesOf } from '../graph/look.ts'
import type { PathReference } from '../graph/retaining-path.ts'
import { EdgeType } from '../snapshot/meta.ts'

/** Libraries that copy EventEmitter call it so, too. */
const EVENTS = '_events'
const TARGET_EVENTS = 'kEvents'
const MOST_EVENTS = 400

/** Of an EventEmitter: the object that has its listeners by event. */
export const listenerTable = (graph: HeapGraph, emitter: number): number | undefined => property(graph, emitter, EVENTS)

export const isEventTarget = (graph: HeapGraph, node: number): boolean =>
  property(graph, node, TARGET_EVENTS) !== undefined

/** Whether it is a listener in the chain of an EventTarget: an object of Node, which refers to the function. */
export const isTargetListener = (graph: HeapGraph, node: number): boolean =>
  nodeName(graph, node) === 'Listener' && property(graph, node, 'callback', 'listener') !== undefined

/** How many listeners of an event it may have before Node warns; undefined where that was not set, or is not known. */
export const maxListeners = (graph: HeapGraph, node: number): number | undefined =>
  numberAt(graph, node, '_maxListeners', 'events.maxEventTargetListeners')

/** Each event of an EventEmitter, and its listeners: a function, or an array of them. */
export function* eventsOf(
  graph: HeapGraph,
  emitter: number,
): Generator<{ readonly event: string; readonly listeners: number }> {
  const table = listenerTable(graph, emitter)
  if (table === undefined) return
  for (const { name, type, target } of referencesOf(graph, table, MOST_EVENTS)) {
    if (type === EdgeType.property && name !== '__proto__') yield { event: name, listeners: target }
  }
}

/** The functions of what {@link eventsOf} has of an event. */
export const functionsIn = (graph: HeapGraph, listeners: number): number[] =>
  (isObject(graph, listeners)
    ? Array.from(referencesOf(graph, listeners), ({ target }) => target)
    : [listeners]
  ).filter((each) => isFunction(graph, each))

/** Whether it leads from an emitter to its listeners. */
export const isListenerTable = (name: string | undefined): boolean => name === EVENTS
/** The same, or from an EventTarget to its. */
export const isAnyListenerTable = (name: string | undefined): boolean =>
  isListenerTable(name) || name === TARGET_EVENTS || name === `Symbol(${TARGET_EVENTS})`

/** Whether it leads to the events that wait in an iterator of events.on(): a variable of the function that has made it. */
export const isIteratorQueue = (name: string | undefined): boolean => name === 'unconsumedEvents'
/** Of that function's scope: the emitter. As a parameter has a default, they are in a scope of their own around it. */
export function iteratorEmitter(graph: HeapGraph, scope: number): number | undefined {
  const around = internal(graph, scope, 'previous')
  return property(graph, scope, 'emitter') ?? (around === undefined ? undefined : property(graph, around, 'emitter'))
}

/** Whether it leads to the table of the signals that are listened to, which holds them. */
export const isSignalTable = ({ name }: PathReference): boolean => name === 'gcPersistentSignals'
