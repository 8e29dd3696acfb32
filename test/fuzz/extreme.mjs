// One extreme heap through the whole of leakscope, in a process of its own: `node extreme.mjs <shape> <size>`.
// Prints what it took as JSON; exits with 1 if an answer is wrong.

import { ok, deepStrictEqual as same } from 'node:assert'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { classify, classRows } from '../../dist/analysis/classes.js'
import { compareSnapshots } from '../../dist/analysis/growth.js'
import { overview } from '../../dist/analysis/overview.js'
import { analyzeCommand } from '../../dist/commands/analyze.js'
import { diffCommand } from '../../dist/commands/diff.js'
import { HeapGraph } from '../../dist/graph/heap-graph.js'
import { retainingPath } from '../../dist/graph/retaining-path.js'
import { readSnapshot } from '../../dist/snapshot/read.js'
import { runCommand, UNPRINTABLE } from './check-analysis.mjs'
import { SHAPES, writeHeap } from './extreme-heaps.mjs'

const [shape, sizeText] = process.argv.slice(2)
const size = Number(sizeText)
const folder = mkdtempSync(join(tmpdir(), 'leakscope-extreme-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const file = join(folder, 'a.heapsnapshot')
writeHeap(file, SHAPES[shape](size))
const basePeak = process.resourceUsage().maxRSS * 1024
const startedAt = performance.now()
const times = {}
const timed = async (name, work) => {
  // What a step has left behind would count to the next one, and is given back only while nothing is done.
  globalThis.gc()
  await sleep(100)
  const from = performance.now()
  const result = await work()
  times[name] = Math.round(performance.now() - from)
  return result
}

/** What must come of each shape, besides that the sums are right. */
const EXPECTED = {
  list(graph, { dominators }) {
    const path = retainingPath(graph, size + 1)
    same(path.at(-1).times, size - 1, 'the list is one step of the path')
    same(graph.retainedSize(2), 24 * size)
    ok(dominators.length > 0)
  },
  star(graph, { dominators }) {
    same(dominators[0].node, `Array[${size.toLocaleString('en-US')}]`)
    same(graph.retainedSize(2), 16 + 40 * Math.ceil(size / 4))
  },
  classes(_, { classes }) {
    same(classes.length, 10)
  },
  ring(graph) {
    same(graph.retainedSize(1), 100 + 24 * size)
  },
  text(graph, { largestStrings }) {
    same(graph.retainedSize(2), 32 * size + 16)
    ok(largestStrings.length > 0)
  },
  ids() {},
  escapes() {},
}

async function analyse() {
  const snapshot = await timed('read', () => readSnapshot(file))
  const graph = new HeapGraph(snapshot)
  await timed('retained', () => graph.retainedSizes)
  const total = snapshot.selfSize.reduce((sum, bytes) => sum + bytes, 0)
  same(graph.retainedSize(0), total)
  const rows = await timed('classes', () => classRows(graph, classify(graph.snapshot)))
  same(
    rows.reduce((sum, { shallowBytes }) => sum + shallowBytes, 0),
    total,
  )
  const result = await timed('overview', () => overview(graph, rows, 10))
  await timed('expected', () => EXPECTED[shape](graph, result))
}

await analyse()
for (const args of [[file], [file, '--json']]) {
  const text = await timed(`analyze${args[1] ?? ''}`, () => runCommand(analyzeCommand, args, 120))
  ok(!UNPRINTABLE.test(text), 'prints what a terminal would obey')
}
const growth = await timed('compare', () => compareSnapshots([file, file]))
same([growth.classes, growth.clusters], [[], []])
same(growth.matching, shape === 'ids' ? 'place' : 'id')
// Against a heap of a hundredth of the size, all the rest is new.
const smaller = join(folder, 'smaller.heapsnapshot')
writeHeap(smaller, SHAPES[shape](Math.ceil(size / 100)))
const diff = await timed('diff', () => runCommand(diffCommand, [smaller, file, '--across-processes'], 120))
ok(!UNPRINTABLE.test(diff), 'prints what a terminal would obey')

console.log(
  JSON.stringify({
    shape,
    size,
    fileBytes: statSync(file).size,
    ms: Math.round(performance.now() - startedAt),
    times,
    peakBytes: process.resourceUsage().maxRSS * 1024 - basePeak,
  }),
)
