// Takes two ports, reads only the one that tells it to take a snapshot of its own heap.

import { parentPort, workerData } from 'node:worker_threads'
import { takeHeap } from '../take-heap.mjs'

class Task {
  constructor(id) {
    this.id = id
    this.result = { status: 'pending', attempts: [] }
  }
}

const state = { workerData, pending: new Map(), done: [], cache: new WeakMap(), jobs: null }
for (let i = 0; i < 200; i++) {
  const task = new Task(i)
  state.pending.set(i, task)
  state.cache.set(task, { cached: `task ${i}` })
  if (i % 4 === 0) state.done.push(task)
}

parentPort.once('message', ({ jobs, control }) => {
  // Nobody listens to `jobs`, so what comes in stays in the port.
  state.jobs = jobs
  control.once('message', async () => {
    globalThis.state = state
    await takeHeap('heap.heapsnapshot')
    process.exit()
  })
})
