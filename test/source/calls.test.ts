import { describe, expect, test } from 'vitest'
import { calledBy, destinationsOf, findPart, handedTo, offsetOfCall } from '../../src/source/calls.ts'
import { type CallNode, readSyntax } from '../../src/source/syntax-tree.ts'

const treeOf = (source: string) => readSyntax(source, 'file:///app/main.ts')!
const lineAt = (source: string, offset: number): number => source.slice(0, offset).split('\n').length

/** What the last call in a source calls. */
function called(source: string): string {
  const { from, names, root } = calledBy(
    treeOf(source)
      .calls.toSorted((a, b) => a.end - b.end)
      .at(-1)!,
  )
  return `${root} ${[...(from === undefined ? [] : [from]), ...names].join('.')}`
}

describe('what a call calls', () => {
  test.each([
    ['setTimeout(tick, 10)', 'global setTimeout'],
    ['globalThis.setTimeout(tick, 10)', 'global setTimeout'],
    ["import { setTimeout as later } from 'node:timers'\nlater(tick, 10)", 'import node:timers.setTimeout'],
    ["import * as timers from 'timers'\ntimers.setTimeout(tick, 10)", 'import node:timers.setTimeout'],
    ["const { open: openFile } = require('fs').promises\nopenFile(path)", 'import node:fs.promises.open'],
    ["const fs = require('node:fs/promises')\nfs.open(path)", 'import node:fs.open'],
    ["const fs = await import('node:fs')\nfs.default.open(path)", 'import node:fs.open'],
    [
      "import { promisify } from 'node:util'\nimport fs from 'node:fs'\nconst open = promisify(fs.open)\nopen(path)",
      'import node:fs.open',
    ],
    [
      "import { createRequire } from 'node:module'\nconst load = createRequire(import.meta.url)\nload('fs').open(path)",
      'import node:fs.open',
    ],
    ['const { on } = emitter\non("x", tell)', 'global emitter.on'],
    ['const add = sessions.add.bind(sessions)\nadd(one)', 'global sessions.add'],
    ['function tell() {\n  const list = this.sessions\n  list\n    .push(1)\n}', 'value this.sessions.push'],
    ['function setTimeout() {}\nsetTimeout(tick)', 'declared setTimeout'],
    ['function later(setTimeout) { setTimeout(tick) }', 'value setTimeout'],
    ['const pool = createPool()\npool.query(sql)', 'value pool.query'],
    ['(0, pool_1.create)(1)', 'global pool_1.create'],
    ["import WebSocket from 'ws'\nnew WebSocket(url)", 'import ws'],
    ['const a = b, b = a\na()', 'value '],
  ])('%s', (source, expected) => {
    expect(called(source)).toBe(expected)
  })

  test('is told where its name stands, in a chain over several lines', () => {
    const source = 'sessions\n  .filter(isOld)\n  .forEach((each) => each)\n'
    expect(
      treeOf(source)
        .calls.map((call) => lineAt(source, offsetOfCall(call)))
        .sort(),
    ).toEqual([2, 3])
  })
})

describe('the call that a function is handed to', () => {
  const isOn = (call: CallNode) => calledBy(call).name === 'on'
  /** Of the function that has `HERE` in it. */
  function line(source: string): number | undefined {
    const tree = treeOf(source)
    const at = source.indexOf('HERE')
    const given = tree.functions.findLast(({ start, end }) => start < at && at < end)!
    const call = handedTo(tree, given, isOn)
    return call && lineAt(source, offsetOfCall(call))
  }

  test.each([
    ['where it stands', 'feed\n  .on("x", () => HERE)', 2],
    ['in a call around it', 'feed.on("x",\n  debounce(\n    () => HERE))', 1],
    ['by its name', 'const tell = () => HERE\nfeed.on(\n  "x",\n  tell,\n)', 2],
    ['bound', 'class A {\n  tell() { HERE }\n  open() {\n    feed.on("x", this.tell.bind(this))\n  }\n}', 4],
    ['as what a function returns', 'const tellOf = (id) => () => HERE\nfeed.on("x", tellOf(1))', 2],
    [
      'not another of that name',
      'function a(tell) {\n  feed.on("y", tell)\n}\nfunction tell() { HERE }\nfeed.on("x", tell)',
      5,
    ],
    ['not in a comment or a string', 'const tell = () => HERE\n// feed.on("x", tell)\nlog("feed.on(tell)")', undefined],
  ])('%s', (_, source, expected) => {
    expect(line(source)).toBe(expected)
  })
})

test('a value is followed by its names, within lists and objects, to what keeps it', () => {
  const source =
    'const part = block.subarray(0, 9)\nconst entry = { part }\nfunction make() { return entry }\nkept.push(make())\nseen = [part]\n'
  const tree = treeOf(source)
  const lines = Array.from(
    destinationsOf(tree, tree.calls.find((call) => calledBy(call).name === 'subarray')!),
    ({ type, start }) => `${type} ${lineAt(source, start)}`,
  )
  expect(lines).toEqual(expect.arrayContaining(['Property 2', 'CallExpression 4', 'AssignmentExpression 5']))
})

test('what a statement puts somewhere may be made by a function, a line before, or by a loop', () => {
  const made = (source: string) => {
    const tree = treeOf(source)
    const put = tree.calls.find((call) => calledBy(call).name === 'push')!
    const part = findPart(tree, put, (node) => node.type === 'CallExpression' && calledBy(node).name === 'split')
    return part && lineAt(source, part.start)
  }
  expect(made('function wordOf(text) {\n  return text.split(" ")[0]\n}\nkept.push(wordOf(page))')).toBe(2)
  expect(made('const [first] = page.split(" ")\nkept.push(first)')).toBe(1)
  expect(made('for (const word of page.split(" ")) {\n  kept.push(word)\n}')).toBe(1)
  expect(made('page.split(" ").forEach((word) => {\n  kept.push(word)\n})')).toBe(1)
  expect(made('const word = other.split(" ")\nfunction keep(word) { kept.push(word) }')).toBeUndefined()
})
