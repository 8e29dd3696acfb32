// Strings that are collected stand in a snapshot's table as they were.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StringColumn } from '../../src/outside/string-column.ts'

test('Every text comes back from the table under its number, once', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 40 })), (texts) => {
      const column = new StringColumn()
      const numbers = texts.map((text) => column.intern(text))
      for (const [i, text] of texts.entries()) expect(column.get(numbers[i]!)).toBe(text)
      const table = column.finish()
      expect(table.get(0)).toBe('')
      expect(texts.map((_, i) => table.get(numbers[i]!))).toEqual(texts)
      expect(table.count).toBe(new Set(['', ...texts]).size)
    }),
  )
})

test('Bytes, units and JavaScript strings of one text have one number', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const column = new StringColumn()
      const number = column.intern(Buffer.from(bytes).toString('latin1'))
      expect(column.internOneByte(bytes, 0, bytes.length)).toBe(number)
      expect(column.internTwoByte(Uint16Array.from(bytes), 0, bytes.length)).toBe(number)
    }),
  )
})

test('Halves of surrogate pairs are kept', () => {
  const column = new StringColumn()
  const units = [0xd83d, 0x41, 0xd83d, 0xde00, 0xde00]
  const number = column.internTwoByte(Uint16Array.from(units), 0, units.length)
  expect(column.finish().get(number)).toBe(String.fromCharCode(...units))
})

test('More strings than there was room for', () => {
  const column = new StringColumn()
  const numbers = Array.from({ length: 50_000 }, (_, i) => column.intern(`text number ${i} ${'x'.repeat(i % 50)}`))
  expect(new Set(numbers).size).toBe(50_000)
  expect(column.finish().get(numbers[49_999]!)).toBe(`text number 49999 ${'x'.repeat(49)}`)
})
