// Reads the golden heaps: real snapshots, and beside each what Chrome DevTools' own engine says of it.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'
import { unpack } from './packing.mjs'

export interface GoldenCase {
  /** As in the file names: `app-node20`, `pair-before-node20`. */
  name: string
  nodeMajor: number
  program: 'app' | 'weak' | 'worker' | 'array' | 'pair-before' | 'pair-after'
  /**
   * The plain `.heapsnapshot` as V8 wrote it, piece by piece: that of `array` is 470 MB. Throws before the last piece
   * where the bytes are not those that the golden record speaks of.
   */
  readPieces(): Iterable<Buffer>
  /** The same in one. */
  readSnapshot(): Buffer
  golden: Golden
}

/** What DevTools says; README.md here tells how it was asked. */
export interface Golden {
  format: 1
  madeWith: { program: string; node: string; v8: string; platform: string; numericValues: boolean; engine: string }
  /** The plain snapshot that it was made from. */
  snapshot: { bytes: number; sha256: string }
  nodeCount: number
  edgeCount: number
  rootId: number
  rootRetainedSize: number
  /** `rootRetainedSize` and the snapshot's `extra_native_bytes`. */
  totalSize: number
  sumOfSelfSizes: number
  /** DevTools' own warnings about the file: nodes that only weak references reach. */
  complaints: string[]
  classes: GoldenClass[]
  columns: { blockNodes: number; sha256: Record<GoldenColumn, string[]> }
  topNodes: GoldenNode[]
  sampleNodes: GoldenNode[]
}

/** A row of DevTools' Summary; nodes of self size 0 are not counted. */
export interface GoldenClass {
  /** `,name`, or `scriptId,line,column,name` (0-based) for objects whose constructor's place is known. */
  key: string
  name: string
  count: number
  self: number
  retained: number
  distance: number
}

export type GoldenColumn = 'id' | 'selfSize' | 'retainedSize' | 'dominatorId' | 'distance'

export type GoldenNode = Record<GoldenColumn, number> & {
  ordinal: number
  name: string
  type: string
  className: string
}

/** Two snapshots by one inspector session, so that ids match, and DevTools' comparison of them. */
export interface GoldenPair {
  nodeMajor: number
  before: GoldenCase
  after: GoldenCase
  comparison: GoldenComparison[]
}

/** A row of DevTools' Comparison; an object is added or removed when its id is in one of the two only. */
export interface GoldenComparison {
  /** As in {@link GoldenClass}. */
  key: string
  name: string
  added: number
  removed: number
  addedSize: number
  removedSize: number
}

const heaps = fileURLToPath(new URL('./heaps/', import.meta.url))

export function goldenCases(): GoldenCase[] {
  return readdirSync(heaps).flatMap((file) => {
    const match = /^((.+)-node(\d+))\.heapsnapshot(\.packed)?\.br$/.exec(file)
    if (!match) return []
    const [, name, program, major, packed] = match
    const golden = readJson(`${name}.golden.json.br`) as Golden
    function* readPieces() {
      const bytes = brotliDecompressSync(readFileSync(`${heaps}${file}`))
      yield* checked(packed ? unpack(bytes) : [bytes], golden.snapshot)
    }
    return {
      name: name!,
      nodeMajor: Number(major),
      program: program as GoldenCase['program'],
      readPieces,
      readSnapshot: () => Buffer.concat([...readPieces()]),
      golden,
    }
  })
}

/** Hands the pieces on; the last one only if all together are the bytes that are meant. */
export function* checked(pieces: Iterable<Buffer>, meant: Golden['snapshot']): Generator<Buffer> {
  const hash = createHash('sha256')
  let left = meant.bytes
  for (const piece of pieces) {
    left -= piece.length
    hash.update(piece)
    if (left < 0 || (left === 0 && hash.digest('hex') !== meant.sha256)) throw new Error('not the heap of this golden record')
    yield piece
  }
  if (left > 0) throw new Error(`the heap of this golden record has ${left} bytes more`)
}

export function goldenPairs(): GoldenPair[] {
  const cases = goldenCases()
  const befores = cases.filter((golden) => golden.program === 'pair-before')
  return befores.map((before) => ({
    nodeMajor: before.nodeMajor,
    before,
    after: cases.find((golden) => golden.program === 'pair-after' && golden.nodeMajor === before.nodeMajor)!,
    comparison: readJson(`pair-node${before.nodeMajor}.comparison.json.br`) as GoldenComparison[],
  }))
}

function readJson(file: string): unknown {
  return JSON.parse(brotliDecompressSync(readFileSync(`${heaps}${file}`)).toString())
}

/** The hashes of a column of one value per node, in ordinal order, as the golden record has them. */
export function columnHashes(nodeCount: number, valueOf: (ordinal: number) => number, blockNodes = 4096): string[] {
  const hashes: string[] = []
  for (let from = 0; from < nodeCount; from += blockNodes) {
    const count = Math.min(blockNodes, nodeCount - from)
    const bytes = Buffer.alloc(8 * count)
    for (let i = 0; i < count; i++) bytes.writeDoubleLE(valueOf(from + i), 8 * i)
    hashes.push(createHash('sha256').update(bytes).digest('hex'))
  }
  return hashes
}
