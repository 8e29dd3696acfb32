// Bytes beside the heap: buffers that are kept.

import { dice } from '../dice.mjs'

const kept = []
// An ArrayBuffer of its own takes more than 100 bytes by what stands for it in the heap.
const bytes = Math.round(200 * 50 ** dice()())

export function iteration() {
  kept.push(new ArrayBuffer(bytes))
}
