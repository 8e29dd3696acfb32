// Promises that nobody ever settles, with those who wait for them.

import { lostBytes, textOf } from '../dice.mjs'

const waiting = []
const bytes = lostBytes()

export function iteration() {
  const text = textOf(bytes - 100)
  const promise = new Promise((resolve) => waiting.push(resolve))
  promise.then(() => text)
}
