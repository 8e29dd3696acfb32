// The sections of numbers, nodes, edges and locations: into columns, each number checked on its way.

import { type Arena, arenaUint32 } from '../support/arena.ts'
import { sharedUint8, sharedUint16, sharedUint32, widened } from '../support/shared.ts'
import { TupleInterner } from '../support/tuple-interner.ts'
import { type Cursor, expect, type Parsing, peek } from './cursor.ts'
import { EdgeType, type Head, type Layout } from './meta.ts'
import { EDGE_COLUMN, LOCATION_COLUMN, NODE_COLUMN, type RowKernel } from './row-kernel.ts'
import { findNumber, readRows } from './rows.ts'
import { type Locations, packEdge } from './snapshot.ts'

const BATCH_ROWS = 2048
const MAX_UINT32 = 0xffffffff

export interface NodeColumns {
  readonly type: Uint8Array
  readonly name: Uint32Array
  readonly id: Uint32Array
  readonly selfSize: Uint32Array | Float64Array
  readonly firstEdge: Uint32Array
  readonly maxName: number
}

export function* parseNodes(cursor: Cursor, kernel: RowKernel, head: Head): Parsing<NodeColumns> {
  const { layout, nodeCount, edgeCount } = head
  const { nodeFieldCount, nodeTypeOf } = layout
  const type = column(cursor, sharedUint8, nodeCount)
  const name = column(cursor, sharedUint32, nodeCount)
  const id = column(cursor, sharedUint32, nodeCount)
  let selfSize: Uint32Array | Float64Array = column(cursor, sharedUint32, nodeCount)
  const firstEdge = column(cursor, sharedUint32, nodeCount + 1)
  let maxName = 0
  let promisedEdges = 0

  function take(batch: Float64Array, rows: number, first: number, from: number): void {
    const failAt = (row: number, field: number, expected: string): never =>
      cursor.fail(expected, findNumber(cursor, from, row * nodeFieldCount + field))
    for (let row = 0, base = 0; row < rows; row++, base += nodeFieldCount) {
      const ordinal = first + row
      const rawType = batch[base + layout.type]!
      if (rawType >= nodeTypeOf.length) failAt(row, layout.type, `a node type below ${nodeTypeOf.length}`)
      type[ordinal] = nodeTypeOf[rawType]!
      const nameIndex = batch[base + layout.name]!
      if (nameIndex > maxName) {
        if (nameIndex > MAX_UINT32) failAt(row, layout.name, 'a string number')
        maxName = nameIndex
      }
      name[ordinal] = nameIndex
      const nodeId = batch[base + layout.id]!
      if (nodeId > MAX_UINT32) failAt(row, layout.id, 'an object id of 32 bits')
      id[ordinal] = nodeId
      const size = batch[base + layout.selfSize]!
      if (size > MAX_UINT32 && selfSize instanceof Uint32Array) selfSize = widened(selfSize)
      selfSize[ordinal] = size
      promisedEdges += batch[base + layout.edgeCount]!
      if (promisedEdges > edgeCount) failAt(row, layout.edgeCount, `at most ${edgeCount} edges in all`)
      firstEdge[ordinal + 1] = promisedEdges
    }
  }

  const lastEdge = firstEdge.subarray(1)
  function takeFast(rows: number, first: number): number {
    kernel.edgesPromised = promisedEdges
    const taken = kernel.takeNodes(rows, layout, edgeCount)
    type.set(kernel.types(taken), first)
    name.set(kernel.column(NODE_COLUMN.name, taken), first)
    id.set(kernel.column(NODE_COLUMN.id, taken), first)
    selfSize.set(kernel.column(NODE_COLUMN.selfSize, taken), first)
    lastEdge.set(kernel.column(NODE_COLUMN.lastEdge, taken), first)
    promisedEdges = kernel.edgesPromised
    maxName = Math.max(maxName, kernel.highestName)
    return taken
  }

  kernel.setTypes(nodeTypeOf)
  yield* parseRows(cursor, kernel, nodeFieldCount, nodeCount, takeFast, take)
  if (promisedEdges !== edgeCount) {
    cursor.contradiction(`the head promises ${edgeCount} edges, the nodes have ${promisedEdges}`)
  }
  // Sums beyond 2⁵³ would be rounded, and nobody told.
  let bytes = head.extraNativeBytes
  for (let node = 0; node < nodeCount; node++) bytes += selfSize[node]!
  if (bytes > Number.MAX_SAFE_INTEGER)
    cursor.contradiction(`the nodes have ${bytes} bytes together, more than any heap`)
  return { type, name, id, selfSize, firstEdge, maxName }
}

export interface EdgeColumns {
  readonly packed: Uint32Array
  readonly nameOrIndex: Uint32Array
  readonly maxName: number
}

