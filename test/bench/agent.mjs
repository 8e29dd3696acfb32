// What the agent costs a process that nobody looks into: node test/bench/agent.mjs [rounds] [major…]
// Each round starts the same idle server with and without it at once, so that both see the same machine.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { nodeBinary } from '../matrix/nodes.mjs'

const agent = fileURLToPath(new URL('../../dist/agent/index.cjs', import.meta.url))
const SERVER = `require('http').createServer((_, response) => response.end()).listen(0, () => console.log('ready'))`
const SETTLE_MS = 2000
const IDLE_MS = 8000
/** USER_HZ of every Linux that Node runs on. */
const TICK_MS = 10

const [rounds = 5, ...majors] = process.argv.slice(2).map(Number)
if (process.platform !== 'linux' || !(rounds > 0)) {
  console.error('usage, on Linux: node test/bench/agent.mjs [rounds] [major…]')
  process.exit(2)
}
const runtime = mkdtempSync(join(tmpdir(), 'leakscope-bench-'))
console.log('medians          RSS without      with      more   CPU in 8 s idle without   with   start without   with')
try {
  for (const major of majors.length > 0 ? majors : [20]) await measure(await nodeBinary(major), major)
} finally {
  rmSync(runtime, { recursive: true, force: true })
}

async function measure(node, major) {
  const results = []
  for (let round = 0; round < rounds; round++) {
    results.push(await Promise.all([run(node, []), run(node, ['--require', agent])]))
  }
  const column = (which, name) => results.map((pair) => pair[which][name])
  const kb = (value) => `${(value / 1024).toFixed(2)} MB`.padStart(10)
  const more = median(results.map(([without, with_]) => with_.rssKb - without.rssKb))
  const ms = (which, name) => `${median(column(which, name)).toFixed(0)} ms`
  console.log(
    `Node ${String(major).padEnd(10)}${kb(median(column(0, 'rssKb'))).padStart(13)}${kb(median(column(1, 'rssKb')))}${kb(more)}` +
      `${ms(0, 'cpuMs').padStart(26)}${ms(1, 'cpuMs').padStart(7)}${ms(0, 'startMs').padStart(16)}${ms(1, 'startMs').padStart(7)}`,
  )
}

async function run(node, options) {
  const startedMs = performance.now()
  const env = { ...process.env, NODE_OPTIONS: '', XDG_RUNTIME_DIR: runtime }
  const child = spawn(node, [...options, '-e', SERVER], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  try {
    await once(child.stdout, 'data')
    const startMs = performance.now() - startedMs
    await sleep(SETTLE_MS)
    const before = cpuMs(child.pid)
    await sleep(IDLE_MS)
    const rssKb = Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1])
    return { startMs, rssKb, cpuMs: cpuMs(child.pid) - before }
  } finally {
    child.kill()
    await ended
  }
}

function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1]
}
