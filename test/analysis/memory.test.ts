// What opening a heap takes, a node and an edge: measured as the difference between heaps, and not to creep up.

import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-memory-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Objects that each hold the next ones of a wide tree, and further edges from far behind to the front. */
function writeHeap(file: string, nodes: number, edges: number): void {
  const fd = openSync(file, 'w')
  let text = ''
  const write = (more: string, force = false): void => {
    text += more
    if (text.length > 1 << 20 || force) {
      writeSync(fd, text)
      text = ''
    }
  }
  const meta = {
    node_fields: ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'],
    node_types: [['hidden', 'array', 'string', 'object', 'code', 'closure', 'regexp', 'number', 'native', 'synthetic']],
    edge_fields: ['type', 'name_or_index', 'to_node'],
    edge_types: [['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak']],
    location_fields: ['object_index', 'script_id', 'line', 'column'],
  }
  write(`{"snapshot":${JSON.stringify({ meta, node_count: nodes, edge_count: edges })},\n"nodes":[`)
  const extra = Math.floor((edges - nodes + 1) / nodes)
  const rest = edges - (nodes - 1) - extra * nodes
  const children = (node: number): number => Math.max(0, Math.min(8, nodes - 1 - 8 * node))
  for (let node = 0; node < nodes; node++) {
    const count = children(node) + extra + (node === 0 ? rest : 0)
    write(`${node === 0 ? '9' : ',3'},${node === 0 ? 0 : 1},${2 * node + 1},${node === 0 ? 0 : 24},${count},0`)
  }
  write('],\n"edges":[')
  let first = true
  const edge = (to: number): void => {
    write(`${first ? '' : ','}1,1,${6 * to}`)
    first = false
  }
  for (let node = 0; node < nodes; node++) {
    for (let i = 1; i <= children(node); i++) edge(8 * node + i)
    for (let i = 0; i < extra + (node === 0 ? rest : 0); i++) edge(1 + ((node * 7919 + i * 104_729) % (nodes - 1)))
  }
  write('],\n"locations":[],\n"strings":["(root)","Thing"]}', true)
  closeSync(fd)
}

/** Peak bytes of a process that opens the file, with the index that is left behind, as large files are opened. */
function peakOf(nodes: number, edges: number): number {
  const file = join(folder, `${nodes}-${edges}.heapsnapshot`)
  writeHeap(file, nodes, edges)
  const engine = pathToFileURL(join(import.meta.dirname, '../../dist/analysis/open-snapshot.js')).href
  const script = `
    const { openWorth } = await import(${JSON.stringify(engine)})
    const heap = await openWorth(${JSON.stringify(file)}, {}, { thread: 0, index: 0 })
    await heap.close()
    if (heap.graph.retainedSize(0) !== 24 * ${nodes - 1}) throw new Error('a heap of another size')
    console.log(process.resourceUsage().maxRSS * 1024)`
  const env = { ...process.env, LEAKSCOPE_CACHE: join(folder, 'cache') }
  const peak = Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', env }))
  rmSync(file)
  return peak
}

describe('opening a heap', () => {
  it('takes no more memory a node and an edge than it did', () => {
    const base = peakOf(500_000, 2_000_000)
    const perNode = (peakOf(2_000_000, 2_000_000) - base) / 1_500_000
    const perEdge = (peakOf(500_000, 6_000_000) - base) / 4_000_000
    console.log(`${perNode.toFixed(1)} bytes a node, ${perEdge.toFixed(1)} bytes an edge`)
    expect(perNode).toBeLessThan(45)
    expect(perEdge).toBeLessThan(12)
  })
})
