// How it is told that a program is ready for work: a port that answers, a URL, or something that it writes.

import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { LeakscopeError } from '../errors.ts'
import { formatDuration } from '../support/format.ts'
import { lastLines, type ProcessGroup } from './process-group.ts'

export type Readiness =
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'url'; readonly url: URL }
  | { readonly kind: 'text'; readonly pattern: RegExp }

const LARGEST_PORT = 65_535
const POLL_MS = 50

/** Reads a port, a URL, or else a regular expression; `$PORT` stands for the port. */
export function parseReadiness(text: string, port: number): Readiness {
  const wanted = text.replace(/\$\{?PORT\b\}?/g, `${port}`)
  if (/^\d{1,5}$/.test(wanted) && Number(wanted) >= 1 && Number(wanted) <= LARGEST_PORT) {
    return { kind: 'port', port: Number(wanted) }
  }
  if (/^https?:\/\//i.test(wanted)) {
    if (!URL.canParse(wanted)) throw new LeakscopeError('usage-invalid', `--ready: '${text}' is no URL`)
    return { kind: 'url', url: new URL(wanted) }
  }
  try {
    return { kind: 'text', pattern: new RegExp(text) }
  } catch (cause) {
    throw new LeakscopeError(
      'usage-invalid',
      `--ready takes a port, a URL or a regular expression: ${(cause as Error).message}`,
      { cause },
    )
  }
}

/** The port that a readiness names; undefined where it names none. */
export function portOf(readiness: Readiness): number | undefined {
  if (readiness.kind === 'port') return readiness.port
  if (readiness.kind === 'url') return Number(readiness.url.port) || (readiness.url.protocol === 'https:' ? 443 : 80)
  return undefined
}

export interface WaitOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly host?: string
}

/** Waits until the program is ready. Throws when it ends instead, or takes too long. */
export async function waitUntilReady(
  program: ProcessGroup,
  readiness: Readiness,
  { timeoutMs, signal }: WaitOptions,
): Promise<void> {
  const until = performance.now() + timeoutMs
  for (;;) {
    signal.throwIfAborted()
    const ended = program.ended()
    if (ended !== undefined) {
      throw new LeakscopeError('program-failed', `the program ${ended} before it was ready`, { hint: wrote(program) })
    }
    if (await isReady(program, readiness, signal)) return
    if (performance.now() > until) {
      throw new LeakscopeError('program-failed', `after ${formatDuration(timeoutMs)}, ${notYet(readiness)}`, {
        hint: `--ready takes the port, a URL, or a part of what the program writes; --ready-timeout waits longer. ${wrote(program)}`,
      })
    }
    await sleep(POLL_MS)
  }
}

function notYet(readiness: Readiness): string {
  if (readiness.kind === 'port') return `nothing listens on port ${readiness.port} yet`
  if (readiness.kind === 'url') return `${readiness.url.href} does not answer well yet`
  return `the program has not written ${readiness.pattern} yet`
}

function wrote(program: ProcessGroup): string {
  const lines = lastLines(program)
  return lines === '' ? 'It wrote nothing.' : `It wrote: ${lines}`
}

async function isReady(program: ProcessGroup, readiness: Readiness, signal: AbortSignal): Promise<boolean> {
  if (readiness.kind === 'text') return readiness.pattern.test(program.output())
  if (readiness.kind === 'port') return (await accepts('127.0.0.1', readiness.port)) || accepts('::1', readiness.port)
  try {
    const response = await fetch(readiness.url, {
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]),
      headers: { connection: 'close' },
    })
    await response.body?.cancel()
    return response.status < 500
  } catch {
    return false
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.on('connect', () => end(true))
    socket.on('error', () => end(false))
    socket.on('timeout', () => end(false))
  })
}
