// Files packed with gzip or Zstandard: which ending means which, and how a file is packed as it is written.

import zlib from 'node:zlib'
import { LeakscopeError } from '../errors.ts'
import type { Encoder } from './encoder.ts'

/** What newer versions of Node have in `node:zlib` (22.15, 23.8). */
interface Zstd {
  readonly createZstdDecompress?: (options: { chunkSize: number }) => zlib.Gunzip
  readonly zstdCompressSync?: (piece: Uint8Array, options: { params: Record<number, number> }) => Buffer
}
export const { createZstdDecompress, zstdCompressSync } = zlib as Zstd

/**
 * The fastest of each, as a target may be waiting. Heap snapshots become a fifth of their size (Zstandard: a ninth);
 * gzip's usual level 6 saves a fifth more and takes more than twice as long.
 */
const GZIP_OPTIONS = { level: 1 }
/** ZSTD_c_compressionLevel, by its number in zstd.h: Node's types do not know it everywhere. */
const ZSTD_OPTIONS = { params: { 100: 1 } }

/** The endings that make a file packed. */
export const PACKED_ENDING = /\.(?:gz|zst)$/

/**
 * What packs a file of this name, by its ending; none for a name that promises nothing.
 *
 * Each piece becomes a gzip member or a Zstandard frame of its own, as both formats allow (RFC 1952, 2.2; RFC 8878, 3):
 * that needs no state between pieces, and nothing has to wait in memory for a stream that is busy.
 * @throws LeakscopeError `platform-unsupported` where this Node cannot
 */
export function packers(path: string): Encoder[] {
  if (path.endsWith('.gz')) return [inPieces((piece) => zlib.gzipSync(piece, GZIP_OPTIONS))]
  if (!path.endsWith('.zst')) return []
  const pack = zstdCompressSync
  if (!pack) throw withoutZstd(`cannot write ${path}`, 'Let the name end in .gz, or')
  return [inPieces((piece) => pack(piece, ZSTD_OPTIONS))]
}

/** @param remedy what to do instead, up to an `or` */
export function withoutZstd(problem: string, remedy: string): LeakscopeError {
  return new LeakscopeError('platform-unsupported', `${problem}: this Node (${process.version}) has no Zstandard`, {
    hint: `${remedy} run leakscope on Node 22.15, 23.8 or newer.`,
  })
}

const NOTHING = new Uint8Array(0)

function inPieces(pack: (piece: Uint8Array) => Uint8Array): Encoder {
  return { push: (piece) => (piece.length > 0 ? pack(piece) : NOTHING), end: () => NOTHING }
}
