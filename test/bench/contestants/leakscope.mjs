// Opens a snapshot with leakscope's engine and prints what that took.

import { classRows } from '../../../dist/analysis/classes.js'
import { HeapGraph } from '../../../dist/graph/heap-graph.js'
import { readSnapshot } from '../../../dist/snapshot/read.js'
import { report } from './report.mjs'

const start = performance.now()
const stages = {}
let last = start
const lap = (what) => {
  stages[what] = performance.now() - last
  last = performance.now()
}
const snapshot = await readSnapshot(process.argv[2])
lap('read')
const graph = new HeapGraph(snapshot)
graph.ownership
lap('shallow sizes')
graph.dominators
lap('dominators')
graph.retainedSizes
lap('retained sizes')
const rows = classRows(graph)
lap('class table')
report(start, { stages, classes: rows.length, nodes: snapshot.nodeCount, edges: snapshot.edgeCount })
