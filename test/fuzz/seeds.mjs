// The heaps that inputs are made of: real ones cut down to a few hundred nodes, and small ones drawn by hand.

import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import { parseModel, reduce } from './model.mjs'
import { randomFor } from './random.mjs'

const golden = new URL('../golden/heaps/', import.meta.url)
const REAL = ['app-node18', 'pair-before-node20', 'pair-after-node20', 'weak-node22', 'worker-node26', 'weak-node24']
/** Nodes of the cuts of each; most are small, so that there is time for many inputs. */
const SIZES = [30, 60, 60, 120, 400]

/** @returns {import('./model.mjs').Model[]} */
export function seedModels() {
  const random = randomFor(0, 0)
  const cuts = REAL.flatMap((name) => {
    const text = brotliDecompressSync(readFileSync(new URL(`${name}.heapsnapshot.br`, golden))).toString()
    const model = parseModel(text)
    return SIZES.map((size) => reduce(model, size, random))
  })
  const { head } = cuts.at(-1)
  return [...cuts, ...drawn(head)]
}

/** Shapes that cuts of real heaps rarely have. */
function drawn(head) {
  const { node_types, edge_types } = head.meta
  const nodeType = (name) => node_types[0].indexOf(name)
  const edgeType = (name) => edge_types[0].indexOf(name)
  const heap = (nodes, edges, locations = []) => {
    const strings = ['<dummy>']
    const string = (text) => {
      if (!strings.includes(text)) strings.push(text)
      return strings.indexOf(text)
    }
    const sorted = [...edges].sort((a, b) => a[0] - b[0])
    return {
      head,
      nodes: nodes.map(([type, name, size], i) => {
        const count = edges.filter(([from]) => from === i).length
        return [nodeType(type), string(name), 2 * i + 1, size, count, 0]
      }),
      edges: sorted.map(([, to, type, name]) => [edgeType(type), typeof name === 'number' ? name : string(name), to]),
      locations,
      strings,
      lies: {},
    }
  }
  const root = ['synthetic', '', 0]
  const global = ['object', 'Object / global', 100]
  const list = Array.from({ length: 30 }, (_, i) => [i + 1, i + 2, 'property', 'next'])
  const listNodes = Array.from({ length: 31 }, () => ['object', 'ListNode', 24])
  const mesh = []
  for (let from = 0; from < 12; from++) for (let to = 0; to < 12; to++) mesh.push([from, to, 'property', `p${to}`])
  return [
    heap([root], []),
    heap([root, global, ...listNodes], [[0, 1, 'shortcut', 'global'], ...list.map(([f, t, ...r]) => [f, t, ...r])]),
    heap([root, ...Array.from({ length: 11 }, (_, i) => ['object', `Mesh${i % 3}`, 8 * i])], mesh),
    // Texts in parts, a context, a Map's table, a WeakMap's entry.
    heap(
      [
        root,
        global,
        ['closure', 'onData', 64],
        ['object', 'system / Context', 48],
        ['object', 'system / NativeContext', 400],
        ['concatenated string', '(concatenated string)', 32],
        ['string', 'left', 24],
        ['string', 'right', 24],
        ['sliced string', '(sliced string)', 32],
        ['object', 'Map', 32],
        ['array', '', 512],
        ['hidden', 'system / SharedFunctionInfo', 56],
        ['code', 'file:///app/main.mjs', 8],
        ['object', 'WeakMap', 32],
        ['object', 'process', 64],
        ['number', 'int', 0],
        ['string', '4711', 16],
        ['object', 'Array', 16],
        ['string', 'left', 24],
      ],
      [
        [0, 1, 'shortcut', 'global'],
        [0, 4, 'element', 1],
        [1, 2, 'property', 'handler'],
        [1, 9, 'property', 'cache'],
        [1, 13, 'property', 'weak'],
        [1, 14, 'property', 'process'],
        [2, 3, 'internal', 'context'],
        [2, 11, 'internal', 'shared'],
        [3, 4, 'internal', 'previous'],
        [3, 5, 'context', 'text'],
        [3, 17, 'context', 'list'],
        [5, 6, 'internal', 'first'],
        [5, 7, 'internal', 'second'],
        [8, 5, 'internal', 'parent'],
        [9, 10, 'internal', 'table'],
        [10, 6, 'internal', '3'],
        [10, 8, 'internal', '4'],
        [11, 12, 'internal', 'script'],
        [13, 10, 'internal', '5 / part of key (Object @19) -> value (string @37) pair in WeakMap (table @21)'],
        [10, 18, 'internal', '5 / part of key (Object @19) -> value (string @37) pair in WeakMap (table @21)'],
        [9, 18, 'internal', '5 / part of key (Object @19) -> value (string @37) pair in WeakMap (table @21)'],
        [14, 15, 'property', 'pid'],
        [15, 16, 'internal', 'value'],
        [17, 8, 'element', 0],
        [17, 18, 'element', 1],
      ],
      [[2, 7, 3, 4]],
    ),
  ]
}
