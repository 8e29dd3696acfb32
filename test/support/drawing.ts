// Heaps for detectors, drawn by hand: a module's variables and what hangs on them, as they are in each of three snapshots.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSeries } from '../../src/analysis/compare.ts'
import { viewsToAsk } from '../../src/detectors/buffer-slab-retention.ts'
import type { Captures, IsolateHeap, LiveView } from '../../src/detectors/detector.ts'
import { findLeaks, type Leaks, lookForSuspects } from '../../src/detectors/find-leaks.ts'
import { checkEvidence } from './evidence.ts'
import { type EdgeSketch, type HeapSketch, heapText, type NodeSketch } from './heaps.ts'
import { checkOrder } from './rivals.ts'

export const MODULE = 'file:///app/service.mjs'
/** The snapshots are so far apart. */
const SECONDS = 8

type Members = Readonly<Record<string, number | undefined>>

export class Drawing {
  readonly #nodes: NodeSketch[] = []
  readonly #edges: EdgeSketch[] = []
  readonly #locations: NonNullable<HeapSketch['locations']> = []
  readonly #ids: Map<string, number>
  readonly #made = new Map<string, number>()
  readonly #scripts = new Map<string, number>()
  readonly root: number
  readonly #global: number
  readonly #native: number
  /** The scope of the module: what it refers to by `variable` are its variables. */
  readonly scope: number

  /** @param ids remembers V8's id of each key, so that what is drawn again is the same object */
  constructor(ids: Map<string, number>) {
    this.#ids = ids
    this.root = this.#add('root', { type: 'synthetic' })
    this.#global = this.#add('global', { name: 'global', size: 100 })
    this.#link(this.root, this.#global, 'shortcut', 1)
    this.#native = this.#add('native', { name: 'system / NativeContext', type: 'hidden', size: 500 })
    this.#link(this.#global, this.#native, 'internal', 'native_context')
    this.scope = this.#add('scope', { name: 'system / Context', size: 80 })
    this.#link(this.scope, this.#native, 'internal', 'previous')
    const main = this.closure('main', 'main', this.scope)
    this.#link(this.#global, main, 'property', 'main')
    for (let i = 0; i < 200; i++) {
      this.#link(this.#global, this.#add(`builtin ${i}`, { name: `Builtin${i}`, size: 16 }), 'property', `b${i}`)
    }
  }

