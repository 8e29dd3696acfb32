// The small things that everything else rests on: numbers as text, text made safe, and the two hash tables.

import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { callHasDuplicates } from '../src/analysis/lineage.ts'
import { IdTable } from '../src/graph/id-table.ts'
import { arenaOf, arenaUint32, makeArena } from '../src/support/arena.ts'
import { formatBytes, formatBytesDelta, formatCount, formatDuration, printable } from '../src/support/format.ts'
import { startSecondThread } from '../src/support/second-thread.ts'
import { TupleInterner } from '../src/support/tuple-interner.ts'

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 KB'],
  [9994, '9.99 KB'],
  [9996, '10.0 KB'],
  [99_960, '100 KB'],
  [999_499, '999 KB'],
  [999_500, '1.00 MB'],
  [-1_234_567, '-1.23 MB'],
  [5e9, '5.00 GB'],
  [2e15, '2000 TB'],
])('%d bytes read %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

test.each([
  [0, '0 ms'],
  [999.4, '999 ms'],
  [999.6, '1.0 s'],
  [59_940, '59.9 s'],
  [59_960, '1 min 0 s'],
  [3_599_999, '1 h 0 min'],
  [90_000_000, '1 d 1 h'],
])('%d ms read %s', (ms, text) => expect(formatDuration(ms)).toBe(text))

test('differences carry their sign', () => {
  expect([formatBytesDelta(5), formatBytesDelta(-5), formatBytesDelta(0)]).toEqual(['+5 B', '-5 B', '0 B'])
  expect(formatCount(1234567)).toBe('1,234,567')
})

describe('printable text', () => {
  it('never holds a control character, a terminal escape or a turn of direction', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/)
      }),
    )
    expect(printable('a\x1b[31mred\nb\u202e')).toBe('a\\u001b[31mred\\nb\\u202e')
  })

  it('is cut where it is too long', () => expect(printable('abcdef', 4)).toBe('abc…'))
})

/** Made in TypeScript, and in WebAssembly. */
function tablesOf(ids: Uint32Array): IdTable[] {
  const arena = makeArena(1 << 20)
  expect(arena).toBeDefined()
  return [new IdTable(ids), new IdTable(ids, arena)]
}

test('an id table finds each id where it stands first, and no other', () => {
  fc.assert(
    fc.property(fc.uint32Array({ maxLength: 500 }), fc.uint32Array(), (ids, others) => {
      for (const table of tablesOf(ids)) {
        for (const id of [...ids, ...others]) expect(table.position(id)).toBe(ids.indexOf(id))
      }
    }),
  )
})

test('an id table knows ids as V8 gives them: odd and small, with a few that are neither', () => {
  const odd = fc.nat({ max: 600 }).map((n) => 2 * n + 1)
  const id = fc.oneof({ arbitrary: odd, weight: 20 }, fc.nat({ max: 1200 }), fc.nat({ max: 2 ** 31 }))
  fc.assert(
    fc.property(fc.array(id, { maxLength: 500 }), fc.array(id), (ids, others) => {
      const wanted = [...ids, ...others]
      const expected = wanted.map((each) => ids.indexOf(each))
      for (const table of tablesOf(Uint32Array.from(ids))) {
        expect(wanted.map((each) => table.position(each))).toEqual(expected)
        expect(table.duplicates).toBe(ids.length - new Set(ids).size)
        if (table.duplicates > 0) continue
        expect([...Int32Array.from(table.positions(Uint32Array.from(wanted)))]).toEqual(expected)
      }
    }),
  )
})

test('a tuple interner numbers tuples in order of appearance, the same ones alike', () => {
  const number = fc.integer({ min: 0, max: 20 })
  fc.assert(
    fc.property(fc.array(fc.tuple(number, number, number), { maxLength: 3000 }), (tuples) => {
      const interner = new TupleInterner(3)
      const known = new Map<string, number>()
      for (const tuple of tuples) {
        const key = tuple.join()
        if (!known.has(key)) known.set(key, known.size)
        expect(interner.intern(...tuple)).toBe(known.get(key))
      }
      expect(interner.size).toBe(known.size)
      for (const [key, index] of known) expect([0, 1, 2].map((part) => interner.part(index, part)).join()).toBe(key)
    }),
  )
})

test('a second thread that is ended keeps the process until it has ended, whatever it answers meanwhile', () => {
  const program = `
    import { startSecondThread } from '${new URL('../dist/support/second-thread.js', import.meta.url)}'
    const second = startSecondThread()
    const ask = () => second.call('${new URL('../dist/analysis/lineage.js', import.meta.url)}', 'hasDuplicates', new Uint32Array(2))
    await ask()
    ask().catch(() => {})
    // Its answer is there, and not yet looked at.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    await second.close()
    console.log('ended')`
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect([status, stdout]).toEqual([0, 'ended\n'])
})

test('the largest memory of WebAssembly can be shared with a second thread', async () => {
  const arena = makeArena(1e12)
  expect(arena).toBeDefined()
  const second = startSecondThread()
  try {
    const ids = arenaUint32(arena, 2).fill(7)
    expect(arenaOf(ids)).toBe(arena)
    expect(await callHasDuplicates(second, ids)).toBe(true)
  } finally {
    await second?.close()
  }
})
