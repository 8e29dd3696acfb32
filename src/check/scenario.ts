// A scenario: a module of the user's that does the work, run by a Node process of its own.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LeakscopeError } from '../errors.ts'
import type { Driver } from './driver.ts'
import { lastLines, type ProcessGroup, startGroup } from './process-group.ts'

/** What the process that runs the scenario is told. */
export type Order =
  | { readonly do: 'setup'; readonly about: ScenarioAbout }
  | { readonly do: 'run'; readonly times: number }
  | { readonly do: 'teardown' }

export type Answer = { readonly ok: true } | { readonly ok: false; readonly error: string }

/** What `setup` is called with. */
export interface ScenarioAbout {
  /** Of the program that is measured; null when that is the scenario itself. */
  readonly pid: number | null
  readonly port: number | null
}

export interface Scenario extends Driver {
  readonly pid: number
  setup(about: ScenarioAbout, signal: AbortSignal): Promise<void>
  teardown(signal: AbortSignal): Promise<void>
}

/** Starts the process; nothing of the scenario is run before its `setup` is called for. */
export function startScenario(script: string, env: NodeJS.ProcessEnv): Scenario {
  const file = resolve(script)
  if (!existsSync(file)) throw new LeakscopeError('file-not-found', `${script}: no such file`)
  const host = startGroup(process.execPath, ['--inspect-port=0', hostFile(), file], { env, ipc: true })

  async function order(what: Order, signal: AbortSignal): Promise<void> {
    const answer = await ask(host, what, signal)
    if (!answer.ok) throw new LeakscopeError('load-failed', `${script}: ${answer.error}`, { hint: lastLines(host) })
  }
  return {
    unit: 'iteration',
    least: 1,
    pid: host.pid,
    setup: (about, signal) => order({ do: 'setup', about }, signal),
    async run(units, signal) {
      const times = Math.max(1, Math.round(units))
      await order({ do: 'run', times }, signal)
      return times
    },
    teardown: (signal) => order({ do: 'teardown' }, signal),
    close: () => host.stop(),
  }
}

function ask({ child, done, ended }: ProcessGroup, order: Order, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      child.off('message', onMessage)
      signal.removeEventListener('abort', onAbort)
    }
    const onMessage = (answer: unknown) => {
      settle()
      resolve(answer as Answer)
    }
    const onAbort = () => {
      settle()
      reject(signal.reason)
    }
    if (signal.aborted) return reject(signal.reason)
    child.on('message', onMessage)
    signal.addEventListener('abort', onAbort, { once: true })
    done.then(() => {
      settle()
      resolve({ ok: false, error: `its process ${ended()}` })
    })
    if (child.connected) child.send(order, () => {})
  })
}

/** Our tests run the sources, which Node 20 cannot: it is handed what the build made of them. */
function hostFile(): string {
  const here = fileURLToPath(new URL('./scenario-main.js', import.meta.url))
  return import.meta.url.endsWith('.ts') ? here.replace(/([\\/])src([\\/]check[\\/])/, '$1dist$2') : here
}
