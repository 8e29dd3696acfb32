// From a file's name to a heap that can be asked anything, in the shortest time: by two threads, or from an index.

import { statSync } from 'node:fs'
import { computeDominators, computeRetainedSizes } from '../graph/dominators.ts'
import { HeapGraph } from '../graph/heap-graph.ts'
import type { ClassTree } from '../graph/loops.ts'
import { callFindOwners, callMoveSizes, type Ownership } from '../graph/ownership.ts'
import { indexPath, makeRoom, touchIndex } from '../snapshot/index-cache.ts'
import { IndexReader, IndexWriter } from '../snapshot/index-file.ts'
import { type ReadOptions, readSnapshot } from '../snapshot/read.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { arenaCopy, arenaOf, arenaUint32 } from '../support/arena.ts'
import { breathing, unlessAborted } from '../support/breathing.ts'
import { setLazily } from '../support/lazily.ts'
import { Scratch } from '../support/scratch.ts'
import { type SecondThread, startSecondThread } from '../support/second-thread.ts'
import {
  type Classes,
  type ClassTotals,
  callClassify,
  callClassTotals,
  callClassTree,
  classify,
  classRows,
} from './classes.ts'
import { fromIndex, type Heap, writeIndex } from './heap-index.ts'

export interface OpenOptions extends ReadOptions {
  /**
   * Whether to use, and to leave behind, an index: a file in the cache folder that makes the next opening of a large
   * snapshot instant. Default true.
   */
  readonly index?: boolean
}

export interface OpenedSnapshot extends Omit<Heap, 'release'> {
  /**
   * Has retaining paths worked out beside whatever else goes on, where there is a second thread.
   * @throws the signal's reason as soon as it is aborted
   */
  preparePaths(signal?: AbortSignal): Promise<void>
  /** The same for who refers to whom. */
  prepareRetainers(signal?: AbortSignal): Promise<void>
  /** Lets go of files and threads; columns that were not asked for before cannot be had any more. */
  close(): Promise<void>
}

/** From which size on, in bytes, a file is worth what it costs; a smaller one is read before a thread has started. */
const WORTH = { thread: 16e6, index: 128e6 }
/** How much larger than its snapshot an index can be; in fact it is about as large. */
const INDEX_RATIO = 1.25

/**
 * Opens a heap snapshot (`.heapsnapshot`, or gzipped): reads it and works out dominators, retained sizes and classes.
 *
 * Memory: some 40 bytes a node and 8 an edge at the highest, beside the strings of the file.
 * @throws LeakscopeError as `readSnapshot` does, and the signal's reason soon after it is aborted
 */
export const openSnapshot = (file: string, options: OpenOptions = {}): Promise<OpenedSnapshot> =>
  openWorth(file, options)

/** With the thread that it was opened with. */
interface OpenedByTwo extends OpenedSnapshot {
  readonly second: SecondThread | undefined
}

/** The same, where what a file is worth is told. */
export async function openWorth(file: string, options: OpenOptions, worth = WORTH): Promise<OpenedByTwo> {
  const { index = true, signal } = options
  const size = sizeOf(file)
  const second = size >= worth.thread ? startSecondThread() : undefined
  const path = index && size >= worth.index ? tryTo(() => indexPath(file)) : undefined
  let writer: IndexWriter | undefined
  let heap: Heap | undefined
  try {
    const reader = path === undefined ? undefined : await IndexReader.open(path, second, signal)
    if (reader && path !== undefined) {
      touchIndex(path)
      heap = fromIndex(file, size, reader)
    } else {
      const room = path !== undefined && tryTo(() => makeRoom(size * INDEX_RATIO))
      writer = room ? tryTo(() => new IndexWriter(path)) : undefined
      heap = await openAnew(file, options, second, writer)
    }
  } finally {
    if (!heap) {
      writer?.close()
      await second?.close()
    }
  }
  return openedFrom(heap, second)
}

function openedFrom(heap: Heap, second: SecondThread | undefined): OpenedByTwo {
  const { release, ...opened } = heap
  return {
    ...opened,
    second,
    preparePaths: async (stop) => {
      if (second) await unlessAborted(heap.graph.preparePaths(second), stop)
    },
    prepareRetainers: async (stop) => {
      if (second) await unlessAborted(heap.graph.prepareRetainers(second), stop)
    },
    async close() {
      await heap.settled
      release()
      await second?.close()
    },
  }
}

/** From which number of nodes on a heap that is in memory is worth a second thread. */
const WORTH_A_THREAD_NODES = 300_000

/** The same for columns that did not come out of a file: no index is left. */
export async function openColumns(
  snapshot: Snapshot,
  { signal }: Pick<OpenOptions, 'signal'> = {},
): Promise<OpenedSnapshot> {
  const isLarge = snapshot.nodeCount >= WORTH_A_THREAD_NODES
  const second = isLarge ? startSecondThread() : undefined
  const writer = isLarge ? tryTo(() => new IndexWriter()) : undefined
  const scratch = new Scratch(snapshot.nodeCount, arenaOf(snapshot.firstEdge, snapshot.edges))
  let heap: Heap | undefined
  try {
    if (writer) await lendColumns(snapshot, scratch, writer)
    heap = await workOutHeap(snapshot, scratch, second, writer, signal)
  } finally {
    if (!heap) {
      writer?.close()
      await second?.close()
    }
  }
  return openedFrom(heap, second)
}

