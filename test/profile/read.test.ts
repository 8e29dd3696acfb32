// Profiles of all kinds, whole and broken.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { CallTree } from '../../src/profile/call-tree.ts'
import { group } from '../../src/profile/group.ts'
import { list } from '../../src/profile/list.ts'
import { readProfile } from '../../src/profile/read.ts'
import { tableOf } from '../../src/profile/table.ts'
import { weigh } from '../../src/profile/weigh.ts'
import { cpuProfile } from '../support/profiles.ts'
import { temporaryFolder } from '../support/target.ts'

function fileOf(content: string | Buffer): string {
  const file = join(temporaryFolder(), 'profile')
  writeFileSync(file, content)
  return file
}

const read = (content: string | Buffer) => readProfile(fileOf(content))

function rows(tree: CallTree, by: 'function' | 'line' = 'function') {
  const weighed = weigh(tree, tree.self.at(-1)!, {})
  return tableOf(tree, weighed, group(tree, by), false).map(({ name, line, flat, cum }) => [name, line, flat, cum])
}

const cpu = cpuProfile(
  [
    [1, '(root)', 0, [2, 4, 5]],
    [2, 'main', 1, [3]],
    [
      3,
      'work',
      3,
      [],
      [
        [32, 2],
        [33, 1],
      ],
    ],
    [4, '(idle)', 5],
    [5, '(garbage collector)', 1],
  ],
  1000,
)

describe('a .cpuprofile', () => {
  test('has the time of each function: its share of the samples', async () => {
    const { tree, format } = await read(cpu)
    expect(format).toBe('cpuprofile')
    expect(tree.durationMs).toBe(1)
    expect(rows(tree)).toEqual([
      ['work', 30, 300, 300],
      ['main', 20, 100, 400],
    ])
    expect(weigh(tree, tree.self[1]!, {}).apart).toEqual({ idle: 500, program: 0, 'garbage collector': 100 })
  })

  test('has the lines that ran', async () => {
    expect(rows((await read(cpu)).tree, 'line')).toEqual([
      ['work', 32, 200, 200],
      ['main', 20, 100, 400],
      ['work', 33, 100, 100],
    ])
  })

  test('of the old format, with nodes in one another and lines from 1, says the same', async () => {
    const node = (name: string, id: number, hitCount: number, children: object[] = []) => ({
      functionName: name,
      url: name.startsWith('(') ? '' : 'file:///app/a.js',
      lineNumber: 10 * id,
      columnNumber: 5,
      hitCount,
      id,
      children,
    })
    const head = node('(root)', 1, 0, [
      node('main', 2, 1, [node('work', 3, 3)]),
      node('(idle)', 4, 5),
      node('(garbage collector)', 5, 1),
    ])
    const { tree } = await read(
      JSON.stringify({ typeId: 'CPU', head, startTime: 7, endTime: 7.001, samples: [3], timestamps: [1] }),
    )
    expect(rows(tree).map(([name, line, flat]) => [name, line, Math.round(Number(flat))])).toEqual([
      ['work', 30, 300],
      ['main', 20, 100],
    ])
  })

  test('without counts at its nodes is counted by its samples', async () => {
    const plain = JSON.parse(cpu)
    for (const node of plain.nodes) delete node.hitCount
    for (const node of plain.nodes) delete node.positionTicks
    expect(rows((await read(JSON.stringify({ ...plain, samples: [3, 3, 2, 3] }))).tree)).toEqual([
      ['work', 30, 750, 750],
      ['main', 20, 250, 1000],
    ])
  })

  test('is read in pieces, whatever stands at their borders', async () => {
    const names = Array.from({ length: 9000 }, (_, i) => `${'é"\\\n'.repeat(i % 40)}${i}`)
    const nodes = names.map((name, i) => [i + 1, name, i, i === 0 ? names.slice(1).map((_, k) => k + 2) : []] as const)
    const text = cpuProfile(
      nodes.map(([id, name, hits, children]) => [id, name, hits, [...children]]),
      1e6,
    )
    expect(text.length).toBeGreaterThan(2 << 20)
    const { tree } = await read(text)
    const found = new Set(Array.from(tree.frame, (frame) => tree.frames.name(frame)))
    expect(found).toEqual(new Set(names))
  })
})

