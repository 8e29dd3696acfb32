// The rows of one file read by two threads, one from the front and one from the back, until they meet.

import { arenaOf } from '../support/arena.ts'
import { atOnce, type Slices } from '../support/breathing.ts'
import { readFully, writeFully } from '../support/descriptors.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { bytesOf, type Place } from './column-store.ts'
import { Cursor, MARGIN } from './cursor.ts'
import { type Ephemerons, findEphemerons } from './ephemerons.ts'
import type { Layout } from './meta.ts'
import { EDGE_COLUMN, NODE_COLUMN, PIECE_BYTES, type RowKernel, threadKernel } from './row-kernel.ts'
import type { Section, Sections } from './sections.ts'
import type { Locations } from './snapshot.ts'
import { addSums, NO_SUMS, type Sums } from './sums.ts'
import { parseTail } from './tail-parser.ts'

const COMMA = 0x2c

/** What both threads are told; the columns are in shared memory, or go to a file at once. */
export interface RowsJob {
  readonly file: string
  /** Of the file, open for reading; threads share their process's descriptors. */
  readonly fd: number
  readonly sections: Sections
  readonly layout: Layout
  readonly nodeCount: number
  readonly edgeCount: number
  readonly columns: {
    readonly nodeType: Uint8Array
    readonly nodeName: Uint32Array
    readonly nodeId: Uint32Array | Place
    readonly selfSize: Uint32Array
    readonly firstEdge: Uint32Array
    readonly edges: Uint32Array
    readonly edgeNameOrIndex: Uint32Array | Place
  }
  /** Pieces of nodes and of edges that are taken, and whether a thread has given up: see CLAIM. */
  readonly claims: Int32Array
}
export const CLAIM = { nodes: 0, edges: 1, givenUp: 2, size: 3 } as const

/** What one of the two has read. */
export interface RowsDone {
  readonly nodes: number
  readonly edges: number
  /** Numbers in the pieces that it took. */
  readonly nodeNumbers: number
  readonly edgeNumbers: number
  /** Edges that those nodes have together. */
  readonly edgesPromised: number
  readonly maxNodeName: number
  readonly maxEdgeName: number
  /** Of what went to a file. */
  readonly idSums: Sums
  readonly nameSums: Sums
}

export const pieceCount = ({ start, end }: Section): number => Math.ceil((end - start) / PIECE_BYTES)

/**
 * Takes pieces from one end of the nodes, then of the edges, until none is left; yields after each.
 * Undefined, and the other thread stops as well, if anything is not written just as V8 writes it: whoever reads it byte
 * by byte knows whether that is wrong.
 */
export function* readRowsFrom(end: 'front' | 'back', job: RowsJob, kernel: RowKernel): Slices<RowsDone | undefined> {
  const { sections, layout, nodeCount, edgeCount, columns, claims } = job
  const lastEdge = columns.firstEdge.subarray(1)
  const done = {
    nodes: 0,
    edges: 0,
    nodeNumbers: 0,
    edgeNumbers: 0,
    edgesPromised: 0,
    maxNodeName: 0,
    maxEdgeName: 0,
    idSums: NO_SUMS,
    nameSums: NO_SUMS,
  }
  const ids = new Outlet(columns.nodeId, kernel)
  const edgeNames = new Outlet(columns.edgeNameOrIndex, kernel)

  kernel.setTypes(layout.nodeTypeOf)
  const nodePieces = new Pieces(end, job, sections.nodes, nodeCount, layout.nodeFieldCount, CLAIM.nodes, kernel)
  for (let piece = nodePieces.next(); piece; piece = nodePieces.next()) {
    const { first } = piece
    // From the back, how many edges come before is known only when the piece is read.
    kernel.edgesPromised = end === 'front' ? done.edgesPromised : 0
    let row = first
    for (const scanned of piece.batches()) {
      if (kernel.takeNodes(scanned, layout, edgeCount) < scanned) break
      columns.nodeType.set(kernel.types(scanned), row)
      columns.nodeName.set(kernel.column(NODE_COLUMN.name, scanned), row)
      ids.put(kernel.column(NODE_COLUMN.id, scanned), row)
      columns.selfSize.set(kernel.column(NODE_COLUMN.selfSize, scanned), row)
      lastEdge.set(kernel.column(NODE_COLUMN.lastEdge, scanned), row)
      done.maxNodeName = Math.max(done.maxNodeName, kernel.highestName)
      row += scanned
    }
    if (row < first + piece.rows) return giveUp(claims)
    if (end === 'front') done.edgesPromised = kernel.edgesPromised
    else {
      done.edgesPromised += kernel.edgesPromised
      const before = edgeCount - done.edgesPromised
      if (before < 0) return giveUp(claims)
      for (let node = first; node < row; node++) lastEdge[node]! += before
    }
    done.nodes += piece.rows
    yield undefined
  }

  done.idSums = ids.end()
  done.nodeNumbers = nodePieces.numbers

  kernel.setTypes(layout.edgeTypeOf)
  const edgePieces = new Pieces(end, job, sections.edges, edgeCount, layout.edgeFieldCount, CLAIM.edges, kernel)
  for (let piece = edgePieces.next(); piece; piece = edgePieces.next()) {
    const { first } = piece
    let row = first
    for (const scanned of piece.batches()) {
      if (kernel.takeEdges(scanned, layout, nodeCount) < scanned) break
      columns.edges.set(kernel.column(EDGE_COLUMN.packed, scanned), row)
      const names = kernel.column(EDGE_COLUMN.nameOrIndex, scanned)
      edgeNames.put(names, row)
      done.maxEdgeName = Math.max(done.maxEdgeName, kernel.highestName)
      row += scanned
    }
    if (row < first + piece.rows) return giveUp(claims)
    done.edges += piece.rows
    yield undefined
  }
  done.nameSums = edgeNames.end()
  done.edgeNumbers = edgePieces.numbers
  return Atomics.load(claims, CLAIM.givenUp) === 0 ? done : undefined
}

