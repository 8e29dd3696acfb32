// Runs inside another network, as a process of its own: makes connections there and hands them to who started it.

import { connect } from 'node:net'

const send = (message: object, socket?: ReturnType<typeof connect>) => void process.send!(message, socket)

process.on('message', ({ id, host, port }: { id: number; host: string; port: number }) => {
  const socket = connect({ host, port, noDelay: true })
  socket.once('error', (error: NodeJS.ErrnoException) => send({ id, code: error.code ?? 'EIO' }))
  socket.once('connect', () => send({ id }, socket))
})
process.on('disconnect', () => process.exit())
send({ ready: true })
