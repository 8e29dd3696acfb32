import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { LeakscopeError } from '../../src/errors.ts'
import { readSnapshot } from '../../src/snapshot/read.ts'
import { edgeTarget, edgeType, type Snapshot } from '../../src/snapshot/snapshot.ts'
import { goldenCases } from '../golden/load.ts'
import { buildHeap, heapText, parseBytes } from '../support/heaps.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-read-'))
afterAll(() => rmSync(folder, { recursive: true }))

const sketch = {
  nodes: [
    { type: 'synthetic' as const, name: '' },
    { name: 'Session', size: 40, id: 4_294_967_295 },
    { type: 'string' as const, name: 'snowman ☃, emoji 😀, "quoted", back\\slash, new\nline', size: 5_000_000_000 },
  ],
  edges: [
    { from: 0, to: 1, type: 'element' as const, name: 7 },
    { from: 1, to: 2, name: 'text' },
  ],
  locations: [{ node: 1, script: 12, line: 3, column: 4 }],
}

/** Every column as plain arrays, and every string. */
function contents(snapshot: Snapshot) {
  const { nodeType, nodeName, nodeId, selfSize, firstEdge, edges, edgeNameOrIndex, locations, strings } = snapshot
  return {
    columns: [nodeType, nodeName, nodeId, selfSize, firstEdge, edges, edgeNameOrIndex].map((column) => [...column]),
    locations: Object.values(locations).map((column) => [...column]),
    strings: Array.from({ length: strings.count }, (_, i) => strings.get(i)),
  }
}

async function failure(text: string | Uint8Array, pieceBytes?: number): Promise<LeakscopeError> {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  const outcome = await parseBytes(bytes, pieceBytes).catch((error) => error)
  expect(outcome).toBeInstanceOf(LeakscopeError)
  expect(outcome.code).toBe('snapshot-malformed')
  return outcome
}

