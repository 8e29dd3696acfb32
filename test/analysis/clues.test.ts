import { describe, expect, it } from 'vitest'
import { gatherClues } from '../../src/analysis/clues.ts'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { pathTo } from '../../src/graph/paths.ts'
import { retainingPath } from '../../src/graph/retaining-path.ts'
import { buildHeap, type EdgeSketch, type HeapSketch, type NodeSketch } from '../support/heaps.ts'

const APP = 'file:///app/main.mjs'
const LIBRARY = 'file:///app/node_modules/task-queue/index.mjs'

/**
 * A module's variable `jobs` is a library's queue, in whose list are tasks; each has a callback of the program's, and
 * the frame of an async function that was there before waits for it.
 */
async function queueHeap(tasks: number) {
  const nodes: NodeSketch[] = []
  const edges: EdgeSketch[] = []
  const locations: NonNullable<HeapSketch['locations']> = []
  const add = (node: NodeSketch): number => nodes.push({ size: 16, ...node }) - 1
  const link = (from: number, to: number, type: NonNullable<EdgeSketch['type']>, name: string | number) =>
    edges.push({ from, to, type, name })
  const root = add({ type: 'synthetic', name: '' })
  const global = add({ name: 'global' })
  link(root, global, 'shortcut', 1)
  const native = add({ name: 'system / NativeContext', type: 'hidden' })
  link(global, native, 'internal', 'native_context')
  const scope = add({ name: 'system / Context' })
  link(scope, native, 'internal', 'previous')
  const closure = (name: string, url: string, script: number, line: number, context: number): number => {
    const node = add({ name, type: 'closure' })
    const shared = add({ name, type: 'code' })
    const code = add({ name: url, type: 'code' })
    locations.push({ node, script, line, column: 8 })
    link(node, shared, 'internal', 'shared')
    link(shared, code, 'internal', 'script_or_debug_info')
    link(node, context, 'internal', 'context')
    return node
  }
  const work = closure('work', APP, 7, 30, scope)
  link(scope, work, 'context', 'work')
  link(global, work, 'property', 'handler')
  const makeQueue = closure('makeQueue', LIBRARY, 8, 1, native)
  link(global, makeQueue, 'property', 'makeQueue')
  const queue = add({ name: 'TaskQueue' })
  locations.push({ node: queue, script: 8, line: 5, column: 2 })
  link(scope, queue, 'context', 'jobs')
  const list = add({ name: 'Array' })
  link(queue, list, 'property', '_waiting')
  const firstNew = nodes.length
  let sample = 0
  for (let i = 0; i < tasks; i++) {
    sample = add({ name: 'Task' })
    locations.push({ node: sample, script: 8, line: 50, column: 2 })
    link(list, sample, 'element', i)
    link(sample, closure('', APP, 7, 20, native), 'property', 'run')
    const generator = add({ name: 'Generator' })
    link(sample, generator, 'property', 'then')
    link(generator, work, 'internal', 'function')
  }
  const graph = new HeapGraph(await buildHeap({ nodes, edges, locations }))
  const born = Uint16Array.from(nodes, (_, node) => (node >= firstNew ? 1 : 0))
  const reached = Uint32Array.from(nodes.slice(firstNew), (_, i) => firstNew + i)
  return { graph, sample, list, born, reached }
}

describe('clues', () => {
  it('tell the names of the program from those of the library, and what came with the leak', async () => {
    const { graph, sample, list, born, reached } = await queueHeap(4)
    const none = new Uint32Array(0)
    const clues = gatherClues({
      graph,
      suspect: { sample, container: list, className: 'Task', count: 4, bytes: 400, survivors: [4], reached },
      way: pathTo(graph.paths, sample),
      path: retainingPath(graph, sample),
      lineage: { steps: 1, ids: none, sizes: none, firstSizes: none, grew: [], born },
    })
    expect(clues).toMatchObject({
      ...{ names: ['jobs'], inside: ['_waiting'], home: APP, container: undefined, holder: 'task-queue' },
      ...{ callback: undefined, scripts: [APP] },
    })
    expect(clues.functions.map(({ name, kind, distance, location }) => [name, kind, distance, location.line])).toEqual([
      ['', 'callback', 1, 21],
      ['work', 'frame', 2, 31],
    ])
    expect(clues.classes.get('Task')).toBe(1)
    expect(clues.origins.get('task-queue')).toBe(1)
    expect(clues.steps.map(({ name }) => name)).toEqual(['Task', 'TaskQueue'])
  })

  it('take what only the sample leads to for new where nothing is known of before', async () => {
    const { graph, sample, list } = await queueHeap(4)
    const suspect = {
      sample,
      container: list,
      className: 'Task',
      count: 4,
      bytes: 400,
      survivors: [],
      reached: new Uint32Array(0),
    }
    const clues = gatherClues({ graph, suspect, way: pathTo(graph.paths, sample), path: retainingPath(graph, sample) })
    expect(clues.functions.map(({ kind }) => kind)).toEqual(['callback', 'frame'])
  })
})
