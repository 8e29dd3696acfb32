// Writes three snapshots of one process that leaks into a Map between the first two: node make-pair.mjs <before> <after> <final>

import { writeHeapSnapshot } from 'node:v8'
import { fillService } from './service.mjs'

const LEAKED = 20_000
const PASSING = 10_000

class Ticket {
  constructor(i) {
    this.id = i
    this.subject = `ticket ${i}`
    this.lines = [{ sku: i % 999, price: i / 3 }]
    this.onDone = () => this.id
  }
}
class Reply {
  constructor(i) {
    this.id = i
    this.text = `reply ${i}`
  }
}

const [before, after, final] = process.argv.slice(2)
fillService(32)
globalThis.openTickets = new Map()
writeHeapSnapshot(before)

for (let i = 0; i < LEAKED; i++) globalThis.openTickets.set(`ticket ${i}`, new Ticket(i))
globalThis.replies = Array.from({ length: PASSING }, (_, i) => new Reply(i))
writeHeapSnapshot(after)

// memlab wants a third one, in which what was only passing is gone again.
globalThis.replies = undefined
writeHeapSnapshot(final)
