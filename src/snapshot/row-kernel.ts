// The digit kernel from TypeScript's side: its memory, and how rows go through it into columns.

import { readFileSync } from 'node:fs'
import { LeakscopeError } from '../errors.ts'
import { type Cursor, MARGIN } from './cursor.ts'
import { EdgeType, type Layout } from './meta.ts'
import type { Sums } from './sums.ts'

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly rowEnd: WebAssembly.Global
  readonly highestName: WebAssembly.Global
  readonly edgesPromised: WebAssembly.Global
  scan(at: number, limit: number, out: number, rows: number, fields: number): number
  countCommas(at: number, end: number): number
  readonly stringsAt: WebAssembly.Global
  scanStrings(at: number, limit: number, out: number, most: number): number
  readonly plainSum: WebAssembly.Global
  readonly weightedSum: WebAssembly.Global
  weigh(at: number, words: number, first: number): void
  takeNodes(...args: (number | bigint)[]): number
  takeEdges(...args: number[]): number
  readonly siteCount: WebAssembly.Global
  forgetSites(slots: number, slotCount: number): void
  takeLocations(...args: number[]): number
}

/** Rows at once: what they become stays in the processor's second-level cache. */
export const BATCH_ROWS = 8192
const MAX_FIELDS = 32
/** Bytes that `scan` looks at once. */
const BLOCK_BYTES = 64

/** Where things stand in the kernel's memory; its own data ends far below the first. */
const TYPES = 1 << 16
const NUMBERS = TYPES + 1024
const COLUMNS = NUMBERS + 4 * BATCH_ROWS * MAX_FIELDS
const column = (i: number): number => COLUMNS + 4 * BATCH_ROWS * i
/** Source positions, and the hash table in which they are found; as many as numbers of 16 bits can tell apart. */
const MOST_SITES = 1 << 16
const SLOTS = 2 * MOST_SITES
const SITE_SEEDS = column(5)
const SITES = SITE_SEEDS + 64
const SITE_SLOTS = SITES + 12 * MOST_SITES
const BUFFERS = SITE_SLOTS + 4 * SLOTS

/** Columns that nodes are sorted into; the types, in column 0, are bytes, and `lastEdge` is where each node's edges end. */
export const NODE_COLUMN = { name: 1, id: 2, selfSize: 3, lastEdge: 4 } as const
/** Columns that source positions are sorted into; a site is a position by its number. */
export const LOCATION_COLUMN = { node: 0, site: 1 } as const
/** Columns that edges are sorted into; `packed` is target and type in one word. */
export const EDGE_COLUMN = { packed: 0, nameOrIndex: 1 } as const

/** Other ones in each process: positions that all fall on one slot cannot be chosen beforehand. */
const SEEDS = Array.from({ length: 3 }, () => Math.floor(Math.random() * 2 ** 31) * 2 + 1)

let compiled: WebAssembly.Module | undefined

/** Bytes of a file that a thread works on at a time; with what they become, they stay in the second-level cache. */
export const PIECE_BYTES = 1 << 20

let own: RowKernel | undefined

/** This thread's kernel, with one buffer for a piece and {@link MARGIN} on both sides; for work that does not wait. */
export function threadKernel(): RowKernel {
  own ??= new RowKernel(MARGIN + PIECE_BYTES + MARGIN, 1)
  return own
}

function instantiate(module: WebAssembly.Module): Exports {
  try {
    return new WebAssembly.Instance(module).exports as unknown as Exports
  } catch (cause) {
    throw new LeakscopeError('platform-unsupported', 'there are no addresses left for a memory of WebAssembly', {
      hint: 'It reserves some gigabytes of addresses, not of memory: lift the limit on them (`ulimit -v`).',
      cause,
    })
  }
}

/** One for each file being read. The bytes to parse must stand in its own memory: see {@link RowKernel.buffers}. */
export class RowKernel {
  readonly #exports: Exports
  readonly #types: Uint8Array
  /** By column: as 32-bit numbers; a view for each that may be needed. */
  readonly #columns: readonly Uint32Array[]
  readonly #bytes: Uint8Array

