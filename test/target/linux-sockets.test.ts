// The kernel's socket table, and who has which port.

import { createServer, type Server } from 'node:net'
import { expect, test } from 'vitest'
import { connections, listeners, parseSocketTable, portHolder } from '../../src/target/linux-sockets.ts'

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const line = (local: string, state: string, inode: number) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0`

test('reads addresses as the machine holds them', () => {
  const text = [
    HEAD,
    line('0100007F:240D', '0A', 11),
    line('00000000:1F90', '0A', 12),
    line('00000000000000000000000000000000:0050', '0A', 13),
    line('00000000000000000000000001000000:0051', '0A', 14),
    line('0000000000000000FFFF00000100007F:0052', '0A', 15),
    line('B80D0120000000000000000001000000:0053', '0A', 16),
  ].join('\n')
  expect(parseSocketTable(text).map(({ host, port }) => `${host} ${port}`)).toEqual([
    '127.0.0.1 9229',
    '0.0.0.0 8080',
    ':: 80',
    '::1 81',
    '127.0.0.1 82',
    '2001:0db8:0000:0000:0000:0000:0000:0001 83',
  ])
})

test('takes listening and established sockets only', () => {
  const text = [
    HEAD,
    line('0100007F:0001', '0A', 1),
    line('0100007F:0001', '01', 2),
    line('0100007F:0001', '06', 3),
    '',
  ].join('\n')
  expect(parseSocketTable(text).map(({ listening, inode }) => [listening, inode])).toEqual([
    [true, '1'],
    [false, '2'],
  ])
})

async function listen(): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return { server, port: (server.address() as { port: number }).port }
}

test('finds the ports of a process, and who holds a port that another wants', async () => {
  const { server, port } = await listen()
  try {
    expect(listeners(process.pid)?.filter((it) => it.port === port)).toMatchObject([{ host: '127.0.0.1', port }])
    expect(connections(process.pid, port)).toBe(0)
    expect(portHolder(process.ppid, port, [process.ppid, process.pid])).toEqual({ pid: process.pid })
    expect(portHolder(process.ppid, port, [process.ppid])).toEqual({ pid: undefined })
    expect(portHolder(process.pid, port, [process.pid])).toBe(undefined)
  } finally {
    server.close()
  }
})

test('knows nothing of a process that is not there', () => {
  expect(listeners(4_000_000)).toBe(undefined)
  expect(connections(4_000_000, 1)).toBe(undefined)
})
