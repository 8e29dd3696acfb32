// Takes a heap snapshot of one isolate and streams it to a file, holding no more of it than a piece at a time.

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import type { Encoder } from '../support/encoder.ts'
import { createPartialFile, type PartialFile } from '../support/files.ts'
import { unescapeJson } from '../support/unescape.ts'
import { evaluate, type ProtocolClient } from '../target/session.ts'
import { isCaught } from './endless-loop.ts'
import { snapshotWithin } from './snapshot-within.ts'

export interface HeapSnapshotOptions {
  /** Replaces a file that is there already. */
  readonly force?: boolean
  /** What the snapshot's bytes go through on their way to the file; new ones for each file. */
  readonly encoders?: readonly Encoder[]
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: HeapSnapshotProgress) => void
  /** How long the target may take to begin. */
  readonly beginWithinMs?: number
}

export interface HeapSnapshotProgress {
  /** First V8 walks the heap, then it writes. */
  readonly stage: 'walking' | 'writing'
  /** Of the stage, from 0 to 1; while writing, a guess from the number of nodes and edges. */
  readonly fraction: number | undefined
  readonly bytes: number
}

export interface HeapSnapshotFile {
  readonly path: string
  readonly fileBytes: number
  readonly nodeCount: number
  readonly edgeCount: number
  /** How long the target's thread did nothing else, by its own clock where that can be trusted. */
  readonly pausedMs: number
  /** When the snapshot was asked for. */
  readonly takenAt: Date
}

// What V8 sends many times a second; checked by hand, for that reason.
interface Walked {
  readonly done?: unknown
  readonly total?: unknown
}

const BEGIN_MS = 15_000

/** What a node and an edge take in the file, more or less, numbers and strings together. */
const BYTES_PER_NODE = 26
const BYTES_PER_EDGE = 15

/** Writes a snapshot of the heap behind `client` to `path`. Leaves no file behind when it fails. */
export async function captureHeapSnapshot(
  client: ProtocolClient,
  path: string,
  options: HeapSnapshotOptions = {},
): Promise<HeapSnapshotFile> {
  const { signal, onProgress = () => {} } = options
  signal?.throwIfAborted()
  const file = createPartialFile(path, options.force ?? false, options.encoders)
  const ended = new AbortController()
  const pieces = receive(client, file, onProgress)
  try {
    const takenAt = new Date()
    const pausedMs = await Promise.race([
      take(client, pieces.take, signal),
      pieces.failed,
      requireBeginning(client, pieces.hasBegun, options.beginWithinMs ?? BEGIN_MS, ended.signal),
    ])
    const { nodeCount, edgeCount } = pieces.finish()
    file.commit()
    return { path, fileBytes: file.bytes, nodeCount, edgeCount, pausedMs, takenAt }
  } finally {
    ended.abort()
    pieces.stop()
    file.discard()
  }
}

/** Has the target send its snapshot; returns how long it stood still for that. */
async function take(
  client: ProtocolClient,
  onPiece: (text: string) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  const caught = await isCaught(client)
  const startedMs = performance.now()
  const [before, isTaken] = await Promise.all([
    readActiveMs(client, signal),
    caught ? snapshotWithin(client, onPiece, signal) : takeByProtocol(client, signal),
  ])
  if (!isTaken) await takeByProtocol(client, signal)
  const outsideMs = performance.now() - startedMs
  const after = await readActiveMs(client, signal)
  const insideMs = before === null || after === null ? 0 : after - before
  return insideMs > 0 && insideMs < outsideMs ? insideMs : outsideMs
}

async function takeByProtocol(client: ProtocolClient, signal: AbortSignal | undefined): Promise<true> {
  await Promise.all([
    // Makes V8 compute each script's line ends once. Without them, Node 18 and 20 walk a script from its beginning for
    // every closure in it: half a minute for one big bundle.
    client.send('Debugger.enable', {}, { signal }),
    client.send('Debugger.disable', {}, { signal }),
    client.send('HeapProfiler.takeHeapSnapshot', { reportProgress: true, captureNumericValue: true }, { signal }),
  ])
  return true
}

/**
 * From Node 22 on, V8 takes a snapshot only when no JavaScript is on the stack. A program that is caught in a loop from
 * now on still answers questions, in between; one that is at its snapshot does not. Rejects when it finds the former,
 * and does nothing else.
 */
