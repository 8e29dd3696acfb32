// The agent: `node --import leakscope/agent app.js`, or `--require`. It makes the process ready to be looked into by
// leakscope over a Unix socket, and does nothing until somebody comes.
//
// It runs inside other people's programs, on Node 18 and newer, so it is CommonJS, which both options can load, imports
// nothing of leakscope but what is in this folder, and would rather be missing than do harm.

import { isMainThread } from 'node:worker_threads'
import { complain } from './complain.cts'
import { listen } from './listen.cts'

const STARTED = Symbol.for('leakscope.agent')

// Threads inherit the option; they are reached through the main thread. Both options may be given at once.
if (isMainThread && !(STARTED in process)) {
  Object.defineProperty(process, STARTED, { value: true })
  const { LEAKSCOPE_AGENT: triggers } = process.env
  attempt(listen)
  if (triggers) attempt(() => (require('./triggers.cjs') as typeof import('./triggers.cts')).setTriggers(triggers))
}

function attempt(action: () => void): void {
  try {
    action()
  } catch (error) {
    complain(error)
  }
}
