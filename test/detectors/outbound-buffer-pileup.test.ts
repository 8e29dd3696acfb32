import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, times } from '../support/drawing.ts'

/** A socket in whose queue so many writes of these chunks wait. */
function socket(d: Drawing, key: string, chunks: readonly number[], buffered = true): number {
  const writes = chunks.map((chunk, i) => d.object(`${key} write ${i}`, 'Object', { chunk }))
  const state = d.object(`${key} state`, 'WritableState', {
    '<symbol kBufferedValue>': buffered ? d.array(`${key} queue`, writes) : undefined,
    length: d.number(500 * chunks.length),
    highWaterMark: d.number(16_384),
  })
  return d.object(key, 'Socket', { _writableState: state }, { url: 'node:net' })
}

test('chunks that wait in the queues of several sockets at once are a broadcast', async () => {
  const [finding, ...others] = await findLeaksIn([
    (d, step) => {
      const chunks = times(40 * (step + 1), (i) => d.text(`chunk ${i}`, `frame ${i}`, 500))
      const players = times(3, (i) => d.object(`player ${i}`, 'Player', { socket: socket(d, `socket ${i}`, chunks) }))
      d.variable('players', d.map('players', players, 'Set'))
    },
  ])
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'outbound-buffer-pileup',
    evidence: { streams: 3, isBroadcast: true, receiversOfOneChunk: 3, highWaterMarkBytes: 16_384 },
  })
  expect(finding?.title).toContain('of players')
  expect(finding?.advice).toContain("'drain'")
})

test('chunks of one socket only are none', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const chunks = times(40 * (step + 1), (i) => d.text(`chunk ${i}`, `frame ${i}`, 500))
      d.variable('printer', socket(d, 'printer', chunks))
    },
  ])
  expect(finding).toMatchObject({ pattern: 'outbound-buffer-pileup', evidence: { streams: 1, isBroadcast: false } })
})

test("a client's own queue beside its socket counts, whatever the client is called", async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const commands = times(40 * (step + 1), (i) =>
        d.object(`command ${i}`, 'Command', {
          resolve: d.closure(`resolve ${i}`, ''),
          args: d.text(`args ${i}`, 'x', 300),
        }),
      )
      const pending = d.array('pending', commands)
      d.variable('bus', d.object('bus', 'BusClient', { link: socket(d, 'link', [], false), commandQueue: pending }))
    },
  ])
  expect(finding).toMatchObject({
    pattern: 'outbound-buffer-pileup',
    evidence: { queue: 'bus.commandQueue', link: 'link' },
  })
})

test('a history that stands beside a socket is not waiting to be sent', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const said = times(60 * (step + 1), (i) => d.text(`said ${i}`, `hello ${i}`, 200))
      d.variable(
        'guest',
        d.object('guest', 'Guest', { socket: socket(d, 'link', [], false), said: d.array('said', said) }),
      )
    },
  ])
  expect(finding?.pattern).toBe('growing-log-array')
})

test('what the system was given and has not taken yet waits as well', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const chunks = times(40 * (step + 1), (i) => d.object(`chunk ${i}`, 'Uint8Array', {}, { size: 500 }))
      d.variable('printers', d.map('printers', [socket(d, 'printer', [], false)], 'Set'))
      const handle = d.handle('tcp', 'TCP', 'TCPSocketWrap', d.object('printer', 'Socket'))
      d.handle('write', 'WriteWrap', 'WriteWrap', handle)
      d.members(d.object('write', 'WriteWrap'), { handle, _chunks: d.array('given', chunks) })
    },
  ])
  expect(finding).toMatchObject({ pattern: 'outbound-buffer-pileup', evidence: { stream: 'Socket', streams: 1 } })
})

test('packets of a session that are to go over a transport, its WebSocket and that one’s socket', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const packets = times(60 * (step + 1), (i) =>
        d.object(`packet ${i}`, 'Object', {
          data: d.text(`data ${i}`, 'x', 300),
          options: d.object(`o ${i}`, 'Object'),
        }),
      )
      const stream = d.object('stream', 'Socket', { _writableState: d.object('state', 'WritableState') })
      const socket = d.object('socket', 'WebSocket', { _socket: stream })
      const transport = d.object('transport', 'WebSocketTransport', { socket, writable: d.text('no', 'no', 16) })
      const session = { writeBuffer: d.array('buffer', packets), transport, readyState: d.text('open', 'open', 16) }
      const client = d.object('session', 'Session', { ...session, connected: d.number(1) })
      d.variable('clients', d.dictionary('clients', 'Object', { Cpfv6K5vYWvuQ7vGAAAA: client }))
    },
  ])
  expect(finding).toMatchObject({ pattern: 'outbound-buffer-pileup', evidence: { queue: 'Session.writeBuffer' } })
})
