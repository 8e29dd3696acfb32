// What a user may call a target, `<target>` on the command line, and what it means: the only place that reads it.

import { LeakscopeError } from '../errors.ts'
import { type InspectorAddress, showAddress } from './address.ts'

/** A process of this machine, an inspector that is open somewhere, or the socket of leakscope's agent in a process. */
export type TargetName =
  | { readonly kind: 'process'; readonly pid: number }
  | ({
      readonly kind: 'inspector'
      /** Of the WebSocket, where the user knows it; else the inspector is asked. */
      readonly path: string | undefined
    } & InspectorAddress)
  | { readonly kind: 'agent'; readonly path: string }

const LARGEST_PORT = 65_535

/** Reads `4242`, `host:9229`, `[::1]:9229`, `ws://host:9229/id` or `unix:/run/user/1000/leakscope/agent-4242.sock`. */
export function parseTarget(text: string): TargetName {
  if (/^\d+$/.test(text)) {
    const pid = Number(text)
    if (pid > 0 && Number.isSafeInteger(pid)) return { kind: 'process', pid }
  }
  const [, socket] = /^unix:(?:\/\/(?=\/))?(.+)$/i.exec(text) ?? []
  if (socket !== undefined) return { kind: 'agent', path: socket }
  if (/^(wss|https):/i.test(text)) {
    throw new LeakscopeError('usage-invalid', 'leakscope speaks to inspectors without TLS only', {
      hint: 'Forward the port through something that encrypts, such as ssh -L or kubectl port-forward, and name its near end.',
    })
  }
  const [, bare, path = ''] = /^(?:ws:\/\/)?([^/?#]*)(.*)$/i.exec(text) ?? []
  const address = readAddress(bare ?? '')
  const isUrl = /^ws:/i.test(text)
  if (!address || (!isUrl && path !== '')) {
    throw new LeakscopeError('usage-invalid', `'${text}' is no target`, {
      hint: 'A target is a pid, such as 4242 (`leakscope ps` lists them), host:port of an open inspector, such as localhost:9229, its URL, ws://…, or unix: with the path of an agent’s socket.',
    })
  }
  return { kind: 'inspector', ...address, path: path === '' || path === '/' ? undefined : path }
}

/** `name:port`, `1.2.3.4:port`, `[::1]:port`. */
function readAddress(text: string): InspectorAddress | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host !== undefined && port >= 1 && port <= LARGEST_PORT ? { host, port } : undefined
}

/** For a message: `process 4242`, `localhost:9229`, `unix:/tmp/agent.sock`. */
export function showTarget(name: TargetName): string {
  if (name.kind === 'agent') return `unix:${name.path}`
  return name.kind === 'process' ? `process ${name.pid}` : showAddress(name)
}

/** The same for a command that a user may copy: what `parseTarget` reads, quoted for a shell where it needs that. */
export function targetArgument(name: TargetName): string {
  const text =
    name.kind === 'process'
      ? String(name.pid)
      : name.kind === 'inspector' && name.path !== undefined
        ? `ws://${showAddress(name)}${name.path}`
        : showTarget(name)
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
