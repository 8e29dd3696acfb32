// Call trees for tests, from folded stacks: `main;work 3`.

import { arrange, type CallTree } from '../../src/profile/call-tree.ts'
import { readFolded } from '../../src/profile/folded.ts'
import { atOnce } from '../../src/support/breathing.ts'

export function folded(text: string): CallTree {
  return arrange('folded', atOnce(readFolded('folded', Buffer.from(text))))
}

/** A `.cpuprofile` with a node for each row: id, function, hits, ids of those it called, and ticks by line. */
export function cpuProfile(
  rows: readonly (readonly [id: number, name: string, hits: number, children?: number[], ticks?: [number, number][]])[],
  microseconds: number,
): string {
  const nodes = rows.map(([id, functionName, hitCount, children = [], ticks = []]) => ({
    id,
    callFrame: {
      functionName,
      scriptId: '1',
      url: functionName.startsWith('(') ? '' : 'file:///app/a.js',
      lineNumber: functionName.startsWith('(') ? -1 : 10 * id - 1,
      columnNumber: functionName.startsWith('(') ? -1 : 4,
    },
    hitCount,
    children,
    positionTicks: ticks.map(([line, ticks]) => ({ line, ticks })),
  }))
  return JSON.stringify({ nodes, startTime: 1000, endTime: 1000 + microseconds, samples: [], timeDeltas: [] })
}
