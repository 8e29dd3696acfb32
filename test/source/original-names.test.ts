// Names that a minifier shortened, told as the source has them.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSnapshot } from '../../src/analysis/open-snapshot.ts'
import { PathNames } from '../../src/analysis/path-names.ts'
import type { HeapGraph } from '../../src/graph/heap-graph.ts'
import { nodeName } from '../../src/graph/look.ts'
import { referenceWords } from '../../src/graph/path-words.ts'
import { retainingPath } from '../../src/graph/retaining-path.ts'
import { NodeType } from '../../src/snapshot/meta.ts'
import { Sources } from '../../src/source/app-modules.ts'
import { OriginalNames } from '../../src/source/original-names.ts'
import { createScriptSources } from '../../src/support/script-sources.ts'
import { mapOf, withMap } from '../support/compiled.ts'
import { TARGET_NODE, temporaryFolder } from '../support/target.ts'

const SOURCE = `class Entry { constructor(row) { this.row = row } }
function makeStore() {
  const cache = new Map()
  const spare = []
  return function remember(row) { cache.set(row, new Entry(row)); return () => spare }
}
`
// Each \`e\` is another variable: a minifier uses letters again wherever it can.
const RAN =
  'class t{constructor(e){this.row=e}}function n(){const e=new Map,r=[];return function e1(e2){e.set(e2,new t(e2));return()=>r}}' +
  'globalThis.keep=n();keep({});(e=>{require("node:v8").writeHeapSnapshot(process.argv[2])})()'
const TOKENS = [
  { ran: 't{', source: 'Entry {', name: 'Entry' },
  { ran: 'n(){', source: 'makeStore', name: 'makeStore' },
  { ran: 'e=new', source: 'cache', name: 'cache' },
  { ran: 'r=[]', source: 'spare', name: 'spare' },
  { ran: 'e1(', source: 'remember', name: 'remember' },
  { ran: 'e2)', source: 'row', name: 'row' },
]

const find = (graph: HeapGraph, name: string, type: number): number =>
  Array.from({ length: graph.snapshot.nodeCount }, (_, node) => node).find(
    (node) => nodeName(graph, node) === name && graph.snapshot.nodeType[node] === type && graph.sourceLocation(node),
  )!

async function heapOf(ran: string) {
  const folder = temporaryFolder()
  const script = join(folder, 'bundle.cjs')
  const file = join(folder, 'a.heapsnapshot')
  writeFileSync(script, ran)
  execFileSync(TARGET_NODE, [script, file])
  const { graph, close } = await openSnapshot(file)
  const sources = createScriptSources()
  const names = new OriginalNames(new Sources(sources.readScript), sources)
  return { graph, close, names, paths: new PathNames(graph, names) }
}

test('variables, classes and functions are called as in the source, each in its scope', async () => {
  const map = mapOf(RAN, [{ url: 'store.js', text: SOURCE, carried: true }], TOKENS)
  const { graph, close, names, paths } = await heapOf(withMap(RAN, map))
  const entry = find(graph, 't', NodeType.object)
  const { path, names: changed } = paths.path(retainingPath(graph, entry))
  expect(path.map(({ reference }) => referenceWords(reference))).toContain("context variable 'cache'")
  expect(path.at(-1)!.thing.name).toBe('Entry')
  expect(Object.fromEntries(changed)).toMatchObject({ e: 'cache', t: 'Entry', e1: 'remember' })
  const remember = graph.sourceLocation(find(graph, 'e1', NodeType.closure))!
  expect(names.nameAt(remember, 'e1')).toBe('remember')
  expect(names.functionAround({ ...remember, column: RAN.indexOf('e.set') + 1 }, 'e1')).toBe('remember')
  expect(names.functionAround({ ...remember, column: RAN.indexOf('e.set') + 1 }, 'n')).toBe('makeStore')
  expect(names.nameAt(remember, 'other')).toBeUndefined()
  await close()
})

test('without a map, and for what it has no name of, they stay', async () => {
  const plain = await heapOf(RAN)
  const path = retainingPath(plain.graph, find(plain.graph, 't', NodeType.object))
  expect(plain.paths.path(path)).toEqual({ path, names: new Map() })
  await plain.close()
  const nameless = TOKENS.map(({ name: _, ...token }) => token)
  const mapped = await heapOf(withMap(RAN, mapOf(RAN, [{ url: 'store.js', text: SOURCE }], nameless)))
  const same = retainingPath(mapped.graph, find(mapped.graph, 't', NodeType.object))
  expect(mapped.paths.path(same).path).toEqual(same)
  await mapped.close()
})
