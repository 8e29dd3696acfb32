// What it costs a busy server to be profiled: requests answered in a second with and without, turn by turn. A machine
// that does other things as well shows it better by the requests in a second of the server's own processor time, of all
// its threads; that is what must keep to the limit. Linux only.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { nodeBinary } from '../matrix/nodes.mjs'
import { spread } from './statistics.mjs'
import { table } from './table.mjs'

const KIB = 1024
const heap = (intervalBytes, includeCollected = false) => ({ kind: 'heap', intervalBytes, includeCollected })

/** The most that each may cost, as a share; only the defaults promise anything. */
const PROFILES = [
  { name: 'heap, one of 512 KiB (default)', sampling: heap(512 * KIB), limit: 0.03 },
  { name: 'heap, one of 512 KiB, collected too', sampling: heap(512 * KIB, true) },
  { name: 'heap, one of 32 KiB', sampling: heap(32 * KIB) },
  { name: 'CPU, each ms (default)', sampling: { kind: 'cpu', intervalMicros: 1000 }, limit: 0.1 },
]
const WARM_UP_MS = 5000
/** Short and many, so that what else the machine does strikes both sides alike. */
const TURN_MS = 800
const TURNS = 8
/** After a profile's end: its full collection throws away code that the server must compile anew. */
const SETTLE_MS = 400

/** A row for each Node and kind of profile; `fine` tells whether it keeps to its limit. */
export async function profileCosts(majors, rounds) {
  const rows = []
  for (const major of majors) rows.push(...(await costsOn(major, rounds)))
  return rows
}

async function costsOn(major, rounds) {
  const { withInspector } = await import('../../dist/target/attach.js')
  const { startSampling, stopSampling } = await import('../../dist/capture/profile.js')
  const execPath = await nodeBinary(major)
  const server = fork(script('shop.mjs'), { execPath, execArgv: ['--inspect-port=0'], silent: true })
  try {
    const [port] = await once(server, 'message')
    const customers = fork(script('customers.mjs'), [String(port)])
    try {
      await sleep(WARM_UP_MS)
      return await withInspector(server.pid, { signal: new AbortController().signal }, async (session) => {
        const turn = () => rates(server.pid, customers, () => sleep(TURN_MS))
        const turns = PROFILES.map(() => [])
        let before = await turn()
        for (let i = 0; i < rounds * TURNS; i++) {
          for (const [kind, { sampling }] of PROFILES.entries()) {
            await startSampling(session, sampling, {})
            const sampled = await turn()
            await stopSampling(session, sampling, {})
            await sleep(SETTLE_MS)
            const after = await turn()
            // Against what came before it and after it, as a machine is not always the same.
            const fewer = (unit) => 1 - sampled[unit] / ((before[unit] + after[unit]) / 2)
            turns[kind].push({ without: before.perSecond, cost: fewer('perCpuSecond'), fewer: fewer('perSecond') })
            before = after
          }
        }
        return PROFILES.map(({ name, limit = null }, i) => {
          const [perSecond, cost, fewer] = ['without', 'cost', 'fewer'].map((each) =>
            spread(turns[i].map((turn) => turn[each])),
          )
          return { major, name, perSecond, fewer, cost, limit, fine: limit === null || cost.median <= limit }
        })
      })
    } finally {
      customers.disconnect()
    }
  } finally {
    server.disconnect()
  }
}

/** Answers in a second, by the clock and by the server's processor time, while `work` is done. */
async function rates(pid, customers, work) {
  const now = async () => ({ answers: await answersOf(customers), ms: performance.now(), cpuMs: cpuMs(pid) })
  const before = await now()
  await work()
  const after = await now()
  const per = (unit) => (after.answers - before.answers) / ((after[unit] - before[unit]) / 1000)
  return { perSecond: per('ms'), perCpuSecond: per('cpuMs') }
}

async function answersOf(customers) {
  const answer = once(customers, 'message')
  customers.send('how many?')
  return (await answer)[0]
}

/** To a hundredth of a second. */
function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function script(name) {
  return fileURLToPath(new URL(name, import.meta.url))
}

export function profilesTable(rows) {
  const percent = (share) => `${(share * 100).toFixed(1)} %`
  const heads = ['target', 'profile', 'requests/s', 'fewer by the clock', 'by CPU time', '(min – max)', 'at most']
  const cells = rows.map(({ major, name, perSecond, fewer, cost, limit, fine }) => [
    `Node ${major}`,
    name,
    perSecond.median.toFixed(0),
    percent(fewer.median),
    percent(cost.median),
    `(${percent(cost.min)} – ${percent(cost.max)})`,
    limit === null ? '' : `${percent(limit)}${fine ? '' : ' EXCEEDED'}`,
  ])
  return table(heads, cells, [0, 1])
}
