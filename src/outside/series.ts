// Pictures of one process, one after the other: an object has the same id in all of them.

import { setImmediate } from 'node:timers/promises'
import type { Column } from '../snapshot/column-store.ts'
import { IndexWriter } from '../snapshot/index-file.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { StringTable } from '../snapshot/strings.ts'
import { arenaUint32, makeArena } from '../support/arena.ts'
import { collectGarbage } from '../support/garbage.ts'
import { setLazily } from '../support/lazily.ts'
import { type FreeIds, freeIdsBehind, type Picture, recognize } from './identity.ts'
import type { OutsideCapture } from './open.ts'
import type { Traces } from './traces.ts'

interface Last {
  picture: Picture
  readonly free: FreeIds
  /** Where the picture waits. */
  file?: IndexWriter
}

export class PictureSeries {
  readonly #last = new Map<string, Last>()

  /**
   * Gives the objects of a capture the ids that they had in the one before. Of each heap the last picture is kept until
   * then.
   * @param capture whose heaps are recognizable
   */
  add({ heaps }: Pick<OutsideCapture, 'heaps'>): void {
    for (const { isolate, snapshot, traces } of heaps) {
      if (!traces) throw new TypeError(`the heap of ${isolate} was not taken to be known again`)
      const picture = { snapshot, traces }
      const last = this.#last.get(isolate)
      if (last) recognize(last.picture, picture, last.free)
      last?.file?.close()
      this.#last.set(isolate, { picture, free: last?.free ?? freeIdsBehind(picture) })
    }
  }

  /** Has the last pictures wait on disk, where there is one: they take no memory while the next ones are taken. */
  async rest(): Promise<void> {
    for (const last of this.#last.values()) {
      if (last.file) continue
      try {
        last.file = new IndexWriter()
        last.picture = await inFile(last.picture, last.file)
      } catch {
        // Then it stays in memory.
      }
    }
    // What a WeakRef was made of, as of each memory, stays until the job in which that was has ended.
    await setImmediate()
    collectGarbage()
  }

  /** Lets go of everything. */
  close(): void {
    for (const { file } of this.#last.values()) file?.close()
    this.#last.clear()
  }
}

/** The same picture, as far as it takes to know its objects again, with columns that are read when they are asked for. */
async function inFile({ snapshot, traces }: Picture, file: IndexWriter): Promise<Picture> {
  const { nodeType, nodeName, nodeId, selfSize, firstEdge, edges, edgeNameOrIndex, strings } = snapshot
  const columns = { nodeType, nodeName, nodeId, selfSize, firstEdge, edges, edgeNameOrIndex }
  const { word, content } = traces
  await file.write({ ...columns, ...strings.raw, word, content })
  const { file: path, fileBytes, nodeCount, edgeCount, extraNativeBytes, locations, stringBytesAt, packed } = snapshot
  const waiting = { file: path, fileBytes, nodeCount, edgeCount, extraNativeBytes, locations, stringBytesAt, packed }
  const { firstId, pages, first, end } = traces
  const noted = { firstId, pages, first, end }
  // One piece, which goes back to the system as a whole.
  const arena = makeArena(nodeCount * NODE_BYTES + edgeCount * EDGE_BYTES + (1 << 20))
  const later = (of: object, name: string, { length }: Column): void =>
    setLazily(of as Record<string, Column>, name, () => file.load(name, arenaUint32(arena, length)))
  for (const [name, column] of Object.entries(columns)) {
    if (column instanceof Uint32Array) later(waiting, name, column)
    else setLazily(waiting as Record<string, unknown>, name, () => file.load(name))
  }
  later(noted, 'word', word)
  later(noted, 'content', content)
  setLazily(
    waiting as { strings?: StringTable },
    'strings',
    () => new StringTable(file.load('stringBytes') as Uint8Array, file.load('stringStarts') as Uint32Array),
  )
  return { snapshot: waiting as Snapshot, traces: noted as Traces }
}
/** Of six columns of nodes, and what each has as its partner; of two of edges. */
const NODE_BYTES = 32
const EDGE_BYTES = 8
