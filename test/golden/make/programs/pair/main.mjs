// Two snapshots of one process with growth, loss and exchange between them, taken by one inspector session.

import { takeHeap } from '../take-heap.mjs'

class Session {
  constructor(number) {
    this.number = number
    this.user = { name: `user ${number}`, roles: ['reader'] }
    this.onClose = () => this.number
  }
}
class Job {
  constructor(number) {
    this.number = number
  }
}

const service = { sessions: new Map(), log: [], jobs: [], cache: new Map(), timers: [], weakly: new WeakMap() }
globalThis.service = service

function arrive(from, to) {
  for (let i = from; i < to; i++) {
    const session = new Session(i)
    service.sessions.set(i, session)
    service.weakly.set(session, { since: i })
    service.log.push({ at: i, event: `session ${i} opened` })
    if (i % 5 === 0) service.timers.push(setTimeout(() => session.onClose(), 3_600_000))
  }
}

arrive(0, 300)
for (let i = 0; i < 400; i++) service.jobs.push(new Job(i))
for (let i = 0; i < 100; i++) service.cache.set(i, { page: `page ${i}`, body: 'x'.repeat(50 + i) })

setTimeout(async () => {
  await takeHeap('before.heapsnapshot')
  arrive(300, 1500) // leaks
  service.jobs.length = 100 // shrinks
  for (let i = 0; i < 100; i++) service.cache.set(i, { page: `page ${i}`, body: 'y'.repeat(50 + i) }) // as many as before
  await takeHeap('after.heapsnapshot')
  process.exit()
}, 50)
