// What a program has run in the next turn of its event loop: functions given to setImmediate, and those that await one.
//
// https://github.com/nodejs/node/blob/main/lib/internal/timers.js (Immediate)

import { type Heap, NOWHERE } from './heap.ts'
import type { Places } from './places.ts'
import { FIRST_OWN_FIELD } from './reach.ts'
import type { Shape, Shapes } from './shapes.ts'

/** Where a function begins; as Node names the script, lines and columns from 1 on. */
export interface ScheduledFunction {
  readonly function: string
  readonly url: string
  readonly line: number
  readonly column: number
}

/** @param word of an object of the class Immediate; undefined where it has nothing of the program run */
export function scheduledBy(
  heap: Heap,
  word: number,
  shape: Shape,
  shapes: Shapes,
  places: Places,
): ScheduledFunction | undefined {
  const held = shapes.ownValue(word, shape, '_onImmediate')
  const callback = held < 0 ? NOWHERE : heap.referent(held)
  if (!shapes.isFunction(callback)) return undefined
  for (const called of [callback, awaiterOf(heap, callback, shapes)]) {
    const place = called < 0 ? undefined : places.placeOf(called, NOWHERE)
    if (place && place.line > 0 && place.url !== '' && !place.url.startsWith('node:'))
      return { function: shapes.nameOf(called), ...place }
  }
  return undefined
}

/**
 * The async function that goes on when a function that resolves a promise is called; NOWHERE if none does. V8 keeps the
 * promise in the function's context; the promise has a reaction, whose handler has the waiting function in its context.
 * https://github.com/v8/v8/blob/main/src/builtins/promise-abstract-operations.tq
 */
function awaiterOf(heap: Heap, resolve: number, shapes: Shapes): number {
  const { types, fields } = heap.layout
  const contextOf = (callback: number): number => heap.referent(callback + fields.functionContext)
  const promise = firstOf(heap, contextOf(resolve), (type) => type === types.JS_PROMISE)
  const reaction = promise < 0 ? NOWHERE : heap.referent(promise + FIRST_OWN_FIELD)
  if (reaction < 0 || heap.layout.typeNames.get(heap.typeAt(reaction)) !== 'PromiseReaction') return NOWHERE
  const handler = firstOf(heap, reaction, (_, word) => shapes.isFunction(word))
  if (handler < 0) return NOWHERE
  const waiting = firstOf(heap, contextOf(handler), (type) => type === types.JS_ASYNC_FUNCTION_OBJECT)
  const called = waiting < 0 ? NOWHERE : heap.referent(waiting + FIRST_OWN_FIELD)
  return shapes.isFunction(called) ? called : NOWHERE
}

/** The first of the objects that one refers to which is such a one, or NOWHERE. */
function firstOf(heap: Heap, word: number, isIt: (type: number, word: number) => boolean): number {
  for (let at = word + 1; at < word + heap.sizeAt(word); at++) {
    const to = heap.referent(at)
    if (to >= 0 && isIt(heap.typeAt(to), to)) return to
  }
  return NOWHERE
}
