// A small heap drawn by hand, shaped as Node's are: a module with a log array, a Map of sessions, a list, timers.

import { type EdgeSketch, type HeapSketch, heapText, type NodeSketch } from './heaps.ts'

export interface Service {
  /** Log lines so far. */
  logs?: number
  /** Keys of the sessions that are open. */
  sessions?: readonly number[]
  /** Nodes of a linked list, the newest in front. */
  list?: number
  /** Bytes of one buffer that is there from the start. */
  bufferBytes?: number
  pid?: number
  /** Added to every object id, as if V8 had numbered the heap anew. */
  idShift?: number
}

const MODULE = 'file:///app/service.mjs'

/** The text of a snapshot of the service in this state; what stays keeps its ids. */
export function serviceHeap(state: Service): string {
  const { logs = 0, sessions = [], list = 0, bufferBytes = 64, pid = 4242, idShift = 0 } = state
  const nodes: NodeSketch[] = []
  const edges: EdgeSketch[] = []
  const locations: NonNullable<HeapSketch['locations']> = []
  const add = (id: number, node: NodeSketch): number => nodes.push({ ...node, id: id + idShift }) - 1
  const link = (from: number, to: number, type: NonNullable<EdgeSketch['type']>, name: string | number) =>
    edges.push({ from, to, type, name })

  const root = add(1, { type: 'synthetic', name: '' })
  const global = add(3, { name: 'global', size: 100 })
  link(root, global, 'shortcut', 1)
  const native = add(5, { name: 'system / NativeContext', type: 'hidden', size: 500 })
  link(global, native, 'internal', 'native_context')
  const scope = add(7, { name: 'system / Context', size: 80 })
  link(scope, native, 'internal', 'previous')
  const handler = add(9, { name: 'onMessage', type: 'closure', size: 64 })
  const shared = add(11, { name: 'onMessage', type: 'code', size: 40 })
  const script = add(13, { name: MODULE, type: 'code', size: 40 })
  locations.push({ node: handler, script: 7, line: 20, column: 9 })
  link(global, handler, 'property', 'handler')
  link(handler, scope, 'internal', 'context')
  link(handler, shared, 'internal', 'shared')
  link(shared, script, 'internal', 'script_or_debug_info')

  const processObject = add(15, { name: 'process', size: 200 })
  const pidNode = add(17, { name: 'smi number', type: 'number' })
  const pidText = add(19, { name: String(pid), type: 'string' })
  link(global, processObject, 'property', 'process')
  link(processObject, pidNode, 'property', 'pid')
  link(pidNode, pidText, 'internal', 'value')

  // What tells two numberings apart: objects of different names.
  for (let i = 0; i < 200; i++) link(global, add(1001 + 2 * i, { name: `Builtin${i}`, size: 16 }), 'property', `b${i}`)

  const logArray = add(21, { name: 'Array', size: 16 })
  const logStore = add(logs > 0 ? 10_000_001 + 2 * logs : 23, {
    name: '(object elements)',
    type: 'array',
    size: 16 + 8 * logs,
  })
  link(scope, logArray, 'context', 'lines')
  link(logArray, logStore, 'internal', 'elements')
  for (let i = 0; i < logs; i++) {
    const line = add(100_001 + 2 * i, { name: `line ${i}`, type: 'string', size: 32 })
    link(logArray, line, 'element', i)
    link(logStore, line, 'internal', String(i))
  }

  const map = add(25, { name: 'Map', size: 32 })
  const buckets = 2 ** Math.ceil(Math.log2(Math.max(2, sessions.length / 2)))
  const table = add(27, { name: '', type: 'array', size: 16 + 8 * (3 + 7 * buckets) })
  link(scope, map, 'context', 'sessions')
  link(map, table, 'internal', 'table')
  for (const [slot, i] of sessions.entries()) {
    const key = add(200_001 + 4 * i, { name: `key ${i}`, type: 'string', size: 24 })
    const session = add(300_001 + 4 * i, { name: 'Session', size: 48 })
    const user = add(400_001 + 4 * i, { name: 'User', size: 40 })
    locations.push({ node: session, script: 7, line: 4, column: 2 })
    link(table, key, 'internal', String(3 + buckets + 3 * slot))
    link(table, session, 'internal', String(3 + buckets + 3 * slot + 1))
    link(session, user, 'property', 'user')
  }

  let before = scope
  for (let i = list; i > 0; i--) {
    const item = add(500_001 + 2 * i, { name: 'Object', size: 24 })
    link(before, item, before === scope ? 'context' : 'property', before === scope ? 'newest' : 'next')
    before = item
  }

  const buffer = add(29, { name: 'ArrayBuffer', size: 88 })
  const bytes = add(31, { name: 'system / JSArrayBufferData', type: 'native', size: bufferBytes })
  link(scope, buffer, 'context', 'scratch')
  link(buffer, bytes, 'internal', 'backing_store')
  locations.sort((a, b) => a.node - b.node)
  return heapText({ nodes, edges, locations })
}
