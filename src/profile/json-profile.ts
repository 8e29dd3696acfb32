// Reads V8's profiles: `.cpuprofile` as Chrome and Node write it now and as they once did, and `.heapprofile`.

import type { LeakscopeError } from '../errors.ts'
import type { Slices } from '../support/breathing.ts'
import { FrameTable, type LooseTree, MAX_NODES, malformed } from './call-tree.ts'
import { growableFloats, growableInts } from './growable.ts'
import { type JsonReader, Token } from './json-reader.ts'

/** What a file's first name at its top tells of it, if it is none of ours. */
const OTHERS: Readonly<Record<string, string>> = {
  snapshot: 'is a heap snapshot; `leakscope analyze` reads those',
  traceEvents: "is a trace of Chrome's Performance panel, not a CPU profile",
  $schema: "is in speedscope's own format",
  shared: "is in speedscope's own format",
  stackTable: "is in Firefox's format",
  threads: "is in Firefox's format",
}
const WHAT_WE_READ = 'What can be read: .cpuprofile, .heapprofile, pprof (.pb.gz) and folded stacks.'
/** Ticks or bytes beyond this are no measurement. */
const MOST = Number.MAX_SAFE_INTEGER
/** Lines and columns from here on are no place in a script. */
const MAX_PLACE = 2 ** 31 - 1
const BREATHE_EVERY = 4096

/** A node while its object is open; names as in the file. */
interface OpenNode {
  readonly node: number
  /** Whether its children stand inside of it; else `children` are ids. */
  readonly nested: boolean
  /** Depth in the JSON of what is inside the object. */
  readonly depth: number
  functionName: string
  url: string
  line: number
  column: number
}

/** @throws LeakscopeError `profile-malformed` */
export function* readJsonProfile(file: string, reader: JsonReader): Slices<LooseTree> {
  return yield* new V8Profile(file, reader).read()
}

class V8Profile {
  readonly #file: string
  readonly #reader: JsonReader
  readonly #frames = new FrameTable()
  /** By node: where the object that holds it is nested, its parent; -1 else. */
  readonly #parent = growableInts()
  readonly #frame = growableInts()
  readonly #line = growableInts()
  /** By node: hits of the sampler, or bytes. */
  readonly #self = growableFloats()
  /** By node that stands in the file: its id. */
  readonly #ids = growableFloats()
  /** Pairs: a node, and the id of one of its children. */
  readonly #childOf = growableInts()
  readonly #childId = growableFloats()
  /** Triples: ticks of lines, by node. */
  readonly #tickNode = growableInts()
  readonly #tickLine = growableInts()
  readonly #ticks = growableInts()
  /** Nodes that name their parent, and its id, as in traces. */
  readonly #orphan = growableInts()
  readonly #parentId = growableFloats()
  readonly #samples = growableFloats()
  #hasHits = false
  #hasBytes = false
  #steps = 0

  constructor(file: string, reader: JsonReader) {
    this.#file = file
    this.#reader = reader
  }