export function* parseEdges(cursor: Cursor, kernel: RowKernel, head: Head): Parsing<EdgeColumns> {
  const { layout, nodeCount, edgeCount } = head
  const { edgeFieldCount, edgeTypeOf, nodeFieldCount } = layout
  const packed = column(cursor, sharedUint32, edgeCount)
  const nameOrIndex = column(cursor, sharedUint32, edgeCount)
  let maxName = 0

  function take(batch: Float64Array, rows: number, first: number, from: number): void {
    const failAt = (row: number, field: number, expected: string): never =>
      cursor.fail(expected, findNumber(cursor, from, row * edgeFieldCount + field))
    for (let row = 0, base = 0; row < rows; row++, base += edgeFieldCount) {
      const rawType = batch[base + layout.edgeType]!
      if (rawType >= edgeTypeOf.length) failAt(row, layout.edgeType, `an edge type below ${edgeTypeOf.length}`)
      const type = edgeTypeOf[rawType]!
      const key = batch[base + layout.edgeNameOrIndex]!
      if (key > maxName && type !== EdgeType.element && type !== EdgeType.hidden) maxName = key
      if (key > MAX_UINT32) failAt(row, layout.edgeNameOrIndex, 'a string number or an index of 32 bits')
      nameOrIndex[first + row] = key
      const toIndex = batch[base + layout.edgeToNode]!
      const target = toIndex / nodeFieldCount
      if (target >= nodeCount || target !== Math.floor(target)) {
        failAt(row, layout.edgeToNode, `a multiple of ${nodeFieldCount} below ${nodeCount * nodeFieldCount}`)
      }
      packed[first + row] = packEdge(target, type)
    }
  }

  function takeFast(rows: number, first: number): number {
    const taken = kernel.takeEdges(rows, layout, nodeCount)
    packed.set(kernel.column(EDGE_COLUMN.packed, taken), first)
    nameOrIndex.set(kernel.column(EDGE_COLUMN.nameOrIndex, taken), first)
    maxName = Math.max(maxName, kernel.highestName)
    return taken
  }

  kernel.setTypes(edgeTypeOf)
  yield* parseRows(cursor, kernel, edgeFieldCount, edgeCount, takeFast, take)
  return { packed, nameOrIndex, maxName }
}

export function* parseLocations(
  cursor: Cursor,
  kernel: RowKernel,
  layout: Layout,
  nodeCount: number,
  arena: Arena | undefined,
): Parsing<Locations> {
  const { locationFieldCount: fields, nodeFieldCount } = layout
  const placeFields = [layout.locationScript, layout.locationLine, layout.locationColumn]
  const batch = new Float64Array(fields * BATCH_ROWS)
  // Nearly all take more than this. Room that stays empty is only addresses, where growing leaves all behind once more.
  const rows = new LocationRows(cursor.roomFor(12), kernel)

  function check(numbers: Float64Array | Uint32Array, count: number, from: number): void {
    for (let row = 0, base = 0; row < count; row++, base += fields) {
      const node = numbers[base + layout.locationObject]! / nodeFieldCount
      if (node >= nodeCount || node !== Math.floor(node)) {
        cursor.fail(
          `a multiple of ${nodeFieldCount} below ${nodeCount * nodeFieldCount}`,
          findNumber(cursor, from, row * fields + layout.locationObject),
        )
      }
      for (const field of placeFields) {
        if (numbers[base + field]! <= MAX_UINT32) continue
        cursor.fail('a script id, line or column of 32 bits', findNumber(cursor, from, row * fields + field))
      }
    }
  }
  function take(numbers: Float64Array | Uint32Array, count: number): void {
    if (rows.takeFast(count, layout, nodeCount)) return
    for (let base = 0; base < count * fields; base += fields) {
      rows.push(
        numbers[base + layout.locationObject]! / nodeFieldCount,
        ...(placeFields.map((field) => numbers[base + field]!) as [number, number, number]),
      )
    }
  }

  yield* expect(cursor, '[')
  if ((yield* peek(cursor)) === 0x5d) {
    cursor.at++
    return NO_LOCATIONS
  }
  cursor.arrayEnded = false
  while (!cursor.arrayEnded) {
    const scanned = kernel.scan(cursor, BATCH_ROWS, fields)
    if (scanned > 0) {
      if (!rows.takeFast(scanned, layout, nodeCount)) {
        check(kernel.numbers, scanned, cursor.at)
        take(kernel.numbers, scanned)
      }
      cursor.at = kernel.behind(cursor)
      continue
    }
    const from = cursor.at
    const read = readRows(cursor, fields, BATCH_ROWS, 'maybe', batch)
    check(batch, read, from)
    kernel.numbers.set(batch.subarray(0, read * fields))
    take(batch, read)
    if (read < BATCH_ROWS && !cursor.arrayEnded) {
      if (cursor.final) cursor.fail('a number')
      yield
    }
  }
  return rows.finish(arena)
}

export const NO_LOCATIONS: Locations = {
  node: new Uint32Array(0),
  site: new Uint16Array(0),
  script: new Uint32Array(0),
  line: new Uint32Array(0),
  column: new Uint32Array(0),
}

/** The first place that takes more than 16 bits. */
const MAX_NARROW = 0x10000

/**
 * Columns that grow, as the head does not say how many locations there are. As long as there are not too many different
 * places, the kernel numbers them.
 */
