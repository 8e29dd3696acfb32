// What comes out of the golden heaps' packing is what went in, byte for byte.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checked, goldenCases } from './load.ts'
import { pack, unpack } from './packing.mjs'

const roundTrip = (bytes: Buffer) => Buffer.concat([...unpack(pack(bytes))])
const expectSame = (bytes: Buffer) => expect(roundTrip(bytes).equals(bytes)).toBe(true)

describe('packing', () => {
  it('gives every byte of real heaps back, with rows on lines of their own and without', () => {
    const real = goldenCases().filter(({ name }) => name === 'weak-node20' || name === 'weak-node24')
    expect(real).toHaveLength(2)
    for (const { readSnapshot } of real) expectSame(readSnapshot())
  })

  it('gives every byte of any text back, leading zeros, long numbers and new sections among it', () => {
    const head = `{"snapshot":{"meta":{"node_fields":["a","b"],"edge_fields":["c","d","e"],"location_fields":["f"]}},\n`
    const section = fc.constantFrom('"nodes":[', '"edges":[', '"locations":[', '"strings":[')
    const word = fc.oneof(
      section,
      fc.nat(20).map(String),
      fc.nat().map(String),
      fc.constantFrom('', ',', '\n,', '0', '00', '99999999', '100000000', '12345678901234567890', 'ż', '\\u0000'),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.boolean(), fc.array(word, { maxLength: 60 }), (withHead, words) => {
        expectSame(Buffer.from((withHead ? head : '') + words.join('')))
      }),
      { numRuns: 3000 },
    )
  })

  it('comes through texts that are longer than a piece', () => {
    const long = 'x'.repeat(3_500_000)
    expectSame(Buffer.from(`1,2,${long}3,${long}4${long}`))
    expectSame(Buffer.from(long))
    expectSame(Buffer.alloc(0))
  })

  it('makes a byte or two a number of what is regular', () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => `1,${i},${(i % 1000) * 6}`).join('\n,')
    const packed = pack(Buffer.from(`"edge_fields":["type","name_or_index","to_node"] "edges":[${rows}]`))
    expect(packed.length).toBeLessThan(100_000 * 3.1)
  })
})

describe('a golden heap', () => {
  const pieces = [Buffer.from('a '), Buffer.from('heap')]
  const sha256 = '…'

  it.each([
    ['other bytes', { bytes: 6, sha256 }],
    ['fewer', { bytes: 7, sha256 }],
    ['more', { bytes: 5, sha256 }],
  ])('is refused where it has %s than its record says', (_, meant) => {
    expect(() => [...checked(pieces, meant)]).toThrow('golden record')
  })
})
