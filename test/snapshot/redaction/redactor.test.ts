import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compareSnapshots } from '../../../src/analysis/growth.ts'
import { HeapGraph } from '../../../src/graph/heap-graph.ts'
import { withWords } from '../../../src/graph/path-words.ts'
import type { NodeTypeName } from '../../../src/snapshot/meta.ts'
import { createRedactor } from '../../../src/snapshot/redaction/redactor.ts'
import { Tokens } from '../../../src/snapshot/redaction/tokens.ts'
import { goldenCases, goldenPairs } from '../../golden/load.ts'
import { type EdgeTypeName, type HeapSketch, heapText, type NodeSketch, parseBytes } from '../../support/heaps.ts'
import { temporaryFolder } from '../../support/target.ts'

const key = Buffer.from('a key of 32 bytes for these test')
const token = (text: string) => new Tokens(key).tokenOf(text)

/** Through a buffer that is used again for each piece, as files are written. */
function redact(text: string | Buffer, pieceBytes = 1 << 20): Buffer {
  const bytes = Buffer.from(text)
  const redactor = createRedactor('test.heapsnapshot', key)
  const buffer = Buffer.alloc(pieceBytes)
  const written: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const length = bytes.copy(buffer, 0, at, at + pieceBytes)
    written.push(Buffer.from(redactor.push(buffer.subarray(0, length))))
    buffer.fill('X')
  }
  written.push(Buffer.from(redactor.end()))
  return Buffer.concat(written)
}

const stringsOf = (file: string | Buffer): string[] => JSON.parse(file.toString()).strings
/** What each string of the heap became, by what it was. */
function outcome(sketch: HeapSketch): Record<string, string> {
  const plain = heapText(sketch)
  const redacted = stringsOf(redact(plain))
  return Object.fromEntries(stringsOf(plain).map((text, i) => [text, redacted[i]!]))
}

const root: NodeSketch = { type: 'synthetic', name: '' }
/** A heap in which the root's only child is an object with these properties, each leading to itself. */
const withProperties = (names: readonly string[], name = 'Object'): HeapSketch => ({
  nodes: [root, { name }],
  edges: [{ from: 0, to: 1, type: 'element', name: 1 }, ...names.map((each) => ({ from: 1, to: 1, name: each }))],
})
const words = (count: number): string[] =>
  Array.from(
    { length: count },
    (_, i) => `user${'abcdeimnor'[Math.floor(i / 10)]}${'aeiou'[i % 5]}${i % 10 < 5 ? 'n' : 't'}`,
  )

