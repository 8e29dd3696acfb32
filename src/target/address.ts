// Where an inspector listens.

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
