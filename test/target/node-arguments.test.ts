// What Node was told, from a command line.

import { expect, test } from 'vitest'
import { argumentsOf, inspectorPortOf, refusalOf } from '../../src/target/node-arguments.ts'

test.each([
  ['app.js', 9229],
  ['--inspect-port=0 app.js', 0],
  ['--inspect-port 9333 app.js', 9333],
  ['--inspect-port=127.0.0.1:9333 app.js', 9333],
  ['--inspect app.js', 9229],
  ['--inspect=9300 app.js', 9300],
  ['--inspect=[::1]:9300 app.js', 9300],
  ['--inspect-brk=host:9300 app.js', 9300],
  ['--inspect=9300 --inspect-port=9301 app.js', 9301],
])('node %s opens its inspector on %i', (args, port) => {
  expect(inspectorPortOf(args.split(' '))).toBe(port)
})

test('a command line is read under the executable’s own name, and not when a title is written over it', () => {
  const executable = '/usr/local/bin/node20 (deleted)'
  expect(argumentsOf(['/usr/local/bin/node20', 'app.js'], executable, undefined)).toEqual(['app.js'])
  expect(argumentsOf(['node', 'app.js'], executable, undefined)).toEqual(['app.js'])
  expect(argumentsOf(['nothing to see'], executable, undefined)).toBe(undefined)
})

test('NODE_OPTIONS count, and the command line has the last word', () => {
  const portOf = (command: string[], options: string) => inspectorPortOf(argumentsOf(command, '/bin/node', options)!)
  expect(portOf(['node', 'a.js'], '--max-old-space-size=100 --inspect-port=9300')).toBe(9300)
  expect(portOf(['node', '--inspect-port=1', 'a.js'], '--inspect-port=9300')).toBe(1)
})

test.each([
  ['app.js', undefined],
  ['--disable-sigusr1 app.js', '--disable-sigusr1'],
  ['--permission --allow-fs-read=* app.js', '--permission'],
  ['--experimental-permission app.js', '--permission'],
  ['--permission --allow-inspector app.js', undefined],
] as const)('node %s refuses by %s', (args, option) => {
  expect(refusalOf(args.split(' '))).toBe(option)
})
