// Pictures of one process, one after the other: an object has the same id in all of them.

import { setImmediate } from 'node:timers/promises'
import type { Column } from '../snapshot/column-store.ts'
import { IndexWriter } from '../snapshot/index-file.ts'
import { arenaUint32, makeArena } from '../support/arena.ts'
import { collectGarbage } from '../support/garbage.ts'
import { type FreeIds, freeIdsBehind, type Picture, recognize } from './identity.ts'
import type { OutsideCapture } from './open.ts'

interface Last {
  /** In memory, or on disk. */
  picture: Picture | Stored
  readonly free: FreeIds
}

/** A picture in a file, as far as it takes to know its objects again. */
interface Stored {
  readonly file: IndexWriter
  read(): Picture
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
      if (last) recognize('file' in last.picture ? last.picture.read() : last.picture, picture, last.free)
      if (last) letGo(last)
      this.#last.set(isolate, { picture, free: last?.free ?? freeIdsBehind(picture) })
    }
  }

  /** Has the last pictures wait on disk, where there is one: they take no memory while the next ones are taken. */
  async rest(): Promise<void> {
    for (const last of this.#last.values()) {
      if ('file' in last.picture) continue
      try {
        last.picture = await stored(last.picture, new IndexWriter())
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
    for (const last of this.#last.values()) letGo(last)
    this.#last.clear()
  }
}

function letGo({ picture }: Last): void {
  if ('file' in picture) picture.file.close()
}

async function stored({ snapshot, traces }: Picture, file: IndexWriter): Promise<Stored> {
  const { nodeType, nodeName, nodeId, selfSize, firstEdge, edges, edgeNameOrIndex, strings } = snapshot
  const columns = { nodeType, nodeName, nodeId, selfSize, firstEdge, edges, edgeNameOrIndex }
  const { word, content } = traces
  try {
    // Texts stay in memory: no disk is to have them.
    await file.write({ ...columns, word, content })
  } catch (error) {
    file.close()
    throw error
  }
  const { file: path, fileBytes, nodeCount, edgeCount, extraNativeBytes, locations, stringBytesAt, packed } = snapshot
  const { firstId, pages, first, end } = traces
  const lengths = new Map<string, number>()
  for (const [name, column] of Object.entries({ ...columns, word, content })) {
    if (column instanceof Uint32Array) lengths.set(name, column.length)
  }
  return {
    file,
    read() {
      // One piece, which goes back to the system as a whole.
      const arena = makeArena(nodeCount * NODE_BYTES + edgeCount * EDGE_BYTES + (1 << 20))
      const load = <T extends Column>(name: string): T => {
        const length = lengths.get(name)
        return file.load(name, length === undefined ? undefined : arenaUint32(arena, length)) as T
      }
      return {
        snapshot: {
          ...{ file: path, fileBytes, nodeCount, edgeCount, extraNativeBytes, locations, stringBytesAt, packed },
          ...{ nodeType: load('nodeType'), nodeName: load('nodeName'), nodeId: load('nodeId') },
          ...{ selfSize: load('selfSize'), firstEdge: load('firstEdge') },
          ...{ edges: load('edges'), edgeNameOrIndex: load('edgeNameOrIndex') },
          strings,
        },
        traces: { firstId, pages, first, end, word: load('word'), content: load('content') },
      }
    },
  }
}
/** Of seven columns of nodes, with who each is in the other picture; of two of edges. */
const NODE_BYTES = 32
const EDGE_BYTES = 8