  #add(key: string, node: NodeSketch): number {
    const known = this.#made.get(key)
    if (known !== undefined) return known
    const id = this.#ids.get(key) ?? 2 * this.#ids.size + 1
    this.#ids.set(key, id)
    const ordinal = this.#nodes.push({ ...node, id }) - 1
    this.#made.set(key, ordinal)
    return ordinal
  }

  #link(from: number, to: number, type: NonNullable<EdgeSketch['type']>, name: string | number): void {
    this.#edges.push({ from, to, type, name })
  }

  /** An object with properties; one of a class that a script defines, or a function that waits, has the script's URL. */
  object(key: string, name: string, members: Members = {}, { size = 48, url = '', line = 4 } = {}): number {
    const isNew = !this.#made.has(key)
    const node = this.#add(key, { name, size })
    if (isNew && url !== '') this.#locations.push({ node, script: this.#script(url), line: line - 1, column: 1 })
    return this.members(node, members)
  }

  members(node: number, members: Members): number {
    for (const [name, to] of Object.entries(members)) if (to !== undefined) this.#link(node, to, 'property', name)
    return node
  }

  /** An object with so many properties that V8 keeps them in a table. */
  dictionary(key: string, name: string, entries: Members): number {
    const node = this.object(key, name, entries)
    const table = this.#add(`${key} table`, { name: '(object properties)', type: 'array', size: 64 })
    this.#link(node, table, 'internal', 'properties')
    Object.values(entries).forEach((to, i) => {
      if (to !== undefined) this.#link(table, to, 'internal', String(3 * i + 1))
    })
    return node
  }

  closure(key: string, name: string, scope = this.scope, url = MODULE): number {
    const node = this.#add(key, { name, type: 'closure', size: 64 })
    const shared = this.#add(`${key} shared`, { name, type: 'code', size: 40 })
    this.#locations.push({ node, script: this.#script(url), line: 9, column: 4 })
    this.#link(node, scope, 'internal', 'context')
    this.#link(node, shared, 'internal', 'shared')
    this.#link(
      shared,
      this.#add(`script ${url}`, { name: url, type: 'code', size: 40 }),
      'internal',
      'script_or_debug_info',
    )
    return node
  }

  /** A function that was bound to an object. */
  bound(key: string, closure: number, self: number): number {
    const node = this.#add(key, { name: 'native_bind', type: 'closure', size: 56 })
    this.#link(node, closure, 'internal', 'bound_function')
    this.#link(node, self, 'internal', 'bound_this')
    return node
  }

  #script(url: string): number {
    const known = this.#scripts.get(url)
    if (known !== undefined) return known
    const script = 7 + this.#scripts.size
    this.#scripts.set(url, script)
    if (url !== MODULE) {
      const scope = this.#add(`scope of ${url}`, { name: 'system / Context', size: 40 })
      this.#link(scope, this.#native, 'internal', 'previous')
      this.#link(this.#global, this.closure(`main of ${url}`, 'load', scope, url), 'property', url)
    }
    return script
  }

  /** What a function was made in, with its variables. */
  context(key: string, variables: Members): number {
    const node = this.#add(key, { name: 'system / Context', size: 48 })
    for (const [name, to] of Object.entries(variables)) if (to !== undefined) this.#link(node, to, 'context', name)
    this.#link(node, this.scope, 'internal', 'previous')
    return node
  }

  /** A promise for which somebody waits: for each reaction, a function. */
  promise(key: string, reactions: readonly number[] = []): number {
    const node = this.#add(key, { name: 'Promise', size: 48 })
    let before = node
    reactions.forEach((reaction, i) => {
      const name = 'system / PromiseReaction'
      const next = this.#add(`${key} reaction ${reaction} ${i}`, { name, type: 'hidden', size: 40 })
      this.#link(before, next, 'internal', before === node ? 'reactions_or_result' : 'next')
      this.#link(next, reaction, 'hidden', 1)
      before = next
    })
    return node
  }

  /** The function that settles a promise: V8's own, without a place. */
  resolver(key: string, promise: number): number {
    const node = this.#add(key, { name: '', type: 'closure', size: 56 })
    const context = this.#add(`${key} context`, { name: 'system / Context', size: 48 })
    this.#link(node, context, 'internal', 'context')
    this.#link(context, promise, 'hidden', 1)
    return node
  }

  /** A piece of a text, as slice() leaves it. */
  piece(key: string, parent: number): number {
    const node = this.#add(key, { name: '(sliced string)', type: 'sliced string', size: 32 })
    this.#link(node, parent, 'internal', 'parent')
    return node
  }

  /** Two texts put together, as += leaves them. */
  concatenation(key: string, first: number, second: number): number {
    const node = this.#add(key, { name: '(concatenated string)', type: 'concatenated string', size: 32 })
    this.#link(node, first, 'internal', 'first')
    this.#link(node, second, 'internal', 'second')
    return node
  }

  /** A variable at the top of the module, or of another one. */
  variable(name: string, node: number, url = MODULE): number {
    if (url !== MODULE) this.#script(url)
    const scope = url === MODULE ? this.scope : this.#add(`scope of ${url}`, { name: 'system / Context', size: 40 })
    this.#link(scope, node, 'context', name)
    return node
  }

  /** @param slots that it has room for, where that matters */
  array(key: string, elements: readonly number[], offset = 0, slots?: number): number {
    const node = this.#add(key, { name: 'Array', size: slots === undefined ? 32 : 48 + 8 * slots })
    elements.forEach((element, i) => {
      this.#link(node, element, 'element', offset + i)
    })
    return node
  }

  /** A Map with keys and values that are objects or texts, in the slots that V8 keeps them in. */
  mapOf(key: string, entries: readonly (readonly [key: number, value: number])[]): number {
    const { node, table, first } = this.#hashed(key, 'Map', entries.length)
    entries.forEach(([from, to], i) => {
      this.#link(table, from, 'internal', String(first + 3 * i))
      this.#link(table, to, 'internal', String(first + 3 * i + 1))
    })
    return node
  }

  /** A Map from numbers to objects, or a Set of them. */
  map(key: string, values: readonly number[], name = 'Map'): number {
    const slots = name === 'Set' ? 2 : 3
    const { node, table, first } = this.#hashed(key, name, values.length, slots)
    values.forEach((value, i) => {
      this.#link(table, value, 'internal', String(first + slots * i + slots - 2))
    })
    return node
  }

  /** As V8 keeps them: a table with so many buckets, a power of two, and room for twice as many entries. */
  #hashed(key: string, name: string, entries: number, slots = 3): { node: number; table: number; first: number } {
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(2, entries / 2)))
    const node = this.#add(key, { name, size: 32 })
    const table = this.#add(`${key} table`, { type: 'array', size: 16 + 8 * (3 + buckets * (1 + 2 * slots)) })
    this.#link(node, table, 'internal', 'table')
    return { node, table, first: 3 + buckets }
  }

  /** A WeakMap's entries: V8 tells of them in the names of the references that their values have. */
  weakMap(key: string, entries: readonly (readonly [key: number, value: number])[]): number {
    const node = this.#add(key, { name: 'WeakMap', size: 32 })
    const table = this.#add(`${key} table`, { name: '(internal array)', type: 'array', size: 64 })
    this.#link(node, table, 'internal', 'table')
    const called = (at: number): string => `(${this.#nodes[at]!.name} @${this.#nodes[at]!.id})`
    entries.forEach(([from, to], i) => {
      const pair = `${i} / part of key ${called(from)} -> value ${called(to)} pair in WeakMap (table @${this.#nodes[table]!.id})`
      this.#link(from, to, 'internal', pair)
      this.#link(table, to, 'internal', pair)
    })
    return node
  }

  text(key: string, text: string, size = 48): number {
    return this.#add(key, { name: text, type: 'string', size })
  }

  /** `null`, as V8 has it. */
  nothing(): number {
    return this.#add('null', { name: 'system / Oddball', type: 'hidden', size: 0 })
  }

  number(value: number): number {
    const node = this.#add(`number ${value}`, { name: 'smi number', type: 'number' })
    const isNew = !this.#made.has(`text of ${value}`)
    const text = this.#add(`text of ${value}`, { name: String(value), type: 'string' })
    if (isNew) this.#link(node, text, 'internal', 'value')
    return node
  }

  /** An ArrayBuffer of so many bytes. */
  buffer(key: string, bytes: number): number {
    const buffer = this.#add(key, { name: 'ArrayBuffer', size: 88 })
    this.#link(
      buffer,
      this.#add(`${key} data`, { name: 'system / JSArrayBufferData', type: 'native', size: bytes }),
      'internal',
      'backing_store',
    )
    return buffer
  }

  /** A WebAssembly memory of so many bytes, which is one and the same whatever its size. */
  memory(key: string, bytes: number): number {
    return this.object(key, 'Memory', { buffer: this.buffer(`${key} buffer`, bytes) })
  }

  /** An object of V8's own with a pointer to what lies outside of the heap, such as one of Intl's. */
  formatter(key: string, name: string): number {
    const node = this.#add(key, { name, size: 72 })
    this.#link(node, this.#add(`${key} box`, { name: 'system / Foreign', type: 'hidden', size: 16 }), 'hidden', 3)
    return node
  }

  /** A SharedArrayBuffer that can grow, of which V8 writes no size. */
  growable(key: string): number {
    const node = this.#add(key, { name: 'SharedArrayBuffer', size: 96 })
    const data = this.#add(`${key} data`, { name: 'system / JSArrayBufferData', type: 'native', size: 0 })
    this.#link(node, data, 'internal', 'backing_store')
    return node
  }

  view(key: string, buffer: number): number {
    const view = this.#add(key, { name: 'Buffer', size: 96 })
    this.#link(view, buffer, 'internal', 'buffer')
    return view
  }

  /** One of Node's own, open: its object, and what stands for it outside of the heap. */
  handle(key: string, name: string, wrap: string, owner: number, bytes = 0): number {
    const object = this.#add(key, { name, size: 56 })
    const native = this.#add(`${key} native`, { name: `Node / ${wrap}`, type: 'native', size: 400 })
    // A compression stream is no handle of the event loop's, which would hold it.
    if (bytes === 0) this.#link(this.root, native, 'element', this.#edges.length)
    this.#link(native, object, 'internal', 'native_to_javascript')
    this.#link(object, native, 'internal', 'javascript_to_native')
    this.members(object, { '<symbol owner_symbol>': owner })
    if (bytes > 0) {
      this.#link(
        native,
        this.#add(`${key} memory`, { name: 'Node / zlib_memory', type: 'native', size: bytes }),
        'internal',
        'zlib_memory',
      )
    }
    return object
  }

  /** Messages that nobody has taken yet. */
  messages(count: number): void {
    const port = this.#add('port', { name: 'Node / MessagePort', type: 'native', size: 100 })
    const data = this.#add('port data', { name: 'Node / MessagePortData', type: 'native', size: 100 })
    const incoming = this.#add('incoming', { name: 'Node / incoming_messages', type: 'native', size: 24 })
    this.#link(this.root, port, 'element', 1)
    this.#link(port, data, 'internal', 'data')
    this.#link(data, incoming, 'internal', 'incoming_messages')
    for (let i = 0; i < count; i++) {
      this.#link(
        incoming,
        this.#add(`message ${i}`, { name: 'Node / Message', type: 'native', size: 136 }),
        'element',
        i,
      )
    }
  }

  write(): string {
    const locations = this.#locations.sort((a, b) => a.node - b.node)
    return heapText({ nodes: this.#nodes, edges: this.#edges, locations })
  }
}

/** An isolate's heap at three times, as `draw` makes it. */
export type Sketch = (drawing: Drawing, step: number) => void

/**
 * What the detectors make of isolates; the first is the main thread's.
 * @param source of the module, or of several by URL
 * @param live what views in it answer that are asked while it runs
 * @param seconds when its snapshots are taken
 */
export const findLeaksIn = (
  sketches: readonly Sketch[],
  source: string | Readonly<Record<string, string>> = '',
  live?: LiveView,
  seconds: readonly number[] = [0, SECONDS, 2 * SECONDS],
): Promise<Leaks['findings']> => lookInto(sketches, { source, live, seconds }, (_, { findings }) => findings)

interface Lookable {
  readonly source?: string | Readonly<Record<string, string>>
  readonly live?: LiveView | undefined
  readonly seconds?: readonly number[]
  readonly pausedMs?: readonly number[]
}

/** The same, for whoever wants the heaps as well while they are open. */
export async function lookInto<T>(
  sketches: readonly Sketch[],
  { source = '', live, seconds = [0, SECONDS, 2 * SECONDS], pausedMs }: Lookable,
  work: (captures: Captures, leaks: Leaks) => T,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-detectors-'))
  const isolates: IsolateHeap[] = []
  try {
    for (const [i, draw] of sketches.entries()) {
      const ids = new Map<string, number>()
      const files = [0, 1, 2].map((step) => {
        const drawing = new Drawing(ids)
        draw(drawing, step)
        const file = join(folder, `${i}-${step}.heapsnapshot`)
        writeFileSync(file, drawing.write())
        return file
      })
      const heap = await openSeries(files, { index: false })
      const looked = await lookForSuspects(i === 0 ? 'main' : `worker:${i}`, heap, seconds)
      const found = pausedMs ? { ...looked, pausedMs } : looked
      isolates.push(live ? { ...found, live: new Map(viewsToAsk(found).map((id) => [id, live])) } : found)
    }
    const sources = typeof source === 'string' ? { [MODULE]: source } : source
    const captures = { isolates, readSource: (url: string) => sources[url] || undefined }
    const leaks = findLeaks(captures)
    checkEvidence([...leaks.findings, ...leaks.undecided])
    checkOrder(captures)
    return work(captures, leaks)
  } finally {
    await Promise.all(isolates.map(({ heap }) => heap.opened.close()))
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The numbers from 0 to `count` - 1, each made into something. */
export const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
