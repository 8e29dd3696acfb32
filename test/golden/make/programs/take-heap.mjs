// Writes heap snapshots of the calling isolate to files, numbers included.

import fs from 'node:fs'
import inspector from 'node:inspector'

// One session for all: V8 forgets its object ids when a session ends.
const session = new inspector.Session()
session.connect()

export async function takeHeap(file) {
  const out = fs.openSync(file, 'w')
  const write = ({ params }) => fs.writeSync(out, params.chunk)
  session.on('HeapProfiler.addHeapSnapshotChunk', write)
  const take = (options) =>
    new Promise((resolve, reject) => {
      session.post('HeapProfiler.takeHeapSnapshot', options, (error) => (error ? reject(error) : resolve()))
    })
  await take({ reportProgress: false, captureNumericValue: true })
  session.off('HeapProfiler.addHeapSnapshotChunk', write)
  fs.closeSync(out)
}
