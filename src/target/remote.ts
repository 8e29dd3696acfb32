// The way to an inspector that is open already, here or at the far end of a network; only it knows whose it is.

import { lookup } from 'node:dns/promises'
import { LeakscopeError } from '../errors.ts'
import { type InspectorAddress, showAddress } from './address.ts'
import { inspectorUrl, isInspector } from './probe.ts'
import { direct } from './route.ts'
import type { TargetName } from './target.ts'
import type { Outside } from './visit.ts'

type RemoteName = Extract<TargetName, { kind: 'inspector' }>

const ANSWER_MS = 5000
/** So many unanswered knocks, a second or more apart, and nobody is there any more. */
const UNANSWERED = 3

const STALE_URL =
  'The id in the URL of an inspector is a new one each time that it opens. Name host:port, and leakscope asks for the URL itself.'
const RECONNECT =
  'If a port-forward or tunnel leads there (ssh -L, kubectl port-forward), start it again and repeat. The process itself may be well: it notices no more than that a debugger has left.'

/** Finds the address behind the name that an inspector answers at. */
export async function outsideOfInspector(name: RemoteName, signal: AbortSignal): Promise<Outside> {
  const label = showAddress(name)
  const { address, url } = await firstThatAnswers(name, signal)
  // Whoever forwards a WebSocket need not forward HTTP; but if it does, the inspector answers as long as it is there.
  const answersHttp = await isInspector(address, direct, ANSWER_MS)
  let unanswered = 0
  const isListening = () => isInspector(address, direct, ANSWER_MS)
  return {
    label,
    pid: undefined,
    ownPid: undefined,
    command: undefined,
    inspector: address,
    route: direct,
    opened: false,
    leftBy: undefined,
    url: async () => url,
    state: async () => 'running',
    isListening,
    connections: async () => undefined,
    async hopeless() {
      if (!answersHttp) return undefined
      unanswered = (await isListening()) ? 0 : unanswered + 1
      if (unanswered < UNANSWERED) return undefined
      return new LeakscopeError('target-unreachable', `${label} does not answer any more`, { hint: RECONNECT })
    },
    async explain(cause, connected) {
      if (!connected) return new LeakscopeError(cause.code, cause.message, { cause, hint: cause.hint ?? STALE_URL })
      const message = `the connection to ${label} broke before the work was done`
      return new LeakscopeError('target-unreachable', message, { cause, hint: RECONNECT })
    },
  }
}

/**
 * `localhost` may be ::1 and 127.0.0.1, and Node listens on one of them; a name may have an address that leads nowhere
 * from here. So all are tried, in the system's order.
 */
async function firstThatAnswers(
  name: RemoteName,
  signal: AbortSignal,
): Promise<{ address: InspectorAddress; url: string }> {
  const failures: string[] = []
  for (const host of await resolve(name.host)) {
    signal.throwIfAborted()
    const address = { host, port: name.port }
    try {
      return { address, url: await urlAt(address, name.path, signal) }
    } catch (error) {
      // Somebody answered: no other address will do better.
      if (error instanceof LeakscopeError) throw error
      failures.push(`${host}: ${describeFailure(error)}`)
    }
  }
  signal.throwIfAborted()
  throw new LeakscopeError('target-unreachable', `nothing answers at ${showAddress(name)} (${failures.join('; ')})`, {
    hint: 'Is the process still there, and started with --inspect? Is the port-forward up? `leakscope ps` shows the inspectors that are open on this machine.',
  })
}

async function urlAt(address: InspectorAddress, path: string | undefined, signal: AbortSignal): Promise<string> {
  if (path === undefined) return inspectorUrl(address, direct, ANSWER_MS)
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
  const socket = await direct.connect(address, { signal: inTime })
  socket.destroy()
  return `ws://${showAddress(address)}${path}`
}

/** Whatever the system says of `localhost`: it is the loopback, and Node listens on just one of its two addresses. */
const LOOPBACK = ['127.0.0.1', '::1']

async function resolve(host: string): Promise<string[]> {
  if (host.toLowerCase() === 'localhost') return LOOPBACK
  try {
    return (await lookup(host, { all: true, verbatim: true })).map((it) => it.address)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code === 'ENOTFOUND' ? 'there is no host of that name' : `its name could not be looked up (${code})`
    throw new LeakscopeError('target-unreachable', `cannot reach ${host}: ${why}`, { cause })
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'no way there',
  ENETUNREACH: 'no way there',
  ETIMEDOUT: 'no answer in time',
  ABORT_ERR: 'no answer in time',
}

function describeFailure(error: unknown): string {
  const { name, code, message } = error as NodeJS.ErrnoException
  if (name === 'TimeoutError') return REASONS.ETIMEDOUT!
  return REASONS[code ?? ''] ?? message
}
