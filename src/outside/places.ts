// Where functions stand in their scripts: script id, line and column, as V8's snapshots say.

import type { Locations } from '../snapshot/snapshot.ts'
import { sharedUint16, sharedUint32 } from '../support/shared.ts'
import { TupleInterner } from '../support/tuple-interner.ts'
import { type Heap, NOWHERE } from './heap.ts'
import type { Scopes } from './scopes.ts'
import type { Texts } from './texts.ts'

/** Words of a Script, in front of and behind the one that a constant tells. */
const LINE_OFFSET = 3
const COLUMN_OFFSET = 4
const ID_BEHIND_LINE_ENDS = 1
/** Words of a SharedFunctionInfo, among which one leads to what V8 knows of a function that it has not compiled. */
const DATA_FIELDS = 4
const MAX_NARROW = 0x10000

export class Places {
  readonly #heap: Heap
  readonly #texts: Texts
  readonly #scopes: Scopes
  readonly #sites = new TupleInterner(3)
  /** By SharedFunctionInfo: number of the place, or NOWHERE. */
  readonly #siteOf = new Map<number, number>()
  readonly #lineEnds = new Map<number, Uint32Array | undefined>()
  #nodes = new Uint32Array(1 << 12)
  #nodeSites = new Uint32Array(1 << 12)
  #count = 0

  constructor(heap: Heap, texts: Texts, scopes: Scopes) {
    this.#heap = heap
    this.#texts = texts
    this.#scopes = scopes
  }

  /** Notes that `node` comes from where the function at `word` stands. */
  add(node: number, word: number): void {
    const shared = this.#heap.target(word + this.#heap.layout.fields.functionShared)
    const site = shared < 0 ? NOWHERE : this.#site(shared)
    if (site < 0) return
    if (this.#count === this.#nodes.length) {
      this.#nodes = doubled(this.#nodes)
      this.#nodeSites = doubled(this.#nodeSites)
    }
    this.#nodes[this.#count] = node
    this.#nodeSites[this.#count++] = site
  }

  #site(shared: number): number {
    let site = this.#siteOf.get(shared)
    if (site === undefined) {
      site = this.#findSite(shared)
      this.#siteOf.set(shared, site)
    }
    return site
  }

  /**
   * Where the function at `word` stands, or, of a position in its script that is not NOWHERE, where that is; lines and
   * columns from 1 on.
   */
  placeOf(word: number, position: number): { url: string; line: number; column: number } | undefined {
    const heap = this.#heap
    const shared = heap.target(word + heap.layout.fields.functionShared)
    const script = shared < 0 ? NOWHERE : this.#scriptOf(shared)
    if (script < 0) return undefined
    const found = this.#at(script, position) ?? this.#at(script, this.#startOf(shared))
    const name = heap.target(script + heap.layout.fields.scriptName)
    const url = name >= 0 && this.#texts.isString(name) ? this.#texts.text(name) : ''
    return found ? { url, line: found.line + 1, column: found.column + 1 } : { url, line: 0, column: 0 }
  }

  #scriptOf(shared: number): number {
    const heap = this.#heap
    const { fields, types } = heap.layout
    const script = heap.target(shared + (fields.sharedScript >= 0 ? fields.sharedScript : fields.sharedScriptNewer))
    return heap.typeAt(script) === types.SCRIPT ? script : NOWHERE
  }

  #findSite(shared: number): number {
    const heap = this.#heap
    const script = this.#scriptOf(shared)
    const found = script < 0 ? undefined : this.#at(script, this.#startOf(shared))
    if (!found) return NOWHERE
    const id = heap.smi(script + heap.layout.fields.scriptLineEnds + ID_BEHIND_LINE_ENDS)
    return this.#sites.intern(id >>> 0, found.line, found.column)
  }

  #at(script: number, start: number): { line: number; column: number } | undefined {
    const heap = this.#heap
    const { fields } = heap.layout
    if (start < 0) return undefined
    let ends = this.#lineEnds.get(script)
    if (!ends && !this.#lineEnds.has(script)) {
      const source = heap.target(script + fields.scriptSource)
      ends = source < 0 ? undefined : this.#texts.lineEnds(source)
      this.#lineEnds.set(script, ends)
    }
    if (!ends || start > ends.at(-1)!) return undefined
    const line = firstAtLeast(ends, start)
    const column = start - (line === 0 ? 0 : ends[line - 1]! + 1)
    const lineOffset = heap.isSmi(script + LINE_OFFSET) ? heap.smi(script + LINE_OFFSET) : 0
    const columnOffset = line === 0 && heap.isSmi(script + COLUMN_OFFSET) ? heap.smi(script + COLUMN_OFFSET) : 0
    return { line: (line + lineOffset) >>> 0, column: (column + columnOffset) >>> 0 }
  }

  #startOf(shared: number): number {
    const heap = this.#heap
    const { fields, types, typeNames, uncompiledStartByte } = heap.layout
    const named = heap.target(shared + fields.sharedName)
    if (heap.typeAt(named) === types.SCOPE_INFO) {
      const { start } = this.#scopes.of(named)
      if (start >= 0) return start
    }
    for (let at = shared + 1; at < shared + DATA_FIELDS; at++) {
      const data = heap.target(at)
      if (data >= 0 && typeNames.get(heap.typeAt(data))?.startsWith('UncompiledData')) {
        return heap.i32[(8 * data + uncompiledStartByte) >> 2]!
      }
    }
    return NOWHERE
  }

  finish(): Locations {
    const node = sharedUint32(this.#count)
    node.set(this.#nodes.subarray(0, this.#count))
    const site = this.#sites.size > MAX_NARROW ? sharedUint32(this.#count) : sharedUint16(this.#count)
    site.set(this.#nodeSites.subarray(0, this.#count))
    const [script, line, column] = [0, 1, 2].map((part) => {
      const values = sharedUint32(this.#sites.size)
      for (let i = 0; i < values.length; i++) values[i] = this.#sites.part(i, part)
      return values
    }) as [Uint32Array, Uint32Array, Uint32Array]
    return { node, site, script, line, column }
  }
}

/** Index of the first number that is no less, by bisection. */
function firstAtLeast(values: Uint32Array, wanted: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (values[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}

function doubled(values: Uint32Array): Uint32Array<ArrayBuffer> {
  const more = new Uint32Array(2 * values.length)
  more.set(values)
  return more
}
