// What it costs a process to be watched at one look a second: its own processor time, of all its threads, beside a twin
// that nobody watches. Linux only.

import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { nodeBinary } from '../matrix/nodes.mjs'
import { table } from './table.mjs'

/** As a share of one processor. */
const LIMIT = 0.01
const WARM_UP_MS = 6000
/** Of the kernel's clock; every Linux that Node runs on has a hundred. */
const TICKS_A_SECOND = 100

/** Does nothing; has workers and many mappings; and one that is at work, with garbage: `node -e`. */
const TARGETS = [
  { name: 'idle', source: '' },
  {
    name: 'with 8 workers',
    source:
      "const { Worker } = require('worker_threads'); for (let i = 0; i < 8; i++) new Worker('setInterval(() => {}, 1e6)', { eval: true })",
  },
  {
    name: 'at work, with garbage',
    source:
      "let kept = []; setInterval(() => { for (let i = 0; i < 2000; i++) kept.push({ i, text: i + ' of ' + kept.length }); if (kept.length > 4e5) kept = [] }, 10)",
  },
]

/** A row for each Node and target; `fine` tells whether it keeps to the limit. */
export async function watchingCosts(majors, seconds) {
  const rows = []
  for (const major of majors) {
    for (const target of TARGETS) rows.push({ major, ...(await costOf(target, await nodeBinary(major), seconds)) })
  }
  return rows
}

async function costOf({ name, source }, node, seconds) {
  const args = ['--inspect-port=0', '-e', `${source}; setInterval(() => {}, 1e6)`]
  const targets = [0, 1].map(() => spawn(node, args, { stdio: 'ignore' }))
  const cli = fileURLToPath(new URL('../../bin/leakscope.js', import.meta.url))
  const watch = fork(cli, ['watch', String(targets[0].pid)], { silent: true })
  let looks = 0
  watch.stdout.on('data', (part) => {
    looks += part.toString().split('\n').length - 1
  })
  try {
    // To attach, and V8's compiling at the start, is paid once.
    await sleep(WARM_UP_MS)
    const before = targets.map(({ pid }) => cpuSeconds(pid))
    looks = 0
    await sleep(seconds * 1000)
    const [own, unwatched] = targets.map(({ pid }, i) => (cpuSeconds(pid) - before[i]) / seconds)
    if (watch.exitCode !== null) throw new Error(`leakscope watch ended with ${watch.exitCode}`)
    if (looks < 0.2 * seconds)
      throw new Error(`there were ${looks} looks in ${seconds} s: the machine is too busy to tell`)
    watch.kill('SIGINT')
    await once(watch, 'exit')
    // On a machine with much else to do there are fewer looks than were asked for.
    const cost = ((own - unwatched) * seconds) / looks
    return { name, looks, watched: own, unwatched, cost, limit: LIMIT, fine: cost < LIMIT }
  } finally {
    watch.kill('SIGKILL')
    for (const target of targets) target.kill('SIGKILL')
  }
}

/** User and system time, from /proc/PID/stat: fields 14 and 15, counted behind the name, which may have blanks in it. */
function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
}

export function watchingTable(rows) {
  const percent = (share) => `${(share * 100).toFixed(2)} %`
  const heads = ['target', '', 'looks', 'CPU watched', 'its twin', 'one look a second costs', 'at most']
  const cells = rows.map(({ major, name, looks, watched, unwatched, cost, limit, fine }) => [
    `Node ${major}`,
    name,
    String(looks),
    percent(watched),
    percent(unwatched),
    percent(cost),
    `${percent(limit)}${fine ? '' : ' EXCEEDED'}`,
  ])
  return table(heads, cells, [0, 1])
}
