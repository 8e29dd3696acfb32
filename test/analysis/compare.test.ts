import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { GrowthCluster, GrowthOptions } from '../../src/analysis/growth.ts'
import { compareSnapshots } from '../../src/analysis/growth.ts'
import { withWords } from '../../src/graph/path-words.ts'
import { type Service, serviceHeap } from '../support/service.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-growth-'))
afterAll(() => rmSync(folder, { recursive: true }))
let written = 0

function compare(states: Service[], options?: GrowthOptions) {
  const files = states.map((state) => {
    const file = join(folder, `${written++}.heapsnapshot`)
    writeFileSync(file, serviceHeap(state))
    return file
  })
  return compareSnapshots(files, options)
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const words = ({ kind, count, className, path }: GrowthCluster) =>
  `${kind} ${count} ${className}: ${path
    .map(withWords)
    .map(({ edge, node }) => `${edge} ${node}`.trim())
    .join(' → ')}`

describe('growth between two snapshots of one process', () => {
  it('is told by what was put where, not by the array that holds it', async () => {
    const { matching, clusters } = await compare([{ logs: 10 }, { logs: 50 }])
    expect(matching).toBe('id')
    expect(clusters.map(words)).toEqual([
      `added 40 (string): module file:///app/service.mjs → context variable 'lines' Array[50] → [10] string "line 10"`,
    ])
    // 40 strings of 32 bytes, and 40 slots of the array.
    expect(clusters[0]!.bytes).toBe(40 * 32 + 40 * 8)
  })

  it('counts what a new object brings along as that object', async () => {
    const { clusters } = await compare([{ sessions: range(0, 5) }, { sessions: range(0, 25) }])
    expect(clusters.map(words)).toEqual([
      `added 20 Session: module file:///app/service.mjs → context variable 'sessions' Map → entry "key 5" Session`,
      `added 20 (string): module file:///app/service.mjs → context variable 'sessions' Map → entry string "key 5"`,
    ])
    // The table has 16 buckets in place of 4, of seven words each.
    expect(clusters[0]!.bytes).toBe(20 * (48 + 40) + 12 * 7 * 8)
  })

  it('is none where as many came as went', async () => {
    const { clusters } = await compare([{ sessions: range(0, 30) }, { sessions: range(0, 30) }])
    expect(clusters).toEqual([])
  })

  it('sees all of a list that grows at its head, and tells repeated steps once', async () => {
    const { clusters } = await compare([{ list: 3 }, { list: 1003 }])
    expect(clusters).toHaveLength(1)
    expect(clusters[0]).toMatchObject({ count: 1000, bytes: 1000 * 24 })
  })

  it('sees an object that became larger by itself', async () => {
    const { clusters } = await compare([{ bufferBytes: 64 }, { bufferBytes: 5_000_064 }])
    expect(clusters.map(words)).toEqual([
      `grown 1 system / JSArrayBufferData: module file:///app/service.mjs → context variable 'scratch' ArrayBuffer → (backing_store) system / JSArrayBufferData`,
    ])
    expect(clusters[0]!.bytes).toBe(5_000_000)
  })

  it('names the line that puts things there, from the source', async () => {
    const source = [
      'const lines = []',
      '// lines.push is what a comment says',
      'function log(text) {',
      '  lines.push(text)',
      '}',
    ].join('\n')
    const { clusters } = await compare([{ logs: 1 }, { logs: 9 }], {
      readSource: (url) => (url === 'file:///app/service.mjs' ? source : undefined),
    })
    expect(clusters[0]!.culprit).toMatchObject({
      url: 'file:///app/service.mjs',
      line: 4,
      column: 3,
      basis: 'retainer',
    })
  })

  it('names the class where the source cannot be had', async () => {
    const { clusters } = await compare([{ sessions: [1] }, { sessions: [1, 2] }])
    expect(clusters[0]!.culprit).toMatchObject({
      function: 'Session',
      url: 'file:///app/service.mjs',
      line: 5,
      column: 3,
    })
  })

  it('gives the classes with their counts and sizes before and after', async () => {
    const { classes } = await compare([{ sessions: range(0, 5) }, { sessions: range(0, 25) }])
    expect(classes.find(({ name }) => name === 'Session')).toEqual({
      name: 'Session',
      location: { url: 'file:///app/service.mjs', line: 5, column: 3 },
      countBefore: 5,
      countAfter: 25,
      shallowBytesBefore: 5 * 48,
      shallowBytesAfter: 25 * 48,
      retainedBytesBefore: 5 * 88,
      retainedBytesAfter: 25 * 88,
    })
    expect(classes.some(({ name }) => name === 'Builtin7')).toBe(false)
  })
})

describe('growth over three snapshots', () => {
  it('shows only what came in each step and stayed', async () => {
    const { clusters, classes } = await compare([
      { logs: 10, sessions: range(0, 5) },
      { logs: 20, sessions: range(0, 100) },
      { logs: 35, sessions: range(0, 100) },
    ])
    expect(clusters.map(({ className, countPerStep }) => [className, countPerStep])).toEqual([['(string)', [10, 15]]])
    expect(classes.map(({ name }) => name)).not.toContain('Session')
    expect(classes.map(({ name }) => name)).toContain('(string)')
  })

  it('shows what became larger in each step, and not what did so once', async () => {
    const once = await compare([{ bufferBytes: 100 }, { bufferBytes: 5000 }, { bufferBytes: 5000 }])
    expect(once.clusters).toEqual([])
    const always = await compare([{ bufferBytes: 100 }, { bufferBytes: 5000 }, { bufferBytes: 9000 }])
    expect(always.clusters).toMatchObject([{ kind: 'grown', count: 1, countPerStep: [1, 1], bytes: 8900 }])
  })

  it('does not mistake a sawtooth for growth', async () => {
    const { clusters } = await compare([
      { sessions: range(0, 10) },
      { sessions: range(10, 60) },
      { sessions: range(60, 90) },
    ])
    // What the second snapshot brought is gone in the third.
    expect(clusters).toEqual([])
  })
})

describe('snapshots whose ids do not mean the same objects', () => {
  it('of one process are matched by place, with the same counts', async () => {
    const { matching, clusters } = await compare([
      { logs: 10, sessions: range(0, 5), list: 2 },
      { logs: 50, sessions: range(0, 25), list: 12, idShift: 40 },
    ])
    expect(matching).toBe('place')
    expect(clusters.map(({ count, className }) => `${count} ${className}`).sort()).toEqual([
      '10 Object',
      '20 (string)',
      '20 Session',
      '40 (string)',
    ])
  })

  it('of two processes are refused, unless asked for', async () => {
    const states = [{ logs: 10 }, { logs: 50, idShift: 40, pid: 77 }]
    await expect(compare(states)).rejects.toMatchObject({
      code: 'snapshot-mismatch',
      message: expect.stringMatching(/is of process 4242 and .+ of process 77/),
    })
    const { matching, clusters } = await compare(states, { acrossProcesses: true })
    expect(matching).toBe('place')
    expect(clusters[0]).toMatchObject({ count: 40, className: '(string)' })
  })
})

it('a comparison needs two snapshots', async () => {
  await expect(compare([{}])).rejects.toMatchObject({ code: 'usage-invalid' })
})

it('counts no numbers, which V8 numbers anew in each snapshot', async () => {
  const script = `
    const { writeHeapSnapshot } = require('node:v8')
    class Entry { constructor(i) { this.i = 1e6 + i; this.half = i + 0.5 } }
    const cache = new Map()
    const fill = (to) => { for (let i = cache.size; i < to; i++) cache.set(i, new Entry(i)) }
    for (const [file, count] of [['one', 500], ['two', 900]]) {
      fill(count)
      writeHeapSnapshot(file + '.heapsnapshot', { exposeNumericValues: true })
    }`
  execFileSync(process.execPath, ['-e', script], { cwd: folder })
  const files = ['one', 'two'].map((name) => join(folder, `${name}.heapsnapshot`))
  const { clusters, classes } = await compareSnapshots(files, { index: false })
  expect(clusters[0]).toMatchObject({ className: 'Entry', count: 400 })
  expect([...clusters.map(({ className }) => className), ...classes.map(({ name }) => name)]).not.toContainEqual(
    expect.stringMatching(/number\)?$/),
  )
})