class LocationRows {
  #count = 0
  #node: Uint32Array
  #site: Uint16Array | Uint32Array
  /** Undefined once the places are numbered here. */
  #kernel: RowKernel | undefined
  readonly #sites = new TupleInterner(3)

  constructor(room: number, kernel: RowKernel) {
    this.#node = sharedUint32(room)
    this.#site = sharedUint16(room)
    this.#kernel = kernel
    kernel.forgetSites()
  }

  /** Takes the rows that the kernel has scanned; false, and none of them, if there are too many places or one is wrong. */
  takeFast(scanned: number, layout: Layout, nodeCount: number): boolean {
    const kernel = this.#kernel
    if (!kernel) return false
    if (kernel.takeLocations(scanned, layout, nodeCount) < scanned) {
      this.#takeSites(kernel)
      return false
    }
    this.#makeRoom(scanned)
    this.#node.set(kernel.column(LOCATION_COLUMN.node, scanned), this.#count)
    this.#site.set(kernel.column(LOCATION_COLUMN.site, scanned), this.#count)
    this.#count += scanned
    return true
  }

  push(node: number, script: number, line: number, column: number): void {
    if (this.#kernel) this.#takeSites(this.#kernel)
    this.#makeRoom(1)
    const site = this.#sites.intern(script, line, column)
    if (site === MAX_NARROW && this.#site instanceof Uint16Array) {
      this.#site = resized(this.#site, sharedUint32(this.#site.length))
    }
    this.#node[this.#count] = node
    this.#site[this.#count++] = site
  }

  /** From now on, places are numbered here, as they were there. */
  #takeSites(kernel: RowKernel): void {
    const { sites } = kernel
    for (let at = 0; at < sites.length; at += 3) this.#sites.intern(sites[at]!, sites[at + 1]!, sites[at + 2]!)
    this.#kernel = undefined
  }

  #makeRoom(rows: number): void {
    const least = this.#count + rows
    if (least <= this.#node.length) return
    const length = 2 * least
    this.#node = resized(this.#node, sharedUint32(length))
    this.#site = resized(this.#site, this.#site instanceof Uint16Array ? sharedUint16(length) : sharedUint32(length))
  }

  finish(arena: Arena | undefined): Locations {
    const count = this.#count
    const node = arena ? arenaUint32(arena, count) : this.#node.subarray(0, count)
    if (arena) node.set(this.#node.subarray(0, count))
    return {
      node,
      site: this.#site.subarray(0, count),
      script: this.#part(0),
      line: this.#part(1),
      column: this.#part(2),
    }
  }

  #part(part: number): Uint32Array {
    const sites = this.#kernel?.sites
    const values = sharedUint32(sites ? sites.length / 3 : this.#sites.size)
    for (let site = 0; site < values.length; site++) {
      values[site] = sites ? sites[3 * site + part]! : this.#sites.part(site, part)
    }
    return values
  }
}

function resized<T extends Uint16Array | Uint32Array>(values: Uint16Array | Uint32Array, larger: T): T {
  larger.set(values)
  return larger
}

/**
 * Reads an array of exactly `rowCount` rows: what is written as V8 writes it goes through the kernel, and the rest (the
 * last row, blanks, large numbers, whatever is wrong) a batch at a time through `readRows`.
 * @param takeFast puts rows that the kernel has scanned into columns; returns how many it could
 * @param take the same for a batch, with the number of its first row and the place that it starts at
 */
function* parseRows(
  cursor: Cursor,
  kernel: RowKernel,
  fieldCount: number,
  rowCount: number,
  takeFast: (rows: number, first: number) => number,
  take: (batch: Float64Array, rows: number, first: number, from: number) => void,
): Parsing {
  const batch = new Float64Array(fieldCount * BATCH_ROWS)
  yield* expect(cursor, '[')
  if (rowCount === 0) return yield* expect(cursor, ']')
  cursor.arrayEnded = false
  for (let row = 0; row < rowCount; ) {
    const scanned = kernel.scan(cursor, rowCount - 1 - row, fieldCount)
    const taken = takeFast(scanned, row)
    row += taken
    if (scanned > 0 && taken === scanned) {
      cursor.at = kernel.behind(cursor)
      continue
    }
    // Of rows that were scanned but do not fit, the first is read again, to say what is wrong with it.
    if (taken > 0) cursor.at = findNumber(cursor, cursor.at, taken * fieldCount)
    const wanted = Math.min(BATCH_ROWS, rowCount - row)
    const from = cursor.at
    const rows = readRows(cursor, fieldCount, wanted, row + wanted === rowCount ? 'yes' : 'no', batch)
    take(batch, rows, row, from)
    row += rows
    if (rows < wanted) {
      if (cursor.final) cursor.fail('a number')
      yield
    }
  }
}

/** A column for as many rows as the head promises, which may be more than there can be: not every source has a size. */
function column<T>(cursor: Cursor, make: (length: number) => T, length: number): T {
  try {
    return make(length)
  } catch {
    return cursor.contradiction(`the head promises a column of ${length} numbers, more than memory can hold`)
  }
}