/** Words that are written at once: the system takes them several times faster than a few at a time. */
const OUTLET_WORDS = 1 << 16

/** Where values go that make a column, in memory or, some together, in a file. */
class Outlet {
  readonly #target: Uint32Array | Place
  readonly #kernel: RowKernel
  readonly #waiting: Uint32Array
  /** How many are waiting, and the row that the first of them belongs to. */
  #count = 0
  #first = 0
  #sums = NO_SUMS

  constructor(target: Uint32Array | Place, kernel: RowKernel) {
    this.#target = target
    this.#kernel = kernel
    this.#waiting = new Uint32Array(target instanceof Uint32Array ? 0 : OUTLET_WORDS)
  }

  /** @param values at most BATCH_ROWS, in the kernel's memory */
  put(values: Uint32Array, row: number): void {
    if (this.#target instanceof Uint32Array) {
      this.#target.set(values, row)
      return
    }
    this.#sums = addSums(this.#sums, this.#kernel.weigh(values, values.byteLength, row))
    if (row !== this.#first + this.#count || this.#count + values.length > OUTLET_WORDS) this.#write()
    if (this.#count === 0) this.#first = row
    this.#waiting.set(values, this.#count)
    this.#count += values.length
  }
  /** The sums of all that went to the file. */
  end(): Sums {
    this.#write()
    return this.#sums
  }

  #write(): void {
    if (this.#target instanceof Uint32Array || this.#count === 0) return
    const { fd, offset } = this.#target
    writeFully(fd, bytesOf(this.#waiting.subarray(0, this.#count)), offset + 4 * this.#first)
    this.#count = 0
  }
}

function giveUp(claims: Int32Array): undefined {
  Atomics.store(claims, CLAIM.givenUp, 1)
}

interface Piece {
  /** Number of its first row. */
  readonly first: number
  readonly rows: number
  /** Scans the rows, some at a time, and says how many; ends early where they are not as they should be. */
  batches(): Generator<number>
}

/**
 * The pieces of a section that one thread takes, from its end on. Numbers are counted by their commas, and how many
 * there are in all is known, so each thread knows which row and field a piece begins with.
 */
class Pieces {
  readonly #end: 'front' | 'back'
  readonly #job: RowsJob
  readonly #section: Section
  readonly #rows: number
  readonly #fields: number
  readonly #claim: number
  readonly #kernel: RowKernel
  #taken = 0
  /** Numbers in the pieces taken. */
  numbers = 0

  constructor(
    end: 'front' | 'back',
    job: RowsJob,
    section: Section,
    rows: number,
    fields: number,
    claim: number,
    kernel: RowKernel,
  ) {
    this.#end = end
    this.#job = job
    this.#section = section
    this.#rows = rows
    this.#fields = fields
    this.#claim = claim
    this.#kernel = kernel
  }

  /** Undefined when all are taken, or one of the threads has given up. */
  next(): Piece | undefined {
    const { claims, fd } = this.#job
    const { start, end } = this.#section
    const count = pieceCount(this.#section)
    if (Atomics.load(claims, CLAIM.givenUp) === 1 || Atomics.add(claims, this.#claim, 1) >= count) return undefined
    const number = this.#end === 'front' ? this.#taken++ : count - ++this.#taken
    const from = start + number * PIECE_BYTES
    const to = Math.min(from + PIECE_BYTES, end)

    const kernel = this.#kernel
    const fields = this.#fields
    const buffer = kernel.buffers[0]!
    const at = MARGIN
    const length = readFully(fd, buffer, at - 1, from - 1, Math.min(to + MARGIN / 2, end + 1) - from + 1)
    buffer.fill(0, at - 1 + length)
    // The first number and the last one get the comma that the others have.
    if (number === 0) buffer[at - 1] = COMMA
    if (to === end) buffer[at + end - from] = COMMA
    // A number is of the piece that its first byte is in, and so is a row; they may end in the next one.
    const numbers = kernel.countCommas(buffer, at - 1, at - 1 + to - from)
    const before = this.#end === 'front' ? this.numbers : this.#rows * fields - this.numbers - numbers
    this.numbers += numbers
    const first = Math.ceil(before / fields)
    const rows = Math.ceil((before + numbers) / fields) - first
    if (before < 0 || first + rows > this.#rows) return giveUp(claims)
    // Where the first row begins: behind the comma of the number before it.
    let rowsAt = at - 1
    for (let skip = first * fields - before; rows > 0 && skip >= 0; skip--) {
      rowsAt = buffer.indexOf(COMMA, rowsAt) + 1
      if (rowsAt === 0) return giveUp(claims)
    }
    const limit = at - 1 + length
    return {
      first,
      rows,
      *batches() {
        let next = rowsAt
        for (let left = rows; left > 0; ) {
          const scanned = kernel.scanBuffer(buffer, next, limit, left, fields)
          if (scanned === 0) return
          yield scanned
          left -= scanned
          next = kernel.rowEnd(buffer)
        }
      },
    }
  }
}

/** What comes behind the edges, in shared memory; and what was read of the rows meanwhile. */
export interface BackDone {
  readonly rows: RowsDone | undefined
  readonly locations: Locations
  readonly stringBytes: Uint8Array
  readonly stringStarts: Uint32Array | Float64Array
  readonly stringBytesAt: number
  readonly ephemerons: Ephemerons
}

/** Has {@link readBack} called on the second thread. */
export const callReadBack = (second: SecondThread, job: RowsJob): Promise<BackDone | undefined> =>
  second.call(import.meta.url, 'readBack', job)

/** The second thread's part: first the tail of the file, then rows from the back. */
export function readBack(job: RowsJob): BackDone | undefined {
  const kernel = threadKernel()
  const tail = readTail(job, kernel)
  if (!tail) return undefined
  return { ...tail, rows: atOnce(readRowsFrom('back', job, kernel)) }
}

function readTail({ file, fd, sections, layout, nodeCount, columns, claims }: RowsJob, kernel: RowKernel) {
  const cursor = new Cursor(file, sections.fileBytes)
  const parsing = parseTail(cursor, kernel, layout, nodeCount, arenaOf(columns.edges))
  const buffer = kernel.buffers[0]!
  cursor.buffer = buffer
  cursor.base = sections.edges.end + 1
  try {
    for (;;) {
      // What is left of the piece before moves to the front.
      buffer.copyWithin(0, cursor.at, cursor.end)
      cursor.base += cursor.at
      cursor.end -= cursor.at
      cursor.at = 0
      const read = readFully(fd, buffer, cursor.end, cursor.base + cursor.end, buffer.length - MARGIN - cursor.end)
      cursor.end += read
      cursor.final = read === 0
      if (cursor.final) buffer.fill(0, cursor.end, cursor.end + MARGIN)
      const step = parsing.next()
      if (step.done) {
        const { locations, strings, stringBytesAt } = step.value
        return { locations, ...strings.raw, stringBytesAt, ephemerons: findEphemerons(strings) }
      }
    }
  } catch {
    // Whoever reads the file from its start says what is wrong with it, and where.
    return giveUp(claims)
  }
}
