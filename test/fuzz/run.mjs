// `npm run fuzz`: damaged and hostile heap snapshots by the hundred thousand, each refused in good words or answered rightly.
//
//   npm run fuzz -- [--inputs 100000] [--seconds 900] [--seed 1] [--only N] [--workers 2] [--no-extremes]
//
// An input is made of the seed and its number alone, so `--seed S --only N` makes it again. What must hold of every input
// stands in examine.mjs; here are the bounds: SECONDS_EACH of time, and memory (the process's highest) that grows by no
// more than MEMORY_BASE plus MEMORY_PER_BYTE times the input's size, and stays below MEMORY_ALL in a whole run.

import { fork } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeInput } from './make-input.mjs'

const MS_EACH = 2000
const MEMORY_BASE = 64 << 20
const MEMORY_PER_BYTE = 200
const MEMORY_ALL = 768 << 20
const MAX_FAILURES = 20

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '900' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    workers: { type: 'string', default: String(Math.max(1, Math.min(2, availableParallelism()))) },
    extremes: { type: 'boolean', default: true },
  },
  allowNegative: true,
})
const [inputs, seconds, seed, workers] = ['inputs', 'seconds', 'seed', 'workers'].map((name) => Number(values[name]))
const only = values.only === undefined ? undefined : Number(values.only)

const failures = []
const outcomes = new Map()
const slowest = []
let examined = 0
let peak = 0

function fail(number, text) {
  failures.push(number)
  const folder = join('.cache', 'fuzz')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `seed-${seed}-input-${number}.heapsnapshot`)
  writeFileSync(file, makeInput(seed, number).bytes)
  console.log(`\nFAILED  input ${number} (npm run fuzz -- --seed ${seed} --only ${number}; saved as ${file})\n${text}`)
}

function take({ number, bytes, outcome, failure, ms, peakGrowth }) {
  examined++
  if (failure) fail(number, failure)
  else outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  if (peakGrowth > MEMORY_BASE + MEMORY_PER_BYTE * bytes) {
    fail(number, `memory grew by ${Math.round(peakGrowth / 1e6)} MB for an input of ${bytes} bytes`)
  }
  slowest.push({ number, ms })
  slowest.sort((a, b) => b.ms - a.ms)
  slowest.length = Math.min(slowest.length, 3)
}

/** One child after another until all of its numbers are done: a child that hangs or dies costs one input only. */
async function lane(first, step, until, endAt) {
  let from = first
  while (from < until && Date.now() < endAt && failures.length < MAX_FAILURES) {
    from = await new Promise((resolve) => {
      const child = fork(new URL('./worker.mjs', import.meta.url), [seed, from, step, until].map(String), {
        execArgv: ['--max-old-space-size=512', '--stack-size=900'],
      })
      let current = from
      let startedAt = Date.now() + 30_000
      let done = false
      let said = ''
      const watchdog = setInterval(() => {
        const now = Date.now()
        if (now > endAt || failures.length >= MAX_FAILURES) {
          done = true
          child.kill('SIGKILL')
        } else if (now - startedAt > MS_EACH) {
          said = `no answer within ${MS_EACH} ms`
          child.kill('SIGKILL')
        }
      }, 100)
      child.on('message', (message) => {
        if (message.starting !== undefined) {
          current = message.starting
          startedAt = Date.now()
        } else {
          message.results.forEach(take)
          peak = Math.max(peak, message.peak)
          if (message.done) {
            done = true
            current = until
          }
        }
      })
      child.on('exit', (code, signal) => {
        clearInterval(watchdog)
        if (!done) fail(current, said || `the process ended by itself (${signal ?? `exit code ${code}`})`)
        resolve(done ? until : current + step)
      })
    })
  }
}

const startedAt = Date.now()
const endAt = startedAt + seconds * 1000
if (only !== undefined) await lane(only, 1, only + 1, endAt)
else {
  const report = setInterval(() => {
    console.log(`${Math.round((Date.now() - startedAt) / 1000)} s: ${examined} inputs, ${failures.length} failures`)
  }, 15_000)
  await Promise.all(Array.from({ length: workers }, (_, i) => lane(i, workers, inputs, endAt)))
  clearInterval(report)
}

console.log(`\n${examined} inputs in ${((Date.now() - startedAt) / 1000).toFixed(1)} s (seed ${seed})`)
for (const [outcome, count] of [...outcomes].sort((a, b) => b[1] - a[1])) console.log(`  ${outcome}: ${count}`)
console.log(`  slowest: ${slowest.map(({ number, ms }) => `${ms.toFixed(0)} ms (input ${number})`).join(', ')}`)
console.log(`  highest memory of a process: ${Math.round(peak / 1e6)} MB`)
if (peak > MEMORY_ALL) {
  console.log(`FAILED  that is more than ${Math.round(MEMORY_ALL / 1e6)} MB`)
  failures.push(-1)
}
if (only === undefined && examined < inputs && failures.length < MAX_FAILURES) {
  console.log(`  stopped after ${seconds} s: ${inputs - examined} inputs were not looked at`)
}
if (values.extremes && only === undefined) {
  const { runExtremes } = await import('./extremes.mjs')
  failures.push(...(await runExtremes()))
}
console.log(failures.length === 0 ? '\nnothing found' : `\n${failures.length} failures`)
process.exitCode = failures.length === 0 ? 0 : 1
