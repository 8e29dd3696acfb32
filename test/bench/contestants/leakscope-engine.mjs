// leakscope's heap engine as the benchmark asks it: the one file to change when its API does.

import { compareSnapshots } from '../../../dist/analysis/growth.js'
import { openSnapshot } from '../../../dist/analysis/open-snapshot.js'

/** Everything that "open" means here: reading, dominators, retained sizes, class table. */
export async function openHeap(file) {
  const opened = await openSnapshot(file)
  const { graph, settled, fromIndex } = opened
  const { nodeCount: nodes, extraNativeBytes } = graph.snapshot
  return { nodes, bytes: graph.retainedSize(0) + extraNativeBytes, settled, fromIndex }
}

/** What grew most between two snapshots of one process, and what holds it; of the rest, only classes are told. */
export async function biggestGrowth(before, after) {
  const { clusters } = await compareSnapshots([before, after], { maxClusters: 1 })
  return clusters[0]
}
