// Where an inspector listens, and what connects to it.

import type { Socket } from 'node:net'

export interface InspectorAddress {
  /** A name or an IP address, without brackets. */
  readonly host: string
  readonly port: number
}

/** Where to knock for a socket that listens on `host`. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

/** `localhost:9229`, `[::1]:9229` */
export function showAddress({ host, port }: InspectorAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

export interface ConnectOptions {
  readonly signal: AbortSignal
  /** Is given every piece that arrives, which is only valid during the call; else the socket is read as any other. */
  readonly receive?: (bytes: Buffer) => void
}

export interface Route {
  /** A connection that is open. Rejects with the system's own error, or the signal's reason. */
  connect(address: InspectorAddress, options: ConnectOptions): Promise<Socket>
  /** Ends what the way needs, not the connections over it. */
  close(): void
}
