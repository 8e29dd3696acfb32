// Whether the tables of `analyze` and `diff` add up, and print nothing that a terminal would obey.

import { ok, deepStrictEqual as same } from 'node:assert'
import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { classify, classRows } from '../../dist/analysis/classes.js'
import { compareSnapshots } from '../../dist/analysis/growth.js'
import { overview } from '../../dist/analysis/overview.js'
import { analyzeCommand } from '../../dist/commands/analyze.js'
import { createContext } from '../../dist/commands/common/context.js'
import { diffCommand } from '../../dist/commands/diff.js'
import { HEAP_DETECTORS } from '../../dist/detectors/index.js'
import { thingWords } from '../../dist/graph/path-words.js'
import { retainingPath, thingOf } from '../../dist/graph/retaining-path.js'
import { NODE_TYPES, NodeType } from '../../dist/snapshot/meta.js'
import { growingSeries } from './grow.mjs'

// What `printable` promises to escape; a line break only ends lines.
export const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

const PATTERNS = new Set(HEAP_DETECTORS.flatMap(({ patterns }) => patterns))

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0)

/** @throws if something is wrong */
export function checkAnalysis(graph, random) {
  const { snapshot, retainedSizes } = graph
  const { shallowSize } = graph.ownership
  const rows = classRows(graph, classify(graph.snapshot))
  const sized = Array.from(shallowSize).filter((size) => size > 0)
  same(sum(rows.map(({ count }) => count)), sized.length, 'every node with a size is of a class')
  same(sum(rows.map(({ shallowBytes }) => shallowBytes)), retainedSizes[0], 'the classes’ bytes are the heap’s')
  checkClassSizes(graph, rows)

  const limit = random.pick([1, 3, 10, 1000])
  const { kinds, classes, dominators, largestStrings, duplicateStrings } = overview(graph, rows, limit)
  same(sum(kinds.map(({ count }) => count)), snapshot.nodeCount)
  same(sum(kinds.map(({ shallowBytes }) => shallowBytes)), retainedSizes[0])
  for (const { kind } of kinds) ok(kind === 'other' || NODE_TYPES.includes(kind))
  const sizes = rows.map(({ retainedBytes }) => retainedBytes).sort((a, b) => b - a)
  same(
    classes.map(({ retainedBytes }) => retainedBytes),
    sizes.slice(0, limit),
  )
  for (const list of [dominators, largestStrings]) {
    ok(list.length <= limit)
    for (const { retainedBytes, shallowBytes } of list) ok(retainedBytes >= shallowBytes)
  }
  checkDuplicates(snapshot, duplicateStrings, limit)
  for (let i = 0; i < 10; i++) {
    const node = random.below(snapshot.nodeCount)
    same(typeof thingWords(thingOf(graph, node)), 'string')
    const steps = retainingPath(graph, node)
    if (steps.length > 0) same(steps.at(-1).ordinal, node, 'a path ends where it was to lead')
  }
}

function checkClassSizes(graph, rows) {
  const { snapshot, retainedSizes, ownership } = graph
  const { immediate } = graph.dominators
  const classes = classify(snapshot)
  const expected = new Map()
  for (let node = 0; node < snapshot.nodeCount; node++) {
    const own = classes.of[node]
    if (ownership.shallowSize[node] === 0) continue
    let inside = false
    for (let at = node; at !== 0 && !inside; ) {
      at = immediate[at]
      inside = classes.of[at] === own && ownership.shallowSize[at] !== 0
    }
    const key = classes.keys[own]
    expected.set(key, (expected.get(key) ?? 0) + (inside ? 0 : retainedSizes[node]))
  }
  same(new Map(rows.map(({ key, retainedBytes }) => [key, retainedBytes])), expected, 'what classes retain')
}

