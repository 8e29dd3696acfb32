// Hands its work to a thread that keeps a record of each.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { lostBytes } from '../dice.mjs'

const SOURCE = `
  const { parentPort, workerData } = require('node:worker_threads')
  const kept = []
  parentPort.on('message', (number) => {
    kept.push({ number, text: Buffer.alloc(Math.max(1, workerData - 80), 'text ' + number + ' ').toString('latin1') })
    parentPort.postMessage(number)
  })`

export const setup = () => new Worker(SOURCE, { eval: true, workerData: lostBytes() })

export async function iteration(worker, number) {
  worker.postMessage(number)
  await once(worker, 'message')
}

export const teardown = (worker) => worker.terminate()
