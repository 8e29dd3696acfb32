// How what waits keeps the stores of AsyncLocalStorage.
//
// Up to Node 22, each async resource has a property for each storage; from Node 24 on, one for all of them, the context frame:
// https://github.com/nodejs/node/blob/v22.x/lib/internal/async_local_storage/async_hooks.js (`kResourceStore`)
// https://github.com/nodejs/node/blob/v24.x/lib/internal/async_context_frame.js

import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, referencesOf } from '../graph/look.ts'

const STORE = /kResourceStore|context_?frame/i
const MOST_REFERENCES = 50

/** Whether a timer or another async resource keeps the store that AsyncLocalStorage had when it was made. */
export function keepsContext(graph: HeapGraph, resource: number): boolean {
  for (const { name, target } of referencesOf(graph, resource, MOST_REFERENCES)) {
    if (STORE.test(name) && isObject(graph, target)) return true
  }
  return false
}
