// A scenario, measured by `leakscope check` in a process of its own.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { DEFAULT_BUDGET, type NamedBudget } from '../commands/check/growth-budget.ts'
import { LeakscopeError } from '../errors.ts'
import type { Report } from '../findings/report.ts'

/** What is asked for. */
export interface Wish {
  readonly iterations: number | undefined
  readonly budget: NamedBudget
  readonly maxDurationMs: number
  readonly diagnose: boolean
  readonly signal: AbortSignal
}

const CLI = fileURLToPath(new URL('../../bin/leakscope.js', import.meta.url))

export async function checkScenario(path: string, { budget, maxDurationMs, diagnose, signal }: Wish): Promise<Report> {
  signal.throwIfAborted()
  const args = [CLI, 'check', '--script', path, '--json', '--quiet', '--max-duration', `${maxDurationMs}ms`]
  if (budget !== DEFAULT_BUDGET) args.push('--max-growth', budget.text)
  // No snapshot is as cheap as that.
  if (!diagnose) args.push('--max-pause', '1ms')
  // What the test runner has put there is for its own processes; annotations are its business, too.
  const env = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: undefined, GITHUB_ACTIONS: undefined }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    stdout += part
  })
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr += part
  })
  // It has to end what it has started.
  const stop = () => child.kill('SIGINT')
  signal.addEventListener('abort', stop, { once: true })
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    signal.throwIfAborted()
    if (code !== 0 && code !== 1) {
      const message = stderr.trim().replace(/^leakscope: /, '')
      throw new LeakscopeError(code === 2 ? 'usage-invalid' : 'load-failed', message || `the check ended with ${code}`)
    }
    return JSON.parse(stdout) as Report
  } finally {
    signal.removeEventListener('abort', stop)
    if (child.exitCode === null && child.signalCode === null) stop()
  }
}
