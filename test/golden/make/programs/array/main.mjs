// A heap with one array of ten million elements: a journal that is appended to and never cut.

import { takeHeap } from '../take-heap.mjs'

const ELEMENTS = 10_000_000

class Entry {
  constructor(number) {
    this.number = number
    this.detail = { text: `entry ${number}`, tags: number % 3 ? [number % 7] : null }
  }
}

class Journal {
  entries = []
  constructor(name) {
    this.name = name
    this.append = (entry) => this.entries.push(entry)
  }
}

const journals = new Map()
/** Some of the entries have a second holder, so that neither this nor the array dominates them. */
const flagged = new Set()

const journal = new Journal('orders')
journals.set(journal.name, journal)
const kinds = Array.from({ length: 3000 }, (_, i) => new Entry(i))
for (const entry of kinds) if (entry.number % 4 === 0) flagged.add(entry)

const HOLES = 2500
// Most entries come round and round, some in no order, some once.
let random = 1
for (let i = 0; i < ELEMENTS + HOLES; i++) {
  if (i >= 5_000_000 && i < 5_010_000) {
    random = (random * 48271) % 0x7fffffff
    journal.append(kinds[random % kinds.length])
  } else if (i >= 7_000_000 && i < 7_001_000) journal.append(new Entry(i))
  else journal.append(kinds[i % kinds.length])
}
for (let i = 0; i < HOLES; i++) delete journal.entries[i < 500 ? 9_000_000 + i : 1000 + i * 3331]
kinds.length = 0
globalThis.report = () => `${flagged.size} of ${journals.get('orders').entries.length}`

await takeHeap('heap.heapsnapshot')
process.exit()