async function requireBeginning(
  client: ProtocolClient,
  hasBegun: () => boolean,
  withinMs: number,
  ended: AbortSignal,
): Promise<never> {
  const never = new Promise<never>(() => {})
  try {
    await sleep(withinMs, undefined, { signal: ended })
    if (hasBegun()) return never
    await client.send('Runtime.evaluate', { expression: '0' }, { signal: ended })
  } catch {
    return never // the capture has ended, or will fail for its own reason
  }
  if (hasBegun()) return never
  throw new LeakscopeError('target-timeout', `the target did not begin its snapshot within ${withinMs / 1000} s`, {
    hint: 'It is busy in one piece of JavaScript that does not return to the event loop. Try again when it has.',
  })
}

/**
 * How long the target's event loop has not been idle, in its life. The difference of two readings leaves out the time
 * in which pieces are still under way to us, but the target is at work again. Null where that is not to be had: before
 * the loop has begun, or when the program has put something else in the clock's place.
 */
async function readActiveMs(client: ProtocolClient, signal: AbortSignal | undefined): Promise<number | null> {
  const answer = z.number().positive().nullable().catch(null)
  return evaluate(client, 'performance.eventLoopUtilization().active', answer, { signal })
}

/** Collects the pieces of a snapshot in `file` as they come. */
function receive(client: ProtocolClient, file: PartialFile, onProgress: (progress: HeapSnapshotProgress) => void) {
  let begun = false
  let head = ''
  let counts: Counts | undefined
  let tail = ''
  let fail: (error: unknown) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })

  /** Writes a piece; `slice` reads from it, as it came, like a string's. */
  function take(write: () => void, slice: (start?: number, end?: number) => string): void {
    begun = true
    try {
      write()
      if (!counts && head.length < LONGEST_HEAD) {
        head += slice(0, LONGEST_HEAD)
        counts = readCounts(head)
      }
      tail = (tail + slice(-3)).slice(-3)
      const expected = counts && counts.nodeCount * BYTES_PER_NODE + counts.edgeCount * BYTES_PER_EDGE
      onProgress({ stage: 'writing', fraction: expected && Math.min(0.99, file.taken / expected), bytes: file.taken })
    } catch (error) {
      stop()
      fail(error)
    }
  }

  const off = [
    client.on('HeapProfiler.reportHeapSnapshotProgress', (params) => {
      begun = true
      const { done, total } = params as Walked
      const fraction = typeof done === 'number' && typeof total === 'number' ? done / total : undefined
      onProgress({ stage: 'walking', fraction, bytes: 0 })
    }),
    client.onRaw('HeapProfiler.addHeapSnapshotChunk', (message) => {
      const piece = message.subarray(PIECE_START.length, message.length - PIECE_END.length)
      take(
        () => writePiece(message, file),
        (start, end) => piece.subarray(start, end).toString('latin1'),
      )
    }),
  ]
  function stop(): void {
    for (const end of off) end()
  }

  return {
    failed,
    hasBegun: () => begun,
    take: (text: string) => {
      take(
        () => file.write(text),
        (start, end) => text.slice(start, end),
      )
    },
    stop,
    finish() {
      if (!counts || !/\}(\\n)?$/.test(tail)) {
        throw new LeakscopeError('target-protocol', 'the target sent no complete heap snapshot')
      }
      return counts
    },
  }
}

const PIECE_START = Buffer.from('{"method":"HeapProfiler.addHeapSnapshotChunk","params":{"chunk":"')
const PIECE_END = Buffer.from('"}}')

/** Writes the text of one piece. */
function writePiece(message: Buffer, file: PartialFile): void {
  const start = PIECE_START.length
  const end = message.length - PIECE_END.length
  const plain = message.subarray(0, start).equals(PIECE_START) && message.subarray(end).equals(PIECE_END)
  if (plain && file.fill(end - start, (buffer, at) => unescapeJson(message, start, end, buffer, at))) return
  const { chunk } = (JSON.parse(message.toString()) as { params: { chunk?: unknown } }).params
  if (typeof chunk !== 'string') throw new LeakscopeError('target-protocol', 'the target sent a piece without text')
  file.write(chunk)
}

interface Counts {
  readonly nodeCount: number
  readonly edgeCount: number
}

/** Where the counts must have come by: they follow the description of the fields, of some 1,500 bytes. */
const LONGEST_HEAD = 16_384

/** The counts that a snapshot begins with; undefined when they are not in `head` (yet). Its quotes are escaped. */
function readCounts(head: string): Counts | undefined {
  const nodes = /node_count\\?":(\d+)/.exec(head)
  const edges = /edge_count\\?":(\d+)/.exec(head)
  return nodes && edges ? { nodeCount: Number(nodes[1]), edgeCount: Number(edges[1]) } : undefined
}