describe('a .heapprofile', () => {
  const frame = (functionName: string, lineNumber: number) => ({
    functionName,
    scriptId: '1',
    url: 'file:///app/a.js',
    lineNumber,
    columnNumber: 0,
  })
  const heap = JSON.stringify({
    head: {
      callFrame: { ...frame('(root)', -1), url: '' },
      selfSize: 0,
      id: 1,
      children: [
        {
          callFrame: frame('log', 1),
          selfSize: 700,
          id: 2,
          children: [{ callFrame: frame('push', 4), selfSize: 300, id: 3, children: [] }],
        },
      ],
    },
    samples: [{ size: 700, nodeId: 2, ordinal: 1 }],
  })

  test('has the bytes of each function, packed or not', async () => {
    for (const content of [heap, gzipSync(heap)]) {
      const { tree, format } = await read(content)
      expect(format).toBe('heapprofile')
      expect(rows(tree)).toEqual([
        ['log', 2, 700, 1000],
        ['push', 5, 300, 300],
      ])
    }
  })

  test('with stacks of a hundred thousand calls is no trouble', async () => {
    const deep = 100_000
    const nested = `{"callFrame":{"functionName":"f"},"selfSize":1,"id":1,"children":[`.repeat(deep) + ']}'.repeat(deep)
    expect(rows((await read(`{"head":${nested}}`)).tree)).toEqual([['f', null, deep, deep]])
  })

  test('says in a listing that it knows no lines', async () => {
    const { tree } = await read(heap)
    const source = () => 'one\nfunction log() {\n  push()\n}\nfunction push() {}\n'
    const [listing] = list(tree, { self: tree.self[0]! }, new Set([tree.frame[1]!]), source)
    expect(listing).toMatchObject({ name: 'log', flat: 700, cum: 1000, startOnly: true })
    expect(listing!.lines.map(({ line, flat, text }) => [line, flat, text])).toContainEqual([
      2,
      700,
      'function log() {',
    ])
  })
})

describe('folded stacks', () => {
  test('are read with their places, and comments left out', async () => {
    const { tree, format } = await read(
      '# made by hand\nmain (file:///app/a.js:3:9);work 4\r\n\nmain (file:///app/a.js:3:9) 1',
    )
    expect(format).toBe('folded')
    expect(rows(tree)).toEqual([
      ['work', null, 4, 4],
      ['main', 3, 1, 5],
    ])
  })
})

describe('what is no profile, or a broken one', () => {
  const without = (change: (profile: { nodes: { id: number; children: number[] }[] }) => void) => {
    const profile = JSON.parse(cpu)
    change(profile)
    return JSON.stringify(profile)
  }
  const cases: [what: string, content: string | Buffer, complaint: RegExp][] = [
    ['nothing', '', /is empty \(0 bytes\)/],
    ['half of a file', cpu.slice(0, cpu.length / 2), /ends at byte \d+, in the middle/],
    ['half of a packed file', gzipSync(cpu).subarray(0, 80), /gzip data is damaged/],
    ['nodes that call each other in a circle', without(({ nodes }) => nodes[2]!.children.push(2)), /two callers/],
    [
      'a circle apart',
      without(({ nodes }) => {
        nodes[0]!.children = [4, 5]
        nodes[2]!.children.push(2)
      }),
      /in a circle at node 2 \(main\)/,
    ],
    [
      'a callee that is not there',
      without(({ nodes }) => nodes[1]!.children.push(77)),
      /node 2 names 77 as its callee/,
    ],
    ['a node that nobody calls', without(({ nodes }) => nodes[0]!.children.shift()), /node 2 \(main\) has no caller/],
    [
      'two nodes of one id',
      without(({ nodes }) => {
        nodes[3]!.id = 5
      }),
      /two nodes have the id 5/,
    ],
    ['hits below nothing', cpu.replace('"hitCount":3', '"hitCount":-3'), /hitCount is -3/],
    ['nodes that are none', '{"nodes":[1,2]}', /a node is not an object/],
    ['a heap snapshot', '{"snapshot":{"meta":{}},"nodes":[]}', /is a heap snapshot; `leakscope analyze`/],
    ["a trace of Chrome's", '{"traceEvents":[]}', /Performance panel/],
    ["speedscope's own format", '{"$schema":"https://www.speedscope.app/file-format-schema.json"}', /speedscope/],
    ['any other JSON', '{"name":"a","dependencies":{"b":[1,{"c":null}]}}', /no profile of V8: it has no nodes/],
    ['two documents', `${cpu}{}`, /is not JSON as it should be/],
    ['JSON with a comma too many', '{"nodes":[],}', /is not JSON as it should be, at '}'/],
    ['plain text', 'hello world\n', /line 1 is no folded stack: 'hello world'/],
    ['a program', readFileSync(process.execPath).subarray(0, 5000), /is no pprof profile/],
  ]
  test.each(cases)('%s', async (_, content, complaint) => {
    await expect(read(content)).rejects.toMatchObject({
      code: 'profile-malformed',
      message: expect.stringMatching(complaint),
    })
  })

  test('is refused at whatever byte it is cut off', async () => {
    for (let length = 1; length < cpu.length; length += 7) {
      await expect(read(cpu.slice(0, length))).rejects.toMatchObject({ code: 'profile-malformed' })
    }
  })

  test('a folder, and what is not there', async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'a.cpuprofile'))
    await expect(readProfile(join(folder, 'a.cpuprofile'))).rejects.toMatchObject({ code: 'file-unreadable' })
    await expect(readProfile(join(folder, 'b.cpuprofile'))).rejects.toMatchObject({ code: 'file-not-found' })
  })

  test('reading can be stopped', async () => {
    const stopped = AbortSignal.abort(new Error('enough'))
    await expect(readProfile(fileOf(cpu), { signal: stopped })).rejects.toThrow('enough')
  })
})