describe('the texts of a snapshot', () => {
  test.each<[NodeTypeName, string]>([
    ['string', 'hunter2 and more'],
    ['string', 'é漢\u{1f600}"\\\n\t\u0001 /'],
    ['string', 'ab'],
    ['regexp', '^secret$'],
    ['bigint', '12345678901234567890'],
    ['symbol', 'a description'],
    ['concatenated string', 'left and right'],
  ])('of a %s node are data: %j', (type, name) => {
    expect(outcome({ nodes: [root, { type, name, size: 32 }], edges: [] })[name]).toBe(token(name))
  })

  test.each<[NodeTypeName, string]>([
    ['closure', 'onMessage'],
    ['code', 'file:///app/main.mjs?v=1'],
    ['native', 'Node / FileHandle'],
    ['hidden', 'system / Map'],
    ['object shape', 'system / DescriptorArray'],
    ['array', '(object elements)'],
    ['object', 'Session'],
    ['object', 'Intl.NumberFormat'],
    ['concatenated string', '(concatenated string)'],
    ['sliced string', '(sliced string)'],
    ['number', 'smi number'],
    ['symbol', 'symbol'],
    ['bigint', 'bigint'],
  ])('of a %s node are names: %j', (type, name) => {
    expect(outcome({ nodes: [root, { type, name, size: 32 }], edges: [] })[name]).toBe(name)
  })

  test.each<[EdgeTypeName, string]>([
    ['context', 'a8f5f167f44f4964'],
    ['internal', 'backing_store'],
    ['internal', '1234567890'],
    ['shortcut', 'bound_argument_0'],
    ['weak', 'transition'],
    ['property', 'sessionId'],
    ['property', '<symbol kBufferedValue>'],
  ])('of a %s edge are names: %j', (type, name) => {
    const edges = [{ from: 0, to: 1, type, name }]
    expect(outcome({ nodes: [root, { name: 'Object' }, { type: 'string', name, size: 16 }], edges })[name]).toBe(name)
  })

  test('of a property are data if they do not read like a name', () => {
    const names = ['alice@example.com', '5bc944e1f4b5e74f67f5401d956f2b4f', '<symbol session:6lf18kq>', 'get 5bc944e1']
    const after = outcome(withProperties(names))
    for (const name of names) expect(after[name]).toBe(token(name))
  })

  test('of the properties of a plain object with more than 64 of them are data', () => {
    const after = outcome(withProperties(words(65)))
    expect(words(65).filter((name) => after[name] !== token(name))).toEqual([])
  })

  test('of the properties of a plain object with 64 of them, or of an instance with more, are names', () => {
    const few = outcome(withProperties(words(64)))
    expect(words(64).filter((name) => few[name] !== name)).toEqual([])
    const instance = outcome({
      nodes: [root, { name: 'Object' }, { name: 'process' }],
      edges: words(90).map((name) => ({ from: 2, to: 1, name })),
    })
    expect(words(90).filter((name) => instance[name] !== name)).toEqual([])
  })

  test('that are a key in a dictionary and a name in code stay', () => {
    const sketch = withProperties([...words(80), 'length'])
    sketch.nodes.push({ name: 'Array' })
    sketch.edges.push({ from: 2, to: 1, name: 'length' }, { from: 2, to: 1, type: 'context', name: 'useraen' })
    const after = outcome(sketch)
    expect(after).toMatchObject({ length: 'length', useraen: 'useraen', userain: token('userain') })
  })

  test('that are the digits of a number keep eight of them', () => {
    const numbers = ['65536', '12345678', '4111111111111111', '0.1']
    const nodes: NodeSketch[] = [root, ...numbers.map((name) => ({ type: 'string' as const, name, size: 0 }))]
    const strings: NodeSketch[] = ['12345', '4222222222222222'].map((name) => ({ type: 'string', name, size: 16 }))
    const after = outcome({ nodes: [...nodes, ...strings], edges: [] })
    expect(after).toMatchObject({ 65536: '65536', 12345678: '12345678', '4111111111111111': '4100000000000000' })
    expect(after).toMatchObject({ '0.1': '0.1', 12345: token('12345'), '4222222222222222': token('4222222222222222') })
  })

  test('that all programs share have no size either, and are no numbers', () => {
    const nodes: NodeSketch[] = [
      root,
      { type: 'string', name: 'message', size: 0 },
      { type: 'string', name: 'a text', size: 0 },
    ]
    const after = outcome({ nodes, edges: [{ from: 0, to: 1, name: 'message' }] })
    expect(after).toMatchObject({ message: 'message', 'a text': token('a text') })
  })

  test('in the name of a WeakMap entry are data, and what is read from it stays', () => {
    const pair = (k: string, v: string) =>
      `6 / part of key (${k} @67571) -> value (${v} @113) pair in WeakMap (table @9)`
    const cases: [string, string][] = [
      ['Object', 'weak value'],
      ['a @1) -> value (b', 'line\nbreak'],
      ['Symbol', ''],
    ]
    const edges = cases.map(([k, v]) => ({ from: 0, to: 1, type: 'internal' as const, name: pair(k, v) }))
    const after = outcome({ nodes: [root, { name: 'Object' }], edges })
    expect(after[pair('Object', 'weak value')]).toBe(pair(token('Object'), token('weak value')))
    expect(after[pair('Symbol', '')]).toBe(pair(token('Symbol'), ''))
    const awkward = after[pair(...cases[1]!)]!
    expect(awkward).toMatch(/^6 \/ part of key \(.*? @\d+\) -> value \(.*? @113\) pair in WeakMap \(table @9\)$/)
    expect(awkward).not.toContain('line')
  })

  test('in the name of a WeakMap entry that is cut short, or made to take for ever, are data', () => {
    const cases = ['3 / part of key (secret', `1 / part of key (${'a @1) -> value ('.repeat(50_000)} pair in WeakMap`]
    for (const name of cases) {
      const edges = [{ from: 0, to: 1, type: 'internal' as const, name }]
      const start = name.slice(0, name.indexOf('(') + 1)
      const after = outcome({ nodes: [root, { name: 'Object' }], edges })[name]
      expect(after === start + token(name.slice(start.length))).toBe(true)
    }
  })

  test('in the URL of a script that is its own source are data', () => {
    const url = 'data:text/javascript,const password = "hunter2"'
    const after = outcome({ nodes: [root, { type: 'code', name: url }], edges: [] })
    expect(after[url]).toBe(`data:${token(url.slice(5))}`)
  })

  test('are the same text however they are escaped', () => {
    const text = heapText({ nodes: [root, { type: 'string', name: 'clé 漢 / end', size: 32 }], edges: [] })
    const others = ['cl\\u00e9 \\u6F22 / end', 'cl\\u00E9 漢 \\/ end'].map((json) => text.replace('clé 漢 / end', json))
    for (const other of others) expect(redact(other).toString()).toBe(redact(text).toString())
  })

  test('say in front that they were redacted, and with which key', () => {
    const text = heapText({ nodes: [root], edges: [] })
    expect(stringsOf(redact(text))[0]).toBe(`<redacted by leakscope, key ${new Tokens(key).keyId}>`)
  })
})