  *read(): Slices<LooseTree> {
    const reader = this.#reader
    let start: number | undefined
    let end: number | undefined
    let samples = false
    let body: 'nodes' | 'head' | undefined
    if (reader.next() !== Token.open) throw this.#foreign('is JSON, but no profile of V8')
    while (reader.next() === Token.key) {
      const key = reader.text
      if (key === 'nodes' || key === 'head') {
        if (body !== undefined) throw this.#wrong(`'${body}' and '${key}' are both there`)
        body = key
        yield* this.#nodes(key === 'head')
      } else if (key === 'samples') {
        samples = true
        yield* this.#readSamples()
      } else if (key === 'startTime') start = reader.takeNumber('startTime')
      else if (key === 'endTime') end = reader.takeNumber('endTime')
      else if (body === undefined && Object.hasOwn(OTHERS, key)) throw this.#foreign(OTHERS[key]!)
      else yield* this.#skip()
    }
    reader.next()
    if (body === undefined) throw this.#foreign('is JSON, but no profile of V8: it has no nodes')
    if (this.#hasHits && this.#hasBytes) throw this.#wrong('it has hits of a CPU profile and bytes of a heap profile')
    const heap = this.#hasBytes
    if (!heap && !this.#hasHits && !samples) throw this.#foreign('is JSON, but no profile of V8: its nodes say nothing')
    if (body === 'nodes') this.#link()
    if (heap) return this.#tree([{ name: 'space', unit: 'bytes' }], [this.#self.view()], null, null)

    if (!this.#hasHits) this.#countSamples()
    this.#spreadOverLines()
    // The old format counts in seconds, and is the only one that has its nodes in one another.
    const us = (body === 'head' ? 1e6 : 1) * ((end ?? Number.NaN) - (start ?? Number.NaN))
    const hits = this.#self.view()
    const total = hits.reduce((sum, each) => sum + each, 0)
    if (!(us > 0 && us <= MOST) || total === 0) {
      return this.#tree([{ name: 'samples', unit: 'count' }], [hits], us > 0 && us <= MOST ? us / 1000 : null, null)
    }
    // As Chrome DevTools does: each sample stands for the mean time between two.
    const time = Float64Array.from(hits, (each) => (each * us) / total)
    const types = [
      { name: 'samples', unit: 'count' },
      { name: 'cpu', unit: 'microseconds' },
    ]
    return this.#tree(types, [hits, time], us / 1000, us / total)
  }

  /** The array of nodes, or the one at the head with all others inside. No recursion: stacks may be deep. */
  *#nodes(nested: boolean): Slices<void> {
    const reader = this.#reader
    const open: OpenNode[] = []
    if (!nested) reader.take(Token.openArray, "'nodes'")
    const base = reader.depth
    for (;;) {
      if (++this.#steps % BREATHE_EVERY === 0) yield
      const token = reader.next()
      const current = open.at(-1)
      if (token === Token.open) {
        open.push(this.#begin(current, nested))
      } else if (token === Token.closeArray) {
        if (current === undefined) return
      } else if (token === Token.close && current) {
        this.#finish(current)
        open.pop()
        if (nested && reader.depth === base) return
      } else if (token === Token.key && current && reader.depth === current.depth) {
        this.#field(current, reader.text)
      } else throw reader.wrong(current === undefined ? 'a node is not an object' : 'a child is not an object')
    }
  }

  #begin(above: OpenNode | undefined, nested: boolean): OpenNode {
    const node = this.#parent.length
    if (node >= MAX_NODES) throw this.#wrong(`it has more than ${MAX_NODES} nodes`)
    this.#parent.push(above === undefined ? -1 : above.node)
    this.#frame.push(0)
    this.#line.push(0)
    this.#self.push(0)
    this.#ids.push(Number.NaN)
    return { node, nested, depth: this.#reader.depth, functionName: '', url: '', line: 0, column: 0 }
  }

  #field(open: OpenNode, key: string): void {
    const reader = this.#reader
    const { node } = open
    switch (key) {
      case 'callFrame':
        reader.take(Token.open, 'callFrame')
        while (reader.next() === Token.key) this.#place(open, reader.text, 1)
        return
      case 'id':
        this.#ids.set(node, reader.takeNumber('the id of a node'))
        return
      case 'hitCount':
        this.#hasHits = true
        this.#self.set(node, this.#amount('hitCount'))
        return
      case 'selfSize':
        this.#hasBytes = true
        this.#self.set(node, this.#amount('selfSize'))
        return
      case 'parent':
        this.#orphan.push(node)
        this.#parentId.push(reader.takeNumber('the parent of a node'))
        return
      case 'positionTicks':
        this.#readTicks(node)
        return
      case 'children':
        reader.take(Token.openArray, 'children')
        if (open.nested) return
        for (let token = reader.next(); token !== Token.closeArray; token = reader.next()) {
          if (token !== Token.number) throw reader.wrong('the id of a child is not a number')
          this.#childOf.push(node)
          this.#childId.push(reader.number)
        }
        return
      default:
        // In the old format a call's place stands in the node itself, and counts from 1.
        this.#place(open, key, 0)
    }
  }

  /** Takes a name of a call frame, or steps over its value if it is none. */
  #place(open: OpenNode, key: string, first: 0 | 1): void {
    const reader = this.#reader
    if (key === 'functionName') open.functionName = reader.takeText(key)
    else if (key === 'url') open.url = reader.takeText(key)
    else if (key === 'lineNumber') open.line = placeOf(reader.takeNumber(key) + first)
    else if (key === 'columnNumber') open.column = placeOf(reader.takeNumber(key) + first)
    else reader.skip()
  }

  #finish({ node, functionName, url, line, column }: OpenNode): void {
    this.#frame.set(node, this.#frames.add(functionName || '(anonymous)', url, line, column))
  }

  #readTicks(node: number): void {
    const reader = this.#reader
    reader.take(Token.openArray, 'positionTicks')
    for (let token = reader.next(); token !== Token.closeArray; token = reader.next()) {
      if (token !== Token.open) throw reader.wrong('a tick is not an object')
      let line = 0
      let ticks = 0
      while (reader.next() === Token.key) {
        if (reader.text === 'line') line = placeOf(reader.takeNumber('line'))
        else if (reader.text === 'ticks') ticks = this.#amount('ticks')
        else reader.skip()
      }
      if (line === 0 || ticks === 0) continue
      this.#tickNode.push(node)
      this.#tickLine.push(line)
      this.#ticks.push(ticks)
    }
  }

