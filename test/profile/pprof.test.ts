// pprof in and out, held against another implementation of the format.

import { Profile } from 'pprof-format'
import { describe, expect, test } from 'vitest'
import { arrange, type CallTree } from '../../src/profile/call-tree.ts'
import { foldedLines } from '../../src/profile/folded.ts'
import { readPprof, writePprof } from '../../src/profile/pprof.ts'
import { atOnce } from '../../src/support/breathing.ts'
import { folded } from '../support/profiles.ts'

const tree: CallTree = {
  ...folded('main (file:///app/a.js:3:9);wörk (file:///app/b.js:7:1) 41\nmain (file:///app/a.js:3:9) 1\n(idle) 8\n'),
  durationMs: 12.5,
  period: 10,
}
const micros: CallTree = { ...tree, sampleTypes: [{ name: 'cpu', unit: 'microseconds' }] }
const write = (of: CallTree, labels = {}) => Buffer.from(atOnce(writePprof(of, of.self, { labels })))
const read = (bytes: Buffer) => arrange('p', atOnce(readPprof('p', bytes)))
const lines = (of: CallTree) => [...foldedLines(of, of.self[0]!)].sort()

describe('a pprof file of ours', () => {
  const bytes = write(micros, { isolate: 'worker:3' })
  const decoded = Profile.decode(bytes)
  const text = (index: number | bigint) => decoded.stringTable.strings[Number(index)]

  test('says what was measured, and in which unit', () => {
    expect(decoded.sampleType.map(({ type, unit }) => [text(type), text(unit)])).toEqual([['cpu', 'nanoseconds']])
    expect(Number(decoded.durationNanos)).toBe(12_500_000)
    expect([text(decoded.periodType!.type), Number(decoded.period)]).toEqual(['cpu', 10_000])
    expect(text(decoded.defaultSampleType)).toBe('cpu')
    expect(decoded.stringTable.strings[0]).toBe('')
  })

  test('has its stacks from the innermost call outwards, with labels', () => {
    const functions = new Map(decoded.function.map((it) => [Number(it.id), it]))
    const locations = new Map(decoded.location.map((it) => [Number(it.id), it]))
    const stacks = decoded.sample.map(({ locationId, value, label }) => ({
      stack: locationId.map((id) => {
        const { functionId, line } = locations.get(Number(id))!.line[0]!
        const { name, filename, startLine } = functions.get(Number(functionId))!
        return [text(name), text(filename), Number(startLine), Number(line)]
      }),
      value: value.map(Number),
      label: label.map(({ key, str }) => [text(key), text(str)]),
    }))
    const label = [['isolate', 'worker:3']]
    const main = ['main', 'file:///app/a.js', 3, 3]
    expect(stacks).toEqual([
      { stack: [main], value: [1000], label },
      { stack: [['wörk', 'file:///app/b.js', 7, 7], main], value: [41_000], label },
      { stack: [['(idle)', '', 0, 0]], value: [8000], label },
    ])
  })

  test('has a mapping that needs no symbols, which all locations name', () => {
    expect(decoded.mapping).toMatchObject([{ hasFunctions: true, hasFilenames: true, hasLineNumbers: true }])
    expect(new Set(decoded.location.map(({ mappingId }) => Number(mappingId)))).toEqual(new Set([1]))
  })

  test('comes back as it went', () => {
    const back = read(bytes)
    expect(back.sampleTypes).toEqual(micros.sampleTypes)
    expect(back.durationMs).toBe(12.5)
    // Columns are lost: the format has no place for where a function begins.
    expect(lines(back)).toEqual(lines(micros).map((line) => line.replace(/(\.js:\d+):\d+/g, '$1:0')))
  })

  test('keeps differences, which may be below nothing', () => {
    const less = { ...tree, self: [tree.self[0]!.map((value) => -value * 2 ** 40)] }
    // The other one gives what stands there without its sign.
    const [value] = Profile.decode(write(less)).sample[0]!.value
    expect(BigInt.asIntN(64, BigInt(value!))).toBe(-(2n ** 40n))
    expect([...read(write(less)).self[0]!].sort()).toEqual([...less.self[0]!].sort())
  })
})

describe('a pprof file of others', () => {
  const other = (change: object = {}) => {
    const strings = ['', 'samples', 'count', 'cpu', 'milliseconds', 'inner', 'outer', 'a.js', 'inlined']
    const table = new (
      Profile.decode(write(tree)).stringTable.constructor as new () => { dedup(text: string): number }
    )()
    for (const text of strings) table.dedup(text)
    const fn = (id: number, name: number, startLine: number) => ({ id, name, systemName: name, filename: 7, startLine })
    return Buffer.from(
      new Profile({
        stringTable: table as never,
        sampleType: [
          { type: 1, unit: 2 },
          { type: 3, unit: 4 },
        ],
        sample: [
          { locationId: [2, 1], value: [2, 20], label: [] },
          { locationId: [2, 1], value: [1, 10], label: [{ key: 1, str: 3 }] },
          { locationId: [1], value: [1, 5], label: [] },
        ],
        location: [
          { id: 1, line: [{ functionId: 2, line: 12 }] },
          {
            id: 2,
            line: [
              { functionId: 3, line: 30 },
              { functionId: 1, line: 22 },
            ],
          },
        ],
        function: [fn(1, 5, 20), fn(2, 6, 10), fn(3, 8, 29)],
        ...change,
      } as never).encode(),
    )
  }

  test('is read with inlined functions, lines, and times in our unit', () => {
    const back = read(other())
    expect(back.sampleTypes).toEqual([
      { name: 'samples', unit: 'count' },
      { name: 'cpu', unit: 'microseconds' },
    ])
    const rows = Array.from(back.frame, (frame, node) => [
      back.depth[node],
      back.frames.name(frame),
      back.line[node],
      back.self[0]![node],
      back.self[1]![node],
    ])
    expect(rows).toEqual([
      [0, 'outer', 12, 1, 5000],
      [1, 'inner', 22, 0, 0],
      [2, 'inlined', 30, 3, 30_000],
    ])
  })

  test('that names what is not there is refused', () => {
    const broken = { code: 'profile-malformed' }
    const attempt = (change: object) => () => read(other(change))
    expect(attempt({ location: [] })).toThrow(expect.objectContaining(broken))
    expect(attempt({ function: [] })).toThrow(expect.objectContaining(broken))
    expect(attempt({ sampleType: [] })).toThrow(expect.objectContaining(broken))
    expect(attempt({ sample: [{ locationId: [1], value: [1] }] })).toThrow(/1 values for 2 types/)
  })

  test('is refused, or read, at whatever byte it is cut off or changed, but never hangs', () => {
    const bytes = other()
    for (let length = 0; length < bytes.length; length++) {
      try {
        read(bytes.subarray(0, length))
      } catch (error) {
        expect(error).toMatchObject({ code: 'profile-malformed' })
      }
      const damaged = Buffer.from(bytes)
      damaged[length]! ^= 0xff
      try {
        read(damaged)
      } catch (error) {
        expect(error).toMatchObject({ code: 'profile-malformed' })
      }
    }
  })
})
