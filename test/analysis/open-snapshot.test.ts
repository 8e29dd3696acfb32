// Opening a snapshot anew, by two threads, and from an index gives the same heap.

import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type OpenedSnapshot, openSnapshot, openWorth } from '../../src/analysis/open-snapshot.ts'
import { overview } from '../../src/analysis/overview.ts'
import { indexFolder, listIndexes } from '../../src/snapshot/index-cache.ts'
import { goldenCases } from '../golden/load.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-open-'))
const file = join(folder, 'a.heapsnapshot')
const bytes = goldenCases()
  .find(({ name }) => name === 'weak-node22')!
  .readSnapshot()

beforeEach(() => {
  process.env.LEAKSCOPE_CACHE = join(folder, 'cache')
  writeFileSync(file, bytes)
})
afterEach(() => {
  delete process.env.LEAKSCOPE_CACHE
  delete process.env.LEAKSCOPE_INDEX_LIMIT
  rmSync(join(folder, 'cache'), { recursive: true, force: true })
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Everything that commands show of a heap, and the numbers of each node. */
function told({ graph, classRows }: OpenedSnapshot) {
  const { snapshot } = graph
  const nodes = Array.from({ length: snapshot.nodeCount }, (_, node) => [
    snapshot.nodeId[node],
    graph.shallowSize(node),
    graph.retainedSize(node),
    graph.immediateDominator(node),
    graph.sourceLocation(node)?.line,
  ])
  const classes = classRows.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  return JSON.stringify([overview(graph, classRows, 20), classes, nodes])
}

async function open(options: { index?: boolean } = {}): Promise<OpenedSnapshot> {
  const opened = await openWorth(file, options, { thread: 0, index: 0 })
  await opened.settled
  return opened
}

describe('a snapshot', () => {
  it('is the same by one thread, by two, and from its index', async () => {
    const alone = await openSnapshot(file)
    expect(listIndexes()).toEqual([])
    const expected = told(alone)
    const anew = await open()
    expect(anew.fromIndex).toBe(false)
    expect(told(anew)).toBe(expected)
    const again = await open()
    expect(again.fromIndex).toBe(true)
    expect(told(again)).toBe(expected)
    await Promise.all([anew.close(), again.close()])
  })

  it('that is packed has an index too', async () => {
    const packed = gzipSync(bytes)
    writeFileSync(file, packed)
    const expected = told(await open())
    const again = await open()
    expect(again.fromIndex).toBe(true)
    expect(told(again)).toBe(expected)
    await again.close()
  })

  it('is not opened from an index that is damaged anywhere: that is removed and made anew', async () => {
    const expected = told(await open())
    const path = listIndexes()[0]!.path
    const whole = readFileSync(path)
    const directory = whole.readDoubleLE(16)
    const places = [0, 20, 40, 4096, directory, directory + 1000, whole.length - 1]
    for (let i = 1; i < 12; i++) places.push(4096 + Math.floor(((directory - 4096) * i) / 12))
    for (const place of places) {
      const damaged = Buffer.from(whole)
      damaged[place]! ^= 0x10
      writeFileSync(path, damaged)
      const opened = await open()
      const isGap = opened.fromIndex
      expect(told(opened)).toBe(expected)
      // Between two columns there may be a gap, whose bytes nothing reads.
      if (!isGap) expect(readFileSync(path).equals(damaged)).toBe(false)
      else expect(damaged[place]).toBe(0x10)
      await opened.close()
    }
    truncateSync(path, whole.length - 100)
    const opened = await open()
    expect(opened.fromIndex).toBe(false)
    expect((await open()).fromIndex).toBe(true)
  })

  it('that was written anew, or changed anywhere, is not opened from the index of what was there', async () => {
    await open()
    const { mtime } = statSync(file)
    const changed = Buffer.from(bytes)
    // A digit of an id, say, of a file that keeps its size and time.
    const at = changed.indexOf('"nodes":[') + 30
    changed[at] = changed[at] === 0x31 ? 0x32 : 0x31
    writeFileSync(file, changed)
    utimesSync(file, mtime, mtime)
    const opened = await open().catch(() => undefined)
    expect(opened?.fromIndex ?? false).toBe(false)
    writeFileSync(file, bytes)
    expect((await open()).fromIndex).toBe(false)
  })

  it('leaves no index where none is wanted, none fits, or none can be written', async () => {
    await open({ index: false })
    expect(existsSync(indexFolder())).toBe(false)
    process.env.LEAKSCOPE_INDEX_LIMIT = '1kB'
    await open()
    expect(listIndexes()).toEqual([])
    delete process.env.LEAKSCOPE_INDEX_LIMIT
    process.env.LEAKSCOPE_CACHE = file
    expect((await open()).fromIndex).toBe(false)
    process.env.LEAKSCOPE_CACHE = '/dev/full'
    expect((await open()).fromIndex).toBe(false)
  })

  it('leaves an index that nobody else may read, and nothing half-written when it is stopped', async () => {
    await open()
    const path = listIndexes()[0]!.path
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(indexFolder()).mode & 0o777).toBe(0o700)
    rmSync(path)
    const stop = new AbortController()
    const opening = openWorth(
      file,
      { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) },
      WORTH_ALL,
    )
    await expect(Promise.race([opening, aborted(stop)])).rejects.toThrow('enough')
    expect(readdirSync(indexFolder())).toEqual([])
  })

  it('drives out the index that was not used for longest when room is short', async () => {
    await open()
    const first = listIndexes()[0]!
    utimesSync(first.path, new Date(0), new Date(0))
    process.env.LEAKSCOPE_INDEX_LIMIT = `${Math.ceil(first.bytes * 1.9)}`
    writeFileSync(file, Buffer.concat([bytes, Buffer.from(' ')]))
    await open()
    expect(listIndexes().map(({ path }) => path)).not.toContain(first.path)
    expect(listIndexes()).toHaveLength(1)
  })
})

const WORTH_ALL = { thread: 0, index: 0 }

/** Small heaps may be open before anybody looks up. */
async function aborted({ signal }: AbortController): Promise<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  return new Promise(() => {})
}
