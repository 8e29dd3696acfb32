// Tells whether an executable is Node, and which version, from its bytes alone: names lie, and running it to ask could
// start somebody's program (a single-executable application is a Node with the program inside).

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

export interface NodeBinary {
  /** As `process.version`: `v22.11.0`; undefined when the bytes do not tell. */
  readonly version: string | undefined
  /** False when it was built without: `process.config.variables.v8_enable_inspector` is 0. */
  readonly inspector: boolean
}

/**
 * The message of Node's own inspector server, unchanged since Node 8, with its placeholders: no program but Node has a
 * reason to hold it, and a Node that does not hold it has no inspector to open.
 * https://github.com/nodejs/node/blob/main/src/inspector_socket_server.cc
 */
const MARKER = Buffer.from('Starting inspector on %s:%d failed: %s')

/** From `process.config`, of which every Node has the text in it. */
const NO_INSPECTOR = /"v8_enable_inspector": ?0/
const NO_INSPECTOR_START = Buffer.from('"v8_enable_inspector":')

/** What the inspector says of itself under `/json/version`. It lies a few hundred bytes from the marker. */
const VERSION = /^node\.js\/(v\d+\.\d+\.\d+[-.+\w]*)\0/
const VERSION_START = Buffer.from('node.js/v')

/** No Node is smaller; a smaller executable can only have it in a shared library. */
export const SMALLEST_NODE_BYTES = 20e6

const BLOCK_BYTES = 4 << 20
const OVERLAP_BYTES = 64

const known = new Map<string, NodeBinary | undefined>()

/** Reads the file at `path` unless this very file was read before. Throws what opening it throws. */
export function readNodeBinary(path: string, smallestBytes = SMALLEST_NODE_BYTES): NodeBinary | undefined {
  const file = openSync(path, 'r')
  try {
    const { dev, ino, size, mtimeMs } = fstatSync(file)
    if (size < smallestBytes) return undefined
    const key = `${dev}:${ino}:${size}:${mtimeMs}`
    if (!known.has(key)) known.set(key, search(file))
    return known.get(key)
  } finally {
    closeSync(file)
  }
}

function search(file: number): NodeBinary | undefined {
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let marked = false
  let without = false
  let version: string | undefined
  let kept = 0
  let position = 0
  while (!(marked && version !== undefined)) {
    const read = readSync(file, block, kept, BLOCK_BYTES - kept, position)
    if (read === 0) break
    position += read
    const bytes = block.subarray(0, kept + read)
    marked ||= bytes.includes(MARKER)
    without ||= isBuiltWithout(bytes)
    version ??= findVersion(bytes)
    // The end of a block begins the next one, for a text that lies across the two.
    kept = Math.min(OVERLAP_BYTES, bytes.length)
    bytes.copy(block, 0, bytes.length - kept)
  }
  return marked || without ? { version, inspector: marked } : undefined
}

function isBuiltWithout(bytes: Buffer): boolean {
  const at = bytes.indexOf(NO_INSPECTOR_START)
  return at !== -1 && NO_INSPECTOR.test(bytes.toString('latin1', at, at + OVERLAP_BYTES))
}

function findVersion(bytes: Buffer): string | undefined {
  for (let at = bytes.indexOf(VERSION_START); at !== -1; at = bytes.indexOf(VERSION_START, at + 1)) {
    const match = VERSION.exec(bytes.toString('latin1', at, at + OVERLAP_BYTES))
    if (match) return match[1]
  }
  return undefined
}
