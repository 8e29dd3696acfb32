// leakscope's heap engine as the benchmark asks it: the one file to change when its API does.

import { classRows } from '../../../dist/analysis/classes.js'
import { compareSnapshots } from '../../../dist/analysis/growth.js'
import { HeapGraph } from '../../../dist/graph/heap-graph.js'
import { readSnapshot } from '../../../dist/snapshot/read.js'

/** Set this once `openHeap` can make use of an index that an earlier opening left on disk: then that has a row, too. */
export const KEEPS_INDEX = false

/**
 * Everything that "open" means here: reading, dominators, retained sizes, class table.
 * @param {string} file
 * @param {{ index: boolean, lap: (stage: string) => void }} options
 */
export async function openHeap(file, { index, lap }) {
  if (index) throw new Error('the engine keeps no index')
  const snapshot = await readSnapshot(file)
  lap('read')
  const graph = new HeapGraph(snapshot)
  graph.ownership
  lap('shallow sizes')
  graph.dominators
  lap('dominators')
  graph.retainedSizes
  lap('retained sizes')
  classRows(graph)
  lap('class table')
  return { nodes: snapshot.nodeCount, bytes: graph.retainedSize(0) + snapshot.extraNativeBytes }
}

/** What grew most between two snapshots of one process. */
export async function biggestGrowth(before, after) {
  const { clusters } = await compareSnapshots([before, after])
  return clusters[0]
}
