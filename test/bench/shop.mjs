// A small server at honest work, for the bench of profiles: it looks up, filters, renders JSON, and keeps sessions.

import { createServer } from 'node:http'

const PRODUCTS = 2000
const PAGE = 20
const SESSIONS = 5000

const products = new Map(
  Array.from({ length: PRODUCTS }, (_, id) => [
    id,
    { id, name: `product ${id}`, price: (id * 7919) % 10_000, tags: [`kind ${id % 17}`, `shop ${id % 5}`] },
  ]),
)
/** The oldest goes when there are too many. */
const sessions = new Map()

function search(kind, from) {
  const found = [...products.values()].filter(({ tags }) => tags[0] === `kind ${kind}`)
  return found.sort((a, b) => a.price - b.price).slice(from, from + PAGE)
}

function remember(id, found) {
  sessions.delete(id)
  sessions.set(id, { id, seen: found.map((each) => each.id), at: new Date() })
  if (sessions.size > SESSIONS) sessions.delete(sessions.keys().next().value)
}

const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url, 'http://localhost')
  const kind = Number(searchParams.get('kind'))
  const found = search(kind, Number(searchParams.get('from')))
  remember(searchParams.get('session'), found)
  const body = JSON.stringify({ kind, found: found.map((each) => ({ ...each, price: (each.price / 100).toFixed(2) })) })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
})
server.listen(0, '127.0.0.1', () => process.send(server.address().port))
process.on('disconnect', () => process.exit())
