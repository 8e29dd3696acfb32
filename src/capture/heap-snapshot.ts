// Takes a heap snapshot of one isolate and streams it to a file, holding no more of it than a piece at a time.

import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { createPartialFile, type PartialFile } from '../support/files.ts'
import { evaluate, type ProtocolClient } from '../target/session.ts'

export interface HeapSnapshotOptions {
  /** Replaces a file that is there already. */
  readonly force?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: HeapSnapshotProgress) => void
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
interface Chunk {
  readonly chunk?: unknown
}
interface Walked {
  readonly done?: unknown
  readonly total?: unknown
}

/** What a node and an edge take in the file, more or less, numbers and strings together. */
const BYTES_PER_NODE = 40
const BYTES_PER_EDGE = 18

/** Writes a snapshot of the heap behind `client` to `path`. Leaves no file behind when it fails. */
export async function captureHeapSnapshot(
  client: ProtocolClient,
  path: string,
  options: HeapSnapshotOptions = {},
): Promise<HeapSnapshotFile> {
  const { signal, onProgress = () => {} } = options
  signal?.throwIfAborted()
  const file = createPartialFile(path, options.force ?? false)
  const pieces = receive(client, file, onProgress)
  try {
    const takenAt = new Date()
    const pausedMs = await Promise.race([take(client, signal), pieces.failed])
    const { nodeCount, edgeCount } = pieces.finish()
    file.commit()
    return { path, fileBytes: file.bytes, nodeCount, edgeCount, pausedMs, takenAt }
  } finally {
    pieces.stop()
    file.discard()
  }
}

/**
 * Everything is sent at once, so that the target works it off without a pause in between: then the difference between
 * the clock's two readings is the time it stood still. Returns that.
 */
async function take(client: ProtocolClient, signal: AbortSignal | undefined): Promise<number> {
  const startedMs = performance.now()
  const clock = () => evaluate(client, 'performance.now()', z.number().nullable().catch(null), { signal })
  const [before, , , , after] = await Promise.all([
    clock(),
    // Makes V8 compute each script's line ends once. Without them, Node 18 and 20 walk a script from its beginning for
    // every closure in it: half a minute for one big bundle.
    client.send('Debugger.enable', {}, { signal }),
    client.send('Debugger.disable', {}, { signal }),
    client.send('HeapProfiler.takeHeapSnapshot', { reportProgress: true, captureNumericValue: true }, { signal }),
    clock(),
  ])
  // A program under test may have replaced its clock.
  const outsideMs = performance.now() - startedMs
  const insideMs = (after ?? 0) - (before ?? 0)
  return insideMs > 0 && insideMs <= outsideMs ? insideMs : outsideMs
}

/** Collects the pieces of a snapshot in `file` as they come. */
function receive(client: ProtocolClient, file: PartialFile, onProgress: (progress: HeapSnapshotProgress) => void) {
  let head = ''
  let tail = ''
  let expectedBytes: number | undefined
  let fail: (error: unknown) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })

  const off = [
    client.on('HeapProfiler.reportHeapSnapshotProgress', (params) => {
      const { done, total } = params as Walked
      const fraction = typeof done === 'number' && typeof total === 'number' ? done / total : undefined
      onProgress({ stage: 'walking', fraction, bytes: 0 })
    }),
    client.on('HeapProfiler.addHeapSnapshotChunk', (params) => {
      try {
        const { chunk } = params as Chunk
        if (typeof chunk !== 'string')
          throw new LeakscopeError('target-protocol', 'the target sent a piece without text')
        file.write(chunk)
        if (expectedBytes === undefined) {
          head += chunk.slice(0, 4096)
          const counts = readCounts(head)
          if (counts) expectedBytes = counts.nodeCount * BYTES_PER_NODE + counts.edgeCount * BYTES_PER_EDGE
        }
        tail = chunk
        const fraction = expectedBytes && Math.min(0.99, file.bytes / expectedBytes)
        onProgress({ stage: 'writing', fraction, bytes: file.bytes })
      } catch (error) {
        stop()
        fail(error)
      }
    }),
  ]
  function stop(): void {
    for (const end of off) end()
  }

  return {
    failed,
    stop,
    finish() {
      const counts = readCounts(head)
      if (!counts || !tail.trimEnd().endsWith('}')) {
        throw new LeakscopeError('target-protocol', 'the target sent no complete heap snapshot')
      }
      return counts
    },
  }
}

/** The counts that a snapshot's first lines hold; undefined when they are not in `head` (yet). */
function readCounts(head: string): { nodeCount: number; edgeCount: number } | undefined {
  const nodes = /"node_count":(\d+)/.exec(head)
  const edges = /"edge_count":(\d+)/.exec(head)
  return nodes && edges ? { nodeCount: Number(nodes[1]), edgeCount: Number(edges[1]) } : undefined
}
