// The only thing that the agent ever says: one line on standard error when it cannot do its work.

import { writeSync } from 'node:fs'

/** Never throws. Does without `process.stderr`, so that the program finds that untouched. */
export function complain(why: unknown): void {
  if (process.env.LEAKSCOPE_AGENT_QUIET) return
  const reason = why instanceof Error ? why.message : String(why)
  try {
    writeSync(2, `leakscope agent: ${reason.replace(/\s+/g, ' ')}\n`)
  } catch {
    // Nobody listens.
  }
}
