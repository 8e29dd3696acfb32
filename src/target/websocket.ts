// A WebSocket client of just the part that Node's inspector speaks (RFC 6455), which receives into memory of its own:
// a snapshot is gigabytes of messages, and a buffer or two for each would make us large before they are collected.

import { createHash, randomBytes } from 'node:crypto'
import { LeakscopeError } from '../errors.ts'
import { direct } from './route.ts'

export interface ConnectionHandlers {
  /** One message; its bytes are only valid during the call. */
  onMessage(message: Buffer): void
  /** The connection is gone; comes once, after it was open. */
  onClose(): void
}

export interface Connection {
  send(text: string): void
  /** Ends it at once; the other side may be busy for minutes. */
  destroy(): void
}

const CONNECT_MS = 5000
const QUEUE_BYTES = 512 * 1024

/** Where a `ws:` URL leads that names no port. */
const HTTP_PORT = 80

// From RFC 6455, sections 1.3 and 5.2.
const HANDSHAKE_KEY = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const FINAL = 0x80
const MASKED = 0x80
const CONTINUATION = 0x0
const TEXT = 0x1
const CLOSE = 0x8
const PING = 0x9
const PONG = 0xa

/** Connects to a `ws:` URL whose host is an address. */
export async function connectWebSocket(
  url: string,
  signal: AbortSignal,
  handlers: ConnectionHandlers,
  route = direct,
): Promise<Connection> {
  const { hostname, host, port, pathname, search } = new URL(url)
  const key = randomBytes(16).toString('base64')
  const accepted = createHash('sha1')
    .update(key + HANDSHAKE_KEY)
    .digest('base64')
  const refusal = (why: string, cause?: unknown) =>
    new LeakscopeError('target-unreachable', `the inspector at ${url} ${why}`, { cause })

  let open = false
  let onBytes = () => {}
  const received = createByteQueue()
  const inTime = AbortSignal.timeout(CONNECT_MS)
  const socket = await route
    .connect(
      { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || HTTP_PORT) },
      {
        signal: AbortSignal.any([signal, inTime]),
        receive(bytes) {
          received.add(bytes)
          onBytes()
        },
      },
    )
    .catch((cause) => {
      signal.throwIfAborted()
      throw refusal(inTime.aborted ? 'does not answer' : 'refuses the connection', cause)
    })
  return new Promise((resolve, reject) => {
    const frames = createFrameReader(received, (opcode, payload) => {
      if (opcode === TEXT) handlers.onMessage(payload)
      else if (opcode === PING) socket.write(encodeFrame(PONG, payload))
      else if (opcode === CLOSE) socket.destroy()
    })
    const refuse = (error: unknown) => {
      settle()
      reject(error)
      socket.destroy()
    }
    const abort = () => refuse(signal.reason)
    const late = () => refuse(refusal('does not answer'))
    const settle = () => {
      inTime.removeEventListener('abort', late)
      signal.removeEventListener('abort', abort)
    }
    onBytes = () => {
      if (!open) acceptHandshake()
      if (open) frames.read()
    }

    function acceptHandshake(): void {
      const answer = received.bytes().toString('latin1')
      const end = answer.indexOf('\r\n\r\n')
      if (end === -1) return
      if (!answer.startsWith('HTTP/1.1 101 ') || !answer.includes(accepted)) {
        refuse(refusal('refuses the connection'))
        return
      }
      received.drop(end + 4)
      open = true
      settle()
      resolve({
        send: (text) => void socket.write(encodeFrame(TEXT, Buffer.from(text))),
        destroy: () => socket.destroy(),
      })
    }

    signal.addEventListener('abort', abort, { once: true })
    inTime.addEventListener('abort', late, { once: true })
    socket.on('error', (cause) => refuse(refusal('ended the connection', cause)))
    socket.on('close', () => {
      if (open) handlers.onClose()
      else refuse(refusal('refuses the connection'))
    })
    socket.write(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
  })
}

export interface ByteQueue {
  add(bytes: Buffer): void
  /** What was added and not dropped yet; valid until the next call of `add` or `drop`. */
  bytes(): Buffer
  drop(count: number): void
}

/** Bytes in one buffer that is used over and over, and grows to the largest message. */
export function createByteQueue(): ByteQueue {
  let buffer = Buffer.allocUnsafe(QUEUE_BYTES)
  let used = 0
  return {
    add(bytes) {
      if (used + bytes.length > buffer.length) {
        const larger = Buffer.allocUnsafe(2 * (used + bytes.length))
        buffer.copy(larger, 0, 0, used)
        buffer = larger
      }
      used += bytes.copy(buffer, used)
    },
    bytes: () => buffer.subarray(0, used),
    drop(count) {
      buffer.copyWithin(0, count, used)
      used -= count
    },
  }
}

/** Hands over each whole message in `received`; the parts of a divided one are kept until its last. */
function createFrameReader(received: ByteQueue, onFrame: (opcode: number, payload: Buffer) => void) {
  let parts: Buffer[] = []
  return {
    read(): void {
      const bytes = received.bytes()
      let at = 0
      while (at + 2 <= bytes.length) {
        const final = (bytes[at]! & FINAL) !== 0
        const opcode = bytes[at]! & 0x0f
        const short = bytes[at + 1]! & 0x7f
        const start = at + 2 + (short === 127 ? 8 : short === 126 ? 2 : 0)
        if (start > bytes.length) break
        const length =
          short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short === 126 ? bytes.readUInt16BE(at + 2) : short
        if (start + length > bytes.length) break
        const payload = bytes.subarray(start, start + length)
        at = start + length
        if (final && opcode !== CONTINUATION) {
          onFrame(opcode, payload)
          continue
        }
        parts.push(Buffer.from(payload))
        if (!final) continue
        onFrame(TEXT, Buffer.concat(parts))
        parts = []
      }
      received.drop(at)
    },
  }
}

/** A client's frames are masked, so that no proxy takes them for something else. */
function encodeFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = FINAL | opcode
  head[1] = MASKED | (head.length === 2 ? length : head.length === 4 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  const mask = randomBytes(4)
  const masked = payload.map((byte, i) => byte ^ mask[i & 3]!)
  return Buffer.concat([head, mask, masked])
}
