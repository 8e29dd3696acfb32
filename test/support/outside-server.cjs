// A server with sessions that come and go: it makes garbage, and holds no more than it needs. Prints its port.
const { createServer } = require('node:http')

const sessions = new Map()
const SESSIONS = 5000
let number = 0
function remember(id) {
  const items = Array.from({ length: 20 }, (_, i) => ({ i, text: `item ${i} of ${id}` }))
  sessions.set(id, { id, seen: Date.now(), items })
}
// All there will ever be, so that it cannot grow by them.
for (let id = 0; id < SESSIONS; id++) remember(id)
const server = createServer((request, response) => {
  if (request.url === '/memory') {
    globalThis.gc()
    response.end(JSON.stringify(process.memoryUsage()))
    return
  }
  const id = number++ % SESSIONS
  remember(id)
  response.end(JSON.stringify(sessions.get(id)))
})
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