  #amount(what: string): number {
    const value = this.#reader.takeNumber(what)
    if (value < 0 || value > MOST) throw this.#reader.wrong(`${what} is ${value}`)
    return value
  }

  /** Ids of the nodes that were seen; only where nodes have no counts of their own they are needed. */
  *#readSamples(): Slices<void> {
    const reader = this.#reader
    reader.take(Token.openArray, 'samples')
    const base = reader.depth
    for (;;) {
      if (++this.#steps % BREATHE_EVERY === 0) yield
      const token = reader.next()
      if (token === Token.number && reader.depth === base) {
        if (!this.#hasHits) this.#samples.push(reader.number)
      } else if (reader.depth < base) return
    }
  }

  /** Steps over what may be long: the times of all samples. */
  *#skip(): Slices<void> {
    const depth = this.#reader.depth
    do {
      if (++this.#steps % BREATHE_EVERY === 0) yield
      this.#reader.next()
    } while (this.#reader.depth > depth)
  }

  /** Finds each node's parent by the ids of children. */
  #link(): void {
    const byId = this.#byId()
    const adopt = (node: number, parent: number): void => {
      if (this.#parent.at(node) >= 0) throw this.#wrong(`node ${this.#ids.at(node)} has two callers`)
      this.#parent.set(node, parent)
    }
    const missing = (id: number, who: number, what: string) =>
      this.#wrong(`node ${this.#ids.at(who)} names ${id} as its ${what}, which is not in the file`)
    for (let i = 0; i < this.#childOf.length; i++) {
      const child = byId.get(this.#childId.at(i))
      if (child === undefined) throw missing(this.#childId.at(i), this.#childOf.at(i), 'callee')
      adopt(child, this.#childOf.at(i))
    }
    for (let i = 0; i < this.#orphan.length; i++) {
      const node = this.#orphan.at(i)
      const parent = byId.get(this.#parentId.at(i))
      if (parent === undefined) throw missing(this.#parentId.at(i), node, 'caller')
      // Some writers give both, which may agree.
      if (this.#parent.at(node) !== parent) adopt(node, parent)
    }
    for (let node = 1; node < this.#parent.length; node++) {
      // Where even the first node has a caller, all go round in a circle, which is found later.
      if (this.#parent.at(node) >= 0 || this.#parent.at(0) >= 0) continue
      const name = this.#frames.name(this.#frame.at(node))
      throw this.#wrong(`node ${this.#ids.at(node)} (${name}) has no caller`)
    }
  }

  #byId(): Map<number, number> {
    const byId = new Map<number, number>()
    for (let node = 0; node < this.#ids.length; node++) {
      const id = this.#ids.at(node)
      if (Number.isNaN(id)) throw this.#wrong('a node has no id')
      if (byId.has(id)) throw this.#wrong(`two nodes have the id ${id}`)
      byId.set(id, node)
    }
    return byId
  }

  #countSamples(): void {
    const byId = this.#byId()
    for (let i = 0; i < this.#samples.length; i++) {
      const node = byId.get(this.#samples.at(i))
      if (node === undefined) throw this.#wrong(`a sample is of node ${this.#samples.at(i)}, which is not in the file`)
      this.#self.add(node, 1)
    }
  }

  /** What a node's ticks say of its lines becomes a node for each, beside it. */
  #spreadOverLines(): void {
    const ticks = this.#ticks.length
    for (let i = 0; i < ticks; i++) {
      const node = this.#tickNode.at(i)
      // More ticks than hits: what is over belongs nowhere.
      const own = Math.min(this.#ticks.at(i), this.#self.at(node))
      if (own === 0) continue
      this.#self.add(node, -own)
      this.#parent.push(this.#parent.at(node))
      this.#frame.push(this.#frame.at(node))
      this.#line.push(this.#tickLine.at(i))
      this.#self.push(own)
    }
  }

  #tree(
    sampleTypes: LooseTree['sampleTypes'],
    self: readonly Float64Array[],
    durationMs: number | null,
    period: number | null,
  ): LooseTree {
    return {
      frames: this.#frames,
      parent: this.#parent.view(),
      frame: Uint32Array.from(this.#frame.view()),
      line: Uint32Array.from(this.#line.view()),
      sampleTypes,
      self,
      durationMs,
      period,
      nameOf: (node) => {
        const id = node < this.#ids.length ? this.#ids.at(node) : Number.NaN
        const name = this.#frames.name(this.#frame.at(node))
        return Number.isNaN(id) ? name : `${id} (${name})`
      },
    }
  }

  #foreign(what: string): LeakscopeError {
    return malformed(this.#file, what, WHAT_WE_READ)
  }

  #wrong(what: string): LeakscopeError {
    return malformed(this.#file, what)
  }
}

/** A 1-based line or column; 0 for what cannot be one, as V8 says of functions without a script. */
const placeOf = (value: number): number => (value > 0 && value <= MAX_PLACE ? Math.floor(value) : 0)
