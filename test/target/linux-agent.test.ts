// Agents' sockets in the kernel's table, as Linux prints it.

import { expect, test } from 'vitest'
import { parseAgentSockets } from '../../src/target/linux-agent.ts'

const TABLE = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000003 00000000 00000000 0001 03 33710 /run/leakscope/agent-7.sock
0000000000000000: 00000002 00000000 00010000 0001 01 33711 /run/leakscope/agent-7.sock
ffff9a0b1c2d3e4f: 00000002 00000000 00010000 0001 01 1033712 /tmp/with space/agent-81-2.sock
0000000000000000: 00000002 00000000 00010000 0001 01 33713 @/abstract/agent-9.sock
0000000000000000: 00000002 00000000 00010000 0001 01 33714 /run/other.sock
0000000000000000: 00000003 00000000 00000000 0001 03 33715
`

test('those that listen under an agent’s name are found, and no connections to them', () => {
  expect(parseAgentSockets(TABLE)).toEqual([
    { inode: '33711', path: '/run/leakscope/agent-7.sock' },
    { inode: '1033712', path: '/tmp/with space/agent-81-2.sock' },
  ])
})
