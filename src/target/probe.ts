// Asks a port, over HTTP, whether an inspector answers there.

import { get } from 'node:http'
import { z } from 'zod'

export interface InspectorAddress {
  readonly host: string
  readonly port: number
}

const VERSION_ANSWER = z.object({ Browser: z.string().startsWith('node.js/'), 'Protocol-Version': z.string() })
const LIST_ANSWER = z.array(z.object({ webSocketDebuggerUrl: z.string() })).min(1)

/** An inspector answers from a thread of its own, so at once, however busy the program is. */
const ANSWER_MS = 1000
const LARGEST_ANSWER_BYTES = 64 * 1024

/** Whether the inspector of a Node process answers at `address`; never throws. */
export async function isInspector(address: InspectorAddress): Promise<boolean> {
  return VERSION_ANSWER.safeParse(await getJson(address, '/json/version')).success
}

/** The URL of the process's main target; undefined when no inspector answers. */
export async function inspectorUrl(address: InspectorAddress): Promise<string | undefined> {
  const answer = LIST_ANSWER.safeParse(await getJson(address, '/json/list'))
  if (!answer.success) return undefined
  // Only the path is taken: the server repeats the host that it was asked by.
  const { pathname } = new URL(answer.data[0]!.webSocketDebuggerUrl)
  const host = reachable(address.host)
  return `ws://${host.includes(':') ? `[${host}]` : host}:${address.port}${pathname}`
}

/** Where to knock for a socket that listens on `host`. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

/** The parsed answer to one GET; undefined for anything else than a small JSON text in time. */
function getJson({ host, port }: InspectorAddress, path: string): Promise<unknown> {
  return new Promise((resolve) => {
    const request = get({ host: reachable(host), port, path, agent: false, headers: { connection: 'close' } })
    const timer = setTimeout(() => request.destroy(), ANSWER_MS)
    const finish = (value: unknown) => {
      clearTimeout(timer)
      request.destroy()
      resolve(value)
    }
    request.on('error', () => finish(undefined)).on('close', () => finish(undefined))
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('error', () => finish(undefined))
      response.on('data', (part: string) => {
        text += part
        if (text.length > LARGEST_ANSWER_BYTES) finish(undefined)
      })
      response.on('end', () => finish(parse(text)))
    })
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
