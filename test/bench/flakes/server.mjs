// An HTTP server with sessions that are kept for a while and a cache with a bound; $LEAKS makes it lose bytes by each request.

import http from 'node:http'
import { lostBytes, textOf } from './dice.mjs'

const SESSIONS = 300
const leaks = process.env.LEAKS === '1' ? lostBytes() : 0
const sessions = new Map()
const seen = []

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost')
  const id = url.searchParams.get('session')
  const session = sessions.get(id) ?? { id, visits: 0 }
  session.visits++
  sessions.delete(id)
  sessions.set(id, session)
  if (sessions.size > SESSIONS) sessions.delete(sessions.keys().next().value)
  if (leaks) seen.push(textOf(leaks))
  let body = ''
  request.setEncoding('utf8').on('data', (part) => {
    body += part
  })
  request.on('end', () => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ ...session, length: body.length, headers: request.headers }))
  })
})
server.listen(Number(process.env.PORT))
