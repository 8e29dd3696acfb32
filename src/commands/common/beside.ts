// Another leakscope beside this one, at the same process: it comes in by the inspector that is open, and whoever is left
// shuts it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Beside {
  /** As Ctrl-C does: what can be kept of its work is kept. */
  stop(): void
  readonly done: Promise<{
    readonly code: number | null
    readonly stdout: readonly string[]
    readonly stderr: readonly string[]
  }>
}

const PROGRAM = fileURLToPath(new URL('../../../bin/leakscope.js', import.meta.url))

/** @param columns how wide what it prints may be */
export function runBeside(args: readonly string[], columns: number): Beside {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, COLUMNS: String(columns), NO_COLOR: '1', FORCE_COLOR: undefined },
  })
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
    const parts: string[] = []
    stream.setEncoding('utf8').on('data', (part: string) => parts.push(part))
    return () =>
      parts
        .join('')
        .split('\n')
        .filter((line, i, all) => line !== '' || i < all.length - 1)
  })
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    stdout: stdout!(),
    stderr: stderr!(),
  }))
  return {
    stop: () => void child.kill('SIGINT'),
    done: ended.catch((error: Error) => ({ code: null, stdout: [], stderr: [error.message] })),
  }
}