const real = goldenCases().filter(({ program }) => program === 'app' || program === 'weak')

describe('a real snapshot', () => {
  test.each(real)(
    'of $name has the same bytes but for its texts, and the same sizes and places',
    async ({ readSnapshot }) => {
      const plain = readSnapshot()
      const redacted = redact(plain)
      const numbers = (file: Buffer) => file.subarray(0, file.indexOf('"strings":['))
      expect(numbers(redacted).equals(numbers(plain))).toBe(true)
      expect(redacted.length).toBeLessThanOrEqual(plain.length + 64)
      const [before, after] = [stringsOf(plain), stringsOf(redacted)]
      expect(after.slice(1).map((text) => text.length)).toEqual(before.slice(1).map((text) => text.length))
      expect(after.filter((text, i) => text !== before[i]).length).toBeGreaterThan(1000)

      const [was, is] = [new HeapGraph(await parseBytes(plain)), new HeapGraph(await parseBytes(redacted))]
      expect(Buffer.from(is.retainedSizes.buffer).equals(Buffer.from(was.retainedSizes.buffer))).toBe(true)
      expect([...is.scriptUrls]).toEqual([...was.scriptUrls])
      expect([...is.moduleScopes]).toEqual([...was.moduleScopes])
    },
  )

  test.each([1, 7, 1000, 65_536])('comes out the same in pieces of %i bytes', (pieceBytes) => {
    const whole = heapText({
      nodes: [root, { type: 'string', name: 'é"\\\n 漢'.repeat(500), size: 8 }, { type: 'closure', name: 'run' }],
      edges: withProperties(words(70)).edges,
      locations: [{ node: 2, script: 1, line: 2, column: 3 }],
    })
    const text = pieceBytes < 1000 ? whole : real[0]!.readSnapshot()
    expect(redact(text, pieceBytes).equals(redact(text, text.length))).toBe(true)
  })

  test.each(goldenPairs())('of Node $nodeMajor and a later one tell of the same growth', async ({ before, after }) => {
    const folder = temporaryFolder()
    const compare = async (change: (file: Buffer) => Buffer) => {
      const files = [before, after].map((each) => join(folder, each.name))
      for (const [i, each] of [before, after].entries()) writeFileSync(files[i]!, change(each.readSnapshot()))
      const { matching, clusters, classes } = await compareSnapshots(files, { maxClusters: 50 })
      const told = clusters.map(({ path, culprit, ...cluster }) => ({
        ...cluster,
        place: culprit && [culprit.url, culprit.line],
        path: path
          .map(withWords)
          .map(({ edge, node }) => [edge.replace(/"(?:[^"\\]|\\.)*"/, '"…"'), node.replace(/^string .*/, 'string')]),
      }))
      return { matching, told, classes }
    }
    const plain = await compare((file) => file)
    expect(plain.told.length).toBeGreaterThan(5)
    expect(await compare((file) => redact(file))).toEqual(plain)
  })
})

describe('what is no snapshot', () => {
  const text = heapText({ nodes: [root, { type: 'string', name: 'a secret', size: 8 }], edges: [] })

  test('is refused wherever it is cut off', () => {
    for (let length = 0; length < text.length; length++) {
      expect(() => redact(text.slice(0, length)), `cut at ${length}`).toThrow(/ends at byte|is cut off/)
    }
  })

  test.each([
    ['another file', '#!/bin/sh\nexit 0\n', /byte 0: expected '\{'/],
    ['something behind it', `${text}x`, /expected the end of the file/],
    ['other JSON', '{"hello":[]}', /expected '"snapshot"'/],
    ['fewer rows than promised', text.replace('"node_count":2', '"node_count":3'), /the head promises 3 rows/],
    ['a bad escape', text.replace('a secret', 'a \\q secret'), /expected escapes that JSON has/],
    ['a bare control character', text.replace('a secret', 'a\nsecret'), /bare control character/],
    ['a string number beyond all', text.replace(/("nodes":\[\d+,)\d+/, '$14294967295'), /no file has a string/],
    ['a word among the numbers', text.replace('"edges":[', '"edges":[null'), /expected a number/],
  ])('is refused: %s', (_, file, message) => {
    expect(file).not.toBe(text)
    expect(() => redact(file)).toThrow(message)
    expect(() => redact(file, 3)).toThrow(message)
  })
})
