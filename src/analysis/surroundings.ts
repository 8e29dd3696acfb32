// What belongs to a leaked object: the program's functions that it leads to, and the classes it is made of.

import type { HeapGraph } from '../graph/heap-graph.ts'
import type { SourceLocation } from '../graph/locations.ts'
import { nodeName } from '../graph/look.ts'
import { suspendedName } from '../graph/suspended.ts'
import { TIMER_LINKS } from '../node-internals/timers.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, retains } from '../snapshot/snapshot.ts'

/** A function or class of the program's that what leaked leads to. */
export interface NearFunction {
  readonly name: string
  readonly location: SourceLocation
  /** References between it and the leaked object. */
  readonly distance: number
  /**
   * `callback`: came with what leaked; `frame`: waits with it, as an `async` function does; `class`: what leaked has an
   * instance of it; `shared`: was there before, and is referred to.
   */
  readonly kind: 'callback' | 'frame' | 'class' | 'shared'
}

export interface NearClass {
  readonly name: string
  /** Where it is defined, as far as V8 says. */
  readonly location: SourceLocation | undefined
  readonly distance: number
  /** Stands for its instances. */
  readonly node: number
}

export interface Surroundings {
  /** Nearest first. */
  readonly functions: readonly NearFunction[]
  readonly classes: readonly NearClass[]
}

const MAX_NODES = 4000
const MAX_EDGES = 500
const MAX_DISTANCE = 14
/** Names of references that lead to everything of a kind, or to what merely stands beside. */
const ELSEWHERE = ['__proto__', 'constructor', 'prototype', 'map', ...TIMER_LINKS, 'next', 'prev', 'previous_']
const FROM_FRAME = new Set(['function', 'receiver'])

/**
 * Goes from what leaked through what came with it, breadth first, and no further than some thousands of objects.
 * @param from the leaked object and those between it and what holds it
 * @param isNew whether a node belongs to the leak
 */
export function lookAround(graph: HeapGraph, from: readonly number[], isNew: (node: number) => boolean): Surroundings {
  const { firstEdge, edges, edgeNameOrIndex, strings, nodeType } = graph.snapshot
  const elsewhere = new Set(ELSEWHERE.map((name) => strings.indexOf(name)))
  const functions = new Map<string, NearFunction>()
  const classes = new Map<string, NearClass>()
  const distance = new Map<number, number>(from.map((node) => [node, 0]))
  const queue = [...from]
  for (let i = 0; i < queue.length; i++) {
    const node = queue[i]!
    const far = distance.get(node)!
    note(graph, node, far, functions, classes, 'callback')
    if (far === MAX_DISTANCE) continue
    const isFrame = /Generator/.test(nodeName(graph, node)) || nodeName(graph, node) === 'system / Context'
    const last = Math.min(firstEdge[node + 1]!, firstEdge[node]! + MAX_EDGES)
    for (let edge = firstEdge[node]!; edge < last; edge++) {
      const packed = edges[edge]!
      const target = edgeTarget(packed)
      const type = edgeType(packed)
      if (distance.has(target) || !retains(packed)) continue
      const named = type === EdgeType.property || type === EdgeType.internal
      if (named && elsewhere.has(edgeNameOrIndex[edge]!)) continue
      if (isNew(target)) {
        if (queue.length < MAX_NODES) {
          distance.set(target, far + 1)
          queue.push(target)
        }
      } else if (nodeType[target] === NodeType.closure) {
        const name = type === EdgeType.internal ? strings.get(edgeNameOrIndex[edge]!) : ''
        const frame = isFrame && FROM_FRAME.has(name)
        note(graph, target, far + 1, functions, classes, frame ? 'frame' : 'shared')
      }
    }
  }
  return { functions: [...functions.values()], classes: [...classes.values()] }
}

function note(
  graph: HeapGraph,
  node: number,
  distance: number,
  functions: Map<string, NearFunction>,
  classes: Map<string, NearClass>,
  kind: NearFunction['kind'],
): void {
  const type = graph.snapshot.nodeType[node]
  if (type !== NodeType.closure && type !== NodeType.object && type !== NodeType.native) return
  const location = graph.sourceLocation(node)
  const suspended = type === NodeType.closure ? undefined : suspendedName(graph, node)
  const name = suspended ?? nodeName(graph, node)
  if (type !== NodeType.closure && suspended === undefined) {
    const key = `${name} ${location?.url}`
    if (!classes.has(key)) classes.set(key, { name, location, distance, node })
  }
  if (!location || type === NodeType.native) return
  const key = `${location.url}:${location.line}:${location.column}`
  if (functions.has(key)) return
  const ofNode = suspended !== undefined ? 'frame' : type === NodeType.closure ? kind : 'class'
  functions.set(key, { name, location, distance, kind: ofNode })
}
