// Pictures of one process, one after the other: an object has the same id in all of them.

import { type FreeIds, freeIdsBehind, type Picture, recognize } from './identity.ts'
import type { OutsideCapture } from './open.ts'

export class PictureSeries {
  readonly #last = new Map<string, { readonly picture: Picture; readonly free: FreeIds }>()

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
      this.#last.set(isolate, { picture, free: last?.free ?? freeIdsBehind(picture) })
    }
  }
}
