// Streams that are filled faster than they are read: Node's readable streams, which push() fills, and web streams.

import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isOddball, nodeName } from '../graph/look.ts'
import { eventsOf } from '../node-internals/listeners.ts'
import { highWaterMark, isReadableQueue, isReadableState, linksOf } from '../node-internals/streams.ts'
import { isWebStream, isWebStreamQueue, webStreamClass, webStreamHighWaterMark } from '../node-internals/web-streams.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { isOwn } from '../source/origins.ts'
import { formatCount } from '../support/format.ts'
import type { Candidate, Diagnosis } from './detector.ts'
import * as field from './evidence-fields.ts'
import { callsOn, type Flow, findAwaitingLoop, findCallOn, findHandingTo, findMaking, modulesOf } from './flows.ts'
import { placeIn, shortPlace } from './functions.ts'
import { nameUpTo } from './piled-up.ts'
import { isNew, plural } from './surroundings.ts'

const at = (place: Culprit | undefined): string => (place ? ` (${shortPlace(place)})` : '')

const common = () => ({
  stream: field.name('what the program calls the stream'),
  streamClass: field.name('class of the stream, or of the part of it that has the queue'),
  newChunks: field.count('chunks that came and still wait'),
  perSecond: field.perSecond('chunks that come, beyond those that are taken'),
  highWaterMark: z.number().optional().describe('how much may wait before the writer is asked to stop'),
  writer: field.place('the line that writes'),
  reader: field.place('the line that reads'),
  bytesEach: field.bytes('what a chunk keeps alive'),
  counts: field.counts(),
})

export const readableEvidence = () =>
  z.object({
    kind: z.literal('readable stream').describe('chunks wait in a readable stream of Node'),
    ...common(),
    streams: field.count('streams in which chunks wait'),
    isRead: z.boolean().describe('whether anybody reads it'),
  })

export const webStreamEvidence = () =>
  z.object({ kind: z.literal('web stream').describe('chunks wait in a web stream'), ...common() })

/** Chunks that wait in a readable stream. Node keeps them in an array, before Node 20 in a linked list. */
export function inReadable(
  candidate: Candidate,
  readSource: ReadSource,
): Diagnosis<z.infer<ReturnType<typeof readableEvidence>>> | undefined {
  const { of, path, suspect } = candidate
  const { graph } = of
  const i = path.findLastIndex(({ ordinal }) => isReadableState(graph, ordinal))
  if (i < 1 || path[i + 1] === undefined || !isReadableQueue(path[i + 1]!.reference)) return undefined
  const [stream, state] = [path[i - 1]!.ordinal, path[i]!.ordinal]
  const buffer = path[i + 1]!.ordinal
  const flow = flowOf(candidate, stream, readSource)
  const writer = findCallOn(flow, /^(push|unshift)$/)
  const reader = readerOf(flow)
  const isRead = reader !== undefined || listensTo(graph, stream)
  const kind = nodeName(graph, stream)
  const name = flow.name ?? `a ${kind}`
  const bound = highWaterMark(graph, state)
  const streams = suspect.holders.length
  const count = (streams > 1 ? undefined : newLinks(candidate, buffer)) ?? suspect.count
  const perSecond = (suspect.perSecond * count) / suspect.count
  const more = streams > 1 ? `${formatCount(streams)} ${plural(streams, 'stream')} such as ${name}` : name
  return {
    title: `${formatCount(count)} chunks more wait to be read in ${more}, ${perSecond.toFixed(1)} more each second: ${isRead ? `they are pushed faster than they are read${at(reader)}` : `nobody reads ${streams > 1 ? 'them' : 'it'}`}`,
    cause: `${of.isolate} ${graph.snapshot.nodeId[stream]}`,
    culprit: writer,
    evidence: {
      kind: 'readable stream',
      stream: name,
      streamClass: kind,
      streams,
      newChunks: count,
      perSecond: Math.round(perSecond * 10) / 10,
      ...(bound === undefined ? {} : { highWaterMark: bound }),
      isRead,
      writer: placeIn(writer),
      reader: placeIn(reader),
      bytesEach: Math.round(suspect.bytes / Math.max(1, count)),
      counts: [...suspect.counts],
    },
    advice: `Heed what push() returns${at(writer)}: when it is false, produce nothing more for ${name} until its read() is called (or produce in read() only). ${
      isRead
        ? `If the reader${at(reader)} cannot keep up, let it handle several chunks at once, or drop some.`
        : `Read ${name}, or resume() it to throw its data away, or destroy() it.`
    }`,
  }
}

