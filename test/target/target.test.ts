// What a user may write for a target.

import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { parseTarget, targetArgument } from '../../src/target/target.ts'

test('a whole number is a pid', () => {
  expect(parseTarget('4242')).toEqual({ kind: 'process', pid: 4242 })
})

test.each([
  ['localhost:9229', 'localhost', 9229],
  ['127.0.0.1:9229', '127.0.0.1', 9229],
  ['[::1]:9229', '::1', 9229],
  ['[2001:db8::5]:1', '2001:db8::5', 1],
  ['pod-7.shop.svc.cluster.local:65535', 'pod-7.shop.svc.cluster.local', 65_535],
  ['ws://localhost:9229', 'localhost', 9229],
  ['ws://localhost:9229/', 'localhost', 9229],
])('%s is an inspector that is asked for its URL', (text, host, port) => {
  expect(parseTarget(text)).toEqual({ kind: 'inspector', host, port, path: undefined })
})

test.each([
  ['ws://127.0.0.1:9229/72db912c-96ff', '127.0.0.1', '/72db912c-96ff'],
  ['WS://[::1]:9229/a?token=b', '::1', '/a?token=b'],
])('%s is an inspector whose URL is known', (text, host, path) => {
  expect(parseTarget(text)).toEqual({ kind: 'inspector', host, port: 9229, path })
})

test.each([
  ['unix:/run/user/1000/leakscope/agent-42.sock', '/run/user/1000/leakscope/agent-42.sock'],
  ['unix:///tmp/a b.sock', '/tmp/a b.sock'],
  ['unix:here.sock', 'here.sock'],
])('%s is an agent’s socket', (text, path) => {
  expect(parseTarget(text)).toEqual({ kind: 'agent', path })
})

test.each([
  '',
  'unix:',
  '0',
  '-1',
  '1.5',
  'server.js',
  'localhost',
  'localhost:',
  ':9229',
  'localhost:0',
  'localhost:65536',
  '::1:9229',
  '[::1]',
  '[localhost]:9229',
  'localhost:9229/id',
  'http://localhost:9229',
  'ws://',
  'ws://localhost/id',
  'a b:9229',
])('%j is none', (text) => {
  expect(() => parseTarget(text)).toThrow(expect.objectContaining({ code: 'usage-invalid' }))
})

test('TLS is refused in so many words', () => {
  expect(() => parseTarget('wss://localhost:9229/id')).toThrow(/without TLS/)
})

test.each([
  '4242',
  'localhost:9229',
  'ws://localhost:9229/72db912c-96ff',
  'unix:/run/user/1000/leakscope/agent-42.sock',
])('%s is called that on the command line', (text) => {
  expect(targetArgument(parseTarget(text))).toBe(text)
})

test.each(['[::1]:9229', 'ws://[::1]:9229/a?token=$b', "unix:/tmp/it's a socket"])(
  '%s is quoted for a shell',
  (text) => {
    const said = execFileSync('sh', ['-c', `printf %s ${targetArgument(parseTarget(text))}`], { encoding: 'utf8' })
    expect(said).toBe(text)
  },
)
