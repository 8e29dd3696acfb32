import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { roundedNumber, Tokens } from '../../../src/snapshot/redaction/tokens.ts'

const key = Buffer.from('a key of 32 bytes for these test')

test.each([16, 32, 64, 65, 300])('with a key of %i bytes, a token is HMAC-SHA256 of the text', (bytes) => {
  const longKey = Buffer.alloc(bytes, 'key')
  for (const text of ['a text that is long enough', 'é漢😀'.repeat(100), 'plain again, after a longer one']) {
    const hash = createHmac('sha256', longKey).update(text).digest('base64url')
    expect(new Tokens(longKey).tokenOf(text)).toBe(`~${hash.slice(0, 22)}`.padEnd(text.length, '.'))
  }
})

test('a token is as long as its text, of plain ASCII, and the same again', () => {
  const tokens = new Tokens(key)
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      const token = tokens.tokenOf(text)
      expect(token).toHaveLength(text.length)
      expect(token).toMatch(/^[\w~.-]*$/)
      expect(tokens.tokenOf(text)).toBe(token)
    }),
  )
})

test('tokens of different texts and of different keys differ, and so do the names of keys', () => {
  const [one, other] = [new Tokens(key), new Tokens(Buffer.alloc(32))]
  expect(one.tokenOf('hunter22')).not.toBe(one.tokenOf('hunter23'))
  expect(one.tokenOf('hunter22')).not.toBe(other.tokenOf('hunter22'))
  expect(one.keyId).toMatch(/^[0-9a-f]{8}$/)
  expect(one.keyId).not.toBe(other.keyId)
})

test.each([
  ['0', '0'],
  ['-1', '-1'],
  ['4194304', '4194304'],
  ['12345678', '12345678'],
  ['0.5', '0.5'],
  ['1e+21', '1e+21'],
  ['NaN', 'NaN'],
  ['-Infinity', '-Infinity'],
  ['123456789', '120000000'],
  ['-4111111111111111', '-4100000000000000'],
  ['0.000012345678901', '0.000012000000000'],
  ['1.7976931348623157e+308', '1.7000000000000000e+308'],
  ['52.3702157', '52.0000000'],
])('of the number %s, %s stays', (number, rounded) => {
  expect(roundedNumber(number)).toBe(rounded)
})

test.each(['', 'x', '12a', '1 2', '0x10', '١٢٣', '1e', '--1', '5\n'])('%j is no number', (text) => {
  expect(roundedNumber(text)).toBeUndefined()
})
