// Heaps of extreme shapes, written row by row, so that a file of a gigabyte costs no memory.

import { closeSync, openSync, writeSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const NODE_TYPES = [
  'hidden',
  'array',
  'string',
  'object',
  'code',
  'closure',
  'regexp',
  'number',
  'native',
  'synthetic',
].concat('concatenated string', 'sliced string', 'symbol', 'bigint', 'object shape', 'wasm object')
const EDGE_TYPES = ['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak']
const OBJECT = 3
const SYNTHETIC = 9
const ELEMENT = 1
const PROPERTY = 2
const INTERNAL = 3
const SHORTCUT = 5
const FIELDS = 6

/**
 * @param {string} file
 * @param {object} heap
 * @param {number} heap.nodes how many
 * @param {(ordinal: number) => number[]} heap.node type, name, id, size, number of edges
 * @param {number} heap.edges how many
 * @param {(ordinal: number) => number[]} heap.edge type, name or index, target's ordinal
 * @param {number} heap.strings how many
 * @param {(index: number) => string} heap.string
 * @param {{ nodes?: number, edges?: number }} [heap.promised] what the head says, if not the truth
 * @param {{ gzip?: boolean }} options
 */
export function writeHeap(file, { nodes, node, edges, edge, strings, string, promised = {} }, { gzip = false } = {}) {
  const descriptor = openSync(file, 'w')
  let waiting = ''
  const put = (text) => {
    waiting += text
    if (waiting.length > 1 << 20) flush()
  }
  // Packed data may be put together of packed pieces.
  const flush = () => {
    const bytes = Buffer.from(waiting)
    writeSync(descriptor, gzip ? gzipSync(bytes, { level: 1 }) : bytes)
    waiting = ''
  }
  const rows = (count, row) => {
    for (let i = 0; i < count; i++) put(i === 0 ? row(i) : `,${row(i)}`)
  }
  const head = {
    meta: {
      node_fields: ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'],
      node_types: [NODE_TYPES, 'string', 'number', 'number', 'number', 'number'],
      edge_fields: ['type', 'name_or_index', 'to_node'],
      edge_types: [EDGE_TYPES, 'string_or_number', 'node'],
      location_fields: ['object_index', 'script_id', 'line', 'column'],
    },
    node_count: promised.nodes ?? nodes,
    edge_count: promised.edges ?? edges,
  }
  put(`{"snapshot":${JSON.stringify(head)},\n"nodes":[`)
  rows(nodes, (i) => `${node(i).join()},0\n`)
  put('],\n"edges":[')
  rows(edges, (i) => {
    const [type, name, to] = edge(i)
    return `${type},${name},${FIELDS * to}\n`
  })
  put('],\n"trace_function_infos":[],\n"trace_tree":[],\n"samples":[],\n"locations":[],\n"strings":[')
  rows(strings, (i) => `${JSON.stringify(string(i))}\n`)
  put(']}')
  flush()
  closeSync(descriptor)
}

const few = (...texts) => ({ strings: texts.length, string: (i) => texts[i] })
const id = (ordinal) => (2 * ordinal + 1) % 2 ** 32

/** By name of the shape: the heap of a size. */
export const SHAPES = {
  /** A linked list, each node held by the one before. */
  list: (length) => ({
    nodes: length + 2,
    node: (i) => [
      i === 0 ? SYNTHETIC : OBJECT,
      [0, 1, 2][Math.min(i, 2)],
      id(i),
      i === 0 ? 0 : 24,
      i <= length ? 1 : 0,
    ],
    edges: length + 1,
    edge: (i) => (i === 0 ? [SHORTCUT, 3, 1] : [PROPERTY, i === 1 ? 4 : 5, i + 1]),
    ...few('', 'Object / global', 'ListNode', 'global', 'head', 'next'),
  }),

  /** An array with so many elements, four of them the same object each. */
  star: (edges) => ({
    nodes: Math.ceil(edges / 4) + 3,
    node: (i) => {
      if (i === 0) return [SYNTHETIC, 0, 1, 0, 1]
      if (i === 1) return [OBJECT, 1, 3, 100, 1]
      return i === 2 ? [OBJECT, 2, 5, 16, edges] : [OBJECT, 3, id(i), 40, 0]
    },
    edges: edges + 2,
    edge: (i) => {
      if (i === 0) return [SHORTCUT, 4, 1]
      return i === 1 ? [PROPERTY, 5, 2] : [ELEMENT, i - 2, 3 + Math.floor((i - 2) / 4)]
    },
    ...few('', 'Object / global', 'Array', 'Session', 'global', 'sessions'),
  }),

  /** Every object of a class of its own. */
  classes: (count) => ({
    nodes: count + 2,
    node: (i) => {
      if (i === 0) return [SYNTHETIC, 0, 1, 0, 1]
      return i === 1 ? [OBJECT, 1, 3, 100, count] : [OBJECT, i + 1, id(i), 16 + (i % 7), 0]
    },
    edges: count + 1,
    edge: (i) => (i === 0 ? [SHORTCUT, 2, 1] : [PROPERTY, i + 2, i + 1]),
    strings: count + 3,
    string: (i) => ['', 'Object / global', 'global'][i] ?? `Class${i}`,
  }),

  /** A list closed to a ring, each node with an edge back to the one before and to one far away. */
  ring: (length) => ({
    nodes: length + 2,
    node: (i) => {
      if (i === 0) return [SYNTHETIC, 0, 1, 0, 1]
      return i === 1 ? [OBJECT, 1, 3, 100, 2] : [OBJECT, 2, id(i), 24, 3]
    },
    edges: 3 + 3 * length,
    edge: (i) => {
      if (i === 0) return [SHORTCUT, 3, 1]
      if (i <= 2) return [PROPERTY, 4, i === 1 ? 2 : 2 + Math.floor(length / 2)]
      const at = Math.floor((i - 3) / 3)
      const step = [1, length - 1, 7919][(i - 3) % 3]
      return [PROPERTY, 5, 2 + ((at + step) % length)]
    },
    ...few('', 'Object / global', 'RingNode', 'global', 'entry', 'link'),
  }),

  /** Concatenated strings, each the right part of the one before: a text that was added to in front, again and again. */
  text: (parts) => ({
    nodes: parts + 3,
    node: (i) => {
      if (i === 0) return [SYNTHETIC, 0, 1, 0, 1]
      if (i === 1) return [OBJECT, 1, 3, 100, 1]
      return i < parts + 2 ? [10, 2, id(i), 32, 2] : [2, 3, id(i), 16, 0]
    },
    edges: 2 + 2 * parts,
    edge: (i) => {
      if (i === 0) return [SHORTCUT, 4, 1]
      if (i === 1) return [PROPERTY, 5, 2]
      const at = Math.floor((i - 2) / 2)
      return i % 2 === 0 ? [INTERNAL, 6, 3 + at] : [INTERNAL, 7, parts + 2]
    },
    ...few('', 'Object / global', '(concatenated string)', '', 'global', 'log', 'first', 'second'),
  }),

  /** Objects that all have one id. */
  ids: (count) => ({
    ...SHAPES.star(4 * count),
    node: (i) =>
      SHAPES.star(4 * count)
        .node(i)
        .with(2, 7),
  }),

  /** Objects whose names a terminal would obey. */
  escapes: (count) => ({
    ...SHAPES.classes(count),
    string: (i) =>
      ['', 'Object / global', 'global'][i] ?? `\u001b[3${i % 8}m${i}\u001b]0;x\u0007\u009b2J\r\n\u202e\ud800\u0000`,
  }),
}
