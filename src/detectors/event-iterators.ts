// Iterators of events.on() that are read too slowly, or not at all: events wait in them without any bound.

import { z } from 'zod'
import type { ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal } from '../graph/look.ts'
import { pathTo } from '../graph/paths.ts'
import { isProperty, nameOfStep, pathAlong } from '../graph/retaining-path.ts'
import {
  eventsOf,
  functionsIn,
  isIteratorQueue,
  isListenerTable,
  iteratorEmitter,
} from '../node-internals/listeners.ts'
import { NodeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, Diagnosis } from './detector.ts'
import * as field from './evidence-fields.ts'
import { callsOn, type Flow, findAwaitingLoop, findCallOn, findHandingTo, modulesOf } from './flows.ts'
import { placeIn, shortPlace } from './functions.ts'
import { nameUpTo } from './piled-up.ts'

export const eventIteratorEvidence = () =>
  z.object({
    kind: z.literal('event iterator').describe('events wait in an iterator of events.on()'),
    iterator: field.name("the call that made it: `on(feed, 'message')`"),
    newlyWaiting: field.count('events that came and still wait'),
    perSecond: field.perSecond('events that come, beyond those that are taken'),
    bytesEach: field.bytes('what an event keeps alive'),
    reader: field.place('the line that reads the iterator'),
    writer: field.place('the line that emits the events'),
    counts: field.counts(),
  })

export function inEventIterator(
  candidate: Candidate,
  readSource: ReadSource,
): Diagnosis<z.infer<ReturnType<typeof eventIteratorEvidence>>> | undefined {
  const { of, path, suspect } = candidate
  const { graph } = of
  const i = path.findLastIndex((each) => isIteratorQueue(nameOfStep(each)))
  const scope = path[i - 1]?.ordinal
  if (scope === undefined || !isOfEvents(graph, path, i)) return undefined
  const events = path.findLastIndex((each, step) => step < i && isListenerTable(nameOfStep(each)))
  const emitter = events < 1 ? iteratorEmitter(graph, scope) : path[events - 1]!.ordinal
  const name = emitter === undefined ? undefined : nameOf(candidate, emitter)
  const event = emitter === undefined ? undefined : eventOf(graph, emitter, scope)
  const calls = emitter === undefined ? [] : callsOn(candidate, emitter, readSource)
  const flow: Flow = { sources: sourcesOf(readSource), urls: modulesOf(candidate), name, calls }
  const next = path.findLastIndex(({ reference }, step) => step < i && isProperty(reference, 'next'))
  const own = next < 1 ? undefined : nameUpTo(candidate, path[next - 1]!.ordinal)
  const loop =
    (own === undefined ? undefined : findAwaitingLoop({ ...flow, name: own })) ??
    (name === undefined ? undefined : findAwaitingLoop(flow))
  const made = name === undefined ? undefined : findHandingTo(flow, /^on$/)
  const writer = findCallOn(flow, /^emit$/, event)
  const reader = loop ?? made
  const iterator = `on(${name ?? 'an emitter'}${event === undefined ? '' : `, '${event}'`})`
  const by = loop ? `the loop at ${shortPlace(loop)} takes` : 'are taken'
  return {
    title: `${formatCount(suspect.count)} events more wait in ${iterator}, ${suspect.perSecond.toFixed(1)} more each second than ${by}`,
    cause: `${of.isolate} ${graph.snapshot.nodeId[scope]}`,
    culprit: reader ?? writer,
    evidence: {
      kind: 'event iterator',
      iterator,
      newlyWaiting: suspect.count,
      perSecond: Math.round(suspect.perSecond * 10) / 10,
      bytesEach: Math.round(suspect.bytes / Math.max(1, suspect.count)),
      reader: placeIn(reader),
      writer: placeIn(writer),
      counts: [...suspect.counts],
    },
    advice: `events.on() keeps every event until it is asked for${writer ? ` (emitted at ${shortPlace(writer)})` : ''}, and emit() never waits. ${
      loop
        ? `Do the work of several events at once in the loop at ${shortPlace(loop)}, or without awaiting each`
        : 'Read the iterator, or call its return() when nobody does'
    }; give on() a highWaterMark and a lowWaterMark where the emitter has pause() and resume(), or use a listener with a queue that is bounded. Each event takes ${formatBytes(suspect.bytes / Math.max(1, suspect.count))}.`,
    covers: (other) => other.path.some(({ ordinal }) => ordinal === path[i]!.ordinal),
  }
}

/** What the program calls an object, by the candidate's path or by the shortest path to it. */
function nameOf(candidate: Candidate, ordinal: number): string | undefined {
  if (candidate.path.some((step) => step.ordinal === ordinal)) return nameUpTo(candidate, ordinal)
  const { graph } = candidate.of
  return nameUpTo({ path: pathAlong(graph, pathTo(graph.paths, ordinal)) }, ordinal)
}

/** Whether the scope on the path is one of Node's module. */
function isOfEvents(graph: HeapGraph, path: Candidate['path'], at: number): boolean {
  const made = path.slice(0, at).findLast(({ ordinal }) => graph.snapshot.nodeType[ordinal] === NodeType.closure)
  return made === undefined || (graph.sourceLocation(made.ordinal)?.url ?? 'node:').startsWith('node:')
}

/** The event that the iterator listens for, beside 'error'. */
function eventOf(graph: HeapGraph, emitter: number, scope: number): string | undefined {
  for (const { event, listeners } of eventsOf(graph, emitter)) {
    if (event === 'error') continue
    if (functionsIn(graph, listeners).some((each) => internal(graph, each, 'context') === scope)) return event
  }
  return undefined
}