function checkDuplicates({ nodeType, nodeName, selfSize, strings }, found, limit) {
  const copies = new Map()
  nodeType.forEach((type, node) => {
    if (type !== NodeType.string) return
    const key = `${selfSize[node]} ${nodeName[node]}`
    copies.set(key, (copies.get(key) ?? 0) + 1)
  })
  const expected = [...copies]
    .filter(([, count]) => count > 1)
    .map(([key, count]) => [Number(key.split(' ')[0]) * (count - 1), count, strings.get(Number(key.split(' ')[1]))])
  const wasted = expected.map(([bytes]) => bytes).sort((a, b) => b - a)
  same(
    found.map(({ wastedBytes }) => wastedBytes),
    wasted.slice(0, limit),
    'bytes that copies of texts waste',
  )
  for (const { wastedBytes, count, text } of found) {
    ok(expected.some(([a, b, c]) => a === wastedBytes && b === count && c === text))
  }
}

/** Runs a command as the command line does; returns what it prints. */
export async function runCommand(command, args, width) {
  let text = ''
  const context = {
    ...createContext(new AbortController().signal),
    out: (line) => {
      text += `${line}\n`
    },
    note: () => {},
    width,
  }
  await command(context).parseAsync(['node', 'leakscope', ...args])
  return text
}

function checkText(text) {
  const match = UNPRINTABLE.exec(text)
  ok(
    !match,
    `${JSON.stringify(match?.[0])} is printed: …${JSON.stringify(text.slice(match?.index - 40, match?.index + 5))}`,
  )
  if (text.startsWith('{')) JSON.parse(text)
}

/** `diff` of a series in which something grows: what it finds is told in numbers, and safe to print. */
export async function checkGrowth({ bytes, random }, folder) {
  const files = growingSeries(bytes, random).map((heap, i) => {
    const file = join(folder, `growing-${i}.heapsnapshot`)
    writeFileSync(file, heap)
    // As if a second apart: nothing grows in no time.
    utimesSync(file, i + 1, i + 1)
    return file
  })
  if (files.length === 0) return
  checkText(await runCommand(diffCommand, files, random.pick([20, 80, 200])))
  const json = await runCommand(diffCommand, [...files, '--json'], 80)
  checkText(json)
  for (const { pattern, confidence, growth, retainingPath, title } of JSON.parse(json).findings) {
    ok(PATTERNS.has(pattern), pattern)
    ok(confidence >= 0 && confidence <= 1, 'a likelihood')
    ok(Object.values(growth).every(Number.isFinite), 'growth in numbers')
    ok(retainingPath.length > 0 && title !== '', 'what grows has a place and a name')
  }
}

/** `analyze` on the input, and `diff` between the heap it came from and it, both ways. */
export async function checkCommands(graph, { bytes, before, random }, folder) {
  const file = join(folder, 'input.heapsnapshot')
  const other = join(folder, 'before.heapsnapshot')
  writeFileSync(file, bytes)
  writeFileSync(other, before)
  const across = random.chance(0.7) ? ['--across-processes'] : []
  const width = random.pick([20, 80, 200])
  for (const text of [
    await runCommand(analyzeCommand, [file], width),
    await runCommand(analyzeCommand, [file, '--json'], width),
    await runCommand(diffCommand, [other, file, ...across], width),
    await runCommand(diffCommand, [file, other, file, '--json', ...across], width),
  ]) {
    checkText(text)
  }

  const same2 = await compareSnapshots([file, file])
  same([same2.classes, same2.clusters], [[], []], 'nothing grows between a file and itself')
  const growth = await compareSnapshots([other, file], { acrossProcesses: true, maxClusters: 1e9 })
  const rows = new Map(classRows(graph, classify(graph.snapshot)).map((row) => [row.key, row]))
  const ofName = (name) => [...rows.values()].filter((row) => row.name === name)
  for (const { name, countAfter, retainedBytesAfter } of growth.classes) {
    if (countAfter === 0 && retainedBytesAfter === 0) continue
    ok(
      ofName(name).some((row) => row.count === countAfter && row.retainedBytes === retainedBytesAfter),
      `class ${name}`,
    )
  }
  for (const { count, countPerStep, bytes: grown, kind } of growth.clusters) {
    ok(Number.isSafeInteger(count) && count > 0, 'a cluster has a count')
    ok(Number.isSafeInteger(grown) && (grown > 0 || kind === 'added'), 'a cluster has bytes')
    ok(countPerStep.every((number) => number >= 0))
  }
}
