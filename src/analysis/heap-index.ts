// What an index holds of a heap, beside what reading has put there: writing it, and a heap that comes from one.

import { closeSync, openSync } from 'node:fs'
import { type Dominators, dominatorsOf } from '../graph/dominators.ts'
import { HeapGraph } from '../graph/heap-graph.ts'
import type { Ownership } from '../graph/ownership.ts'
import type { Column } from '../snapshot/column-store.ts'
import type { IndexReader, IndexWriter } from '../snapshot/index-file.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { StringTable } from '../snapshot/strings.ts'
import { readFully } from '../support/descriptors.ts'
import { setLazily } from '../support/lazily.ts'
import type { SecondThread } from '../support/second-thread.ts'
import type { Classes, ClassRow } from './classes.ts'

/** A heap with all that takes long worked out. */
export interface Heap {
  readonly graph: HeapGraph
  readonly classes: Classes
  /** The class table; sizes in bytes. In no particular order. */
  readonly classRows: readonly ClassRow[]
  readonly fromIndex: boolean
  /** When the index is written, or is known not to be; never rejects. A process stays alive until then. */
  readonly settled: Promise<void>
  /** Lets go of files. */
  release(): void
}

/** What an index has beside its columns. */
interface Values {
  readonly nodeCount: number
  readonly edgeCount: number
  readonly extraNativeBytes: number
  readonly stringBytesAt: number
  readonly stringByteLength: number
  readonly packed: boolean
  readonly classNames: readonly string[]
  readonly classKeys: readonly string[]
  readonly classLocations: readonly number[]
  /** By class number; null for one that no node with a size is of. */
  readonly classRows: readonly ([count: number, shallowBytes: number, retainedBytes: number] | null)[]
}

/** Writes what is not written yet; an index is good to have, but no reason to fail. */
export async function writeIndex(
  writer: IndexWriter,
  graph: HeapGraph,
  classes: Classes,
  rows: readonly ClassRow[],
  second: SecondThread | undefined,
): Promise<void> {
  try {
    const { snapshot, ownership, dominators, retainedSizes } = graph
    const { order, above } = dominators
    const { nodeType, firstEdge, edges, locations, strings, packed } = snapshot
    const columns: Record<string, Column> = {
      nodeType,
      firstEdge,
      edges,
      locationNode: locations.node,
      locationSite: locations.site,
      locationScript: locations.script,
      locationLine: locations.line,
      locationColumn: locations.column,
      stringStarts: strings.raw.stringStarts,
      ...(packed && { stringBytes: strings.raw.stringBytes }),
      order,
      above,
      retainedSizes,
      classOf: classes.of,
    }
    // Some are there already; who asks the snapshot for those would bring them back into memory.
    for (const name of ['nodeName', 'selfSize', 'nodeId', 'edgeNameOrIndex'] as const) {
      if (!writer.has(name)) columns[name] = snapshot[name]
    }
    for (const name of ['owner', 'shallowSize'] as const) if (!writer.has(name)) columns[name] = ownership[name]
    await writer.write(columns, second)
    const byKey = new Map(rows.map((row) => [row.key, row]))
    const values: Values = {
      nodeCount: snapshot.nodeCount,
      edgeCount: snapshot.edgeCount,
      extraNativeBytes: snapshot.extraNativeBytes,
      stringBytesAt: snapshot.stringBytesAt,
      stringByteLength: snapshot.strings.raw.stringBytes.length,
      packed: snapshot.packed,
      classNames: classes.names,
      classKeys: classes.keys,
      classLocations: classes.locations,
      classRows: classes.keys.map((key) => {
        const row = byKey.get(key)
        return row ? [row.count, row.shallowBytes, row.retainedBytes] : null
      }),
    }
    writer.finish({ ...values })
  } catch {
    writer.close()
  }
}

/** A heap whose columns are read from the index when somebody asks for them. */
export function fromIndex(file: string, fileBytes: number, index: IndexReader): Heap {
  const values = index.values as unknown as Values
  const { nodeCount, edgeCount, extraNativeBytes, stringBytesAt, stringByteLength, packed } = values
  const uint32 = (name: string): Uint32Array => index.load(name) as Uint32Array
  const numbers = (name: string): Uint32Array | Float64Array => index.load(name) as Uint32Array | Float64Array

  const snapshot = { file, fileBytes, nodeCount, edgeCount, extraNativeBytes, stringBytesAt, packed } as Snapshot
  setLazily(snapshot, 'nodeType', () => index.load('nodeType') as Uint8Array)
  setLazily(snapshot, 'selfSize', () => numbers('selfSize'))
  for (const name of ['nodeName', 'nodeId', 'firstEdge', 'edges', 'edgeNameOrIndex'] as const) {
    setLazily(snapshot, name, () => uint32(name))
  }
  setLazily(snapshot, 'locations', () => ({
    node: uint32('locationNode'),
    site: index.load('locationSite') as Snapshot['locations']['site'],
    script: uint32('locationScript'),
    line: uint32('locationLine'),
    column: uint32('locationColumn'),
  }))
  setLazily(
    snapshot,
    'strings',
    () =>
      new StringTable(
        packed ? () => index.load('stringBytes') as Uint8Array : () => readPart(file, stringBytesAt, stringByteLength),
        numbers('stringStarts'),
      ),
  )

  const known = {} as { ownership: Ownership; dominators: Dominators; retainedSizes: Uint32Array | Float64Array }
  setLazily(known, 'ownership', () => ({ owner: uint32('owner'), shallowSize: numbers('shallowSize') }))
  setLazily(known, 'retainedSizes', () => numbers('retainedSizes'))
  setLazily(known, 'dominators', () => dominatorsOf(uint32('order'), uint32('above')))

  const { classNames: names, classKeys: keys, classLocations: locations } = values
  const classes = { names, keys, locations } as unknown as Classes
  setLazily(classes, 'of', () => index.load('classOf') as Classes['of'])
  const rows = values.classRows.flatMap((row, number) => {
    if (!row) return []
    const [count, shallowBytes, retainedBytes] = row
    return {
      key: keys[number]!,
      name: names[number]!,
      count,
      shallowBytes,
      retainedBytes,
      location: locations[number]!,
    }
  })
  return {
    graph: new HeapGraph(snapshot, known),
    classes,
    classRows: rows,
    fromIndex: true,
    settled: Promise.resolve(),
    release: () => index.close(),
  }
}

function readPart(file: string, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const fd = openSync(file, 'r')
  try {
    readFully(fd, bytes, 0, at, length)
  } finally {
    closeSync(fd)
  }
  return bytes
}
