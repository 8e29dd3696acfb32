// From a file's name to a Snapshot: by one thread or two, with progress, and stopping when told to.

import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { arenaUint8, arenaUint32, makeArena } from '../support/arena.ts'
import { breathing } from '../support/breathing.ts'
import { readFully } from '../support/descriptors.ts'
import { setLazily } from '../support/lazily.ts'
import type { SecondThread } from '../support/second-thread.ts'
import {
  type BackDone,
  CLAIM,
  callReadBack,
  pieceCount,
  type RowsDone,
  type RowsJob,
  readBack,
  readRowsFrom,
} from './both-ends.ts'
import { Cursor, expect, MARGIN, type Parsing, skipSpace } from './cursor.ts'
import type { IndexWriter } from './index-file.ts'
import type { Head } from './meta.ts'
import { parseHeadSection, parseSnapshot } from './parser.ts'
import { RowKernel, threadKernel } from './row-kernel.ts'
import { findSections } from './sections.ts'
import type { Snapshot } from './snapshot.ts'
import { openSource, type Source } from './source.ts'
import { StringTable } from './strings.ts'
import { addSums } from './sums.ts'

/** Bytes of a buffer that take what the parser left over of the piece before; more than any row is long. */
const HEADROOM = 2 * MARGIN
const PIECE_BYTES = 1 << 22
/** Bytes that columns, and all that will be worked out from them, may take together: of a node, of an edge, beside. */
const ROOM = { node: 320, edge: 24, more: 1 << 25 }
const NOT_THERE = new Uint32Array(0)

export interface ReadOptions {
  /** Called now and then with how much has been read, from 0 to 1. */
  readonly onProgress?: (fraction: number) => void
  /** Reading rejects with the signal's reason soon after it is aborted. */
  readonly signal?: AbortSignal
}

/**
 * Reads a V8 heap snapshot (`.heapsnapshot`, or the same gzipped) into columns.
 *
 * Memory is the result's own plus two pieces of the file; no string of the file's length is ever made.
 * @param second takes half of the work, where the file is a plain one that V8 wrote
 * @param index takes the columns `nodeId` and `edgeNameOrIndex` at once, from which they come back when they are asked
 * for; closed, and to be forgotten, if that goes wrong
 * @throws LeakscopeError `file-not-found`, `file-unreadable`, or `snapshot-malformed` with the byte offset
 */
export async function readSnapshot(
  file: string,
  options: ReadOptions = {},
  second?: SecondThread,
  index?: IndexWriter,
): Promise<Snapshot> {
  const snapshot = await readFromBothEnds(file, options, second, index)
  if (snapshot) return snapshot
  // What has gone to it may be anything.
  if (index?.has('nodeId')) index.close()
  return parseSource(file, await openSource(file), options)
}

/** Undefined for whatever is not as V8 writes it: the file has to be read from its start, byte by byte. */
async function readFromBothEnds(
  file: string,
  { onProgress, signal }: ReadOptions,
  second: SecondThread | undefined,
  index: IndexWriter | undefined,
): Promise<Snapshot | undefined> {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return undefined
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return undefined
  }
  try {
    const start = readHead(file, fd)
    const sections = start && findSections(fd, start.nodesAt, start.head.nodeCount, start.head.layout)
    if (!sections) return undefined
    const { layout, nodeCount, edgeCount, extraNativeBytes } = start.head
    const arena = makeArena(nodeCount * ROOM.node + edgeCount * ROOM.edge + ROOM.more)
    // Side by side, for who needs their memory when they are in the index.
    const both = arenaUint32(arena, 2 * nodeCount)
    const [nodeName, selfSize] = [both.subarray(0, nodeCount), both.subarray(nodeCount)]
    const columns = {
      nodeType: arenaUint8(arena, nodeCount),
      nodeName,
      nodeId: index?.reserve('nodeId', 'uint32', nodeCount) ?? arenaUint32(arena, nodeCount),
      selfSize,
      firstEdge: arenaUint32(arena, nodeCount + 1),
      edges: arenaUint32(arena, edgeCount),
      edgeNameOrIndex: index?.reserve('edgeNameOrIndex', 'uint32', edgeCount) ?? arenaUint32(arena, edgeCount),
    }
    const claims = new Int32Array(new SharedArrayBuffer(4 * CLAIM.size))
    const job: RowsJob = { file, fd, sections, layout, nodeCount, edgeCount, columns, claims }
    const pieces = pieceCount(sections.nodes) + pieceCount(sections.edges)

    const pending = second && callReadBack(second, job)
    let front: RowsDone | undefined
    let back: BackDone | undefined
    try {
      front = await breathing(readRowsFrom('front', job, threadKernel()), signal, () =>
        onProgress?.(Math.min(1, (claims[CLAIM.nodes]! + claims[CLAIM.edges]!) / pieces)),
      )
    } catch (error) {
      signal?.throwIfAborted()
      // The disk is full, say, on which the index was to be.
      if (!(error as NodeJS.ErrnoException).code) throw error
    } finally {
      // Whatever happens, nobody reads on from a descriptor that is about to be closed.
      if (!front) Atomics.store(claims, CLAIM.givenUp, 1)
      back = await pending?.catch(() => undefined)
    }
    if (!second && front) {
      // One thread alone takes breath before the tail of the file.
      await new Promise(setImmediate)
      signal?.throwIfAborted()
      back = readBack(job)
    }
    if (!front || !back?.rows) return undefined
    const { rows } = back
    const strings = new StringTable(back.stringBytes, back.stringStarts)
    const whole =
      front.nodes + rows.nodes === nodeCount &&
      front.edges + rows.edges === edgeCount &&
      front.nodeNumbers + rows.nodeNumbers === nodeCount * layout.nodeFieldCount &&
      front.edgeNumbers + rows.edgeNumbers === edgeCount * layout.edgeFieldCount &&
      front.edgesPromised + rows.edgesPromised === edgeCount &&
      Math.max(front.maxNodeName, front.maxEdgeName, rows.maxNodeName, rows.maxEdgeName) < strings.count
    if (!whole) return undefined
    onProgress?.(1)
    const { nodeId, edgeNameOrIndex } = columns
    const snapshot = {
      file,
      fileBytes: sections.fileBytes,
      packed: false,
      nodeCount,
      edgeCount,
      extraNativeBytes,
      ...columns,
      nodeId: nodeId instanceof Uint32Array ? nodeId : NOT_THERE,
      edgeNameOrIndex: edgeNameOrIndex instanceof Uint32Array ? edgeNameOrIndex : NOT_THERE,
      locations: back.locations,
      strings,
      stringBytesAt: back.stringBytesAt,
      ephemerons: back.ephemerons,
      ...(index && { peekAt: (name: string, from: number, to: number) => index.peek(name, from, to) }),
    }
    if (index) {
      index.written('nodeId', addSums(front.idSums, rows.idSums))
      index.written('edgeNameOrIndex', addSums(front.nameSums, rows.nameSums))
      setLazily(snapshot, 'nodeId', () => index.load('nodeId') as Uint32Array)
      setLazily(snapshot, 'edgeNameOrIndex', () => index.load('edgeNameOrIndex') as Uint32Array)
    }
    return snapshot
  } finally {
    closeSync(fd)
  }
}

