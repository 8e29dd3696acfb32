// The heap of a worker isolate whose message ports hold messages that nobody reads.

import { MessageChannel, Worker } from 'node:worker_threads'

const worker = new Worker(new URL('./busy.mjs', import.meta.url))
const jobs = new MessageChannel()
const control = new MessageChannel()
worker.postMessage({ jobs: jobs.port2, control: control.port2 }, [jobs.port2, control.port2])
for (let i = 0; i < 300; i++) {
  if (i % 10 === 0) {
    const payload = new ArrayBuffer(512 + i)
    jobs.port1.postMessage({ job: i, payload }, [payload])
  } else {
    jobs.port1.postMessage({ job: i, text: `job number ${i}`, nested: [{ i }] })
  }
}
control.port1.postMessage('take')
worker.once('exit', () => process.exit())
