// The process that a scenario runs in: does what it is told over its channel, and ends when that closes.

import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import type { Answer, Order, ScenarioAbout } from './scenario.ts'

interface ScenarioModule {
  /** What it returns, the other two are given. */
  readonly setup?: (about: ScenarioAbout) => unknown
  readonly iteration: (state: unknown, number: number) => unknown
  readonly teardown?: (state: unknown) => unknown
}

const file = process.argv[2]!
let scenario: ScenarioModule
let state: unknown
let done = 0

async function carryOut(order: Order): Promise<void> {
  if (order.do === 'setup') {
    const module = (await import(pathToFileURL(file).href)) as ScenarioModule & { readonly default?: ScenarioModule }
    // A CommonJS module is the default of what is imported.
    scenario = typeof module.iteration === 'function' ? module : { ...module.default!, ...module }
    if (typeof scenario.iteration !== 'function') throw new Error('it exports no function called iteration')
    state = await scenario.setup?.(order.about)
  } else if (order.do === 'run') {
    for (let i = 0; i < order.times; i++) await scenario.iteration(state, done++)
  } else {
    await scenario.teardown?.(state)
  }
}

process.on('message', async (order: Order) => {
  let answer: Answer = { ok: true }
  try {
    await carryOut(order)
  } catch (error) {
    const where = order.do === 'run' ? `iteration ${done}` : order.do
    answer = {
      ok: false,
      error: `${where} failed: ${error instanceof Error ? (error.stack ?? error.message) : inspect(error)}`,
    }
  }
  process.send?.(answer)
})
process.on('disconnect', () => process.exit())
