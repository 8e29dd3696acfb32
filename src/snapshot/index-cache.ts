// The folder of indexes: which snapshot each is of, and how much room they may take.

import { createHash } from 'node:crypto'
import { closeSync, openSync, readdirSync, rmSync, statfsSync, statSync, utimesSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { LeakscopeError } from '../errors.ts'
import { readFully } from '../support/descriptors.ts'
import { makeFolders } from '../support/folders.ts'
import { toolVersion } from '../support/version.ts'

/** What is there of a snapshot. */
export interface IndexEntry {
  readonly path: string
  readonly bytes: number
  readonly lastUsed: Date
}

const SUFFIX = '.index'
const PARTIAL = '.partial'
/** A partial file that nobody has written to for so long has been left behind. */
const ABANDONED_MS = 3_600_000
const DEFAULT_LIMIT_BYTES = 8e9
/** An index is about as large as its snapshot at most; so much must be left beside it. */
const SPARE_BYTES = 1e9
/** Parts of the snapshot that count into its index's name: so many, so large, spread evenly. */
const PARTS = 64
const PART_BYTES = 4096

/** `$LEAKSCOPE_CACHE`, or `leakscope` in `$XDG_CACHE_HOME`, or in `~/.cache`. */
export function indexFolder(): string {
  const { LEAKSCOPE_CACHE, XDG_CACHE_HOME } = process.env
  return join(LEAKSCOPE_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'leakscope'), 'index')
}

/** Bytes that all indexes together may take: `$LEAKSCOPE_INDEX_LIMIT`, such as `20GB`, or 8 GB. */
export function indexLimit(): number {
  const text = process.env.LEAKSCOPE_INDEX_LIMIT
  if (!text) return DEFAULT_LIMIT_BYTES
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)b?$/i.exec(text.trim()) ?? []
  if (number === undefined) {
    throw new LeakscopeError('usage-invalid', `LEAKSCOPE_INDEX_LIMIT takes a size such as 500MB or 20GB, not '${text}'`)
  }
  return Number(number) * 1000 ** ' kmgt'.indexOf(unit.toLowerCase() || ' ')
}

/**
 * Where the index of a snapshot stands, whether there is one or not. The name comes from the snapshot's size, its time
 * and parts of its content, so a file that was written anew has another; and from the version of the tool.
 */
export function indexPath(file: string): string {
  const { size, mtimeMs } = statSync(file)
  const hash = createHash('sha256').update(`${toolVersion()} ${size} ${mtimeMs}\n`)
  const part = Buffer.alloc(PART_BYTES)
  const fd = openSync(file, 'r')
  try {
    for (let i = 0; i < PARTS; i++) {
      const at = Math.floor((Math.max(0, size - PART_BYTES) * i) / (PARTS - 1))
      hash.update(part.subarray(0, readFully(fd, part, 0, at, PART_BYTES)))
    }
  } finally {
    closeSync(fd)
  }
  return join(indexFolder(), `${hash.digest('hex').slice(0, 32)}${SUFFIX}`)
}

/** What there is, the one that was used last first. */
export function listIndexes(): IndexEntry[] {
  return filesOf(indexFolder())
    .filter(({ path }) => path.endsWith(SUFFIX))
    .sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime())
}

/** Removes all indexes, and what was left of writing others; says how many files and bytes went. */
export function clearIndexes(): { files: number; bytes: number } {
  const files = filesOf(indexFolder())
  for (const { path } of files) rmSync(path, { force: true })
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
}

/** Notes that an index was used: the ones that were not go first. */
export function touchIndex(path: string): void {
  const now = new Date()
  try {
    utimesSync(path, now, now)
  } catch {
    // Another user's, or just gone: it serves all the same.
  }
}

/**
 * Makes the folder, and room in it for an index of `bytes`, by removing the oldest.
 * @returns whether there is room, as far as limit and disk go
 */
export function makeRoom(bytes: number): boolean {
  const folder = indexFolder()
  const limit = indexLimit()
  if (bytes > limit) return false
  makeFolders(folder)
  const files = filesOf(folder)
  for (const { path, lastUsed } of files) {
    if (path.endsWith(PARTIAL) && Date.now() - lastUsed.getTime() > ABANDONED_MS) rmSync(path, { force: true })
  }
  const indexes = listIndexes()
  for (let total = indexes.reduce((sum, each) => sum + each.bytes, bytes); total > limit; ) {
    const oldest = indexes.pop()
    if (!oldest) break
    rmSync(oldest.path, { force: true })
    total -= oldest.bytes
  }
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize > bytes + SPARE_BYTES
}

function filesOf(folder: string): IndexEntry[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names
    .filter((name) => name.endsWith(SUFFIX) || name.endsWith(PARTIAL))
    .flatMap((name) => {
      const path = join(folder, name)
      const stats = statSync(path, { throwIfNoEntry: false })
      return stats?.isFile() ? [{ path, bytes: stats.size, lastUsed: stats.mtime }] : []
    })
}