/** How many nodes of a linked list of Node are new: counting objects of their class would count chunks as well. */
function newLinks({ of }: Candidate, buffer: number): number | undefined {
  return linksOf(of.graph, buffer)?.filter((link) => isNew(of, link)).length
}

/** Chunks that wait in a web stream's queue; its writers' promises wait beside them. */
export function inWebStream(
  candidate: Candidate,
  readSource: ReadSource,
): Diagnosis<z.infer<ReturnType<typeof webStreamEvidence>>> | undefined {
  const { of, path, suspect } = candidate
  const { graph } = of
  const isWeb = (ordinal: number): boolean => isWebStream(graph, ordinal)
  const last = path.findLastIndex(({ ordinal }) => isWeb(ordinal))
  const queue = path.findIndex(({ reference }, i) => i > last && isWebStreamQueue(reference))
  if (last < 0 || queue < 0 || queue > last + 3) return undefined
  const holder = path[last]!.ordinal
  const kind = webStreamClass(graph, holder)
  const isWritten = kind.startsWith('Writable')
  const first = path.findIndex(({ ordinal }) => isWeb(ordinal))
  const flow = flowOf(candidate, path[first]!.ordinal, readSource)
  const tee = isWritten ? undefined : findMaking(flow, /^(tee|clone)$/)
  const writer = tee ?? findCallOn(flow, isWritten ? /^(write)$/ : /^(enqueue)$/)
  const reader = readerOf(flow)
  const bound = webStreamHighWaterMark(graph, holder)
  const name = flow.name ?? `a ${kind}`
  const how = isWritten ? 'written' : 'enqueued'
  const said = tee
    ? `this branch of the ${shortPlace(tee)} copy is not read`
    : `they are ${how} faster than they are ${isWritten ? 'taken' : 'read'}`
  const streamsIn = new Set(path.filter(({ ordinal }) => isWeb(ordinal)).map(({ ordinal }) => ordinal))
  return {
    title: `${formatCount(suspect.count)} chunks more wait in ${name}, ${suspect.perSecond.toFixed(1)} more each second: ${said}`,
    cause: `${of.isolate} ${graph.snapshot.nodeId[holder]} ${kind}`,
    culprit: writer,
    evidence: {
      kind: 'web stream',
      stream: name,
      streamClass: kind,
      newChunks: suspect.count,
      perSecond: Math.round(suspect.perSecond * 10) / 10,
      ...(bound === undefined ? {} : { highWaterMark: bound }),
      writer: placeIn(writer),
      reader: placeIn(reader),
      bytesEach: Math.round(suspect.bytes / Math.max(1, suspect.count)),
      counts: [...suspect.counts],
    },
    advice: tee
      ? `tee() and clone() keep for the slower of two branches all that the faster one has read: read both at about the same pace, or cancel() ${name} if nobody wants it.`
      : isWritten
        ? `Await writer.ready, or the promise that write() returns, before writing more${at(writer)}; or let pipeTo() do it. If the sink is too slow for all that comes, drop some, or write several chunks at once.`
        : `Enqueue only while desiredSize is above 0${at(writer)}, best in pull(), which is called when there is room. If the reader${at(reader)} cannot keep up, let it handle several chunks at once, or drop some; cancel() a stream that nobody reads.`,
    covers: (other) => other.path.some(({ ordinal }) => streamsIn.has(ordinal)),
  }
}

function flowOf(candidate: Candidate, stream: number, readSource: ReadSource): Flow {
  const { graph } = candidate.of
  const name = nameUpTo(candidate, stream)
  const isPrograms = isOwn(graph.sourceLocation(stream)?.url ?? 'node:')
  const className = isPrograms ? nodeName(graph, stream) : undefined
  const calls = callsOn(candidate, stream, readSource)
  return { sources: sourcesOf(readSource), urls: modulesOf(candidate), name, className, calls }
}

/** The statement that reads from a stream. */
const readerOf = (flow: Flow): Culprit | undefined =>
  findAwaitingLoop(flow) ??
  findCallOn(flow, /^(pipe|pipeTo|pipeThrough|read|getReader)$/) ??
  findHandingTo(flow, /^(pipeline|finished)$/) ??
  findCallOn(flow, /^(on|once|addListener)$/, 'data') ??
  findCallOn(flow, /^(on|once|addListener)$/, 'readable')

/** Whether a stream has listeners for its data, as pipe() and iterators add them. */
const listensTo = (graph: HeapGraph, stream: number): boolean =>
  [...eventsOf(graph, stream)].some(
    ({ event, listeners }) => /^(data|readable)$/.test(event) && !isOddball(graph, listeners),
  )
