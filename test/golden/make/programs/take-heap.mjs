// Writes a heap snapshot of the calling isolate to a file, numbers included where its V8 can do that.

import fs from 'node:fs'
import inspector from 'node:inspector'

export async function takeHeap(file) {
  const session = new inspector.Session()
  session.connect()
  const out = fs.openSync(file, 'w')
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => fs.writeSync(out, params.chunk))
  const take = (options) =>
    new Promise((resolve, reject) => {
      session.post('HeapProfiler.takeHeapSnapshot', options, (error) => (error ? reject(error) : resolve()))
    })
  await take({ reportProgress: false, captureNumericValue: true })
  session.disconnect()
  fs.closeSync(out)
}
