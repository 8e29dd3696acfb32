// How Node keeps timers: those of one duration are linked to a list, and each list is in a table and in a queue.
//
// Holds for Node 18 to 26; lib/internal/linkedlist.js has `_idleNext` and `_idlePrev`, lib/internal/timers.js the rest:
// https://github.com/nodejs/node/blob/v24.x/lib/internal/timers.js

import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName, numberAt, property } from '../graph/look.ts'
import { isProperty, type PathReference } from '../graph/retaining-path.ts'

/** Class of the lists. */
export const TIMER_LIST = 'TimersList'
/** Class of the queue of all lists. */
const TIMER_QUEUE = 'PriorityQueue'
const NEXT = '_idleNext'
/** Of a list: its oldest timer. */
const PREVIOUS = '_idlePrev'
/** Properties by which a timer refers to its neighbours in the list. */
export const TIMER_LINKS: readonly string[] = [NEXT, PREVIOUS]
/** The property by which a timer has its function. */
export const TIMER_CALLBACK = '_onTimeout'
const IMMEDIATE_CALLBACK = '_onImmediate'
const ARGUMENTS = /^_(timerArgs|argv)$/

/** What setTimeout() or setInterval() was given. Numbers are undefined where the snapshot has none. */
export interface SetTimer {
  readonly callback: number
  readonly delayMs: number | undefined
  /** By the event loop's clock, which starts with the process. */
  readonly setAtMs: number | undefined
  readonly repeats: boolean
}

export const isTimer = (graph: HeapGraph, node: number): boolean =>
  nodeName(graph, node) === 'Timeout' && isObject(graph, node)

export const isTimerList = (graph: HeapGraph, node: number): boolean => nodeName(graph, node) === TIMER_LIST

export const isTimerListOrQueue = (graph: HeapGraph, node: number): boolean =>
  isTimerList(graph, node) || nodeName(graph, node) === TIMER_QUEUE

/** Whether it is a timer that is set: one that was cleared, or has fired, is in none of the lists. */
export function isSetTimer(graph: HeapGraph, node: number): boolean {
  if (!isTimer(graph, node)) return false
  const before = property(graph, node, PREVIOUS)
  return before !== undefined && isObject(graph, before)
}

/** Undefined for what has no callback. */
export function timerAt(graph: HeapGraph, timer: number): SetTimer | undefined {
  const callback = property(graph, timer, TIMER_CALLBACK)
  if (callback === undefined) return undefined
  return {
    callback,
    delayMs: numberAt(graph, timer, '_idleTimeout'),
    setAtMs: numberAt(graph, timer, '_idleStart'),
    repeats: numberAt(graph, timer, '_repeat') !== undefined,
  }
}

/** The timers of a list, the newest first. */
export function* timersOfList(graph: HeapGraph, list: number): Generator<number> {
  const seen = new Set([list])
  for (let at = property(graph, list, NEXT); at !== undefined && !seen.has(at); at = property(graph, at, NEXT)) {
    seen.add(at)
    yield at
  }
}

export const oldestOfList = (graph: HeapGraph, list: number): number | undefined => property(graph, list, PREVIOUS)

/** The function that a timer or an immediate calls with the arguments in an array of Node's; undefined for other arrays. */
export function calledWith(graph: HeapGraph, args: number): number | undefined {
  const { edgeNameOrIndex, strings } = graph.snapshot
  for (const { node: timer, edge } of graph.retainers(args, MOST_RETAINERS)) {
    if (!ARGUMENTS.test(strings.get(edgeNameOrIndex[edge]!))) continue
    return property(graph, timer, TIMER_CALLBACK, IMMEDIATE_CALLBACK)
  }
  return undefined
}

const MOST_RETAINERS = 8

/** Whether it leads from one timer of a list to the next, in either direction. */
export const isTimerLink = (reference: PathReference): boolean => isProperty(reference, ...TIMER_LINKS)

/** Whether it leads to the table of all lists, by duration. */
export const isTimerTable = ({ name }: PathReference): boolean => name === 'timerListMap'

/** Whether it leads to the table of timers that were made a number, such as `+timer`. */
export const isTimerNumberTable = ({ name }: PathReference): boolean => name === 'knownTimersById'
