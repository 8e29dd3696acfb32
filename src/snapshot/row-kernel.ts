// The digit kernel from TypeScript's side: its memory, and how rows go through it into columns.

import { readFileSync } from 'node:fs'
import type { Cursor } from './cursor.ts'
import { EdgeType, type Layout } from './meta.ts'

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly rowEnd: WebAssembly.Global
  readonly highestName: WebAssembly.Global
  readonly edgesPromised: WebAssembly.Global
  scan(at: number, limit: number, out: number, rows: number, fields: number): number
  takeNodes(...args: (number | bigint)[]): number
  takeEdges(...args: number[]): number
}

/** Rows at once: what they become stays in the processor's second-level cache. */
const BATCH_ROWS = 2048
const MAX_FIELDS = 32
/** Bytes that `scan` looks at once. */
const BLOCK_BYTES = 64

/** Where things stand in the kernel's memory; its own data ends far below the first. */
const TYPES = 1 << 16
const NUMBERS = TYPES + 1024
const COLUMNS = NUMBERS + 4 * BATCH_ROWS * MAX_FIELDS
const column = (i: number): number => COLUMNS + 4 * BATCH_ROWS * i
const BUFFERS = column(5)

let compiled: WebAssembly.Module | undefined

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
    this.#exports = new WebAssembly.Instance(compiled).exports as unknown as Exports
    const { memory } = this.#exports
    const missing = BUFFERS + bufferBytes * buffers - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / 65_536))
    this.#types = new Uint8Array(memory.buffer, TYPES, 1024)
    this.numbers = new Uint32Array(memory.buffer, NUMBERS, BATCH_ROWS * MAX_FIELDS)
    this.#columns = [0, 1, 2, 3, 4].map((i) => new Uint32Array(memory.buffer, column(i), BATCH_ROWS))
    this.#bytes = new Uint8Array(memory.buffer, column(0), 4 * BATCH_ROWS)
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

  /** Where the cursor must go to stand behind the rows that `scan` read last. */
  behind(cursor: Cursor): number {
    return (this.#exports.rowEnd.value as number) - cursor.buffer.byteOffset
  }

  /** Sorts the rows scanned last into node columns from `first` on; returns how many fitted. */
  takeNodes(
    rows: number,
    first: number,
    layout: Layout,
    edgeCount: number,
    columns: {
      type: Uint8Array
      name: Uint32Array
      id: Uint32Array
      size: Uint32Array | Float64Array
      lastEdge: Uint32Array
    },
  ): number {
    const taken = this.#exports.takeNodes(
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
    columns.type.set(this.#bytes.subarray(0, taken), first)
    columns.name.set(this.#columns[1]!.subarray(0, taken), first)
    columns.id.set(this.#columns[2]!.subarray(0, taken), first)
    columns.size.set(this.#columns[3]!.subarray(0, taken), first)
    columns.lastEdge.set(this.#columns[4]!.subarray(0, taken), first)
    return taken
  }

  /** Sorts the rows scanned last into edge columns from `first` on; returns how many fitted. */
  takeEdges(
    rows: number,
    first: number,
    layout: Layout,
    nodeCount: number,
    columns: { packed: Uint32Array; nameOrIndex: Uint32Array },
  ): number {
    const indexed = (1 << EdgeType.element) | (1 << EdgeType.hidden)
    const taken = this.#exports.takeEdges(
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
    columns.packed.set(this.#columns[0]!.subarray(0, taken), first)
    columns.nameOrIndex.set(this.#columns[1]!.subarray(0, taken), first)
    return taken
  }
}
