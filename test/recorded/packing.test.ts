// What comes out of the packing of recorded snapshots is what went in, byte for byte.

import { describe, expect, it } from 'vitest'
import { goldenCases } from '../golden/load.ts'
import { frameOf, type Heap, pack, parse, Strings, unpack, write } from './packing.mjs'

const snapshotOf = (name: string) =>
  goldenCases()
    .find((each) => each.name === name)!
    .readSnapshot()

describe('packing', () => {
  it.each([
    ['alone', [], 'weak-node18'],
    ['after one of another program', ['app-node24'], 'weak-node24'],
    ['after one of a thread', ['worker-node26'], 'weak-node26'],
    ['after one of the same process', ['pair-before-node20'], 'pair-after-node20'],
    ['after one of another Node, of which nothing fits', ['weak-node24'], 'weak-node22'],
  ])('gives every byte of a snapshot back, %s', (why, before, name) => {
    const isSame = why.includes('same process')
    const strings = new Strings()
    let base: Heap | undefined
    let baseAgain: Heap | undefined
    for (const each of [...before, name]) {
      const bytes = snapshotOf(each)
      const known = strings.texts.length
      const heap = parse(bytes, strings)
      const streams = pack(heap, base, strings, isSame && base !== undefined, known)
      // As they are when all that was packed is read: the strings of later ones are there already.
      const all = new Strings([...strings.texts, '"later"', '"40000"'])
      baseAgain = unpack(streams, frameOf(heap), baseAgain, all, isSame && base !== undefined)
      expect(write(baseAgain, all).equals(bytes), each).toBe(true)
      base = heap
    }
  })

  it('makes a hundredth of what is as it was', () => {
    const bytes = snapshotOf('weak-node20')
    const strings = new Strings()
    const heap = parse(bytes, strings)
    const streams = pack(heap, heap, strings, true, strings.texts.length)
    expect(streams.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(bytes.length / 100)
  })
})
