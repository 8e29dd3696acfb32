// Has a server work, by connections that ask one question after the other. On `report` it tells how that went since.
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const port = Number(process.argv[2])
const CONNECTIONS = 8
const THINK_MS = 5
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
let latencies = []
let failed = 0

const ask = () =>
  new Promise((resolve) => {
    const begun = performance.now()
    const fail = () => {
      failed++
      resolve()
    }
    const sent = request({ port, agent, host: '127.0.0.1' }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part) => {
        text += part
      })
      response.on('error', fail)
      response.on('end', () => {
        if (response.statusCode !== 200 || JSON.parse(text).items.length !== 20) return fail()
        latencies.push(performance.now() - begun)
        resolve()
      })
    })
    sent.on('error', fail)
    sent.end()
  })

for (let i = 0; i < CONNECTIONS; i++) {
  ;(async () => {
    for (;;) {
      await ask()
      await sleep(THINK_MS)
    }
  })()
}
process.on('message', () => {
  const sorted = Float64Array.from(latencies).sort()
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  process.send({ requests: sorted.length, failed, p50: at(0.5), p99: at(0.99), most: sorted.at(-1) ?? 0 })
  latencies = []
  failed = 0
})
process.on('disconnect', () => process.exit())
process.send('ready')
