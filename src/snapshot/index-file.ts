// The index of a snapshot: what was read from it and worked out of it, in a file, so that the next opening is instant.
//
// The file is a prologue of 64 bytes (magic, and where the directory stands), the columns, and the directory: JSON with
// each column's kind, length, place and sums, and whatever small values belong to the snapshot. The prologue is written
// last, the file has its name only then, and nothing of it is believed before all sums are right.

import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, renameSync, rmSync } from 'node:fs'
import { breathing } from '../support/breathing.ts'
import { readFully, writeFully } from '../support/descriptors.ts'
import { openNameless } from '../support/nameless-file.ts'
import type { SecondThread } from '../support/second-thread.ts'
import { toolVersion } from '../support/version.ts'
import {
  type Column,
  type ColumnKind,
  callVerify,
  callWriteColumns,
  type Place,
  readColumn,
  verifyColumns,
  writeColumns,
} from './column-store.ts'
import type { Sums } from './sums.ts'

/** With the number of the layout. */
const MAGIC = 'leakscope index2'
const PROLOGUE_BYTES = 64
const ALIGNMENT = 4096
const MAX_DIRECTORY_BYTES = 1 << 28

interface Directory {
  /** Another version may have worked things out otherwise. */
  readonly toolVersion: string
  readonly columns: Readonly<Record<string, ColumnEntry>>
  readonly values: Readonly<Record<string, unknown>>
}

interface ColumnEntry {
  readonly kind: ColumnKind
  readonly length: number
  readonly offset: number
  readonly sums: readonly [plain: string, weighted: string]
}

const WIDTH: Readonly<Record<ColumnKind, number>> = { uint8: 1, uint16: 2, uint32: 4, float64: 8 }

function kindOf(column: Column): ColumnKind {
  if (column instanceof Uint8Array) return 'uint8'
  if (column instanceof Uint16Array) return 'uint16'
  return column instanceof Uint32Array ? 'uint32' : 'float64'
}

const partial = (path: string): string => `${path}.${process.pid}.partial`

/** An index being written. It is nobody's before {@link finish}. */
export class IndexWriter {
  readonly #path: string | undefined
  readonly #fd: number
  readonly #columns: Record<string, { kind: ColumnKind; length: number; offset: number; sums?: Sums }> = {}
  #end = ALIGNMENT
  #peeked = new Uint32Array(0)
  /** Whether it can still become an index. */
  isOpen = true

