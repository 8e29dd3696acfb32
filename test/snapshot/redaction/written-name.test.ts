import { randomBytes, randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { looksWritten, wordsLookWritten } from '../../../src/snapshot/redaction/written-name.ts'

test.each([
  ...[
    'length',
    'fd',
    'id',
    '_',
    '$',
    'e',
    'sessionId',
    '_idleTimeout',
    'highWaterMark',
    'SSL_OP_NO_TICKET',
    'HTTPParser',
  ],
  ...['sha256', 'utf16le', '_events', '__proto__', '#socket', 'get size', 'set onmessage', 'isXML', 'x509', 'toJSON'],
  ...['<symbol kBufferedValue>', '<symbol nodejs.util.inspect.custom>', '<symbol Symbol.iterator>', '<symbol>'],
  ...['createReadStream', 'contentSecurityPolicy', 'MAX_SAFE_INTEGER', 'errorOrDestroy', 'kHeadersTimeout'],
])('%s is taken for a name', (name) => {
  expect(looksWritten(name)).toBe(true)
})

test.each([
  ...['alice@example.com', '/app/users', '5bc944e1f4b5e74f67f5401d956f2b4f', 'a8f5f167f44f4964e6c998dee827110c'],
  ...['cus_NffrFeUfNV2Hib', 'f47ac10b-58cc-4372-a567-0e02b2c3d479', 'sess_1a2b3c4d5e6f', 'limDxS79J4RED87X6dON20lQCts'],
  ...['user12345', 'kqzvhwxptbnm', '192.168.0.1', 'hello world', 'ключ', 'with\nline', '', '<symbol a8f5f167f44f4964>'],
  ...['<symbol session:6lf18kq:user>', 'x'.repeat(61), 'get 5bc944e1', 'eyJhbGciOiJIUzI1NiJ9', 'AKIAZQ3DROJCWPXTKBVH'],
])('%j is taken for data', (name) => {
  expect(looksWritten(name)).toBe(false)
})

test.each(['Intl.NumberFormat', 'global (global*) / ', 'Map Iterator', 'Async-from-Sync Iterator', ''])(
  '%j is taken for the name of a class',
  (name) => {
    expect(wordsLookWritten(name)).toBe(true)
  },
)

const letters = 'abcdefghijklmnopqrstuvwxyz'
const alphabets = { hex: '0123456789abcdef', 'base 36': `${letters}0123456789`, letters }
test.each(Object.entries({ ...alphabets, 'base 62': `${alphabets['base 36']}${letters.toUpperCase()}` }))(
  'random ids of 24 characters in %s are taken for names hardly ever',
  (_, alphabet) => {
    const id = () => `k${Array.from({ length: 23 }, () => alphabet[randomInt(alphabet.length)]).join('')}`
    const taken = Array.from({ length: 2000 }, id).filter(looksWritten)
    expect(taken.length).toBeLessThan(40)
  },
)

test('random bytes in base64url are taken for names hardly ever', () => {
  const taken = Array.from({ length: 2000 }, () => randomBytes(16).toString('base64url')).filter(looksWritten)
  expect(taken.length).toBeLessThan(10)
})
