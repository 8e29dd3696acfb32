// Opens a snapshot with leakscope's engine; with --index it may use and leave an index on disk.

import { openHeap } from './leakscope-engine.mjs'
import { report } from './report.mjs'

const start = performance.now()
const stages = {}
let last = start
const lap = (stage) => {
  stages[stage] = (performance.now() - last) / 1000
  last = performance.now()
}
const [file, ...flags] = process.argv.slice(2)
const found = await openHeap(file, { index: flags.includes('--index'), lap })
report(start, { ...found, stages })
