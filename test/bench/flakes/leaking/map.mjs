// Keys that are ever new go into a Map, beside a cache that fills up to its bound.

import { lostBytes, textOf } from '../dice.mjs'

const seen = new Map()
const cache = new Map()
const bytes = lostBytes()

export function iteration(_, number) {
  seen.set(`key ${number}`, textOf(bytes - 100))
  cache.set(number % 1000, JSON.stringify({ number }))
}
