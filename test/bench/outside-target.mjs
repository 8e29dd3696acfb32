// A service with so many users (thousands) that is always at work; on a message it tells for how long it has stood still
// at most since the last one, and how much heap it has.

import { fillService } from './service.mjs'

fillService(Number(process.argv[2]))
globalThis.gc?.()
let last = performance.now()
let longestMs = 0
setInterval(() => {
  const now = performance.now()
  longestMs = Math.max(longestMs, now - last)
  last = now
}, 1)
process.on('message', () => {
  process.send({ longestMs, heapBytes: process.memoryUsage().heapUsed })
  longestMs = 0
})
process.on('disconnect', () => process.exit())
process.send('ready')
