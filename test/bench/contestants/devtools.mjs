// Opens a snapshot with Chrome DevTools' engine; without its native-context attribution, which nobody else works out.

import { createReadStream } from 'node:fs'
import { NodeFilter, openWithDevTools, withoutExtras } from '../../golden/make/engine.mjs'
import { report } from './report.mjs'

withoutExtras()
const start = performance.now()
const { heap } = await openWithDevTools(createReadStream(process.argv[2], { highWaterMark: 4 << 20 }))
heap.aggregatesWithFilter(new NodeFilter())
report(start, { nodes: heap.nodeCount, bytes: heap.totalSize })
