// The extreme heaps one after another, each in a process of its own, held to the bounds below.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const FULL = [
  ['list', 10_000_000],
  ['star', 20_000_000],
  ['classes', 1_000_000],
  ['ring', 5_000_000],
  ['text', 1_000_000],
  ['ids', 1_000_000],
  ['escapes', 100_000],
]

/** Time for the whole of it (reading a dozen times), and memory beyond that of two Node threads that do nothing. */
const MAX_MS = 120_000
const MEMORY_BASE = 320 << 20
const MEMORY_PER_BYTE = 4
/** What a class costs that no other object is of, its rows in every table of a comparison included. */
const MEMORY_PER_CLASS = 1536
/** Megabytes of JavaScript heap; with more, Node puts off collecting garbage, and what is measured is its patience. */
const HEAP_LIMIT = 1024

/**
 * @param {string} shape as in extreme-heaps.mjs
 * @returns {Promise<{ shape: string, size: number, fileBytes: number, ms: number, peakBytes: number }>}
 * @throws if it crashes, takes too much, or answers wrongly
 */
export async function runExtreme(shape, size) {
  const script = fileURLToPath(new URL('./extreme.mjs', import.meta.url))
  const args = [`--max-old-space-size=${HEAP_LIMIT}`, '--expose-gc', script, shape, String(size)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: MAX_MS })
  const result = JSON.parse(stdout)
  const classes = shape === 'classes' || shape === 'escapes' ? size : 0
  const bound = MEMORY_BASE + MEMORY_PER_BYTE * result.fileBytes + MEMORY_PER_CLASS * classes
  if (result.peakBytes > bound) {
    throw new Error(`${shape} of ${size} took ${result.peakBytes} bytes of memory, more than ${bound}`)
  }
  return result
}

/** @returns {Promise<string[]>} the shapes that failed */
export async function runExtremes() {
  const failures = []
  console.log('\nextremes:')
  for (const [shape, size] of FULL) {
    try {
      const { fileBytes, ms, peakBytes } = await runExtreme(shape, size)
      const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`
      console.log(
        `  ${shape} of ${size.toLocaleString('en-US')}: file of ${megabytes(fileBytes)}, ` +
          `${(ms / 1000).toFixed(1)} s, ${megabytes(peakBytes)} of memory`,
      )
    } catch (error) {
      failures.push(shape)
      console.log(`  FAILED  ${shape} of ${size}: ${error.message}`)
    }
  }
  return failures
}
