// Opens a snapshot with memlab: parsing, dominators and retained sizes (it has no class table).

import { createRequire } from 'node:module'
import { report } from './report.mjs'

const { getFullHeapFromFile } = createRequire(import.meta.url)('@memlab/heap-analysis')
const { log } = console
console.log = () => {}
const start = performance.now()
const heap = await getFullHeapFromFile(process.argv[2])
console.log = log
report(start, { nodes: heap.nodes.length, bytes: Number(heap.nodes.get(0).retainedSize) })
