// A variable that an ES module exports lies in a cell, which has no name of its own.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSnapshot } from '../../src/analysis/open-snapshot.ts'
import { nodeName } from '../../src/graph/look.ts'
import { referenceWords } from '../../src/graph/path-words.ts'
import { retainingPath } from '../../src/graph/retaining-path.ts'
import { TARGET_NODE, temporaryFolder } from '../support/target.ts'

test('an exported variable has the name that it is exported by', async () => {
  const folder = temporaryFolder()
  const source = `import { writeHeapSnapshot } from 'node:v8'
    class Ticket {}
    export const other = new Map()
    export const openTickets = new Map([['one', new Ticket()]])
    export const size = () => openTickets.size + other.size
    writeHeapSnapshot(process.argv[2])`
  writeFileSync(join(folder, 'tickets.mjs'), source)
  const file = join(folder, 'a.heapsnapshot')
  execFileSync(TARGET_NODE, [join(folder, 'tickets.mjs'), file])
  const { graph, close } = await openSnapshot(file)
  const tickets = Array.from({ length: graph.snapshot.nodeCount }, (_, node) => node).filter(
    (node) => nodeName(graph, node) === 'Ticket' && graph.sourceLocation(node) !== undefined,
  )
  const paths = tickets.map((node) => retainingPath(graph, node).map(({ reference }) => referenceWords(reference)))
  expect(paths.flat()).toContain("context variable 'openTickets'")
  await close()
})
