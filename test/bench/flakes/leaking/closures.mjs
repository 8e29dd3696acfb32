// Listeners that are added for each piece of work and keep what it was about.

import { EventEmitter } from 'node:events'
import { lostBytes, textOf } from '../dice.mjs'

const bus = new EventEmitter().setMaxListeners(0)
const bytes = lostBytes()

export async function iteration(_, number) {
  const text = textOf(bytes - 100)
  bus.on('end', () => text.length + number)
  await null
}
