// The program under test: started with a port of its own, and waited for until it is ready.

import { createServer } from 'node:net'
import { basename } from 'node:path'
import { LeakscopeError } from '../errors.ts'
import { lastLines, type ProcessGroup, startGroup } from './process-group.ts'
import { parseReadiness, portOf, waitUntilReady } from './readiness.ts'

export interface Program extends ProcessGroup {
  readonly port: number
}

export interface ProgramOptions {
  /** As `--ready` takes it; undefined for the port, or for nothing at all where `waits` is false. */
  readonly ready: string | undefined
  /** Whether to wait for the port where nothing was said. */
  readonly waits: boolean
  readonly readyTimeoutMs: number
  /** Where to start it; here, if undefined. */
  readonly folder: string | undefined
  readonly signal: AbortSignal
}

/** They start the program as a child, and then wait: it would be them that are measured. */
const RUNNERS = new Set(['npm', 'npx', 'yarn', 'pnpm', 'pnpx', 'bun', 'bunx'])

export async function startProgram(command: readonly string[], options: ProgramOptions): Promise<Program> {
  const { ready, waits, readyTimeoutMs, folder, signal } = options
  const [executable, ...args] = command as [string, ...string[]]
  if (RUNNERS.has(basename(executable).replace(/\.(cmd|exe)$/, ''))) {
    throw new LeakscopeError('usage-invalid', `${executable} would be measured instead of the program that it starts`, {
      hint: 'Name the program itself: leakscope check -- node server.js',
    })
  }
  const given = ready === undefined ? undefined : portOf(parseReadiness(ready, 1))
  const port = (ready?.includes('$') ? undefined : given) ?? (Number(process.env.PORT) || (await freePort()))
  const readiness = ready === undefined ? { kind: 'port' as const, port } : parseReadiness(ready, port)
  // No other process's inspector can be in the way of a port that nobody has chosen.
  const nodeOptions = [process.env.NODE_OPTIONS, '--inspect-port=0'].filter(Boolean).join(' ')
  const group = startGroup(executable, args, {
    env: { ...process.env, PORT: `${port}`, NODE_OPTIONS: nodeOptions },
    folder,
  })
  try {
    if (ready !== undefined || waits) await waitUntilReady(group, readiness, { timeoutMs: readyTimeoutMs, signal })
    return { ...group, port }
  } catch (error) {
    await group.stop()
    throw error
  }
}

/** One that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** A better word for what went wrong, where the reason is that the program has ended. */
export async function explainByEnd(error: unknown, program: ProcessGroup | undefined): Promise<unknown> {
  if (!program || !(error instanceof LeakscopeError) || error.code === 'cancelled') return error
  // The news of its end may take a moment longer than the broken connection.
  await Promise.race([program.done, new Promise((resolve) => setTimeout(resolve, 500).unref())])
  const ended = program.ended()
  if (ended === undefined) return error
  return new LeakscopeError('program-failed', `the program ${ended} while it was being measured`, {
    cause: error,
    hint: lastLines(program) || 'It wrote nothing.',
  })
}
