// The load for the server: ten connections that ask again as soon as they have an answer, until so many are done: node load.mjs <requests>.

import http from 'node:http'

const CONNECTIONS = 10
const requests = Number(process.argv[2] ?? 1000)
const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS })
let begun = 0

const one = (number) =>
  new Promise((resolve, reject) => {
    const method = number % 3 === 0 ? 'POST' : 'GET'
    const path = `/?session=${Math.floor(1000 * Math.random())}`
    const request = http.request({ host: '127.0.0.1', port: process.env.PORT, agent, method, path }, (response) =>
      response.resume().on('end', resolve),
    )
    request.on('error', reject).end(method === 'POST' ? 'x'.repeat(500) : undefined)
  })
const customer = async () => {
  while (begun < requests) await one(begun++)
}
await Promise.all(Array.from({ length: CONNECTIONS }, customer))
agent.destroy()