/** Has columns wait in a file until somebody asks for them, and lends their memory to what is worked out first. */
async function lendColumns(snapshot: Snapshot, scratch: Scratch, writer: IndexWriter): Promise<void> {
  const { nodeCount, nodeId, edgeNameOrIndex } = snapshot
  if (
    !(await writer.write({ nodeId, edgeNameOrIndex }).then(
      () => true,
      () => false,
    ))
  )
    return
  setLazily(snapshot, 'nodeId', () => writer.load('nodeId') as Uint32Array)
  const load = (into: Uint32Array): Uint32Array => writer.load('edgeNameOrIndex', into) as Uint32Array
  setLazily(snapshot, 'edgeNameOrIndex', () => load(arenaUint32(scratch.arena, edgeNameOrIndex.length)))
  Object.assign(snapshot, { peekAt: writer.peek.bind(writer) })
  scratch.give(nodeId)
  for (let at = 0; at + nodeCount <= edgeNameOrIndex.length; at += nodeCount)
    scratch.give(edgeNameOrIndex.subarray(at, at + nodeCount))
}

function sizeOf(file: string): number {
  const stats = tryTo(() => statSync(file))
  return stats?.isFile() ? stats.size : 0
}

/** For what is good to have, but no reason to fail. */
function tryTo<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}

async function openAnew(
  file: string,
  options: OpenOptions,
  second: SecondThread | undefined,
  index: IndexWriter | undefined,
): Promise<Heap> {
  const { signal } = options
  const snapshot = await readSnapshot(file, options, second, index)
  const scratch = new Scratch(snapshot.nodeCount, arenaOf(snapshot.firstEdge, snapshot.edges))
  return workOutHeap(snapshot, scratch, second, index?.isOpen ? index : undefined, signal)
}

async function workOutHeap(
  snapshot: Snapshot,
  scratch: Scratch,
  second: SecondThread | undefined,
  writer: IndexWriter | undefined,
  signal: AbortSignal | undefined,
): Promise<Heap> {
  const { graph, classes, totals, tree }: WorkedOut = second
    ? await workOut(snapshot, scratch, second, writer, signal)
    : await workOutAlone(snapshot, scratch, signal)
  const rows = classRows(graph, classes, totals, tree)
  const settled = writer?.hasName ? writeIndex(writer, graph, classes, rows, second) : Promise.resolve()
  return { graph, classes, classRows: rows, fromIndex: false, settled, release: () => writer?.close() }
}

interface WorkedOut {
  readonly graph: HeapGraph
  readonly classes: Classes
  /** What the class table is made of, as far as it is there already. */
  readonly totals?: ClassTotals
  readonly tree?: ClassTree
}

async function workOutAlone(snapshot: Snapshot, scratch: Scratch, signal: AbortSignal | undefined): Promise<WorkedOut> {
  const dominators = await breathing(computeDominators(snapshot, scratch), signal)
  const graph = new HeapGraph(snapshot, { dominators }, scratch)
  const classes = classify(snapshot)
  return { graph, classes }
}

/** While this thread searches the edges, the other one looks at the nodes. */
async function workOut(
  snapshot: Snapshot,
  scratch: Scratch,
  second: SecondThread,
  writer: IndexWriter | undefined,
  signal: AbortSignal | undefined,
): Promise<WorkedOut> {
  const { nodeName, selfSize } = snapshot
  // All is said at once, as this thread will not look up for long.
  const owner = arenaUint32(scratch.arena, snapshot.nodeCount)
  const owners = callFindOwners(second, snapshot, owner)
  const classified = callClassify(second, snapshot)
  let sizes = selfSize
  let written: Promise<void> | undefined
  if (writer) {
    // Once they are in the file, the sizes become the shallow ones.
    written = writer.write({ nodeName, selfSize }, second)
  } else {
    sizes = arenaCopy(selfSize)
  }
  const moved = all(written, callMoveSizes(second, snapshot, sizes, owner))
  const meanwhile = Promise.all([owners, classified, moved]).then(async ([, classes, shallowSize]) => {
    const totals = callClassTotals(second, classes, shallowSize)
    if (!writer) return totals
    await writer.write({ owner, shallowSize }, second)
    setLazily(snapshot, 'nodeName', () => writer.load('nodeName') as Uint32Array)
    setLazily(snapshot, 'selfSize', () => writer.load('selfSize') as typeof selfSize)
    // What is in the file leaves its memory to the dominators; side by side, names and sizes are worth most.
    scratch.give(nodeName, selfSize, owner)
    return totals
  })
  // If something else fails first, nobody waits for it.
  meanwhile.catch(() => {})

  const dominators = await breathing(computeDominators(snapshot, scratch, second, meanwhile), signal)
  const ownership = { owner, shallowSize: await moved }
  if (writer) {
    const into = ownership.shallowSize instanceof Uint32Array ? scratch.take() : undefined
    ownership.shallowSize = writer.load('shallowSize', into) as Ownership['shallowSize']
    setLazily(ownership, 'owner', () => writer.load('owner') as Uint32Array)
  }
  const classes = await classified
  const grown = callClassTree(second, scratch, dominators, ownership, classes)
  const retainedSizes = computeRetainedSizes(dominators, ownership.shallowSize, scratch)
  const graph = new HeapGraph(snapshot, { ownership, dominators, retainedSizes }, scratch)
  return { graph, classes, totals: await meanwhile, tree: await grown }
}

/** The last one's value, once both are there. */
const all = async <T>(first: Promise<unknown> | undefined, last: Promise<T>): Promise<T> =>
  (await Promise.all([first, last]))[1]
