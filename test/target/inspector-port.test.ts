// The inspector's port from a command line.

import { expect, test } from 'vitest'
import { inspectorPortOf } from '../../src/target/inspector-port.ts'

test.each([
  ['node app.js', 9229],
  ['node --inspect-port=0 app.js', 0],
  ['node --inspect-port 9333 app.js', 9333],
  ['node --inspect-port=127.0.0.1:9333 app.js', 9333],
  ['node --inspect app.js', 9229],
  ['node --inspect=9300 app.js', 9300],
  ['node --inspect=[::1]:9300 app.js', 9300],
  ['node --inspect-brk=host:9300 app.js', 9300],
  ['node --inspect=9300 --inspect-port=9301 app.js', 9301],
  ['/usr/local/bin/node20 app.js', 9229],
  ['nothing to see', undefined],
])('%s → %s', (command, port) => {
  expect(inspectorPortOf(command.split(' '), '/usr/local/bin/node20 (deleted)', undefined)).toBe(port)
})

test('NODE_OPTIONS count, and the command line has the last word', () => {
  expect(inspectorPortOf(['node', 'a.js'], '/bin/node', '--max-old-space-size=100 --inspect-port=9300')).toBe(9300)
  expect(inspectorPortOf(['node', '--inspect-port=1', 'a.js'], '/bin/node', '--inspect-port=9300')).toBe(1)
})
