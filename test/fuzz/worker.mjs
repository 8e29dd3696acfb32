// A child process of the fuzz run: takes one input after another and says what came of each.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { examine } from './examine.mjs'
import { makeInput } from './make-input.mjs'

/** Results go home in batches; only the number being worked on is told at once, for the watchdog. */
const BATCH = 50

const [seed, from, step, until] = process.argv.slice(2).map(Number)
const folder = mkdtempSync(join(tmpdir(), 'leakscope-fuzz-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const peakBytes = () => process.resourceUsage().maxRSS * 1024
let results = []
const send = (message) => new Promise((resolve) => process.send(message, resolve))

// Making the first input reads the golden heaps, which is no input's fault.
makeInput(seed, from)
for (let number = from; number < until; number += step) {
  const input = makeInput(seed, number)
  process.send({ starting: number })
  const peakBefore = peakBytes()
  const startedAt = performance.now()
  const result = { number, bytes: input.bytes.length }
  try {
    result.outcome = await examine(input, folder)
  } catch (error) {
    result.failure = error.stack ?? String(error)
  }
  result.ms = performance.now() - startedAt
  result.peakGrowth = number === from ? 0 : peakBytes() - peakBefore
  results.push(result)
  if (result.failure || results.length >= BATCH) {
    await send({ results, peak: peakBytes() })
    results = []
  }
}
await send({ results, peak: peakBytes(), done: true })
process.disconnect()
