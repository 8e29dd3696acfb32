// Asks a port, over HTTP, whether an inspector answers there, and for what.

import { get } from 'node:http'
import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import type { Route } from './address.ts'
import { type InspectorAddress, reachable, showAddress } from './address.ts'
import { direct } from './route.ts'

const VERSION_ANSWER = z.object({ Browser: z.string().startsWith('node.js/'), 'Protocol-Version': z.string() })
const LIST_ANSWER = z.array(
  z.object({
    type: z.string().default('?'),
    title: z.string().default(''),
    webSocketDebuggerUrl: z.string().optional(),
  }),
)

/** An inspector answers from a thread of its own, so at once, however busy the program is. */
const ANSWER_MS = 1000
const LARGEST_ANSWER_BYTES = 64 * 1024

/** Whether the inspector of a Node process answers at `address`; never throws. */
export async function isInspector(address: InspectorAddress, route = direct, withinMs = ANSWER_MS): Promise<boolean> {
  const answer = await getJson(address, '/json/version', route, withinMs).catch(() => undefined)
  return VERSION_ANSWER.safeParse(answer).success
}

/**
 * The URL of the process's own target. Throws a LeakscopeError when the inspector has none, or several; or what went
 * wrong on the way when there is no answer at all.
 */
export async function inspectorUrl(address: InspectorAddress, route = direct, withinMs = ANSWER_MS): Promise<string> {
  const where = showAddress(address)
  const answer = LIST_ANSWER.safeParse(await getJson(address, '/json/list', route, withinMs))
  if (!answer.success) throw notAnInspector(where)
  const nodes = answer.data.filter((it) => it.type === 'node')
  if (nodes.length > 1) {
    throw new LeakscopeError(
      'target-unreachable',
      `the inspector at ${where} leads to ${nodes.length} Node processes`,
      {
        hint: `Name the one you mean by its URL: ${nodes.map((it) => `${urlOf(address, it.webSocketDebuggerUrl)} (${it.title})`).join(', ')}`,
      },
    )
  }
  const url = nodes[0]?.webSocketDebuggerUrl
  if (url === undefined) {
    const types = [...new Set(answer.data.map((it) => it.type))].join(', ')
    throw new LeakscopeError('target-not-node', `the debugger at ${where} leads to no Node process`, {
      hint: types === '' ? 'It has no target at all.' : `What it has is of type ${types}.`,
    })
  }
  return urlOf(address, url)
}

/** Only the path is taken: the server repeats the host that it was asked by. */
function urlOf({ host, port }: InspectorAddress, url: string | undefined): string {
  const { pathname, search } = new URL(url ?? 'ws://unknown/')
  return `ws://${showAddress({ host: reachable(host), port })}${pathname}${search}`
}

export function notAnInspector(where: string): LeakscopeError {
  return new LeakscopeError('target-unreachable', `what listens at ${where} is not the inspector of a Node process`, {
    hint: 'Is it the port of the program itself? The inspector has one of its own, 9229 unless told otherwise.',
  })
}

/**
 * The parsed answer to one GET; undefined for anything else than a small JSON text. Rejects when nobody answers in time.
 * The Host is an address, never a name: Node answers to nothing else, so that no web page can reach it by a name of its
 * own. https://nodejs.org/en/blog/vulnerability/march-2018-security-releases
 */
async function getJson(address: InspectorAddress, path: string, route: Route, withinMs: number): Promise<unknown> {
  const signal = AbortSignal.timeout(withinMs)
  const socket = await route.connect(address, { signal })
  return new Promise((resolve, reject) => {
    const headers = { host: showAddress({ ...address, host: reachable(address.host) }), connection: 'close' }
    const request = get({ createConnection: () => socket, path, headers, signal })
    const finish = (value: unknown) => {
      resolve(value)
      socket.destroy()
    }
    request.on('error', (error) => {
      socket.destroy()
      reject(error)
    })
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('error', reject)
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
    return rescue(text)
  }
}

/**
 * Node writes a process's title and its script's name into the list as they are, quotes and control characters too, and
 * then it is no JSON. Each field has a line, and those that matter come after the title.
 * https://github.com/nodejs/node/blob/main/src/inspector_socket_server.cc
 */
function rescue(text: string): unknown {
  const [type, webSocketDebuggerUrl] = ['type', 'webSocketDebuggerUrl'].map(
    (name) => [...text.matchAll(new RegExp(`^ *"${name}": "([^"\\\\\\p{Cc}]*)",? *$`, 'gmu'))].at(-1)?.[1],
  )
  return type && webSocketDebuggerUrl ? [{ type, webSocketDebuggerUrl }] : undefined
}