  /**
   * @param path none for a file that never becomes an index: columns wait there until they are asked for
   * @throws what the file system throws
   */
  constructor(path?: string) {
    this.#path = path
    this.#fd = path === undefined ? openNameless() : openSync(partial(path), 'wx+', 0o600)
    if (this.#fd < 0) throw new Error('files are kept in memory here')
  }
  /** Whether it is to become an index. */
  get hasName(): boolean {
    return this.#path !== undefined
  }

  /** Sets a place aside for a column that somebody else writes. */
  reserve(name: string, kind: ColumnKind, length: number): Place {
    const offset = this.#end
    this.#columns[name] = { kind, length, offset }
    this.#end += Math.ceil((length * WIDTH[kind]) / ALIGNMENT) * ALIGNMENT
    return { fd: this.#fd, offset }
  }
  has(name: string): boolean {
    return name in this.#columns
  }
  /** Says what a column that somebody else wrote adds up to. */
  written(name: string, sums: Sums): void {
    this.#columns[name]!.sums = sums
  }
  /** Writes columns, on the second thread if there is one. */
  async write(columns: Readonly<Record<string, Column>>, second?: SecondThread): Promise<void> {
    const names = Object.keys(columns)
    const placed = names.map((name) => {
      const column = columns[name]!
      return { column, place: this.reserve(name, kindOf(column), column.length) }
    })
    const sums = second ? await callWriteColumns(second, placed) : writeColumns(placed)
    for (const [i, name] of names.entries()) this.written(name, sums[i]!)
  }
  /** A column that was written before, in memory of its kind and length if some is given. */
  load(name: string, into?: Column): Column {
    const { kind, length, offset } = this.#columns[name]!
    return readColumn({ fd: this.#fd, offset }, kind, length, into)
  }
  /** A part of a `uint32` column that was written before; good until the next one is asked for. */
  peek(name: string, from: number, to: number): Uint32Array {
    const { offset } = this.#columns[name]!
    if (this.#peeked.length < to - from) this.#peeked = new Uint32Array(to - from)
    const part = this.#peeked.subarray(0, to - from)
    return readColumn({ fd: this.#fd, offset: offset + 4 * from }, 'uint32', to - from, part) as Uint32Array
  }
  /**
   * Gives the file its name. It stays open for {@link load}.
   * @param values anything that JSON can hold
   */
  finish(values: Readonly<Record<string, unknown>>): void {
    const columns = Object.fromEntries(
      Object.entries(this.#columns).map(([name, { sums, ...column }]) => {
        if (!sums) throw new Error(`nobody wrote the column ${name}`)
        return [name, { ...column, sums: [`${sums.plain}`, `${sums.weighted}`] as [string, string] }]
      }),
    )
    const directory: Directory = { toolVersion: toolVersion(), columns, values: { ...values } }
    const bytes = Buffer.from(JSON.stringify(directory))
    writeFully(this.#fd, bytes, this.#end)
    const prologue = Buffer.alloc(PROLOGUE_BYTES)
    prologue.write(MAGIC, 0, 'latin1')
    prologue.writeDoubleLE(this.#end, 16)
    prologue.writeDoubleLE(bytes.length, 24)
    createHash('sha256').update(bytes).digest().copy(prologue, 32)
    writeFully(this.#fd, prologue, 0)
    if (this.#path !== undefined) renameSync(partial(this.#path), this.#path)
  }
  /** Closes the file and, if it was not finished, removes it. */
  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    closeSync(this.#fd)
    if (this.#path !== undefined) rmSync(partial(this.#path), { force: true })
  }
}

/** An index that has been found to be whole. */
export class IndexReader {
  readonly #fd: number
  readonly #directory: Directory
  #isOpen = true

  private constructor(fd: number, directory: Directory) {
    this.#fd = fd
    this.#directory = directory
  }

  /** Undefined if there is none, or if it is of another version or damaged: then the file is removed. */
  static async open(path: string, second?: SecondThread, signal?: AbortSignal): Promise<IndexReader | undefined> {
    let fd: number
    try {
      fd = openSync(path, 'r')
    } catch {
      return undefined
    }
    let whole = false
    try {
      const directory = readDirectory(fd)
      whole = directory !== undefined && (await verify(fd, directory, second, signal))
      if (whole) return new IndexReader(fd, directory!)
      rmSync(path, { force: true })
    } finally {
      if (!whole) closeSync(fd)
    }
    return undefined
  }

  get values(): Readonly<Record<string, unknown>> {
    return this.#directory.values
  }
  load(name: string): Column {
    const { kind, length, offset } = this.#directory.columns[name]!
    return readColumn({ fd: this.#fd, offset }, kind, length)
  }
  close(): void {
    if (this.#isOpen) closeSync(this.#fd)
    this.#isOpen = false
  }
}

function readDirectory(fd: number): Directory | undefined {
  const prologue = Buffer.alloc(PROLOGUE_BYTES)
  readFully(fd, prologue, 0, 0, PROLOGUE_BYTES)
  const offset = prologue.readDoubleLE(16)
  const length = prologue.readDoubleLE(24)
  const { size } = fstatSync(fd)
  if (prologue.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined
  if (!(offset >= 0 && length > 0 && length < MAX_DIRECTORY_BYTES && offset + length <= size)) return undefined
  const bytes = Buffer.alloc(length)
  readFully(fd, bytes, 0, offset, length)
  if (!createHash('sha256').update(bytes).digest().equals(prologue.subarray(32))) return undefined
  // What has the right digest is what we wrote.
  const directory = JSON.parse(bytes.toString()) as Directory
  return directory.toolVersion === toolVersion() ? directory : undefined
}

/** Each of two threads looks at half of the bytes. */
async function verify(
  fd: number,
  { columns }: Directory,
  second: SecondThread | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const promised = Object.values(columns)
    .map(({ kind, length, offset, sums: [plain, weighted] }) => ({
      place: { fd, offset },
      byteLength: length * WIDTH[kind],
      sums: { plain: BigInt(plain), weighted: BigInt(weighted) },
    }))
    .sort((a, b) => b.byteLength - a.byteLength)
  if (!second) return breathing(verifyColumns(promised), signal)
  const shares = [[], []] as (typeof promised)[]
  const bytes = [0, 0]
  for (const column of promised) {
    const share = bytes[0]! <= bytes[1]! ? 0 : 1
    shares[share]!.push(column)
    bytes[share]! += column.byteLength
  }
  const theirs = callVerify(second, shares[1]!)
  const ours = await breathing(verifyColumns(shares[0]!), signal).catch(async (error) => {
    await theirs.catch(() => {})
    throw error
  })
  return (await theirs) && ours
}
