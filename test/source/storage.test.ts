import { describe, expect, it, test } from 'vitest'
import { Sources } from '../../src/source/app-modules.ts'
import { findUpkeep } from '../../src/source/limits.ts'
import { findStorage, type StoragePath, type StoredName } from '../../src/source/storage.ts'

const APP = 'file:///app/app.mjs'

/** What is done with a collection, each as `kind line`, in the order in which it is found. */
function operations(
  files: Readonly<Record<string, string>> | string,
  names: readonly StoredName[],
  depth = 0,
): string[] {
  const all: Readonly<Record<string, string>> = typeof files === 'string' ? { [APP]: files } : files
  const trees = new Sources((url) => all[url]).trees(Object.keys(all))
  const path: StoragePath = { home: APP, names, depth }
  return findStorage(trees, path)
    .operations.filter(({ kind }) => kind !== 'declare' && kind !== 'use')
    .map(({ kind, tree, at }) => {
      const line = tree.source.slice(0, at).split('\n').length
      return `${kind} ${tree.url === APP ? '' : `${tree.url.replace(/^.*\//, '')}:`}${line}`
    })
}

const variable = (name: string): StoredName => ({ name, kind: 'variable', ofModule: true })
const field = (name: string, className?: string): StoredName => ({ name, kind: 'property', className })

it('calls of methods of a thing are found under all its names', () => {
  const source = `class Board {
  out = new TransformStream().writable.getWriter()
  #source = new Readable({ read() {} })
  send(v) {
    const target = this.out
    target.write(v)
    push(this.#source, v)
    const reader = this.#source.on('end', done).getReader()
    reader.read()
  }
}
function push(into, v) {
  into.push(v)
}
`
  const calls = (name: string) => {
    const trees = new Sources(() => source).trees([APP])
    const path: StoragePath = { home: APP, names: [variable('board'), field(name, 'Board')], depth: 0 }
    return findStorage(trees, path).calls.map(({ name: method }) => method)
  }
  expect(calls('out')).toEqual(['write'])
  expect(calls('#source').sort()).toEqual(['getReader', 'on', 'push', 'read'])
})

describe('what is done with a collection is found', () => {
  it('under its own name, however it is written', () => {
    const source = `const all = []
export function add(v) {
  all.push(v)
  all[all.length] = v
  all
    .unshift(v)
  all?.push?.(v)
  all.splice(0, 0, v)
  all.splice(0, 1)
  all.length = 0
}`
    expect(operations(source, [variable('all')])).toEqual([
      'insert 3',
      'insert 4',
      'insert 5',
      'insert 7',
      'insert 8',
      'remove 9',
      'clear 10',
    ])
  })

  it('by a copy with one more in it, and by a shorter one', () => {
    const source = `let all = []
export function add(v) {
  all = [...all, v]
  all = all.concat(v)
  all = { v, next: all }
  all = all.filter(Boolean)
  all = all.slice(-10)
  all = all.next
  all = []
}`
    expect(operations(source, [variable('all')])).toEqual([
      'insert 3',
      'insert 4',
      'insert 5',
      'remove 6',
      'remove 7',
      'remove 8',
      'clear 9',
    ])
  })

  it('under other names: a variable, a parameter with a default, a pattern, a function of another file', () => {
    const files = {
      [APP]: `import { addTo } from './util.mjs'
const cache = new Map()
export function keep(v, byId = cache) {
  byId.set(v.id, v)
  const same = cache
  same.delete(1)
  addTo(cache, v)
}
class Desk {
  #open = new Map()
  take(v) {
    const { length } = v
    const open = this.#open
    open.set(length, v)
  }
}`,
      'file:///app/util.mjs': 'export function addTo(map, v) {\n  map.set(v.id, v)\n}\n',
    }
    expect(operations(files, [variable('cache')]).sort()).toEqual(['insert 4', 'insert util.mjs:2', 'remove 6'])
    expect(operations(files, [variable('desk'), field('#open', 'Desk')])).toEqual(['insert 14'])
  })

  it('in helpers that are required, one by one or as a whole', () => {
    const files = {
      [APP]: `const { stash } = require('./stores')
const add = require('./add')
const all = []
exports.keep = (v) => {
  stash(all, v)
  add(all, v)
}`,
      'file:///app/stores.js': 'function stash(into, v) {\n  into.push(v)\n}\nmodule.exports = { stash }\n',
      'file:///app/add.js': 'module.exports = function (into, v) {\n\n  into.push(v)\n}\n',
    }
    expect(operations(files, [variable('all')]).sort()).toEqual(['insert add.js:3', 'insert stores.js:2'])
  })

  it('by a symbol, here or in a module that imports it', () => {
    const files = {
      [APP]: `export const items = Symbol('kept')
const desk = { [items]: [] }
export const keep = (v) => desk[items].push(v)
`,
      'file:///app/other.mjs':
        "import { items } from './app.mjs'\nexport const kept = (desk, v) => {\n  desk[items].unshift(v)\n}\n",
    }
    const path = [variable('desk'), { ...field('kept', 'Object'), isSymbol: true }]
    expect(operations(files, path)).toEqual(['insert 3', 'insert other.mjs:3'])
  })

  it('in what is kept in it', () => {
    const source = `const rooms = new Map()
export function join(id, v) {
  const room = rooms.get(id) ?? []
  room.push(v)
  rooms.set(id, room)
  for (const [, each] of rooms) each.shift()
}`
    expect(operations(source, [variable('rooms')], 1).sort()).toEqual(['insert 4', 'insert 5', 'remove 6'])
  })

  it('in another module that imports it', () => {
    const files = {
      [APP]: 'export const seen = new Set()\n',
      'file:///app/other.mjs': "import { seen } from './app.mjs'\nexport const see = (v) => seen.add(v)\n",
    }
    expect(operations(files, [variable('seen')])).toEqual(['insert other.mjs:2'])
  })

  it('in TypeScript', () => {
    const source = `class Store<T> {
  private readonly items: Map<string, T> = new Map()
  put(key: string, value: T): void {
    (this.items as Map<string, T>).set(key, value!)
  }
}`
    const files = { 'file:///app/app.ts': source }
    const trees = new Sources((url) => (files as Record<string, string>)[url]).trees(Object.keys(files))
    const found = findStorage(trees, { home: undefined, names: [field('items', 'Store')], depth: 0 })
    expect(found.operations.map(({ kind }) => kind)).toEqual(['declare', 'insert'])
  })
})

describe('what only looks like it is not', () => {
  it.each([
    ['a local of the same name', 'const all = []\nexport function f() { const all = [1]; all.pop() }'],
    ['a parameter of the same name', 'const all = []\nexport function f(all) { all.pop() }\nf([])'],
    ['a text', "const all = []\nexport const help = 'all.pop()'"],
    ['a comment', 'const all = [] // all.pop()'],
    ['a cursor over it', 'const all = []\nexport function f() { let at = all; at = at.next; at = null }'],
  ])('%s', (_, source) => {
    expect(operations(source, [variable('all')])).toEqual([])
  })

  it('a property of the same name of another object, or of another class', () => {
    const source = `const desk = { open: new Map() }
const other = { open: new Map() }
other.open.delete(1)
class Shop { open = []; close() { this.open.pop() } }
export const keep = (v) => desk.open.set(v.id, v)`
    expect(operations(source, [variable('desk'), field('open', 'Object')])).toEqual(['insert 5'])
  })
})

describe('a removal', () => {
  const upkeep = (source: string) => {
    const trees = new Sources(() => source).trees([APP])
    const found = findStorage(trees, { home: APP, names: [variable('all')], depth: 0 })
    const { removals, idle, limits } = findUpkeep(trees, found, 0)
    return { removals: removals.length, idle: idle.map(({ when }) => when), limits: limits.map(({ value }) => value) }
  }
  const base = 'const all = new Map()\nexport function add(v) { all.set(v.id, v) }\nsetInterval(() => add({}), 5)\n'

  it.each([
    ['work', 'setInterval(() => all.delete(1), 5)'],
    ['work', 'function drop() { all.delete(1) }\nserver.on("request", () => drop())'],
    ['work', 'function turn() { all.delete(1); setTimeout(turn, 5) }\nturn()'],
    ['work', 'async function run() { for await (const id of ids) all.delete(id) }\nrun()'],
    [
      'work',
      'class Desk { end(id) { all.delete(id) } }\nconst desk = new Desk()\nserver.on("end", (id) => desk.end(id))',
    ],
    ['ending', 'process.on("SIGTERM", () => all.clear())'],
    ['ending', 'function close() { all.clear() }\nprocess.once("exit", close)'],
    [
      'ending',
      'async function stop() { await new Promise((done) => { all.clear(); done() }) }\nprocess.on("SIGINT", () => stop())',
    ],
    ['never', 'export function close() { all.clear() }'],
    [
      'work',
      "class Pool {\n  constructor(w) { w.on('message', (v) => this.#done(v)) }\n  #done(v) { all.delete(v) }\n}\nnew Pool(worker)",
    ],
    [
      'work',
      "function serve() {\n  createServer((socket) => socket.once('data', () => all.delete(1))).listen(0)\n}\nserve()",
    ],
    ['once', 'function start() {\n  names.forEach((name) => all.delete(name))\n}\nstart()'],
    ['once', 'class Pool {\n  constructor() { all.clear() }\n}\nnew Pool()'],
    ['once', 'all.clear()'],
  ])('is run for %s: %s', (when, line) => {
    const found = upkeep(base + line)
    expect(when === 'work' ? found : found.idle).toEqual(when === 'work' ? { ...found, removals: 1, idle: [] } : [when])
  })

  it('has the number of a ring, and of a slice, as its limit', () => {
    expect(
      upkeep('const SIZE = 64\nlet at = 0\nconst all = []\nsetInterval(() => { all[at++ % SIZE] = {} }, 5)').limits,
    ).toEqual([64])
    expect(upkeep('let all = []\nsetInterval(() => { all = [...all, {}].slice(-100) }, 5)').limits).toEqual([100])
  })

  it('has the distance from the newest key as its limit', () => {
    const loop =
      'const KEPT = 5000\nconst all = new Map()\nlet n = 0\nsetInterval(() => {\n  all.set(n, {})\n  LINE\n  n++\n}, 5)'
    expect(upkeep(loop.replace('LINE', 'all.delete(n - KEPT)')).limits).toEqual([5000])
    expect(upkeep(loop.replace('LINE', 'all.delete(other - KEPT)')).limits).toEqual([])
    // What goes by another key stays, and hardly a moment is met again.
    expect(upkeep(loop.replace('LINE', 'all.delete(n - KEPT); all.set(name, 1)')).limits).toEqual([])
    expect(upkeep(loop.replace('n++', '').replace('LINE', 'n = Date.now(); all.delete(n - KEPT)')).limits).toEqual([])
    const page = (number: string) => `\`page/\${${number}}\``
    const texts = loop.replace('set(n,', `set(${page('n')},`)
    expect(upkeep(texts.replace('LINE', `all.delete(${page('n - KEPT')})`)).limits).toEqual([5000])
    expect(upkeep(texts.replace('LINE', `all.delete(${page('n - KEPT').replace('page', 'site')})`)).limits).toEqual([])
  })

  it('is bounded by constants that are worked out, also of a class that is given them', () => {
    const cache = `const all = new Map()
class Cache {
  constructor(max = 5 * 1000) { this.max = max }
  put(v) { all.set(v.id, v); if (all.size > this.max) all.delete(all.keys().next().value) }
}
const cache = new Cache(CALL)
setInterval(() => cache.put({}), 5)`
    expect(upkeep(cache.replace('CALL', '')).limits).toEqual([5000])
    expect(upkeep(cache.replace('CALL', '2 ** 7')).limits).toEqual([128])
  })
})

test('a text that is no program, and one that is nested without end, have no tree', () => {
  const sources = new Sources((url) => (url.endsWith('a.mjs') ? 'this is {no} program' : '['.repeat(100_000)))
  expect(sources.tree('file:///app/a.mjs')).toBeUndefined()
  expect(sources.tree('file:///app/b.mjs')).toBeUndefined()
})
