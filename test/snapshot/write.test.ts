// What is written is what is read.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSnapshot } from '../../src/snapshot/read.ts'
import { writeSnapshot } from '../../src/snapshot/write.ts'
import { buildHeap } from '../support/heaps.ts'
import { temporaryFolder } from '../support/target.ts'

test('Columns that are written as a file come back as they were', async () => {
  const snapshot = await buildHeap({
    nodes: [
      { type: 'synthetic', name: '' },
      { name: 'Account "of" \u20ac \ud83d\ude00', size: 40, id: 7 },
      { type: 'closure', name: 'onData', size: 64, id: 9 },
      { type: 'wasm object', name: 'w', size: 8, id: 11 },
    ],
    edges: [
      { from: 0, to: 1, type: 'element', name: 1 },
      { from: 1, to: 2, name: 'handler' },
      { from: 1, to: 3, type: 'hidden', name: 4 },
      { from: 2, to: 1, type: 'weak', name: 'back' },
    ],
    locations: [{ node: 2, script: 12, line: 3, column: 5 }],
  })
  const path = join(temporaryFolder(), 'written.heapsnapshot')
  const written = writeSnapshot(snapshot, path)
  const read = await readSnapshot(path)
  expect(written.fileBytes).toBe(read.fileBytes)
  for (const column of [
    'nodeType',
    'nodeId',
    'selfSize',
    'firstEdge',
    'edges',
    'edgeNameOrIndex',
    'nodeName',
  ] as const) {
    expect([...read[column]], column).toEqual([...snapshot[column]])
  }
  expect(read.locations).toEqual(snapshot.locations)
  expect(Array.from({ length: read.strings.count }, (_, i) => read.strings.get(i))).toEqual(
    Array.from({ length: snapshot.strings.count }, (_, i) => snapshot.strings.get(i)),
  )
  expect(() => writeSnapshot(snapshot, path)).toThrow('exists already')
})
