// What a process has open, as the system sees it.

import { once } from 'node:events'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { kindOf, readOpenFileLimit, readOpenFiles } from '../../src/target/open-files.ts'
import { temporaryFolder, until } from '../support/target.ts'

describe.runIf(process.platform === 'linux')('open files', () => {
  test('are counted by folder, and those of one name told from those of several', () => {
    const folder = temporaryFolder()
    for (const name of ['a', 'b']) writeFileSync(join(folder, name), '')
    const open = ['a', 'a', 'a', 'b'].map((name) => openSync(join(folder, name), 'r'))
    try {
      expect(readOpenFiles(process.pid)).toContainEqual({
        ...{ kind: 'file', peer: folder, count: 4, names: 2 },
        example: expect.stringContaining(folder),
      })
    } finally {
      for (const file of open) closeSync(file)
    }
    expect(readOpenFiles(process.pid)!.some(({ peer }) => peer === folder)).toBe(false)
  })

  test('have, of sockets, whom they are with, and how that stands', async () => {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const accepted: Socket[] = []
    server.on('connection', (socket) => accepted.push(socket))
    const clients = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    await until(() => accepted.length === 2, 'both connections')
    const count = (peer: string) => readOpenFiles(process.pid)!.find((each) => each.peer === peer)?.count
    expect(count(`listening on port ${port}`)).toBe(1)
    expect(count(`clients on port ${port}, established`)).toBe(2)
    expect(count(`127.0.0.1:${port}, established`)).toBe(2)
    clients[0]!.end()
    await until(() => count(`clients on port ${port}, closed by the other side`) === 1, 'the other side to close')
    for (const socket of [...clients, ...accepted]) socket.destroy()
    server.close()
  })

  test('may be so many', () => {
    expect(readOpenFileLimit(process.pid)).toBeGreaterThan(10)
  })

  test('are not known of a process that is not there', () => {
    expect(readOpenFiles(2 ** 30)).toBeUndefined()
    expect(readOpenFileLimit(2 ** 30)).toBeUndefined()
  })
})

test.each([
  ['/var/log/x', 'file'],
  ['/dev/null', 'device'],
  ['socket:[123]', 'socket'],
  ['pipe:[4]', 'pipe'],
  ['anon_inode:[eventpoll]', 'epoll'],
  ['anon_inode:[eventfd]', 'eventfd'],
])('%s is of the kind %s', (link, kind) => {
  expect(kindOf(link)).toBe(kind)
})