describe('reading a snapshot', () => {
  it('keeps ids of 32 bits, sizes beyond 4 GiB, and strings of every kind', async () => {
    const snapshot = await buildHeap(sketch)
    expect(snapshot.nodeId[1]).toBe(4_294_967_295)
    expect(snapshot.selfSize[2]).toBe(5_000_000_000)
    expect(snapshot.strings.get(snapshot.nodeName[2]!)).toBe(sketch.nodes[2]!.name)
    expect([...snapshot.edges].map((packed) => [edgeTarget(packed), edgeType(packed)])).toEqual([
      [1, 1],
      [2, 2],
    ])
    expect(snapshot.edgeNameOrIndex[0]).toBe(7)
    expect(contents(snapshot).locations).toEqual([[1], [0], [12], [3], [4]])
  })

  it('keeps a place once, however many nodes stand there, and more than 65,536 places', async () => {
    const lines = [...Array.from({ length: 70_000 }, (_, i) => i), 69_999, 5, 5]
    const { locations } = await buildHeap({
      ...sketch,
      locations: lines.map((line) => ({ node: 1, script: 12, line, column: 4 })),
    })
    expect(locations.line.length).toBe(70_000)
    expect(Array.from(locations.site, (site) => locations.line[site])).toEqual(lines)
  })

  it('says the same whatever pieces the bytes come in', async () => {
    const bytes = Buffer.from(heapText(sketch))
    const whole = contents(await parseBytes(bytes))
    for (let size = 1; size < 64; size++) expect(contents(await parseBytes(bytes, size))).toEqual(whole)
    const real = goldenCases()[0]!.readSnapshot()
    const realWhole = contents(await parseBytes(real))
    for (const size of [997, 4096, 65_537]) expect(contents(await parseBytes(real, size))).toEqual(realWhole)
  })

  it('decodes UTF-8 that is cut anywhere, as other writers than V8 leave it unescaped', async () => {
    const text = heapText(sketch)
    expect(text).toContain('☃')
    const { strings } = await parseBytes(Buffer.from(text), 1)
    expect(Array.from({ length: strings.count }, (_, i) => strings.get(i))).toContain(sketch.nodes[2]!.name)
  })

  it('finds strings by their text', async () => {
    const { strings } = await buildHeap({
      nodes: [{ name: 'a' }, { name: 'say "a" twice' }, { name: 'aa' }, { name: 'system / Context / x' }],
      edges: [],
    })
    expect(strings.get(strings.indexOf('a'))).toBe('a')
    expect(strings.get(strings.indexOf('aa'))).toBe('aa')
    expect(strings.indexOf('b')).toBe(-1)
    // Asked for many names, it looks them up in a table, with the same answers.
    for (let i = 0; i < 100; i++) expect(strings.indexOf(`nothing ${i}`)).toBe(-1)
    for (let i = 0; i < strings.count; i++) {
      const text = strings.get(i)
      if (/^[ !#-[\]-~]+$/.test(text)) expect(strings.get(strings.indexOf(text))).toBe(text)
    }
    expect([...strings.startingWith('system / Context')].map((i) => strings.get(i))).toEqual(['system / Context / x'])
    expect([...strings.containing('a')]).toHaveLength(3)
  })

  it('accepts blanks where JSON has them', async () => {
    const spaced = heapText(sketch)
      .replace(/,(?=\d)/g, '\r\n , ')
      .replace('"nodes":[', '"nodes" : [ ')
      .replace(/}$/, '}\n\n')
    expect(contents(await parseBytes(Buffer.from(spaced), 100))).toEqual(contents(await buildHeap(sketch)))
  })

  it('reads a gzipped file like a plain one', async () => {
    const plain = goldenCases()[0]!.readSnapshot()
    const file = join(folder, 'packed.heapsnapshot.gz')
    writeFileSync(file, gzipSync(plain, { level: 1 }))
    const snapshot = await readSnapshot(file)
    expect(snapshot.nodeCount).toBe(goldenCases()[0]!.golden.nodeCount)
    writeFileSync(file, gzipSync(plain, { level: 1 }).subarray(0, 50_000))
    await expect(readSnapshot(file)).rejects.toMatchObject({ code: 'snapshot-malformed' })
    const garbled = gzipSync(plain, { level: 1 })
    garbled[70_000]! ^= 0x55
    writeFileSync(file, garbled)
    await expect(readSnapshot(file)).rejects.toMatchObject({ code: 'snapshot-malformed' })
  })

  it('reports progress up to 1 and stops when told to', async () => {
    const file = join(folder, 'real.heapsnapshot')
    writeFileSync(file, goldenCases()[0]!.readSnapshot())
    const seen: number[] = []
    await readSnapshot(file, { onProgress: (fraction) => seen.push(fraction) })
    expect(seen.at(-1)).toBe(1)
    const stop = new AbortController()
    const reading = readSnapshot(file, { signal: stop.signal })
    stop.abort(new LeakscopeError('cancelled', 'enough'))
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' })
  })
})

describe('a damaged snapshot', () => {
  it('is refused at 100 offsets where a real one was cut off, naming the byte', async () => {
    const real = goldenCases()
      .find(({ name }) => name === 'weak-node24')!
      .readSnapshot()
    // The golden ratio spreads the offsets; none is special.
    for (let i = 1; i <= 100; i++) {
      const length = Math.floor(real.length * ((i * 0.6180339887) % 1))
      const { message } = await failure(real.subarray(0, length), 100_000)
      const early = `byte 12: the head promises .+ more than the file's ${length} bytes can hold: it is cut off`
      expect(message).toMatch(new RegExp(`: (ends at byte ${length}, where .+ was expected|${early})`))
    }
  })

  it.each<[what: string, change: (text: string) => string, says: RegExp]>([
    ['no snapshot at all', () => 'hello', /byte 0: expected '\{', found 'hello'/],
    ['another JSON', () => '{"a":1}', /byte 1: expected '"snapshot"'/],
    [
      'a head that is no object',
      (text) => text.replace(/"snapshot":\{.*?\},\n/, '"snapshot":7,\n'),
      /expected '\[' or '\{'/,
    ],
    ['a head without fields', (text) => text.replace('"node_fields":["type",', '"node_fields":['), /no field "type"/],
    ['no nodes', (text) => text.replace('"node_count":3', '"node_count":0'), /promises no nodes/],
    ['more nodes than it has', (text) => text.replace('"node_count":3', '"node_count":4'), /byte \d+: expected ','/],
    [
      'fewer nodes than it has',
      (text) => text.replace('"node_count":3', '"node_count":2'),
      /expected '\]' behind as many rows/,
    ],
    [
      'counts beyond its size',
      (text) => text.replace('"edge_count":2', '"edge_count":900000000'),
      /more than the file's \d+ bytes can hold/,
    ],
    ['absurd counts', (text) => text.replace('"edge_count":2', '"edge_count":1e300'), /not a heap snapshot's head/],
    ['negative counts', (text) => text.replace('"node_count":3', '"node_count":-3'), /not a heap snapshot's head/],
    [
      'sections in another order',
      (text) => text.replace('"nodes"', '"x"').replace('"edges"', '"nodes"'),
      /expected '"nodes"'/,
    ],
    ['strings in front of locations', (text) => text.replace('"locations"', '"strings"'), /expected '"'/],
    ['a section twice', (text) => text.replace('"strings"', '"locations":[],"locations"'), /once each/],
    [
      'a node type that there is not',
      (text) => text.replace('"nodes":[9,', '"nodes":[99,'),
      /expected a node type below 16, found '99/,
    ],
    ['a negative number', (text) => text.replace('"nodes":[9,', '"nodes":[-9,'), /expected a number, found '-9/],
    ['a fraction', (text) => text.replace('"nodes":[9,', '"nodes":[9.5,'), /expected ',', found '.5/],
    ['a number too long', (text) => text.replace('"nodes":[9,', `"nodes":[${'9'.repeat(30)},`), /at most 16 digits/],
    ['an id too large', (text) => text.replace('4294967295', '4294967296'), /object id of 32 bits, found '4294967296/],
    [
      'an edge into the middle of a node',
      (text) => text.replace(/12\],\n"trace_f/, '13],\n"trace_f'),
      /multiple of 6 below 18, found '13/,
    ],
    [
      'an edge beyond the last node',
      (text) => text.replace(/12\],\n"trace_f/, '18],\n"trace_f'),
      /multiple of 6 below 18/,
    ],
    [
      'edge counts that do not add up',
      (text) => text.replace('"edge_count":2', '"edge_count":1'),
      /at most 1 edges in all/,
    ],
    ['a location of no node', (text) => text.replace('"locations":[6,', '"locations":[7,'), /multiple of 6/],
    ['a name beyond the strings', (text) => text.replace('"nodes":[9,1,', '"nodes":[9,77,'), /named by number 77/],
    ['a line break inside a string', (text) => text.replace('Session', 'Ses\nsion'), /no bare control character/],
    ['an escape that JSON does not have', (text) => text.replace('Session', 'Ses\\xion'), /an escape that JSON has/],
    ['a broken \\u escape', (text) => text.replace('Session', 'Ses\\u12g4'), /hexadecimal digit/],
    ['something behind its end', (text) => `${text}{`, /the end of the file, found '\{'/],
    [
      'a million blanks between numbers',
      (text) => text.replace('"nodes":[9,', `"nodes":[9,${' '.repeat(1e6)}`),
      /at most 14 blanks/,
    ],
  ])('with %s is refused in plain words', async (_, change, says) => {
    const text = heapText(sketch)
    const changed = change(text)
    expect(changed).not.toBe(text)
    for (const pieceBytes of [changed.length, 64]) expect((await failure(changed, pieceBytes)).message).toMatch(says)
  })

  it('with bytes that are no UTF-8 is refused', async () => {
    const bytes = Buffer.from(heapText(sketch))
    bytes[bytes.indexOf('Session')] = 0xff
    expect((await failure(bytes)).message).toMatch(/byte \d+: string \d is not UTF-8/)
  })

  it('never passes for whole, wherever one of its bytes is changed', async () => {
    const text = heapText(sketch)
    const whole = JSON.stringify(contents(await buildHeap(sketch)))
    // In front of its data it names types that this heap has nothing of.
    const data = text.indexOf('"nodes":')
    for (let at = 0; at < text.length; at++) {
      const bytes = Buffer.from(text)
      bytes[at]! ^= 0x10
      const outcome = await parseBytes(bytes).catch((error) => error)
      // Another digit or letter is a different heap, which cannot be known; all else must be a clean refusal.
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(LeakscopeError)
      else if (at > data) expect(JSON.stringify(contents(outcome))).not.toBe(whole)
    }
  })
})

describe('a file that is no snapshot', () => {
  it.each<[what: string, make: (path: string) => void, code: string, says: RegExp]>([
    ['does not exist', () => {}, 'file-not-found', /no such file/],
    ['is empty', (path) => writeFileSync(path, ''), 'snapshot-malformed', /is empty/],
    ['is a directory', (path) => mkdirSync(path), 'file-unreadable', /is a directory/],
  ])('because it %s is refused', async (what, make, code, says) => {
    const path = join(folder, what.replaceAll(' ', '-'))
    make(path)
    await expect(readSnapshot(path)).rejects.toMatchObject({ code, message: expect.stringMatching(says) })
  })
})
