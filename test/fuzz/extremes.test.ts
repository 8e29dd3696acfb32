// Heaps of extreme shapes, smaller than those of `npm run fuzz`, and files whose counts lie.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { SHAPES, writeHeap } from './extreme-heaps.mjs'
import { runExtreme } from './extremes.mjs'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-extremes-'))
afterAll(() => rmSync(folder, { recursive: true }))
const cli = resolve(import.meta.dirname, '../../bin/leakscope.js')

describe('an extreme heap goes through the whole analysis', () => {
  it.each([
    ['a list two million nodes deep', 'list', 2_000_000],
    ['one node with three million edges', 'star', 3_000_000],
    ['200,000 classes', 'classes', 200_000],
    ['a ring of 200,000 nodes with edges across', 'ring', 200_000],
    ['a text put together of 200,000 parts', 'text', 200_000],
    ['100,000 nodes of one id', 'ids', 100_000],
    ['20,000 names that a terminal would obey', 'escapes', 20_000],
  ] as const)('with %s', async (_, shape, size) => {
    const { peakBytes } = await runExtreme(shape, size)
    expect(peakBytes).toBeLessThan(1.5e9)
  })
})

describe('counts that lie', () => {
  const small = SHAPES.list(1000)

  /** Runs `leakscope analyze` with little memory; a lie that is believed would take gigabytes. */
  async function analyze(file: string): Promise<{ code: number; stderr: string; peakBytes: number }> {
    const probe = `process.on('exit', () => process.stderr.write('peak=' + process.resourceUsage().maxRSS + '\\n'))`
    const args = ['--import', `data:text/javascript,${encodeURIComponent(probe)}`, cli, 'analyze', file]
    const { code = 0, stderr } = await promisify(execFile)(process.execPath, args).catch((error) => error)
    return { code, stderr, peakBytes: Number(/peak=(\d+)/.exec(stderr)?.[1]) * 1024 }
  }

  it.each([
    ['nodes in a plain file', { nodes: 900_000_000 }, false],
    ['edges in a plain file', { edges: 900_000_000 }, false],
    ['nodes in a packed file, as many as it could hold', { nodes: 500_000 }, true],
    ['edges in a packed file, as many as it could hold', { edges: 1_000_000 }, true],
    ['one node too many', { nodes: 1003 }, false],
    ['one edge too few', { edges: 1000 }, true],
  ])('of %s cost no memory', async (what, promised, gzip) => {
    const file = join(folder, what.replaceAll(/\W+/g, '-'))
    writeHeap(file, { ...small, promised }, { gzip })
    const { code, stderr, peakBytes } = await analyze(file)
    expect(stderr).toMatch(/^leakscope: .*byte \d+/)
    expect(code).toBe(3)
    expect(peakBytes).toBeLessThan(150e6)
  })

  it.skipIf(process.platform === 'win32')('are told of a pipe too, which nobody knows the length of', async () => {
    const file = join(folder, 'piped')
    writeHeap(file, { ...small, promised: { nodes: 200_000_000, edges: 4_000_000_000 } })
    const command = 'cat "$1" | "$2" "$3" analyze /dev/stdin'
    const args = ['-c', command, 'sh', file, process.execPath, cli]
    const { stderr } = await promisify(execFile)('sh', args).catch((error) => error)
    expect(stderr).toMatch(/^leakscope: .*byte \d+/)
  })

  it('and texts that unpack to a thousand times their size take as much memory as they unpack to', async () => {
    const file = join(folder, 'bomb.gz')
    const text = `{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],"node_types":[["synthetic"],"","","",""],"edge_fields":["type","name_or_index","to_node"],"edge_types":[["weak"],"",""]},"node_count":1,"edge_count":0},"nodes":[0,0,1,0,0],"edges":[],"strings":["`
    const parts = Array.from({ length: 100 }, () => gzipSync(Buffer.alloc(1 << 20, 'x')))
    writeFileSync(file, Buffer.concat([gzipSync(text), ...parts, gzipSync('"]}')]))
    const { code, peakBytes } = await analyze(file)
    expect(code).toBe(0)
    expect(peakBytes).toBeLessThan(800e6)
  })
})