/** The head of the file and where its nodes start; undefined unless both stand in the first piece, without a fault. */
function readHead(file: string, fd: number): { head: Head; nodesAt: number } | undefined {
  // What it says of its counts is held against the file's size, before there are columns for them.
  const cursor = new Cursor(file, fstatSync(fd).size)
  const buffer = new Uint8Array(1 << 16)
  cursor.buffer = buffer
  cursor.end = readFully(fd, buffer, 0, 0, buffer.length - MARGIN)
  function* parse(): Parsing<Head> {
    const head = yield* parseHeadSection(cursor)
    yield* expect(cursor, ',')
    yield* skipSpace(cursor)
    return head
  }
  try {
    const step = parse().next()
    return step.done ? { head: step.value, nodesAt: cursor.at } : undefined
  } catch {
    return undefined
  }
}

/** The same from bytes that come from anywhere; closes the source. */
export async function parseSource(
  file: string,
  source: Source,
  { onProgress, signal }: ReadOptions = {},
): Promise<Snapshot> {
  const pieceBytes = Math.min(PIECE_BYTES, source.maxBytes ?? PIECE_BYTES)
  const kernel = new RowKernel(HEADROOM + pieceBytes + MARGIN, 2)
  const { buffers } = kernel
  const fill = (turn: number) => source.read(buffers[turn]!.subarray(0, HEADROOM + pieceBytes), HEADROOM)
  let pending: Promise<number> | undefined
  try {
    const cursor = new Cursor(file, source.maxBytes)
    const parsing = parseSnapshot(cursor, kernel)
    pending = fill(0)
    for (let turn = 0; ; turn = 1 - turn) {
      const bytesRead: number = (await pending) ?? 0
      signal?.throwIfAborted()
      feed(cursor, buffers[turn]!, bytesRead)
      // Only now: the other buffer held the rest of the piece before until `feed` took it over.
      pending = bytesRead > 0 ? fill(1 - turn) : undefined
      const step = parsing.next()
      onProgress?.(source.progress())
      if (step.done) return { file, fileBytes: source.fileBytes, packed: source.packed ?? false, ...step.value }
    }
  } finally {
    await pending?.catch(() => {})
    await source.close()
  }
}

/** Puts what is left of the cursor's last piece in front of the next one. */
function feed(cursor: Cursor, buffer: Uint8Array, bytesRead: number): void {
  const left = cursor.end - cursor.at
  if (left > HEADROOM) throw new Error(`the parser left ${left} bytes behind`)
  const start = HEADROOM - left
  buffer.set(cursor.buffer.subarray(cursor.at, cursor.end), start)
  cursor.base += cursor.at - start
  cursor.buffer = buffer
  cursor.at = start
  cursor.end = HEADROOM + bytesRead
  cursor.final = bytesRead === 0
  if (cursor.final) buffer.fill(0, cursor.end, cursor.end + MARGIN)
}
