// Hands work to a pool of two threads and waits for it; now and then a thread is replaced by a new one.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const SOURCE = `
  const { parentPort } = require('node:worker_threads')
  const recent = []
  parentPort.on('message', ({ list, buffer }) => {
    recent.push(list)
    if (recent.length > 50) recent.shift()
    parentPort.postMessage({ sum: list.reduce((a, b) => a + b, 0), buffer }, [buffer])
  })`
const startWorker = () => new Worker(SOURCE, { eval: true })

export const setup = () => [startWorker(), startWorker()]

export async function iteration(pool, number) {
  const which = number % pool.length
  const buffer = new ArrayBuffer(1024)
  pool[which].postMessage({ list: Array.from({ length: 100 }, (_, i) => i * number), buffer }, [buffer])
  await once(pool[which], 'message')
  if (number % 2500 !== 2499) return
  await pool[which].terminate()
  pool[which] = startWorker()
}

export const teardown = (pool) => Promise.all(pool.map((worker) => worker.terminate()))