  /** @param bufferBytes size of each of the buffers */
  constructor(bufferBytes: number, buffers: number) {
    compiled ??= new WebAssembly.Module(readFileSync(new URL('./kernel/rows.wasm', import.meta.url)))
    this.#exports = instantiate(compiled)
    const { memory } = this.#exports
    const missing = BUFFERS + bufferBytes * buffers - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / 65_536))
    this.#types = new Uint8Array(memory.buffer, TYPES, 1024)
    this.numbers = new Uint32Array(memory.buffer, NUMBERS, BATCH_ROWS * MAX_FIELDS)
    this.#columns = [0, 1, 2, 3, 4].map((i) => new Uint32Array(memory.buffer, column(i), BATCH_ROWS))
    this.#bytes = new Uint8Array(memory.buffer, column(0), 4 * BATCH_ROWS)
    new Uint32Array(memory.buffer, SITE_SEEDS, 3).set(SEEDS)
    this.buffers = Array.from(
      { length: buffers },
      (_, i) => new Uint8Array(memory.buffer, BUFFERS + i * bufferBytes, bufferBytes),
    )
  }

  /** The numbers of the rows scanned last, row by row. */
  readonly numbers: Uint32Array
  readonly buffers: readonly Uint8Array<ArrayBuffer>[]

  /** Tells the kernel what the file's type numbers mean, before the first row of a kind. */
  setTypes(types: Uint8Array): void {
    this.#types.set(types)
  }
  /** Edges of the nodes so far, for {@link takeNodes}. */
  get edgesPromised(): number {
    return Number(this.#exports.edgesPromised.value)
  }
  set edgesPromised(count: number) {
    this.#exports.edgesPromised.value = BigInt(count)
  }
  get highestName(): number {
    return (this.#exports.highestName.value as number) >>> 0
  }

  /** Reads up to `wanted` rows from the cursor on, which it leaves where they began. */
  scan(cursor: Cursor, wanted: number, fields: number): number {
    if (wanted === 0) return 0
    const base = cursor.buffer.byteOffset
    const limit = base + (cursor.final ? cursor.end : cursor.end - BLOCK_BYTES)
    return this.#exports.scan(base + cursor.at, limit, NUMBERS, Math.min(wanted, BATCH_ROWS), fields)
  }

  /** The same between two places of a buffer, for as many rows as there are; says how many could be read. */
  scanBuffer(buffer: Uint8Array, at: number, end: number, wanted: number, fields: number): number {
    const base = buffer.byteOffset
    return this.#exports.scan(base + at, base + end, NUMBERS, Math.min(wanted, BATCH_ROWS), fields)
  }
  /** Where in the buffer the rows end that `scanBuffer` read last. */
  rowEnd(buffer: Uint8Array): number {
    return (this.#exports.rowEnd.value as number) - buffer.byteOffset
  }
  /** Commas from `at` up to `end`. */
  countCommas(buffer: Uint8Array, at: number, end: number): number {
    return this.#exports.countCommas(buffer.byteOffset + at, buffer.byteOffset + end)
  }

  /**
   * From inside a string at `at`, where further strings start, as offsets from `at`: as many as are found up to about
   * `end`, or something that is not plain. Good until the kernel is used again; {@link stringsEnd} says how far it came.
   */
  scanStrings(buffer: Uint8Array, at: number, end: number): Uint32Array {
    this.stringsEnd = at
    const limit = end - 2 * BLOCK_BYTES
    if (at >= limit) return this.numbers.subarray(0, 0)
    const base = buffer.byteOffset
    const found = this.#exports.scanStrings(base + at, base + limit, NUMBERS, this.numbers.length)
    this.stringsEnd = (this.#exports.stringsAt.value as number) - base
    return this.numbers.subarray(0, found)
  }
  /** Where in the buffer, inside a string, `scanStrings` stopped last. */
  stringsEnd = 0

  /** Sums of the words in the first `length` bytes of an array in the kernel's memory; `first` is the number of the first. */
  weigh(array: Uint8Array | Uint32Array, length: number, first: number): Sums {
    const { plainSum, weightedSum, weigh } = this.#exports
    plainSum.value = 0n
    weightedSum.value = 0n
    if (array instanceof Uint8Array) array.fill(0, length, Math.min(array.length, (length + 3) & ~3))
    weigh(array.byteOffset, Math.ceil(length / 4), first)
    return {
      plain: BigInt.asUintN(64, plainSum.value as bigint),
      weighted: BigInt.asUintN(64, weightedSum.value as bigint),
    }
  }

  /** Where the cursor must go to stand behind the rows that `scan` read last. */
  behind(cursor: Cursor): number {
    return (this.#exports.rowEnd.value as number) - cursor.buffer.byteOffset
  }

  /**
   * Sorts the rows scanned last into columns, see {@link NODE_COLUMN}; returns how many nodes fitted. Edges are counted
   * on from {@link edgesPromised}.
   */
  takeNodes(rows: number, layout: Layout, edgeCount: number): number {
    return this.#exports.takeNodes(
      NUMBERS,
      rows,
      layout.nodeFieldCount,
      layout.type,
      layout.name,
      layout.id,
      layout.selfSize,
      layout.edgeCount,
      TYPES,
      layout.nodeTypeOf.length,
      BigInt(edgeCount),
      column(0),
      column(1),
      column(2),
      column(3),
      column(4),
    )
  }

  /** Sorts the rows scanned last into columns, see {@link EDGE_COLUMN}; returns how many edges fitted. */
  takeEdges(rows: number, layout: Layout, nodeCount: number): number {
    const indexed = (1 << EdgeType.element) | (1 << EdgeType.hidden)
    return this.#exports.takeEdges(
      NUMBERS,
      rows,
      layout.edgeFieldCount,
      layout.edgeType,
      layout.edgeNameOrIndex,
      layout.edgeToNode,
      TYPES,
      layout.edgeTypeOf.length,
      indexed,
      layout.nodeFieldCount,
      nodeCount,
      column(0),
      column(1),
    )
  }

  /** From here on, the positions that {@link takeLocations} meets are numbered from 0. */
  forgetSites(): void {
    this.#exports.forgetSites(SITE_SLOTS, SLOTS)
  }
  /** Those positions, three numbers each: script, line and column. */
  get sites(): Uint32Array {
    return new Uint32Array(this.#exports.memory.buffer, SITES, 3 * (this.#exports.siteCount.value as number))
  }
  /** Sorts the rows scanned last into columns, see {@link LOCATION_COLUMN}; returns how many fitted. */
  takeLocations(rows: number, layout: Layout, nodeCount: number): number {
    return this.#exports.takeLocations(
      NUMBERS,
      rows,
      layout.locationFieldCount,
      layout.locationObject,
      layout.locationScript,
      layout.locationLine,
      layout.locationColumn,
      layout.nodeFieldCount,
      nodeCount,
      SITES,
      SITE_SLOTS,
      SLOTS,
      SITE_SEEDS,
      column(LOCATION_COLUMN.node),
      column(LOCATION_COLUMN.site),
    )
  }

  /** One of the columns that rows were sorted into last; good until the next are. */
  column(number: number, rows: number): Uint32Array {
    return this.#columns[number]!.subarray(0, rows)
  }
  /** The same for types, which are bytes. */
  types(rows: number): Uint8Array {
    return this.#bytes.subarray(0, rows)
  }
}
