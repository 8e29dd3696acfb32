// The heaps that are measured: made by scripts when they are first asked for, kept in a folder for the next time.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const folder = join(process.env.XDG_CACHE_HOME ?? tmpdir(), 'leakscope-bench')

/** Megabytes of file: thousands of users that make as much. */
const USERS = { 28: 14, 100: 53, 400: 215, 1400: 752 }
export const SIZES = Object.keys(USERS).map(Number)

/** Copies of the 400 MB heap that make 5 GB. */
const COPIES = 10

export async function serviceHeap(megabytes) {
  const users = USERS[megabytes]
  const [file] = await make([`service-${users}`], megabytes * 1.1e6, 'make-heap.mjs', [users])
  return file
}

/** Three files of one process: before and after a leak, and after what was not leaked is gone again. */
export function pairOfHeaps() {
  return make(['pair-before', 'pair-after', 'pair-final'], 240e6, 'make-pair.mjs', [])
}

export async function hugeHeap() {
  const source = await serviceHeap(400)
  const [file] = await make([`copies-${COPIES}`], 5.3e9, 'multiply.mjs', [source, COPIES])
  return file
}

/** What a snapshot says of itself in its first bytes. */
export function sizeOf(file) {
  const head = Buffer.alloc(1 << 16)
  const fd = openSync(file, 'r')
  const text = head.toString('latin1', 0, readSync(fd, head))
  closeSync(fd)
  const count = (name) => Number(new RegExp(`"${name}":\\s*(\\d+)`).exec(text)?.[1])
  return { file, bytes: statSync(file).size, nodes: count('node_count'), edges: count('edge_count') }
}

/** Files of these names, from a script that gets the arguments and then the files to write. */
async function make(names, bytes, script, args) {
  const files = names.map((name) => join(folder, `${name}.heapsnapshot`))
  if (files.every((file) => existsSync(file))) return files
  mkdirSync(folder, { recursive: true })
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize < bytes) {
    const free = `${megabytes(bavail * bsize)} are free in ${folder}, ${megabytes(bytes)} are needed`
    throw new Error(`${free}; XDG_CACHE_HOME names another place`)
  }
  console.error(`making ${files.join(', ')} …`)
  const parts = files.map((file) => `${file}.part`)
  const clear = () => {
    for (const file of [...parts, ...files]) rmSync(file, { force: true })
  }
  clear()
  const interrupted = () => {
    clear()
    process.exit(130)
  }
  process.once('SIGINT', interrupted)
  try {
    const flags = ['--max-old-space-size=12000', join(here, script), ...args.map(String), ...parts]
    const child = spawn(process.execPath, flags, { stdio: 'inherit' })
    const [code, signal] = await once(child, 'exit')
    if (code !== 0) throw new Error(`${script} ended with ${signal ?? code}`)
    for (const [i, part] of parts.entries()) renameSync(part, files[i])
    return files
  } catch (error) {
    clear()
    throw error
  } finally {
    process.removeListener('SIGINT', interrupted)
  }
}

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
