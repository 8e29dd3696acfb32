// Runs contestants in turn, each in a process of its own, and sums up what they say.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { median, spread } from './statistics.mjs'

/** @typedef {import('./contestants/list.mjs').Contestant} Contestant */

/**
 * Rounds in turn, so that a slow moment of the machine hits all alike.
 * Whoever fails is not asked again: it would fail again, and take long for it.
 * @param {Contestant[]} contestants
 * @returns a row for each: medians, and ratios to the first one, taken round by round
 */
export async function measure(contestants, files, { rounds, limitBytes }) {
  const runs = contestants.map(() => [])
  for (const { warmUp, ...contestant } of contestants) if (warmUp) await runOnce(contestant, files, limitBytes)
  for (let round = 0; round < rounds; round++) {
    for (const [i, contestant] of contestants.entries()) {
      if (runs[i].some(({ error }) => error)) continue
      runs[i].push(await runOnce(contestant, files, limitBytes))
    }
  }
  return contestants.map(({ name }, i) => summary(name, runs[i], runs[0]))
}

function summary(name, runs, firsts) {
  const { error } = runs.at(-1)
  if (error) return { name, error }
  const ratio = (key) => {
    if (firsts.some((first) => first.error)) return undefined
    return median(runs.map((run, round) => run[key] / firsts[round][key]))
  }
  const { nodes, bytes, says } = runs.at(-1)
  return {
    name,
    seconds: spread(runs.map((run) => run.seconds)),
    peakBytes: spread(runs.map((run) => run.peakBytes)),
    timesSeconds: ratio('seconds'),
    timesPeak: ratio('peakBytes'),
    ...(nodes !== undefined && { nodes }),
    ...(bytes !== undefined && { bytes }),
    ...(says && { says }),
    runs: runs.map(({ seconds, peakBytes }) => ({ seconds, peakBytes })),
  }
}

/**
 * The seconds and the peak memory are the contestant's own word. The peak that Linux tells a process begins with that
 * of the process that started it, so this one has to stay small: no heap is ever read here.
 */
async function runOnce({ script, flags = [] }, files, limitBytes = Infinity) {
  const path = fileURLToPath(new URL(`contestants/${script}`, import.meta.url))
  const child = spawn(process.execPath, ['--max-old-space-size=20000', path, ...files, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr']) {
    child[stream].setEncoding('utf8').on('data', (text) => {
      said[stream] = (said[stream] + text).slice(-100_000)
    })
  }
  let overLimit = false
  const watch = setInterval(() => {
    if (residentBytes(child.pid) <= limitBytes) return
    overLimit = true
    child.kill('SIGKILL')
  }, 50)
  const [code, signal] = await once(child, 'close')
  clearInterval(watch)
  if (overLimit) return { error: `stopped, as it took more than ${limitBytes / 1e9} GB of memory` }
  if (code !== 0) return { error: reasonOf(said.stderr) ?? `ended with ${signal ?? code}` }
  const run = JSON.parse(said.stdout.trimEnd().split('\n').at(-1))
  if (run.peakBytes <= limitBytes) return run
  return { error: `took ${(run.peakBytes / 1e9).toFixed(1)} GB of memory, more than ${limitBytes / 1e9}` }
}

/** What a process has in memory now; on systems that do not tell, only the peak it reports itself is known. */
function residentBytes(pid) {
  try {
    return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** The line that names the cause: above it stands source, below it a stack and Node's version. */
function reasonOf(stderr) {
  const line = stderr.split('\n').find((each) => /^\W*(\w*Error\b|FATAL ERROR)|panicked at/.test(each))
  return line?.trim()
}
