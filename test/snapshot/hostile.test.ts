// What the fuzz run found in the reader, or a look at it with a hostile eye.

import { describe, expect, it } from 'vitest'
import { LeakscopeError } from '../../src/errors.ts'
import { parseSource } from '../../src/snapshot/read.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { heapText, parseBytes } from '../support/heaps.ts'

const sketch = {
  nodes: [
    { type: 'synthetic' as const, name: '' },
    { name: 'Session', size: 40 },
    { type: 'closure' as const, name: 'onData', size: 64 },
  ],
  edges: [
    { from: 0, to: 1, type: 'element' as const, name: 7 },
    { from: 1, to: 2, name: 'callback' },
  ],
  locations: [{ node: 2, script: 12, line: 3, column: 4 }],
}

/** Parses bytes of which nobody knows how many come, or somebody says `maxBytes`, `pieceBytes` at a time. */
async function parsePipe(bytes: Uint8Array, maxBytes?: number, pieceBytes = 50): Promise<Snapshot> {
  let at = 0
  return parseSource('pipe', {
    fileBytes: 0,
    maxBytes,
    async read(target, from) {
      const piece = bytes.subarray(at, at + pieceBytes)
      target.set(piece, from)
      at += piece.length
      return piece.length
    },
    progress: () => 0,
    close: async () => {},
  })
}

async function refusal(reading: Promise<Snapshot>): Promise<string> {
  const outcome = await reading.catch((error) => error)
  expect(outcome).toBeInstanceOf(LeakscopeError)
  expect(outcome.code).toBe('snapshot-malformed')
  expect(outcome.message).toMatch(/byte \d+/)
  return outcome.message
}

describe('a hostile snapshot', () => {
  it.each<[what: string, change: (text: string) => string, says: RegExp]>([
    [
      'a line beyond 32 bits',
      (text) => text.replace('12,3,4]', '12,4294967296,4]'),
      /line or column of 32 bits, found '42/,
    ],
    [
      'sizes whose sum is no exact number any more',
      (text) => text.replace(',40,', ',9007199254740991,'),
      /more than any heap/,
    ],
    [
      'a million blanks between strings',
      (text) => text.replace('"Session",', `"Session"${' '.repeat(1e6)},`),
      /at most 14 blanks between strings/,
    ],
  ])('with %s is refused', async (_, change, says) => {
    const text = heapText(sketch)
    expect(change(text)).not.toBe(text)
    expect(await refusal(parseBytes(Buffer.from(change(text))))).toMatch(says)
  })

  it('with a head that is no UTF-8 is refused', async () => {
    const bytes = Buffer.from(heapText(sketch))
    bytes[bytes.indexOf('synthetic')] = 0xff
    expect(await refusal(parseBytes(bytes))).toMatch(/byte 12: the "snapshot" object is not UTF-8/)
  })

  it('is refused at the same byte, whatever pieces it comes in', async () => {
    const text = heapText(sketch).replace('"nodes":[9,1,', '"nodes":[9,77,')
    const whole = await refusal(parseBytes(Buffer.from(text)))
    expect(await refusal(parseBytes(Buffer.from(text), 20))).toBe(whole)
  })

  it('that promises more than memory holds is refused, also when it comes through a pipe', async () => {
    for (const count of [2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      const text = heapText(sketch).replace('"edge_count":2', `"edge_count":${count}`)
      await refusal(parsePipe(Buffer.from(text)))
    }
    const text = heapText(sketch).replace('"node_count":3', '"node_count":268435455')
    await refusal(parsePipe(Buffer.from(text)))
  })

  it('with rows as long as rows can be is read right, wherever it is cut into pieces', async () => {
    const { nodes, edges, ...plain } = JSON.parse(heapText(sketch))
    const more = Array.from({ length: 26 }, (_, i) => `field_${i}`)
    plain.snapshot.meta.node_fields.push(...more)
    plain.snapshot.meta.node_types[0].push(...more)
    const blanks = ' '.repeat(14)
    const rows = [0, 1, 2].flatMap((row) => [
      ...nodes.slice(6 * row, 6 * row + 6),
      ...more.map(() => Number.MAX_SAFE_INTEGER),
    ])
    const spaced = rows.map((number) => `${blanks}${number}\n${blanks}`).join(',')
    const targets = edges.map((number: number, i: number) => (i % 3 === 2 ? (number / 6) * 32 : number))
    const text =
      `{"snapshot":${JSON.stringify(plain.snapshot)},"nodes":[${spaced}],"edges":[${targets}],` +
      `"strings":${JSON.stringify(plain.strings)}}`
    const whole = await parseBytes(Buffer.from(text))
    expect([...whole.nodeId]).toEqual([1, 3, 5])
    expect([...whole.selfSize]).toEqual([0, 40, 64])
    for (let size = 1000; size < 1600; size += 7) {
      expect([...(await parseBytes(Buffer.from(text), size)).nodeId]).toEqual([1, 3, 5])
    }
  })

  it('tells names by their beginning, the first string too', async () => {
    const text = heapText(sketch).replace('"strings":["<dummy>",""', '"strings":["system / a","system / b"')
    const { strings } = await parseBytes(Buffer.from(text))
    expect([...strings.startingWith('system / ')]).toEqual([0, 1])
  })
})

describe('a large packed snapshot', () => {
  it('is read, though nobody knows how large it unpacks', async () => {
    // Of 5 MB of gzip data, as much as 5 GB may come: more than a typed array can be in Node 20.
    const snapshot = await parsePipe(Buffer.from(heapText(sketch)), 5_000_000 * 1032, 1 << 20)
    expect(snapshot.nodeCount).toBe(3)
  })
})
