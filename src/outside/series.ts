// Pictures of one process, one after the other: an object has the same id in all of them.

import { IndexWriter } from '../snapshot/index-file.ts'
import { StringTable } from '../snapshot/strings.ts'
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
  const { word, content } = traces
  const columns = { nodeType, nodeName, nodeId, selfSize, firstEdge, edges, edgeNameOrIndex }
  await file.write({ ...columns, ...strings.raw, word, content })
  const { file: path, fileBytes, nodeCount, edgeCount, extraNativeBytes, locations, stringBytesAt, packed } = snapshot
  const parked = { file: path, fileBytes, nodeCount, edgeCount, extraNativeBytes, locations, stringBytesAt, packed }
  const load = <T>(name: string): T => file.load(name) as T
  for (const name of Object.keys(columns)) setLazily(parked as Record<string, unknown>, name, () => load(name))
  setLazily(
    parked as { strings?: StringTable },
    'strings',
    () => new StringTable(load<Uint8Array>('stringBytes'), load<Uint32Array>('stringStarts')),
  )
  const { firstId, pages, first, end } = traces
  const noted = { firstId, pages, first, end } as Traces
  setLazily(noted, 'word', () => load('word'))
  setLazily(noted, 'content', () => load('content'))
  return { snapshot: parked as Picture['snapshot'], traces: noted }
}
